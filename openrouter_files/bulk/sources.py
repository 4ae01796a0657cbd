"""What is to be uploaded, as the caller said it, as a stream of local files that is read as it is needed."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeAlias, cast

from .folders import FileFilter, base_name, files_within, local_file
from .outcome import LocalFile

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterator

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
