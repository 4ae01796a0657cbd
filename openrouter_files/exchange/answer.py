"""One answer: status and headers now, its bytes when asked."""

from __future__ import annotations

import math
import time
from functools import cached_property
from typing import TYPE_CHECKING

from ..errors import FilesError, InvalidResponseError
from .failures import READING_FAILURES, sanitised, translated
from .watch import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import aiohttp

    from .watch import Watch

# Of what a bad answer says, in bytes; what comes after is not read.
_MOST_OF_AN_ERROR = 1024 * 1024


def is_good(status: int) -> bool:
    """Whether an answer is what was asked for."""
    return 200 <= status < 300


class Answer:
    """An answer whose head has arrived; hold it no longer than needed, then ``close`` it.

    Attributes:
        status: The HTTP status.
        headers: Names are case-insensitive.
    """

    def __init__(
        self, response: aiohttp.ClientResponse, *, idle: float | None, watch: Watch, done: Callable[[], None]
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._idle = math.inf if idle is None else idle
        self._watch = watch
        self._done: Callable[[], None] | None = done

    @property
    def url(self) -> str:
        """Where it came from in the end."""
        return str(self._response.url)

    @property
    def is_good(self) -> bool:
        """Whether it is what was asked for."""
        return is_good(self.status)

    @property
    def length(self) -> int | None:
        """Bytes that the body has on the wire, as promised; None if nothing was."""
        length = self.headers.get("Content-Length")
        return None if length is None else int(length)

    @property
    def encoding(self) -> str | None:
        """How the body is compressed; None if it is not."""
        told = ",".join(self._response.headers.getall("Content-Encoding", ())).strip()
        return None if told.lower() in {"identity", ""} else told

    @cached_property
    def is_chunked(self) -> bool:
        """Whether the server cut the body into chunks of its own."""
        return "chunked" in self.headers.get("Transfer-Encoding", "").lower()

    @property
    def is_delimited(self) -> bool:
        """Whether its end can be told from a broken connection."""
        return self.length is not None or self.is_chunked

    @property
    def proves_whole(self) -> bool:
        """Whether a body that ends well is the whole file: not that of a part."""
        return self.is_delimited and self.status != 206

    def close(self) -> None:
        """Give the connection back, or break it if the answer was not read to its end."""
        done, self._done = self._done, None
        if done is not None:
            self._response.release()
            done()

    async def read(self, most: int) -> bytes:
        """Read a whole answer that is not a file, and close it; of a bad one, the first MiB is enough.

        Raises:
            InvalidResponseError: A good answer is longer than ``most`` bytes, as told or, unpacked, as sent.
        """
        most = most if self.is_good else _MOST_OF_AN_ERROR
        body = bytearray()
        try:
            content = self._response.content
            self._check_length(self.length or 0, most)
            while len(body) <= most:
                body += await content.readany()
                self._check_length(len(body), most)
                if content.at_eof():
                    break
            return bytes(body[:most])
        except READING_FAILURES as error:
            raise self._translated(error) from sanitised(error)
        finally:
            self.close()
            body.clear()  # a server may have sent the key back, and tools show what is left here of an error

    def _check_length(self, length: int, most: int) -> None:
        if self.is_good and length > most:
            raise InvalidResponseError([f"longer than {most} bytes @ $"])

    async def explanation(self, seconds: float | None, until: float | None) -> bytes:
        """Read what a bad answer says, if it comes in time: its status is enough. Close it."""
        try:
            with Patience(self._watch, _earlier(math.inf if seconds is None else seconds, until)):
                return await self.read(_MOST_OF_AN_ERROR)
        except (FilesError, TimeoutError):
            return b""

    async def next(self, until: float | None = None) -> bytes:
        """Return what has arrived of a file, nothing at its end.

        Silence beyond the idle timeout is an error, and so is the deadline of the call.
        """
        try:
            with Patience(self._watch, _earlier(self._idle, until)):
                return await self._some()
        except READING_FAILURES as error:
            raise self._translated(error) from sanitised(error)

    async def _some(self) -> bytes:
        """Return what was received at once, nothing at the end; chunks, which may be small, together.

        To join what was received while the last was written is to copy a third of a file: a download of 100 MiB
        takes 5 % less time without, over TLS 7 %.
        """
        content = self._response.content
        return await content.readany() if self.is_chunked else (await content.readchunk())[0]

    def _translated(self, error: BaseException) -> Exception:
        return translated(error, during=f"{self._response.method} {self._response.url.path}")


def _earlier(seconds: float, until: float | None) -> float:
    """Return the moment in so many seconds, or another if that comes first."""
    moment = time.monotonic() + seconds
    return moment if until is None else min(moment, until)
