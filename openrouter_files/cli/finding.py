"""What an argument of `upload` stands for: a file, all files of a folder, those of a pattern.

Found as it is needed: a folder of a million files is walked, not listed.
"""

from __future__ import annotations

import errno
import glob
import os
import stat
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .patterns import Patterns


@frozen(kw_only=True)
class Finding:
    """One file to upload, or why there is none.

    Attributes:
        source: As the user knows it: a path, or ``-``.
        name: As it is to be stored.
        size: In bytes; None if only reading it tells.
        error: What stood in the way; None if nothing did.
    """

    source: str
    name: str
    size: int | None = None
    error: OSError | None = None


def _failed(source: str, number: int, words: str | None = None) -> Finding:
    return Finding(source=source, name=source, error=OSError(number, words or os.strerror(number), source))


def _file(path: str, name: str) -> Finding:
    """Look at one file; a pipe with a name is as good, but cannot say how long it is."""
    try:
        status = os.stat(path)  # noqa: PTH116  # paths are text here: those of the user, as they are
    except OSError as error:
        return Finding(source=path, name=name, error=error)
    return Finding(source=path, name=name, size=status.st_size if stat.S_ISREG(status.st_mode) else None)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _walk(folder: str, patterns: Patterns, below: str = "") -> Iterator[Finding]:
    """Yield the files of a folder and of those inside, by name; links to folders may lead in circles."""
    try:
        entries = _entries(folder)
    except OSError as error:
        yield Finding(source=folder, name=below, error=error)
        return
    for entry in entries:
        name = below + entry.name
        if patterns.hide(entry.name) or patterns.shut_out(name):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, patterns, f"{name}/")
        elif entry.is_file() and patterns.want(name):
            yield _file(entry.path, name)


def _fixed_part(pattern: str) -> str:
    """Return the folder that all matches of a pattern have in common."""
    path = PurePath(pattern)
    magic = next(at for at, part in enumerate(path.parts) if glob.has_magic(part))
    return str(PurePath(*path.parts[:magic]))


def _matches(pattern: str, patterns: Patterns) -> Iterator[Finding]:
    start = _fixed_part(pattern)
    found = False
    for path in glob.iglob(pattern, recursive=True, include_hidden=patterns.hidden):  # noqa: PTH207  # lazy, hidden
        found = True
        name = PurePath(os.path.relpath(path, start)).as_posix()
        if Path(path).is_file() and patterns.want(name):
            yield _file(path, name)
    if not found:
        yield _failed(pattern, errno.ENOENT, "no file matches")


def _stored_name(path: str, *, keep_folders: bool) -> str:
    parts = PurePath(path).parts
    relative = not PurePath(path).is_absolute() and ".." not in parts
    return "/".join(parts) if keep_folders and relative else PurePath(path).name


def find(given: str, patterns: Patterns, *, keep_folders: bool = False) -> Iterator[Finding]:
    """Yield what one argument stands for.

    Args:
        given: A path, or a pattern that no shell has expanded.
        patterns: Which of the files are wanted.
        keep_folders: Whether a relative path is the stored name, folders included.
    """
    if os.path.isdir(given):  # noqa: PTH112
        yield from _walk(given, patterns)
    elif not os.path.lexists(given) and glob.has_magic(given):
        yield from _matches(given, patterns)
    elif patterns.want(name := _stored_name(given, keep_folders=keep_folders)):
        yield _file(given, name)
