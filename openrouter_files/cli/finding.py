"""What an argument of `upload` stands for: a file, all files of a folder, those of a pattern.

Found as it is needed: a folder of a million files is walked, not listed. The walk is the library's.
"""

from __future__ import annotations

import asyncio
import errno
import glob
import os
import stat
from contextlib import aclosing
from fnmatch import fnmatch
from pathlib import PurePath
from typing import TYPE_CHECKING, TypedDict

from attrs import evolve, frozen

from openrouter_files import LocalFile, local_files

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@frozen(kw_only=True)
class Finding:
    """One file to upload, or why there is none.

    Attributes:
        source: As the user knows it: a path, or ``-``.
        name: As it is to be stored.
        size: In bytes; None if only reading it tells.
        stream: Whether it is a pipe that the user named: it is read once, to its end.
        error: What stood in the way; None if nothing did.
    """

    source: str
    name: str
    size: int | None = None
    stream: bool = False
    error: OSError | None = None


class Filter(TypedDict):
    """Which of the files that are found are wanted; see ``local_files``."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    hidden: bool


async def find(given: str, wanted: Filter, *, keep_folders: bool = False) -> AsyncGenerator[Finding]:
    """Yield what one argument stands for.

    Args:
        given: A path, or a pattern that no shell has expanded.
        wanted: Which of the files are wanted.
        keep_folders: Whether a relative path is the stored name, folders included.
    """
    kind = await asyncio.to_thread(_kind, given)
    if kind == "pattern":
        found = False
        async with aclosing(_matches(given, hidden=wanted["hidden"])) as matches:
            async for match in matches:
                found = True
                async for file in local_files(match, **wanted):
                    yield evolve(await asyncio.to_thread(_named, file), stream=False)
        if not found:
            error = OSError(errno.ENOENT, "no file matches", given)
            yield Finding(source=given, name=given, error=error)
        return
    if kind == "folder":
        async for file in local_files(given, **wanted):
            yield Finding(source=file.path, name=file.filename, size=file.size)
        return
    async for file in local_files(LocalFile(given, _stored_name(given, keep_folders=keep_folders)), **wanted):
        yield await asyncio.to_thread(_named, file)


def _kind(given: str) -> str:
    if os.path.isdir(given):  # noqa: PTH112  # paths are text here: those of the user, as they are
        return "folder"
    return "pattern" if not os.path.lexists(given) and glob.has_magic(given) else "file"


async def _matches(pattern: str, *, hidden: bool) -> AsyncGenerator[LocalFile]:
    """Yield what a pattern matches, folders aside, named from the fixed part of the pattern on.

    Below a ``**`` it is the library's walk that finds: glob's goes round in circles, and keeps quiet about a
    folder that it cannot list.
    """
    start, parts = _fixed_part(pattern), PurePath(pattern).parts
    at = parts.index("**") if "**" in parts else len(parts)
    below = parts[at:]
    tops = glob.iglob(str(PurePath(*parts[:at])), include_hidden=hidden)  # noqa: PTH207  # lazy, hidden
    while (top := await asyncio.to_thread(next, tops, None)) is not None:
        is_folder = await asyncio.to_thread(os.path.isdir, top)
        if not below and not is_folder:
            yield _from(start, top)
        elif below and is_folder:
            dotted = hidden or any(part.startswith(".") for part in below)
            async for file in local_files(top, hidden=dotted):
                fits = _fits(tuple(file.filename.split("/")), below, hidden=hidden)
                # What the walk found and is a folder could not be listed: that is told.
                if fits or await asyncio.to_thread(os.path.isdir, file.path):
                    yield _from(start, file.path.removeprefix(f".{os.sep}") if at == 0 else file.path)


def _from(start: str, path: str) -> LocalFile:
    return LocalFile(path, PurePath(os.path.relpath(path, start)).as_posix())


def _fits(parts: tuple[str, ...], pattern: tuple[str, ...], *, hidden: bool) -> bool:
    """Return whether a path matches a pattern, part by part, as glob understands it."""
    if not pattern:
        return not parts
    first, *_ = pattern
    if first == "**" and _fits(parts, pattern[1:], hidden=hidden):
        return True
    if not parts or (parts[0].startswith(".") and not hidden and not first.startswith(".")):
        return False
    if first == "**":
        return _fits(parts[1:], pattern, hidden=hidden)
    return fnmatch(parts[0], first) and _fits(parts[1:], pattern[1:], hidden=hidden)


def _fixed_part(pattern: str) -> str:
    """Return the folder that all matches of a pattern have in common."""
    path = PurePath(pattern)
    magic = next(at for at, part in enumerate(path.parts) if glob.has_magic(part))
    return str(PurePath(*path.parts[:magic]))


def _named(file: LocalFile) -> Finding:
    """Look at a file that the user named; a pipe is as good, but cannot say how long it is."""
    try:
        status = os.stat(file.path)  # noqa: PTH116
    except OSError as error:
        return Finding(source=file.path, name=file.filename, error=error)
    regular = stat.S_ISREG(status.st_mode)
    return Finding(source=file.path, name=file.filename, size=status.st_size if regular else None, stream=not regular)


def _stored_name(path: str, *, keep_folders: bool) -> str:
    parts = PurePath(path).parts
    relative = not PurePath(path).is_absolute() and ".." not in parts
    return "/".join(parts) if keep_folders and relative else PurePath(path).name
