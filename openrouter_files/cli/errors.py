"""Errors as messages."""

from __future__ import annotations

import errno
from typing import Any

from attrs import frozen

from openrouter_files import (
    AmbiguousUploadError,
    APIError,
    AuthenticationError,
    BadRequestError,
    FilesError,
    IncompleteDownloadError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    SourceError,
    TransportError,
)

from .formatting import plain
from .process import Exit

# ---- What to do about what went wrong: a few words for the kind of trouble, and an advice. Pure.


@frozen
class Remedy:
    """What people can do about one kind of trouble.

    Attributes:
        kind: Its name.
        advice: What to do; empty if nobody knows.
        alone: Whether a single error is not clear without the advice.
    """

    kind: str
    advice: str
    alone: bool = True

    def __str__(self) -> str:
        return f"{self.kind}: {self.advice}" if self.advice else self.kind


_FULL = Remedy("workspace full", "delete some files first")
_TOO_LARGE = Remedy("too large", "split it; 104,857,600 bytes are the most", alone=False)

# The first match counts.
_OF_ERRORS: tuple[tuple[type[Exception], Remedy], ...] = (
    (AuthenticationError, Remedy("key refused", "check OPENROUTER_API_KEY or --api-key-file")),
    (PermissionDeniedError, Remedy("not allowed", "check --workspace, what the key may do, and --base-url")),
    (RateLimitError, Remedy("rate limited", "try again later, or with a lower --concurrency")),
    (AmbiguousUploadError, Remedy("ambiguous", "look at `openrouter-files list` before you upload it again")),
    (NotFoundError, Remedy("not found", "it is not in this workspace, or not any more", alone=False)),
    (PayloadTooLargeError, _TOO_LARGE),
    (BadRequestError, Remedy("not accepted", "the service says why", alone=False)),
    (ServerError, Remedy("trouble at the service", "try again later", alone=False)),
    (TransportError, Remedy("no answer", "check the network and --base-url, or ask `openrouter-files doctor`")),
    (IncompleteDownloadError, Remedy("cut short", "try again", alone=False)),
    (SourceError, Remedy("changed while it was sent", "try again when nobody writes to it", alone=False)),
    (FilesError, Remedy("other errors", "", alone=False)),
    (FileExistsError, Remedy("name taken", "choose another folder, or add --overwrite to a download")),
    (OSError, Remedy("this computer", "check the path, the disk and your permissions", alone=False)),
)
_OF_NUMBERS = {
    errno.ENOSPC: Remedy("disk full", "make room on the disk, then run it again"),
    errno.EDQUOT: Remedy("disk quota used up", "make room on the disk, then run it again"),
    errno.EROFS: Remedy("read-only disk", "choose another place"),
    errno.EACCES: Remedy("no permission", "choose another place, or get the permission"),
    errno.EPERM: Remedy("no permission", "choose another place, or get the permission"),
    errno.EMFILE: Remedy("too many open files", "take a lower --concurrency, or raise `ulimit -n`"),
}
_OTHER = Remedy("other errors", "", alone=False)

_OF_REFUSALS = {
    "empty": Remedy("empty", "the service stores no empty files; --exclude leaves them out"),
    "too large": _TOO_LARGE,
    "type": Remedy(
        "type", "the service accepts PDF; PNG, JPEG, GIF, WebP; DOCX, XLSX, PPTX; MP3, WAV, FLAC, OGG; UTF-8 text"
    ),
    "name": Remedy("name", "rename it; --name is for a single file"),
    "unreadable": Remedy("unreadable", "check that it is a file, and that you may read it"),
}


def is_full(error: Exception) -> bool:
    """Whether a 403 is about the room in the workspace, and not about the key.

    The service documents the status (guide "Files API": 10 GiB per workspace) but not its words.
    """
    words = str(error).lower()
    return isinstance(error, PermissionDeniedError) and any(w in words for w in ("storage", "quota", "full"))


def of_error(error: Exception) -> Remedy:
    """Return what to do about an error."""
    if is_full(error):
        return _FULL
    if isinstance(error, OSError) and not isinstance(error, FilesError) and error.errno in _OF_NUMBERS:
        return _OF_NUMBERS[error.errno]
    return next((remedy for kind, remedy in _OF_ERRORS if isinstance(error, kind)), _OTHER)


def of_refusal(reason: str) -> Remedy:
    """Return what to do about a file that would not be accepted."""
    return _OF_REFUSALS.get(reason, _OTHER)


# ---- What an error means to the user: an exit status, one line, a JSON object, and what to do now.

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
