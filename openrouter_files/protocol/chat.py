"""Chat requests, answers and server-sent events."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from attrs import field, frozen

from ..errors import InvalidResponseError
from ..models import FilesToolCall, ModelAnswer, Usage
from .requests import JSON, Request
from .responses import check_pieces

# ---- Server-sent events, piece by piece.

DONE = "[DONE]"


class EventReader:
    """Turns the bytes of a stream into the data of its events. Comments and unknown fields are left out.

    Source: WHATWG HTML, 9.2.6, "Interpreting an event stream".
    """

    def __init__(self, most: int) -> None:
        """Begin; ``most`` is how many characters an event, or a line, may have. A line counts as fifty at least."""
        self._decode = codecs.getincrementaldecoder("utf-8-sig")(errors="replace").decode
        self._rest: list[str] = []  # of the last line, which is not complete; joined when it is
        self._data: list[str] = []
        self._most = most
        self._length = 0  # of the event so far

    def feed(self, piece: bytes) -> list[str]:
        """Return the data of the events that are complete now; feed ``b""`` at the end.

        Raises:
            InvalidResponseError: An event is too long.
        """
        text = self._decode(piece, final=not piece)
        if self._rest and self._rest[-1].endswith("\r"):
            text = self._rest.pop() + text
        self._rest.append(text)
        self._length += len(text)
        if self._length > self._most:
            self._rest, self._data = [], []
            raise InvalidResponseError([f"an event of more than {self._most} characters @ $"])
        if "\n" not in text and "\r" not in text and piece:
            return []
        text = "".join(self._rest)
        held = "\r" if text.endswith("\r") and piece else ""  # it may be the first half of a line break
        lines = text[: len(text) - len(held)].replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._rest = [lines.pop() + held]
        self._length += 50 * len(lines)
        return [event for line in lines if (event := self._take(line)) is not None]

    def _take(self, line: str) -> str | None:
        if line:
            field, _, value = line.partition(":")
            if field == "data":
                self._data.append(value.removeprefix(" "))
            return None
        data, self._data = self._data, []
        self._length = 0
        return "\n".join(data) if data else None


# ---- Asking a model that may use the openrouter:files tool, and reading what it answers.
#
# Source: OpenRouter's guide of the files tool, and the OpenAPI document's chat completions.

TOOL = "openrouter:files"
EVENT_STREAM = "text/event-stream"

MOST_SAID = 8 * 1024 * 1024
"""Bytes of an answer, or of one event of a stream: a model may put a picture into it."""

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
        most_bytes=MOST_SAID,
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


def _choice(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first choice, empty if there is none: the last event of a stream has usage only."""
    choices = raw.get("choices")
    return _object(choices[0]) if isinstance(choices, list) and choices else {}  # pyright: ignore[reportUnknownArgumentType]  # JSON


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _reason(value: Any) -> str | None:
    return value if isinstance(value, str) else None


@frozen(kw_only=True)
class Broken:
    """The error in an answer that began well.

    Attributes:
        status: What the answer would have had as its HTTP status; 502 if the error does not say.
        envelope: The error as the body of a bad answer holds it.
    """

    status: int
    envelope: bytes = field(repr=False)  # a server may have sent the key back


@frozen(kw_only=True)
class Chunk:
    """What one event of a stream says: the text it adds, why the model ended, the usage, and what went wrong.

    All but the text are None if it does not say.
    """

    text: str
    finish_reason: str | None
    usage: Usage | None
    broken: Broken | None


def _json(body: bytes | str) -> dict[str, Any]:
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    check_pieces(raw)
    try:
        return _object(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise InvalidResponseError([f"not JSON: {error} @ $"], raw) from None


def _broken(raw: Mapping[str, Any], choice: Mapping[str, Any]) -> Broken | None:
    """Return the error that a good answer, or an event of a stream, holds; None if it holds none.

    Source: OpenRouter's guide "Errors and debugging": once the model has begun, an error comes with status 200, beside
    the choices, inside one whose ``finish_reason`` is ``error``, or alone; its code may be a word.
    """
    error = raw.get("error") or choice.get("error")
    if not error and choice.get("finish_reason") != "error":
        return None
    told = {"message": error} if isinstance(error, str) else _object(error)
    code = told.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else 502
    if not _text(told.get("message")).strip():
        told = {**told, "message": "the model or its provider failed, and the answer does not say why"}
    return Broken(status=status, envelope=json.dumps({"error": told}).encode())


def read_answer(body: bytes) -> ModelAnswer | Broken:
    """Read an answer that was not streamed; InvalidResponseError if it is none."""
    raw = _json(body)
    choice = _choice(raw)
    broken = _broken(raw, choice)
    if broken is not None:
        return broken
    if not isinstance(raw.get("choices"), list) or not raw["choices"]:
        raise InvalidResponseError(["required field missing @ $.choices[0]"], body)
    return ModelAnswer(
        text=_text(_object(choice.get("message")).get("content")),
        finish_reason=_reason(choice.get("finish_reason")),
        usage=usage_of(raw),
        raw=raw,
    )


def read_chunk(data: str) -> Chunk:
    """Read one event of a stream; InvalidResponseError if it is no JSON."""
    raw = _json(data)
    choice = _choice(raw)
    return Chunk(
        text=_text(_object(choice.get("delta")).get("content")),
        finish_reason=_reason(choice.get("finish_reason")),
        usage=usage_of(raw),
        broken=_broken(raw, choice),
    )


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
