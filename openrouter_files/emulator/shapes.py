"""The shapes of an answer: the three of today, and that of the API's first weeks."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openrouter_files.emulator.stored import StoredFile

Shape = Literal["openrouter", "openai", "anthropic", "seed"]
"""How answers look; ``seed`` is the shape before 2026-07-29, without ``_shape``."""

_OPENAI_AGENTS = ("OpenAI/", "AsyncOpenAI/")


def shape_asked_by(headers: Mapping[str, str]) -> Shape:
    """The shape that a request gets because of its headers (names in lower case).

    Source: OpenRouter guide "Files API": ``anthropic-version`` asks for the anthropic shape, a
    request that looks like an OpenAI SDK's for the openai shape; what looks so is our guess.
    """
    if "anthropic-version" in headers:
        return "anthropic"
    stainless = any(name.startswith("x-stainless-") for name in headers)
    return "openai" if stainless or headers.get("user-agent", "").startswith(_OPENAI_AGENTS) else "openrouter"


def file_in(shape: Shape, file: StoredFile) -> dict[str, Any]:
    """A file as an object of that shape.

    Source: OpenRouter OpenAPI document, OpenRouterFile, OpenAIFile, AnthropicFile.
    """
    return _openai_file(file) if shape == "openai" else _marked(shape, _plain_file(file))


def receipt_in(shape: Shape, file_id: str) -> dict[str, Any]:
    """What a deletion answers.

    Source: OpenRouter OpenAPI document, FileDeleteResponse.
    """
    if shape == "openai":
        return {"_shape": "openai", "id": file_id, "object": "file", "deleted": True}
    return _marked(shape, {"id": file_id, "type": "file_deleted"})


def page_in(shape: Shape, files: Sequence[StoredFile], *, has_more: bool) -> dict[str, Any]:
    """A page of the listing; ``cursor`` exists only in the openrouter and the seed shape.

    Source: OpenRouter OpenAPI document, FileListResponse.
    """
    page = {
        "data": [file_in(shape, file) for file in files],
        "has_more": has_more,
        "first_id": files[0].id if files else None,
        "last_id": files[-1].id if files else None,
    }
    if shape in {"openrouter", "seed"}:
        page["cursor"] = cursor_after(files[-1].id) if has_more else None
    return _marked(shape, {"object": "list", **page} if shape == "openai" else page)


def cursor_after(file_id: str) -> str:
    """The token of the page that follows a file.

    Source: both cursors in OpenRouter's documents are base64 of ``{"cursor": "<file id>"}``.
    """
    return base64.b64encode(json.dumps({"cursor": file_id}, separators=(",", ":")).encode()).decode()


def cursor_says(cursor: str) -> str | None:
    """The file id in a token, None if it is no token of ours."""
    try:
        said = json.loads(base64.b64decode(cursor, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
    match said:
        case {"cursor": str() as file_id} if file_id.isascii():
            return file_id
        case _:
            return None


def _marked(shape: Shape, answer: dict[str, Any]) -> dict[str, Any]:
    return answer if shape == "seed" else {"_shape": shape, **answer}


def _plain_file(file: StoredFile) -> dict[str, Any]:
    return {
        "id": file.id,
        "type": "file",
        "filename": file.filename,
        "mime_type": file.mime_type,
        "size_bytes": file.size_bytes,
        "created_at": f"{file.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "downloadable": file.downloadable,
    }


def _openai_file(file: StoredFile) -> dict[str, Any]:
    return {
        "_shape": "openai",
        "id": file.id,
        "object": "file",
        "bytes": file.size_bytes,
        "created_at": int(file.created_at.timestamp()),
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
    }
