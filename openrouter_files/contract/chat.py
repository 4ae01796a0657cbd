"""Asking a model that may use the openrouter:files tool, and reading what it answers.

Source: OpenRouter's guide of the files tool, and the OpenAPI document's chat completions.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from ..errors import InvalidResponseError
from ..models import FilesToolCall, ModelAnswer, Usage
from . import statuses
from .requests import JSON, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..errors import APIError

TOOL = "openrouter:files"
EVENT_STREAM = "text/event-stream"

# The first servers needed it to switch the tool on and to resolve file ids; those of today ignore it.
_RESOLVE_FILE_IDS = (("x-openrouter-file-ids", "openrouter"),)


def chat_request(*, stream: bool, resolve_file_ids: bool) -> Request:
    """Return the request; a second one would have the model act a second time."""
    return Request(
        method="POST",
        path="/chat/completions",
        accept=EVENT_STREAM if stream else JSON,
        headers=_RESOLVE_FILE_IDS if resolve_file_ids else (),
        idempotent=False,
    )


def _with_files(text: str, file_ids: Sequence[str]) -> Mapping[str, Any]:
    if not file_ids:
        return {"role": "user", "content": text}
    parts = [{"type": "file", "file": {"file_id": file_id}} for file_id in file_ids]
    said = [{"type": "text", "text": text}] if text else []  # some providers refuse an empty text
    return {"role": "user", "content": [*said, *parts]}


def chat_body(
    prompt: str | Sequence[Mapping[str, Any]],
    *,
    model: str,
    file_ids: Sequence[str],
    stream: bool,
    extra: Mapping[str, Any],
) -> bytes:
    """Return the body: a prompt, or whole messages, with the tool and the files that are referred to."""
    if isinstance(prompt, str):
        messages = [_with_files(prompt, file_ids)]
    else:
        messages = [*prompt, *([_with_files("", file_ids)] if file_ids else [])]
    tools = [{"type": TOOL}, *extra.get("tools", [])]
    return json.dumps({**extra, "model": model, "messages": messages, "tools": tools, "stream": stream}).encode()


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _number(value: Any) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def usage_of(raw: Mapping[str, Any]) -> Usage | None:
    """Read the usage of an answer or of a chunk; lenient, as it is an extra."""
    usage = _object(raw.get("usage"))
    tools = _object(usage.get("server_tool_use_details"))
    names = ("prompt_tokens", "completion_tokens", "total_tokens", "cost")
    counts = ("tool_calls_requested", "tool_calls_executed")
    found = {name: _number(usage.get(name)) for name in names} | {name: _number(tools.get(name)) for name in counts}
    return Usage(**found) if usage else None


def _first_choice(raw: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    choices = raw.get("choices")
    if not isinstance(choices, list) or not choices:
        raise InvalidResponseError(["required field missing @ $.choices[0]"], body)
    return _object(choices[0])  # pyright: ignore[reportUnknownArgumentType]  # JSON


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _reason(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def read_answer(body: bytes) -> ModelAnswer:
    """Read an answer that was not streamed; InvalidResponseError if it is none."""
    try:
        raw = _object(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise InvalidResponseError([f"not JSON: {error} @ $"], body) from None
    choice = _first_choice(raw, body)
    return ModelAnswer(
        text=_text(_object(choice.get("message")).get("content")),
        finish_reason=_reason(choice.get("finish_reason")),
        usage=usage_of(raw),
        raw=raw,
    )


def chunk_error(raw: Mapping[str, Any], body: bytes) -> APIError | None:
    """Return the error that a chunk in the middle of a stream reports; None if it reports none."""
    code = _object(raw.get("error")).get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else 502
    return statuses.error(status, {}, body, 0.0) if raw.get("error") else None


def read_chunk(data: str) -> tuple[str, str | None, Usage | None]:
    """Read one event of a stream: the text it adds, why the model ended, and the usage.

    Raises:
        APIError: The event reports one; its class follows ``error.code``.
        InvalidResponseError: It is no JSON object.
    """
    body = data.encode()
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidResponseError([f"not JSON: {error} @ $"], body) from None
    raw = _object(raw)
    failure = chunk_error(raw, body)
    if failure is not None:
        raise failure
    choice = _first_choice(raw, body) if raw.get("choices") else {}
    return _text(_object(choice.get("delta")).get("content")), _reason(choice.get("finish_reason")), usage_of(raw)


def _parsed(result: Any) -> Any:
    if not isinstance(result, str):
        return result
    try:
        return json.loads(result)
    except (ValueError, RecursionError):
        return result


def files_tool_calls(items: Iterable[Mapping[str, Any]]) -> tuple[FilesToolCall, ...]:
    """Return the calls of the files tool among ``items``, the output of a Responses API answer.

    Lenient: what is missing is None, and a result that is no JSON is left as it is.
    """
    return tuple(
        FilesToolCall(
            status=_text(item.get("status")),
            operation=_reason(item.get("operation")),
            file_id=_reason(item.get("file_id")),
            filename=_reason(item.get("filename")),
            result=_parsed(item.get("result")),
            error=_reason(item.get("error")),
            id=_reason(item.get("id")),
        )
        for item in items
        if item.get("type") == TOOL
    )
