"""The async client for the files of an OpenRouter workspace.

The names below are imported when they are first used: ``import openrouter_files`` costs next to nothing.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

from .version import __version__

if _TYPE_CHECKING:
    from .bulk.delete import delete_many, deleting
    from .bulk.download import download_many, downloading
    from .bulk.outcome import (
        BulkProgress,
        BulkReport,
        Deleted,
        Downloaded,
        Failed,
        LocalFile,
        NotTried,
        Refused,
        Skipped,
        Statistics,
        Uploaded,
    )
    from .bulk.pull import pull
    from .bulk.upload import upload_many, uploading
    from .calls.download import Download
    from .client import FilesClient
    from .containers import ContainerFiles
    from .contract.chat import files_tool_calls
    from .errors import (
        AmbiguousUploadError,
        APIError,
        AuthenticationError,
        BadGatewayError,
        BadRequestError,
        ClientClosedRequestError,
        FilesError,
        IncompleteDownloadError,
        InternalServerError,
        InvalidResponseError,
        JournalError,
        NotFoundError,
        PayloadTooLargeError,
        PermissionDeniedError,
        RateLimitError,
        ServerError,
        ServiceUnavailableError,
        SourceError,
        TransportError,
        TransportTimeoutError,
    )
    from .events import AttemptEnded, Event, EventCallback, RetryScheduled
    from .files_tool import AnswerStream
    from .models import (
        ContainerFile,
        ContainerPage,
        DeletedFile,
        File,
        FilePage,
        FilesToolCall,
        ModelAnswer,
        PageToken,
        Progress,
        ProgressCallback,
        Usage,
    )
    from .options import (
        NO_RETRIES,
        TRANSIENT_STATUSES,
        CallOptions,
        Options,
        Overwrite,
        Provider,
        RetryPolicy,
        Timeouts,
    )

# Module -> the public names that live in it.
_HOMES = {
    "client": "FilesClient",
    "containers": "ContainerFiles",
    "contract.chat": "files_tool_calls",
    "files_tool": "AnswerStream",
    "calls.download": "Download",
    "bulk.delete": "delete_many deleting",
    "bulk.download": "download_many downloading",
    "bulk.outcome": (
        "BulkProgress BulkReport Deleted Downloaded Failed LocalFile NotTried Refused Skipped Statistics Uploaded"
    ),
    "bulk.pull": "pull",
    "bulk.upload": "upload_many uploading",
    "errors": (
        "AmbiguousUploadError APIError AuthenticationError BadGatewayError BadRequestError "
        "ClientClosedRequestError FilesError IncompleteDownloadError InternalServerError InvalidResponseError "
        "JournalError NotFoundError PayloadTooLargeError PermissionDeniedError RateLimitError ServerError "
        "ServiceUnavailableError SourceError TransportError TransportTimeoutError"
    ),
    "events": "AttemptEnded Event EventCallback RetryScheduled",
    "models": (
        "FilesToolCall ModelAnswer Usage ContainerFile ContainerPage DeletedFile "
        "File FilePage PageToken Progress ProgressCallback"
    ),
    "options": "NO_RETRIES TRANSIENT_STATUSES CallOptions Options Overwrite Provider RetryPolicy Timeouts",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "NO_RETRIES",
    "TRANSIENT_STATUSES",
    "APIError",
    "AmbiguousUploadError",
    "AnswerStream",
    "AttemptEnded",
    "AuthenticationError",
    "BadGatewayError",
    "BadRequestError",
    "BulkProgress",
    "BulkReport",
    "CallOptions",
    "ClientClosedRequestError",
    "ContainerFile",
    "ContainerFiles",
    "ContainerPage",
    "Deleted",
    "DeletedFile",
    "Download",
    "Downloaded",
    "Event",
    "EventCallback",
    "Failed",
    "File",
    "FilePage",
    "FilesClient",
    "FilesError",
    "FilesToolCall",
    "IncompleteDownloadError",
    "InternalServerError",
    "InvalidResponseError",
    "JournalError",
    "LocalFile",
    "ModelAnswer",
    "NotFoundError",
    "NotTried",
    "Options",
    "Overwrite",
    "PageToken",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "Progress",
    "ProgressCallback",
    "Provider",
    "RateLimitError",
    "Refused",
    "RetryPolicy",
    "RetryScheduled",
    "ServerError",
    "ServiceUnavailableError",
    "Skipped",
    "SourceError",
    "Statistics",
    "Timeouts",
    "TransportError",
    "TransportTimeoutError",
    "Uploaded",
    "Usage",
    "__version__",
    "delete_many",
    "deleting",
    "download_many",
    "downloading",
    "files_tool_calls",
    "pull",
    "upload_many",
    "uploading",
]


def __getattr__(name: str) -> object:
    """Import a public name from where it lives (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(_import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted(__all__)
