"""The bytes of one file, or of a part of it, as they arrive; a transfer that breaks goes on where it stopped."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from attrs import evolve

from ..errors import APIError, IncompleteDownloadError, TransportError
from .call import name, open_once, worth_repeating
from .parts import Version, packed, total_of
from .retry import repeat

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from ..contract.requests import Request
    from ..errors import FilesError
    from ..options import Options
    from .answer import Answer
    from .rate_limit import Caller
    from .retry import Attempt
    from .transport import Transport

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
