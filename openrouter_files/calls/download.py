"""One download: iterated, read whole, or saved to a file that appears only when it is complete."""

from __future__ import annotations

import errno
import os
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ..contract import operations
from ..disk.target import PartFile, exists, folder_is, inside, inside_folders
from ..disk.writing import write_all
from ..exchange import call
from ..exchange.stream import Stream
from ..models import File, Progress
from ..options import OVERWRITE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
    from types import TracebackType

    from ..exchange.transport import Transport
    from ..models import ProgressCallback
    from ..options import Options, Overwrite


class Download:
    """A file of the workspace, not yet asked for.

    Use it in one of three ways::

        async with files.download(file_id) as chunks:   # raises here if it may not be downloaded
            print(chunks.size, chunks.content_type)
            async for chunk in chunks: ...

        async for chunk in files.download(file_id): ...

        data = await files.download(file_id).read()

    Chunks are ``bytes`` of any length. A transfer that breaks goes on where it stopped: no byte
    is repeated or left out.
    """

    def __init__(self, start: Callable[[], Awaitable[Stream]]) -> None:
        """Made by ``FilesClient.download``, not by you."""
        self._start = start
        self._stream: Stream | None = None
        self._chunks: AsyncGenerator[bytes] | None = None

    async def __aenter__(self) -> Self:
        """Ask for the file.

        Raises:
            BadRequestError: It may not be downloaded (``downloadable`` is False).
            NotFoundError: There is no such file in this workspace.
        """
        self._stream = await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stream, chunks = self._opened(), self._chunks
        self._stream = self._chunks = None
        if chunks is not None:
            await chunks.aclose()
        stream.close()

    @property
    def size(self) -> int | None:
        """Bytes in all, as promised by the server; None if it did not. Known inside ``async with``."""
        return self._opened().size

    @property
    def content_type(self) -> str | None:
        """As the server said; None if it did not. Known inside ``async with``."""
        return self._opened().content_type

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the bytes; outside of ``async with``, ask for the file first."""
        if self._stream is None:
            return self._whole()
        self._chunks = self._chunks or self._stream.chunks()
        return self._chunks

    async def read(self) -> bytes:
        """Return the whole file as bytes."""
        return b"".join([chunk async for chunk in self])

    async def _whole(self) -> AsyncGenerator[bytes]:
        stream = await self._start()
        try:
            async for chunk in stream.chunks():
                yield chunk
        finally:
            stream.close()

    def _opened(self) -> Stream:
        if self._stream is None:
            raise RuntimeError("the download is not open: use `async with files.download(...) as chunks`")
        return self._stream


def _id_of(file: File | str) -> str:
    return file.id if isinstance(file, File) else file


def opener(transport: Transport, options: Options, file: File | str) -> Callable[[], Awaitable[Stream]]:
    """Return what asks for a file; ValueError now, not then, if its id makes no sense."""
    request = operations.file_content(options, _id_of(file))
    metadata = operations.retrieve_file(options, _id_of(file))

    async def size() -> int:
        return (await call.fetch(transport, metadata, options)).size_bytes

    async def start() -> Stream:
        known = file.size_bytes if isinstance(file, File) else None
        stream = Stream(transport, request, options, size=known, prove=size)
        await stream.start()
        return stream

    return start


def checked(overwrite: Overwrite | None) -> Overwrite | None:
    """Refuse a policy that does not exist; ValueError before anything is sent."""
    if overwrite is not None and overwrite not in OVERWRITE:
        raise ValueError(f"overwrite must be one of {', '.join(map(repr, OVERWRITE))}, not {overwrite!r}")
    return overwrite


async def place(
    file: File | str, target: str | os.PathLike[str], retrieve: Callable[[str], Awaitable[File]], *, keep_folders: bool
) -> tuple[File | str, Path, Overwrite]:
    """Return the file as far as it is known, the path to write, and what is usual if that is taken.

    A path that the caller named is replaced; a name that the server chose, inside a folder, must be free.
    """
    if not await folder_is(target):
        return file, Path(target), "replace"
    described = file if isinstance(file, File) else await retrieve(file)
    if keep_folders:
        return described, await inside_folders(target, described.filename, otherwise=described.id), "error"
    return described, inside(target, described.filename, otherwise=described.id), "error"


async def is_taken(target: Path, overwrite: Overwrite) -> bool:
    """Whether there is nothing to do because the name is taken; FileExistsError if that is wrong."""
    if overwrite in {"replace", "rename"} or not await exists(target):
        return False
    if overwrite == "error":
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    return True


def _tell(stream: Stream, on_progress: ProgressCallback | None, done: int) -> None:
    if on_progress is not None:
        on_progress(Progress(done=done, total=stream.size))


async def save(
    stream: Stream, target: Path, *, overwrite: Overwrite, fsync: bool, on_progress: ProgressCallback | None
) -> Path:
    """Write an open stream to a part file and give it its name once it is proven whole."""
    try:
        part = await PartFile.beside(target)
        try:
            async with aclosing(stream.chunks()) as chunks:
                await write_all(chunks, part, partial(_tell, stream, on_progress))
            return await part.appear(target, overwrite=overwrite, fsync=fsync)
        except BaseException:
            await part.discard()
            raise
    finally:
        stream.close()
