"""The async client for the files of an OpenRouter workspace.

The names below are imported when they are first used: ``import openrouter_files`` costs next to nothing.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

from .version import __version__

if _TYPE_CHECKING:
    from .bulk.delete import delete_many, deleting
    from .bulk.download import download_many, downloading, pull
    from .bulk.engine import Outcomes
    from .bulk.outcomes import (
        BulkProgress,
        BulkProgressCallback,
        BulkReport,
        Deleted,
        DeleteOutcome,
        Downloaded,
        DownloadOutcome,
        Failed,
        Keep,
        LocalFile,
        NotTried,
        Outcome,
        RefusalReason,
        Refused,
        Skipped,
        SkipReason,
        Statistics,
        Uploaded,
        UploadOutcome,
    )
    from .bulk.sources import Sources, local_files
    from .bulk.upload import upload_many, uploading
    from .client import AnswerStream, ContainerFiles, FilesClient
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
    from .local.sources import Uploadable
    from .local.targets import local_path
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
    from .protocol.chat import files_tool_calls
    from .transfers.download import Download
    from .transport.key import KeySource

# Module -> the public names that live in it.
_HOMES = {
    "bulk.delete": "delete_many deleting",
    "bulk.download": "download_many downloading pull",
    "bulk.outcomes": (
        "BulkProgress BulkProgressCallback BulkReport Deleted DeleteOutcome Downloaded DownloadOutcome Failed "
        "LocalFile NotTried Outcome RefusalReason Refused Skipped SkipReason Statistics Uploaded UploadOutcome "
        "Keep"
    ),
    "bulk.engine": "Outcomes",
    "bulk.sources": "Sources local_files",
    "bulk.upload": "upload_many uploading",
    "transfers.download": "Download",
    "client": "FilesClient ContainerFiles AnswerStream",
    "protocol.chat": "files_tool_calls",
    "local.sources": "Uploadable",
    "errors": (
        "AmbiguousUploadError APIError AuthenticationError BadGatewayError BadRequestError "
        "ClientClosedRequestError FilesError IncompleteDownloadError InternalServerError InvalidResponseError "
        "JournalError NotFoundError PayloadTooLargeError PermissionDeniedError RateLimitError ServerError "
        "ServiceUnavailableError SourceError TransportError TransportTimeoutError"
    ),
    "events": "AttemptEnded Event EventCallback RetryScheduled",
    "transport.key": "KeySource",
    "local.targets": "local_path",
    "models": (
        "ContainerFile ContainerPage DeletedFile File FilePage FilesToolCall ModelAnswer PageToken Progress "
        "ProgressCallback Usage"
    ),
    "options": "NO_RETRIES TRANSIENT_STATUSES CallOptions Options Overwrite Provider RetryPolicy Timeouts",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "NO_RETRIES", "TRANSIENT_STATUSES", "APIError", "AmbiguousUploadError", "AnswerStream", "AttemptEnded",
    "AuthenticationError", "BadGatewayError", "BadRequestError", "BulkProgress", "BulkProgressCallback", "BulkReport",
    "CallOptions", "ClientClosedRequestError", "ContainerFile", "ContainerFiles", "ContainerPage", "DeleteOutcome",
    "Deleted", "DeletedFile", "Download", "DownloadOutcome", "Downloaded", "Event", "EventCallback", "Failed", "File",
    "FilePage", "FilesClient", "FilesError", "FilesToolCall", "IncompleteDownloadError", "InternalServerError",
    "InvalidResponseError", "JournalError", "Keep", "KeySource", "LocalFile", "ModelAnswer", "NotFoundError",
    "NotTried", "Options", "Outcome", "Outcomes", "Overwrite", "PageToken", "PayloadTooLargeError",
    "PermissionDeniedError", "Progress", "ProgressCallback", "Provider", "RateLimitError", "RefusalReason", "Refused",
    "RetryPolicy", "RetryScheduled", "ServerError", "ServiceUnavailableError", "SkipReason", "Skipped", "SourceError",
    "Sources", "Statistics", "Timeouts", "TransportError", "TransportTimeoutError", "UploadOutcome", "Uploadable",
    "Uploaded", "Usage", "__version__", "delete_many", "deleting", "download_many", "downloading", "files_tool_calls",
    "local_files", "local_path", "pull", "upload_many", "uploading",
]  # fmt: skip


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
