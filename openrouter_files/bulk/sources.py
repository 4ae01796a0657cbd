"""Finds the files of an upload job."""

from __future__ import annotations

import asyncio
import os
import re
import stat
import time
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from contextvars import copy_context
from fnmatch import fnmatchcase
from typing import TypeAlias, cast

from attrs import define, frozen

from .outcomes import LocalFile

# ---- Walking through a folder: lazily, depth first, in the order of the names. Blocking, for a thread.

# What a download is written to until it is whole: another one may be under way in this folder, or was killed.
_PART_FILE = re.compile(r".\.part-[0-9a-f]{8}$")


@frozen(kw_only=True)
class FileFilter:
    """Decides which files are uploaded. An exclusion is stronger than an inclusion.

    A pattern means the files that it matches, and all files below a folder that it matches. With a slash
    inside it is compared with the path, otherwise with each part of the path.

    Attributes:
        include: Only files that match one of these patterns; empty for all.
        exclude: No file that matches one of these patterns.
        hidden: Whether files and folders whose names start with a dot, and part files of
            downloads, are taken from inside a folder.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False

    def wants(self, name: str) -> bool:
        """Return whether a file of that name is wanted."""
        included = not self.include or any(_matches(name, pattern) for pattern in self.include)
        return included and not self.excludes(name)

    def excludes(self, name: str) -> bool:
        """Return whether nothing of that name, or below it, is wanted."""
        return any(_matches(name, pattern) for pattern in self.exclude)

    def hides(self, part: str) -> bool:
        """Return whether an entry of a folder is left out because it is hidden."""
        return not self.hidden and (part.startswith(".") or _PART_FILE.search(part) is not None)


def _matches(name: str, pattern: str) -> bool:
    parts, pattern = name.split("/"), pattern.rstrip("/")
    if "/" not in pattern:
        return any(fnmatchcase(part, pattern) for part in parts)
    return any(fnmatchcase("/".join(parts[:end]), pattern) for end in range(1, len(parts) + 1))


@define
class _Level:
    """A folder on the way, and what is left in it, the next at the end; subfolders end with a slash."""

    path: str
    prefix: str
    names: list[str]


def files_within(folder: str, wanted: FileFilter) -> Iterator[LocalFile]:
    """Yield the files below a folder, named by their way from it.

    In memory are the names of one folder per level, never the tree. Links to folders are not
    followed, so there is no going round in circles. What is no file (a pipe, a link that leads
    nowhere or in a circle) and a folder that cannot be listed are yielded like files: opening them
    tells why they cannot be uploaded, and nothing is lost in silence.
    """
    levels: list[_Level] = []
    yield from _entered(levels, folder, "", wanted)
    while levels:
        level = levels[-1]
        if not level.names:
            levels.pop()
            continue
        name = level.names.pop()
        path, filename = os.path.join(level.path, name), level.prefix + name  # noqa: PTH118 - a path is text here
        if name.endswith("/"):
            yield from _entered(levels, path[:-1], filename, wanted)
        elif wanted.wants(filename):
            yield local_file(path, filename)


def local_file(path: str, filename: str) -> LocalFile:
    """Return a local file with its size, as far as the disk tells it."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a path is text here
    except (OSError, ValueError):  # whoever opens it says why
        return LocalFile(path, filename)
    return LocalFile(path, filename, status.st_size if stat.S_ISREG(status.st_mode) else None)


def _entered(levels: list[_Level], folder: str, prefix: str, wanted: FileFilter) -> Iterator[LocalFile]:
    try:
        levels.append(_Level(folder, prefix, _listed(folder, prefix, wanted)))
    except OSError:
        yield LocalFile(folder, prefix.removesuffix("/") or base_name(folder))


def base_name(path: str) -> str:
    """Return the last part of a path, whether or not it ends with a separator."""
    return os.path.basename(os.path.normpath(path))  # noqa: PTH119 - a path is text here


def _listed(folder: str, prefix: str, wanted: FileFilter) -> list[str]:
    with os.scandir(folder) as entries:
        names = [
            entry.name + ("/" if entry.is_dir(follow_symlinks=False) else "")
            for entry in entries
            if not (wanted.hides(entry.name) or wanted.excludes(prefix + entry.name) or _is_linked_folder(entry))
        ]
    # With its slash a folder stands where the names of its files do: the walk as a whole is in order.
    names.sort(reverse=True)
    return names


def _is_linked_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:  # it leads to where nobody may look: opening it will say so
        return False


# ---- What is to be uploaded, as the caller said it, as a stream of local files that is read as it is needed.

Source: TypeAlias = str | os.PathLike[str] | tuple[str | os.PathLike[str], str] | LocalFile
"""A file; a folder, for all that is in it; a file and the name to store it under."""

Sources: TypeAlias = str | os.PathLike[str] | LocalFile | Iterable[Source] | AsyncIterable[Source]
"""One, or any number of them; a tuple is an iterable here."""

# A visit of the thread brings so many files, or fewer if they come slowly: the first need not wait for the rest.
_AT_ONCE = 64
_LONGEST_VISIT = 0.05


def local_files(
    sources: Sources, *, include: str | Iterable[str] = (), exclude: str | Iterable[str] = (), hidden: bool = False
) -> AsyncGenerator[LocalFile]:
    """Yield every file that an upload of these sources would take, one by one.

    What cannot be read is yielded, too: an upload of it says why.

    Args:
        sources: Paths, folders, ``(path, filename)`` pairs or LocalFiles, in any iterable or async iterable.
        include: Only files that match one of these patterns; empty for all. A pattern means the files that
            it matches and all below a folder that it matches; with a slash inside it is compared with the
            stored name, otherwise with each part of it.
        exclude: No file that matches one of these patterns.
        hidden: Whether hidden files and folders (``.env``, ``.git/``) inside a folder are taken, and
            unfinished downloads (``NAME.part-...``).

    Raises:
        TypeError: ``sources`` is no source, or a pattern is no str.
    """
    return _one_by_one(batches(sources, file_filter(include=include, exclude=exclude, hidden=hidden)))


def file_filter(*, include: str | Iterable[str], exclude: str | Iterable[str], hidden: bool) -> FileFilter:
    """Return which files are wanted; TypeError if a pattern is no str."""
    return FileFilter(include=_patterns("include", include), exclude=_patterns("exclude", exclude), hidden=hidden)


def _patterns(name: str, given: str | Iterable[str]) -> tuple[str, ...]:
    patterns = (given,) if isinstance(given, str) else tuple(cast("Iterable[object]", given))
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise TypeError(f"{name} takes patterns as str, not {pattern!r}")
    return cast("tuple[str, ...]", patterns)


def batches(sources: Sources, wanted: FileFilter) -> AsyncGenerator[list[LocalFile]]:
    """Yield every wanted file of the sources, in order, a few at a time; none waits for one that is still to come.

    A file of its own is stored under its base name, one of a folder under its way from there. An
    iterable is advanced in a thread, always the same, so it may block; what it raises comes
    through after what it gave before.

    Raises:
        TypeError: At once if ``sources`` is no source, else in its turn.
    """
    if isinstance(sources, AsyncIterable):
        return _awaited(sources, wanted)
    if isinstance(sources, str | os.PathLike | LocalFile):
        return _in_thread(_found([sources], wanted))
    _check_iterable(sources)
    return _in_thread(_found(sources, wanted))


def _check_iterable(sources: object) -> None:
    if isinstance(sources, bytes | bytearray | memoryview) or not isinstance(sources, Iterable):
        raise TypeError(f"no path, and no iterable of paths: {sources!r}")


async def _one_by_one(batches: AsyncGenerator[list[LocalFile]]) -> AsyncGenerator[LocalFile]:
    async with aclosing(batches) as found:
        async for batch in found:
            for file in batch:
                yield file


async def _awaited(sources: AsyncIterable[Source], wanted: FileFilter) -> AsyncGenerator[list[LocalFile]]:
    visits = _Visits()
    try:
        async for source in sources:
            if (named := _named(source)) is not None:
                if wanted.wants(named.filename):
                    yield [named]
                continue
            found = _found([source], wanted)
            while batch := await visits.next(found):
                yield batch
    finally:
        visits.end()


async def _in_thread(found: Generator[LocalFile]) -> AsyncGenerator[list[LocalFile]]:
    visits = _Visits()
    try:
        while batch := await visits.next(found):
            yield batch
    finally:
        visits.end(found)


class _Visits:
    """A thread that advances iterators, a batch at a time."""

    def __init__(self) -> None:
        # One of our own: a source that blocks must not take a thread from anybody else.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="openrouter_files_sources")
        self._error: Exception | None = None

    async def next(self, found: Iterator[LocalFile]) -> list[LocalFile]:
        """Return the next few files, none at the end; raise what the iterator raised before them."""
        if self._error is not None:
            raise self._error
        context = copy_context()  # as for any call: a source may look into the caller's
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: context.run(self._visit, found))

    def end(self, *left: Generator[LocalFile]) -> None:
        """Close what was left, after the visit that may be under way; nobody waits for that."""
        for found in left:
            self._thread.submit(found.close)
        self._thread.shutdown(wait=False)

    def _visit(self, found: Iterator[LocalFile]) -> list[LocalFile]:
        batch: list[LocalFile] = []
        until = time.monotonic() + _LONGEST_VISIT
        try:
            for file in found:
                batch.append(file)
                if len(batch) == _AT_ONCE or time.monotonic() > until:
                    break
        except Exception as error:
            if not batch:
                raise
            self._error = error  # its turn comes after what was found before it
        return batch


def _found(sources: Iterable[Source], wanted: FileFilter) -> Generator[LocalFile]:
    for source in sources:
        if (named := _named(source)) is not None:
            if wanted.wants(named.filename):
                yield named
        else:
            yield from _at(_path(source), wanted)


def _named(source: object) -> LocalFile | None:
    """Return a source that says its name itself, so that no disk must be asked; None for a path."""
    if isinstance(source, LocalFile):
        return source
    if isinstance(source, tuple):
        path, filename = _pair(cast("tuple[object, ...]", source))
        return LocalFile(_path(path), filename)
    return None


def _pair(source: tuple[object, ...]) -> tuple[object, str]:
    match source:
        case (path, str(filename)):
            return path, filename
        case _:
            raise TypeError(f"no (path, filename): {source!r}")


def _path(source: object) -> str:
    path = os.fspath(cast("str | os.PathLike[str]", source)) if isinstance(source, str | os.PathLike) else None
    if not isinstance(path, str):
        raise TypeError(f"no path, no (path, filename) and no LocalFile: {source!r}")
    return path


def _at(path: str, wanted: FileFilter) -> Iterator[LocalFile]:
    if os.path.isdir(path):  # noqa: PTH112 - a path is text here
        yield from files_within(path, wanted)
    elif wanted.wants(name := base_name(path)):
        yield local_file(path, name)
