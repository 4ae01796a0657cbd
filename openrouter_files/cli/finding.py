"""What an argument of `upload` stands for: a file, all files of a folder, those of a pattern.

Found as it is needed: a folder of a million files is walked, not listed. The walk is the library's.
"""

from __future__ import annotations

import asyncio
import errno
import glob
import os
import stat
from pathlib import PurePath
from typing import TYPE_CHECKING, TypedDict

from attrs import evolve, frozen

from openrouter_files import LocalFile, local_files

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator


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
        matches = _matches(given, hidden=wanted["hidden"])
        while (match := await asyncio.to_thread(next, matches, None)) is not None:
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


def _matches(pattern: str, *, hidden: bool) -> Iterator[LocalFile]:
    """Yield what a pattern matches, folders aside, named from the fixed part of the pattern on."""
    start = _fixed_part(pattern)
    for path in glob.iglob(pattern, recursive=True, include_hidden=hidden):  # noqa: PTH207  # lazy, hidden
        if not os.path.isdir(path):  # noqa: PTH112
            yield LocalFile(path, PurePath(os.path.relpath(path, start)).as_posix())


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
