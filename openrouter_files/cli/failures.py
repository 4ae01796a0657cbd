"""What an error means to the user: an exit status, one line, a JSON object, and what to do now."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from openrouter_files import (
    AmbiguousUploadError,
    APIError,
    AuthenticationError,
    FilesError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)

from .exits import Exit
from .remedies import is_full, of_error
from .wording import plain

EXPECTED = (FilesError, OSError, ValueError)
"""What may happen to one file of many without being a mistake of ours."""

# The first match counts.
_STATUSES: tuple[tuple[type[Exception], Exit], ...] = (
    (NotFoundError, Exit.NOT_FOUND),
    (AuthenticationError, Exit.KEY_REFUSED),
    (PermissionDeniedError, Exit.KEY_REFUSED),
    (RateLimitError, Exit.RATE_LIMITED),
    (AmbiguousUploadError, Exit.AMBIGUOUS),
)


class NoKeyError(Exception):
    """There is no API key anywhere."""

    def __init__(self) -> None:
        super().__init__(
            "no API key: set OPENROUTER_API_KEY or pass --api-key-file FILE; to try without a key, pass --emulator"
        )


@frozen(kw_only=True)
class Failure:
    """One thing that went wrong.

    Attributes:
        exit: What the command's status is if this was all it had to do.
        line: For people.
        json: For programs.
        is_final: Whether the same would happen to every other file.
    """

    exit: Exit
    line: str
    json: dict[str, Any]
    is_final: bool = False


def exit_of(error: Exception) -> Exit:
    """Return the exit status that an error means; a mistake of ours is an error like another.

    Wrong usage is none of them: see ``usage``.
    """
    if is_full(error):
        return Exit.ERROR
    if isinstance(error, NoKeyError):
        return Exit.KEY_REFUSED
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), Exit.ERROR)


def is_ours(error: Exception) -> bool:
    """Whether an error is a mistake of this program: nobody raised it on purpose."""
    # The subclasses of ValueError are what libraries stumble over; the client raises none of them.
    return not isinstance(error, (FilesError, OSError, NoKeyError)) and type(error) is not ValueError


def message_of(error: Exception) -> str:
    """Return what an error says, for people."""
    if isinstance(error, OSError) and not isinstance(error, FilesError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if is_ours(error):
        return f"internal error, unexpected {type(error).__name__}: {error} (run with --verbose for the traceback)"
    # The library speaks to programmers.
    words = str(error).replace("allow_plain_http=True", "--allow-plain-http").replace("trust_env=False", "--no-proxy")
    return words or type(error).__name__


def _described(error: Exception, source: str | None) -> dict[str, Any]:
    told: dict[str, Any] = {"type": type(error).__name__, "message": message_of(error)}
    if isinstance(error, APIError):
        told |= {"status": error.status, "code": error.code}
        told |= {"retry_after": error.retry_after, "request_id": error.request_id}
    if isinstance(error, AmbiguousUploadError):
        told["candidates"] = [file.id for file in error.candidates]
    failed = {"outcome": "failed", "error": told}
    return failed if source is None else {**failed, "source": source}


def failure_of(error: Exception, source: str | None = None) -> Failure:
    """Describe an error, and what it happened to."""
    message = message_of(error)
    named = source is None or message.startswith(source)
    notes = [*getattr(error, "__notes__", ())]
    parts = [message if named else f"{source}: {message}", *(f"({note})" for note in notes)]
    remedy = of_error(error)
    return Failure(
        exit=exit_of(error),
        line=plain(" ".join(parts) + (f"; {remedy.advice}" if remedy.alone else "")),
        json=_described(error, source),
        is_final=exit_of(error) is Exit.KEY_REFUSED,
    )
