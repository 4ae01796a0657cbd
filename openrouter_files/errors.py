"""Everything that can go wrong, as types. Imports nothing of the package.

::

    FilesError                        raised by this package on purpose
    ├── APIError                      the server answered with an error
    │   ├── BadRequestError           400
    │   ├── AuthenticationError       401
    │   ├── PermissionDeniedError     403
    │   ├── NotFoundError             404
    │   ├── PayloadTooLargeError      413
    │   ├── RateLimitError            429
    │   ├── ClientClosedRequestError  499
    │   └── ServerError               5xx
    │       ├── InternalServerError       500
    │       ├── BadGatewayError           502
    │       └── ServiceUnavailableError   503
    ├── TransportError                no complete answer arrived
    │   └── TransportTimeoutError     ... in time; also a builtin TimeoutError
    ├── InvalidResponseError          a good status, an unreadable body
    ├── AmbiguousUploadError          may have been stored, and nobody can tell
    ├── IncompleteDownloadError       fewer or more bytes than promised
    ├── SourceError                   the local file changed while it was sent
    └── JournalError                  the journal of a bulk job cannot be used

Blame is a type: a ``FilesError`` means that the world failed, ``ValueError`` and ``TypeError`` that
the caller did, before a byte was sent. An ``OSError`` of the local disk comes through as itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .models import File

_E = TypeVar("_E", bound="FilesError")

# An answer may be wrong in every row.
_MOST_PROBLEMS = 100


class FilesError(Exception):
    """The root of everything this package raises on purpose.

    Attributes:
        maybe_processed: True if the server may have done it although no good answer came back.
        request: Method and path of the failed request; None before there was one.
        attempts: How many requests were sent for this call.
    """

    maybe_processed: bool = False
    request: tuple[str, str] | None = None
    attempts: int = 0

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only constructors do not survive the default, which calls cls(*args).
        return _revive, (type(self), self.args, self.__dict__.copy())


def _revive(cls: type[_E], args: tuple[Any, ...], state: dict[str, Any]) -> _E:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class APIError(FilesError):
    """The server answered with an error.

    Attributes:
        status: The HTTP status.
        code: ``error.code`` of the body, else the status. They differ when a 400 wraps a
            transient failure further up; the class follows the code then.
        message: The server's words, or ours if it had none.
        metadata: ``error.metadata`` of the body; empty if there was none.
        retry_after: Seconds the server asks to wait; None if it did not say.
        request_id: What to quote to support; None if the answer carried none.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = status if code is None else code
        self.metadata: Mapping[str, Any] = metadata or {}
        self.retry_after = retry_after
        self.request_id = request_id

    def __str__(self) -> str:
        parts = [f"{self.status} {self.message}"]
        if self.code != self.status:
            parts.append(f"(code {self.code})")
        if self.retry_after is not None:
            parts.append(f"(retry after {self.retry_after:g} s)")
        if self.request_id is not None:
            parts.append(f"(request id {self.request_id})")
        return " ".join(parts)


class BadRequestError(APIError):
    """400: a parameter, a filename or the content was refused."""


class AuthenticationError(APIError):
    """401: the key is missing or wrong."""


class PermissionDeniedError(APIError):
    """403: another workspace's key, a full workspace (10 GiB), or an in-region host."""


class NotFoundError(APIError):
    """404: no such file in this workspace."""


class PayloadTooLargeError(APIError):
    """413: more than 104,857,600 bytes."""


class RateLimitError(APIError):
    """429: too many requests."""


class ClientClosedRequestError(APIError):
    """499: the server believes that the caller went away."""


class ServerError(APIError):
    """Any 5xx."""


class InternalServerError(ServerError):
    """500: something in the server failed."""


class BadGatewayError(ServerError):
    """502: something behind the server failed."""


class ServiceUnavailableError(ServerError):
    """503: declined for now; nothing was done."""


class TransportError(FilesError):
    """No complete answer arrived: refused, reset, cut, or not HTTP."""


class TransportTimeoutError(TransportError, TimeoutError):
    """No complete answer arrived in time."""


class InvalidResponseError(FilesError):
    """The status was good, the body could not be read.

    Attributes:
        problems: One line each, with the JSON path: ``required field missing @ $.id``; the first hundred.
        body: The start of the body, at most 10,000 bytes: an id in it is not lost.
    """

    def __init__(self, problems: Sequence[str], body: bytes = b"") -> None:
        told = "; ".join(problem[:200] for problem in problems[:5])
        super().__init__(f"unreadable answer: {told}" + (f"; and {len(problems) - 5} more" * (len(problems) > 5)))
        self.problems = tuple(problems[:_MOST_PROBLEMS])
        self.body = body[:10_000]


class AmbiguousUploadError(FilesError):
    """May have been stored; ``candidates`` are the stored files that may be it, if the server was asked.

    Attributes:
        status: The HTTP status that left the doubt; None if there was no answer, or if a listing left it.
    """

    maybe_processed = True
    status: int | None = None

    def __init__(self, message: str, *, candidates: Sequence[File] = ()) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


class IncompleteDownloadError(FilesError):
    """``received`` bytes arrived, fewer or more than the ``expected``; None if nothing was promised."""

    def __init__(self, message: str, *, received: int, expected: int | None) -> None:
        super().__init__(message)
        self.received = received
        self.expected = expected


class SourceError(FilesError):
    """The local file changed while it was sent; the server did not take it."""


class JournalError(FilesError):
    """The journal of a bulk job is held by another process, damaged, or not one of ours."""
