"""What to do about what went wrong: a few words for the kind of trouble, and an advice. Pure."""

from __future__ import annotations

import errno

from attrs import frozen

from openrouter_files import (
    AmbiguousUploadError,
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
