"""Our errors as what users of file systems expect: an OSError of the right kind, with ours as its cause."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from openrouter_files import (
    AuthenticationError,
    BadRequestError,
    FilesError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    TransportTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Generator

# OSError makes the class out of the number: FileNotFoundError, PermissionError, TimeoutError ...
_NUMBERS = (
    (NotFoundError, errno.ENOENT),
    ((AuthenticationError, PermissionDeniedError), errno.EACCES),
    (PayloadTooLargeError, errno.EFBIG),
    (BadRequestError, errno.EINVAL),
    (TransportTimeoutError, errno.ETIMEDOUT),
)


def not_found(path: str) -> FileNotFoundError:
    """Return the error of a path that leads to nothing."""
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def _number(error: FilesError) -> int:
    return next((number for kind, number in _NUMBERS if isinstance(error, kind)), errno.EIO)


@contextmanager
def told(path: str) -> Generator[None]:
    """Raise what goes wrong inside as an OSError about a path."""
    try:
        yield
    except FilesError as error:
        raise OSError(_number(error), str(error), path) from error


@contextmanager
def told_to_readers(path: str) -> Generator[None]:
    """Likewise; a 400 means here that the file may not be downloaded.

    Source: Files API guide: only files that a model made, or that were promoted, can be downloaded.
    """
    try:
        with told(path):
            yield
    except OSError as error:
        if not isinstance(error.__cause__, BadRequestError):
            raise
        why = f"only what a model wrote or what was promoted can be read, not what was uploaded ({error.__cause__})"
        raise PermissionError(errno.EACCES, why, path) from error.__cause__
