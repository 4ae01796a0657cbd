"""What the emulator knows about a stored file."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from attrs import frozen

from openrouter_files.emulator.ready import Ready

_BASE62 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FOLDED = bytes(_BASE62[byte % 62] for byte in range(256))


@frozen(kw_only=True)
class StoredFile(Ready["StoredFile"]):
    """A file in the emulator's store, as a test looks at it (not an answer's shape).

    ``id``, ``filename``, ``mime_type`` and ``downloadable`` are as in answers.  ``size_bytes`` counts
    the content, ``sha256`` is its hash in hex, ``created_at`` is aware (UTC) and keeps the fraction of
    the second that answers leave out.  ``purpose`` is only seen in answers of the openai shape,
    ``workspace_id`` in none. Awaited, it is itself.
    """

    id: str
    filename: str
    mime_type: str
    size_bytes: int
    created_at: datetime
    downloadable: bool
    workspace_id: str
    sha256: str
    purpose: str = "user_data"


def new_id(prefix: str) -> str:
    """A file id; the prefix says whose it is.

    Source: OpenRouter OpenAPI document (``or_file_`` since 2026-07-28, ``file_`` before).
    """
    return prefix + os.urandom(24).translate(_FOLDED).decode()


def moment(seconds: float) -> datetime:
    """Unix seconds as an aware UTC time."""
    return datetime.fromtimestamp(seconds, UTC)
