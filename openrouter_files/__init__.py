"""The async client for the files of an OpenRouter workspace."""

from .client import FilesClient
from .downloading import Download
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
from .models import DeletedFile, File, FilePage, PageToken, Progress
from .options import NO_RETRIES, TRANSIENT_STATUSES, CallOptions, Options, RetryPolicy, Timeouts
from .version import __version__

__all__ = [
    "NO_RETRIES",
    "TRANSIENT_STATUSES",
    "APIError",
    "AmbiguousUploadError",
    "AuthenticationError",
    "BadGatewayError",
    "BadRequestError",
    "CallOptions",
    "ClientClosedRequestError",
    "DeletedFile",
    "Download",
    "File",
    "FilePage",
    "FilesClient",
    "FilesError",
    "IncompleteDownloadError",
    "InternalServerError",
    "InvalidResponseError",
    "NotFoundError",
    "Options",
    "PageToken",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "Progress",
    "RateLimitError",
    "RetryPolicy",
    "ServerError",
    "ServiceUnavailableError",
    "SourceError",
    "Timeouts",
    "TransportError",
    "TransportTimeoutError",
    "__version__",
]
