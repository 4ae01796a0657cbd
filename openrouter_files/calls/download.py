"""One download: iterated, or read whole; see ``saving`` for files."""

from __future__ import annotations

from contextlib import aclosing
from io import BytesIO
from typing import TYPE_CHECKING, Self

from ..exchange.stream import Stream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
    from types import TracebackType

    from ..contract.requests import Request
    from ..exchange.transport import Transport
    from ..models import ContainerFile, File
    from ..options import Options


# Bytes of the largest file that the service stores. Source: Files API guide, limits.
_LARGEST = 104_857_600


class _Chunks:
    """Chunks that do not end quietly after they were interrupted: a generator would."""

    def __init__(self, chunks: AsyncGenerator[bytes]) -> None:
        self._chunks = chunks
        self._interrupted = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._interrupted:
            raise RuntimeError("the download was interrupted: ask for it again")
        try:
            return await anext(self._chunks)
        except StopAsyncIteration:
            raise
        except BaseException:
            self._interrupted = True
            raise

    async def aclose(self) -> None:
        await self._chunks.aclose()


class Download:
    """A file of the workspace, or a part of it, not yet asked for.

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
        self._chunks: _Chunks | None = None

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
        try:
            if chunks is not None:
                await chunks.aclose()
        finally:
            stream.close()

    @property
    def size(self) -> int | None:
        """Bytes of the whole file, as promised by the server; None if it did not. Known inside ``async with``."""
        return self._opened().size

    @property
    def has_ranges(self) -> bool:
        """Whether the server sends parts of files, as far as its answer tells. Known inside ``async with``."""
        return self._opened().has_ranges

    @property
    def content_type(self) -> str | None:
        """As the server said; None if it did not. Known inside ``async with``."""
        return self._opened().content_type

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the bytes; outside of ``async with``, ask for the file first."""
        if self._stream is None:
            return _Chunks(self._whole())
        self._chunks = self._chunks or _Chunks(self._stream.chunks())
        return self._chunks

    async def read(self) -> bytes:
        """Return all of it as bytes, held once.

        Raises:
            IncompleteDownloadError: More came than the server promised; or, if it promised nothing, more than the
                largest file that it stores (104,857,600 bytes): iterate, or save it, if you want it all the same.
        """
        if self._stream is not None:
            return await _gathered(self._stream, aiter(self))
        stream = await self._start()
        try:
            async with aclosing(stream.chunks()) as chunks:
                return await _gathered(stream, chunks)
        finally:
            stream.close()

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


async def _gathered(stream: Stream, chunks: AsyncIterator[bytes]) -> bytes:
    content = BytesIO()
    async for chunk in chunks:
        content.write(chunk)
        if stream.size is None and content.tell() > _LARGEST:
            raise stream.incomplete(f"more than {_LARGEST} bytes arrived, and the server does not say how many follow")
    return content.getvalue()  # the buffer itself: it is not copied


def check_part(start: int, stop: int | None) -> None:
    """Refuse a part that cannot hold a byte; ValueError before anything is sent."""
    if start < 0 or (stop is not None and stop <= start):
        raise ValueError(f"a part goes from a byte to a later one, not from {start} to {stop}")


def opener(
    transport: Transport,
    options: Options,
    request: Request,
    file: File | ContainerFile | str,
    retrieve: Callable[[str], Awaitable[File | ContainerFile]],
    *,
    first: int = 0,
    stop: int | None = None,
) -> Callable[[], Awaitable[Stream]]:
    """Return what asks for a file; its metadata, if nobody knows them, only where nothing else tells its end."""
    check_part(first, stop)

    async def prove() -> int | None:
        return (await retrieve(file)).size_bytes if isinstance(file, str) else file.size_bytes

    async def start() -> Stream:
        size = None if isinstance(file, str) else file.size_bytes
        stream = Stream(transport, request, options, size=size, prove=prove, start=first, stop=stop)
        await stream.start()
        return stream

    return start
