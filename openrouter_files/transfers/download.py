"""A download that goes on where it broke, and saving it to disk."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

from attrs import evolve, field, frozen

from ..errors import APIError, FilesError, IncompleteDownloadError, TransportError
from ..local.targets import PartFile, exists, folder_is, inside, inside_folders, write_all
from ..models import ContainerFile, File, Progress, ProgressCallback
from ..options import OVERWRITE, Options, Overwrite, listener, tell
from ..protocol.requests import Request
from ..transport.http import Answer, Transport
from ..transport.rate_limit import Caller
from ..transport.retry import Attempt, name, open_once, repeat, worth_repeating

# ---- Which version of a file an answer holds, and whether another answer goes on with the same.

# Source: RFC 9110, 14.4.
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII)


def packed(answer: Answer) -> str | None:
    """Say that a file comes compressed, although nobody asked: neither its length nor its place is known. Else None.

    What a few bytes unpack to may fill a disk.
    """
    how = answer.encoding
    return f"the server sends the file compressed ({how[:100]}), although it was asked not to" if how else None


def total_of(answer: Answer) -> int | None:
    """Return how many bytes the whole file has, of which an answer sends all or a part; None if it does not say."""
    if answer.status != 206:
        return answer.length
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return None if found is None or found[3] == "*" else int(found[3])


@frozen(kw_only=True)
class Version:
    """What the first answer said about the file.

    Attributes:
        size: Bytes; None if unknown.
        etag: As it was told; None if it was not.
        modified: Last-Modified, likewise.
        has_ranges: Whether the server can be asked for the rest of it.
    """

    size: int | None
    etag: str | None = None
    modified: str | None = None
    has_ranges: bool = False

    @property
    def validator(self) -> str | None:
        """The ETag if it promises the same bytes. Source: RFC 9110, 8.8.1."""
        return self.etag if self.etag and self.etag.startswith('"') else None

    @classmethod
    def of(cls, answer: Answer, size: int | None) -> Version:
        """Read it from the first answer."""
        etag, modified = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
        told = cls(size=size, etag=etag, modified=modified)
        accepts = answer.status == 206 or answer.headers.get("Accept-Ranges", "").lower() == "bytes"
        return evolve(told, has_ranges=accepts or told.validator is not None)

    def range_from(self, start: int, stop: int | None = None) -> tuple[tuple[str, str], ...]:
        """Return the headers that ask for the rest of this version, up to ``stop``. Source: RFC 9110, 13.1.5."""
        asked = ("Range", f"bytes={start}-{'' if stop is None else stop - 1}")
        return (asked, ("If-Range", self.validator)) if self.validator else (asked,)

    def problem(self, answer: Answer) -> str | None:
        """Say why an answer that starts over is not the same file; None if it is."""
        if None not in {self.size, answer.length} and answer.length != self.size:
            return f"the file has now {answer.length} bytes, not {self.size}"
        return self._other_validator(answer)

    def part_problem(self, answer: Answer, start: int) -> str | None:
        """Say why a part is not the rest of the same file; None if it is.

        Source: RFC 9110, 15.3.7: a part may begin elsewhere, or be of another version.
        """
        text = answer.headers.get("Content-Range", "")
        found = _CONTENT_RANGE.fullmatch(text)
        if not self.has_ranges or not found or int(found[1]) != start:
            return f"the server sent another part: {text!r}"
        if self.size is not None and found[3] not in {"*", str(self.size)}:
            return f"the file has now {found[3]} bytes, not {self.size}"
        return self._other_validator(answer)

    def _other_validator(self, answer: Answer) -> str | None:
        """Say that a validator is another one, however weak: two versions are never joined.

        Source: RFC 9110, 8.8.3.2, weak comparison.
        """
        etag, modified = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
        other_tag = self.etag and etag and etag.removeprefix("W/") != self.etag.removeprefix("W/")
        changed = other_tag or (self.modified and modified and modified != self.modified)
        return "the file changed while it was downloaded" if changed else None


# ---- The bytes of one file, or of a part of it, as they arrive; a transfer that breaks goes on where it stopped.

T = TypeVar("T")

# A server that breaks again and again after less than this is not getting anywhere.
_WORTHWHILE = 64 * 1024


class Stream:
    """One file under way.

    Attributes:
        size: Bytes of the whole file; None if the server did not say.
        content_type: As the server said.
        received: Bytes that were handed out so far, or lie before the part.
        has_ranges: Whether the server sends parts, as far as its answer tells.
    """

    def __init__(
        self,
        transport: Transport,
        request: Request,
        options: Options,
        *,
        size: int | None,
        prove: Callable[[], Awaitable[int | None]],
        start: int = 0,
        stop: int | None = None,
    ) -> None:
        """Prepare.

        Args:
            transport: Carries it.
            request: For the whole file.
            options: Of the call.
            size: As the metadata say; None if nobody has asked for them.
            prove: Asks for the size of a file whose end nothing else tells; None if the server does not know it.
            start: The first byte of the part.
            stop: The byte after its last; None for the rest of the file.
        """
        self.size = size
        self.content_type: str | None = None
        self.received = start
        self.has_ranges = start > 0 or stop is not None  # assumed for a part, until the answer tells
        self._transport = transport
        self._request = request
        self._options = options
        self._prove = prove
        self._answer: Answer | None = None
        self._stop, self._behind = stop, False
        self._version = Version(size=size, has_ranges=self.has_ranges)
        self._last_break = start
        self._futile = 0
        self._until: float | None = None

    async def start(self) -> None:
        """Ask for the file; raises if it may not be downloaded. From now on the deadline counts."""
        deadline = self._options.retry.deadline
        self._until = None if deadline is None else time.monotonic() + deadline
        answer = self._answer = await self._repeat(self._ask, name(self._request))
        self._check(packed(answer))
        self.content_type = answer.headers.get("Content-Type")
        partial = answer.status == 206 and self.has_ranges
        if partial:
            self._check(self._version.part_problem(answer, self.received))
        elif answer.status != 200:
            raise self.incomplete(f"an answer with status {answer.status}, which nobody asked for")
        self._expect(total_of(answer))
        self._version = Version.of(answer, self.size)
        self._behind = not partial and self.received > 0
        self.has_ranges = partial or (self._version.has_ranges and not self.has_ranges)

    def _expect(self, length: int | None) -> None:
        if self.size is not None and length is not None and length != self.size:
            raise self.incomplete(f"the server sends {length} bytes of a file that has {self.size}")
        self.size = length if self.size is None else self.size

    def close(self) -> None:
        """Let go of the connection."""
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.close()

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the bytes, each once and in order."""
        while chunk := self._cut(await self._next()):
            self.received += len(chunk)
            if self.size is not None and self.received > self.size:
                raise self.incomplete(f"{self.received} bytes and more arrived, not {self.size}")
            yield chunk
        await self._prove_whole()

    def _cut(self, chunk: bytes) -> bytes:
        return chunk if self._stop is None else chunk[: self._stop - self.received]

    async def _next(self) -> bytes:
        answer = self._answer
        if answer is None:
            raise RuntimeError("the download is closed")
        behind, self._behind = self._behind, False
        try:
            return await (self._skip(answer) if behind else answer.next(self._until))
        except TransportError as error:
            return await self._go_on(error)

    async def _prove_whole(self) -> None:
        answer = self._answer
        expected = self.size if self.received != self._stop else self._stop
        self.close()  # first: whoever asks for a size needs a place among the connections, and this is the last of it
        if expected is None and answer is not None and not answer.proves_whole:
            expected = await self._prove()
        if expected is not None and expected != self.received:
            raise self.incomplete(f"{self.received} of {expected} bytes arrived", expected)

    async def _go_on(self, error: TransportError) -> bytes:
        """Return the next bytes from a new connection, or raise what the attempts ended with."""
        self._count(error)
        self.close()  # nothing comes of it any more, and others may have its place meanwhile
        return await self._repeat(self._reopen, f"{name(self._request)} from byte {self.received}", error)

    async def _repeat(self, attempt: Attempt[T], what: str, after: TransportError | None = None) -> T:
        worth = partial(self._worth, self._request)
        policy, tell = self._options.retry, self._options.on_event
        return await repeat(attempt, policy, worth=worth, what=what, tell=tell, after=after, until=self._until)

    async def _ask(self, caller: Caller) -> Answer:
        return await open_once(self._transport, self._from_here(), self._options, caller)

    def _worth(self, request: Request, error: FilesError) -> bool:
        if isinstance(error, APIError) and error.status == 416:  # no such range: start over and skip
            self.has_ranges, was = False, self.has_ranges
            return was
        return worth_repeating(request, self._options, error)

    def _count(self, error: TransportError) -> None:
        """Give up on a server that breaks off again and again without getting anywhere."""
        self._futile = self._futile + 1 if self.received - self._last_break < _WORTHWHILE else 0
        self._last_break = self.received
        if self._futile >= self._options.retry.attempts:
            raise error

    async def _reopen(self, caller: Caller) -> bytes:
        self.close()
        answer = self._answer = await self._ask(caller)
        self._check(packed(answer))
        if answer.status == 206:
            self._check(self._version.part_problem(answer, self.received))
            return await answer.next(self._until)
        self._check(self._version.problem(answer))
        return await self._skip(answer)

    def _from_here(self) -> Request:
        if not self.has_ranges or (not self.received and self._stop is None):
            return self._request
        return evolve(self._request, headers=self._version.range_from(self.received, self._stop))

    def _check(self, problem: str | None) -> None:
        if problem is not None:
            raise self.incomplete(problem)

    async def _skip(self, answer: Answer) -> bytes:
        """Read past what was handed out already; return the first bytes after it."""
        left = self.received
        while left and (chunk := await answer.next(self._until)):
            if len(chunk) > left:
                return chunk[left:]
            left -= len(chunk)
        if left:
            raise self.incomplete(f"the file has now only {self.received - left} bytes")
        return await answer.next(self._until)

    def incomplete(self, message: str, expected: int | None = None) -> IncompleteDownloadError:
        """Let go of the connection, and return the error to raise."""
        self.close()
        error = IncompleteDownloadError(
            f"{name(self._request)}: {message}",
            received=self.received,
            expected=self.size if expected is None else expected,
        )
        error.request = (self._request.method, self._request.path)
        return error


# ---- One download: iterated, or read whole; see ``saving`` for files.

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


# ---- Saving a download: where, under which name, what if it is taken, and whole or not at all.

if TYPE_CHECKING:
    Retrieve: TypeAlias = Callable[[str], Awaitable[File | ContainerFile]]


def _known_policy(_: object, __: object, overwrite: object) -> None:
    if overwrite is not None and overwrite not in OVERWRITE:
        raise ValueError(f"overwrite must be one of {', '.join(map(repr, OVERWRITE))}, not {overwrite!r}")


@frozen(kw_only=True)
class Saving:
    """How a download is saved: the keywords of ``download_to``."""

    overwrite: Overwrite | None = field(default=None, validator=_known_policy)
    keep_folders: bool = False
    fsync: bool = False
    on_progress: ProgressCallback | None = field(default=None, validator=listener)


async def save(
    start: Callable[[], Awaitable[Stream]],
    target: str | os.PathLike[str],
    file: File | ContainerFile | str,
    retrieve: Retrieve,
    saving: Saving,
) -> Path:
    """Find a place, download, and give the file its name once it is proven whole.

    A path that the caller named is replaced, unless told otherwise; a name that the server chose,
    inside a folder, must be free.
    """
    chosen_by_us = await folder_is(target)
    path = await _inside(target, file, retrieve, saving) if chosen_by_us else Path(target)
    overwrite = saving.overwrite or ("error" if chosen_by_us else "replace")
    if await _is_taken(path, overwrite):
        return path
    stream = await start()
    try:
        return await _saved(stream, path, overwrite, saving)
    finally:
        stream.close()


async def _inside(
    folder: str | os.PathLike[str], file: File | ContainerFile | str, retrieve: Retrieve, saving: Saving
) -> Path:
    described = await retrieve(file) if isinstance(file, str) else file
    name = described.filename if isinstance(described, File) else described.path
    if saving.keep_folders:
        return await inside_folders(folder, name, otherwise=described.id)
    return inside(folder, name, otherwise=described.id)


async def _is_taken(target: Path, overwrite: Overwrite) -> bool:
    """Whether there is nothing to do because the name is taken; FileExistsError if that is wrong."""
    if overwrite in {"replace", "rename"} or not await exists(target):
        return False
    if overwrite == "error":
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    return True


async def _saved(stream: Stream, path: Path, overwrite: Overwrite, saving: Saving) -> Path:
    part = await PartFile.beside(path)
    try:
        async with aclosing(stream.chunks()) as chunks:
            await write_all(chunks, part, saving.on_progress and partial(_tell, stream, saving.on_progress))
        return await part.appear(path, overwrite=overwrite, fsync=saving.fsync)
    except BaseException:
        await part.discard()
        raise


def _tell(stream: Stream, on_progress: ProgressCallback, done: int) -> None:
    tell("on_progress", on_progress, Progress(done=done, total=stream.size))
