"""The JSON of a chat request, judged as far as the emulator looks at it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn, cast

from openrouter_files.emulator.question import MOST_STEPS
from openrouter_files.emulator.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

_ROLES = ("system", "user", "developer", "assistant", "tool")


def body_of(raw: bytes) -> dict[str, Any]:
    """The object that a chat request is.

    Raises:
        Refusal: 400 for what is no chat request.

    Source: OpenRouter OpenAPI document, ChatRequest; unknown fields are tolerated.
    """
    try:
        said = json.loads(raw, parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "The body is not JSON") from error
    if not isinstance(said, dict):
        raise Refusal(400, "The body is no object")
    body = cast("dict[str, Any]", said)
    for name, is_good in _FIELDS.items():
        if not is_good(body.get(name)):
            raise Refusal(400, f"Invalid {name}")
    return body


def _is_list(is_good: Callable[[dict[str, Any]], bool]) -> Callable[[Any], bool]:
    """A list of objects that are good each."""

    def all_good(value: Any) -> bool:
        items = cast("list[Any]", value)
        return isinstance(value, list) and all(
            isinstance(item, dict) and is_good(cast("dict[str, Any]", item)) for item in items
        )

    return all_good


def _is_number(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_text(value: Any) -> bool:
    # It is echoed: half a surrogate pair, which JSON can escape, could not be sent.
    return isinstance(value, str) and value.isprintable()


def _is_message(message: dict[str, Any]) -> bool:
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES or (role == "tool" and not isinstance(message.get("tool_call_id"), str)):
        return False
    return isinstance(content, str) or _are_parts(content) or (content is None and role == "assistant")


def _is_part(part: dict[str, Any]) -> bool:
    return isinstance(part.get("type"), str) and (part["type"] != "file" or _is_file(part.get("file")))


def _is_file(file: Any) -> bool:
    """Source: OpenRouter OpenAPI document, ChatContentFile."""
    if not isinstance(file, dict):
        return False
    said = cast("dict[str, Any]", file)
    return all(isinstance(said.get(name, ""), str) for name in ("file_id", "file_data", "filename"))


def _is_stop(stop: dict[str, Any]) -> bool:
    return stop.get("type") != "step_count_is" or _is_number(stop.get("step_count"), 1, MOST_STEPS)


_are_parts = _is_list(_is_part)
_are_tools = _is_list(lambda tool: isinstance(tool.get("type"), str))
_are_stops = _is_list(_is_stop)
_FIELDS: dict[str, Callable[[Any], bool]] = {
    "messages": lambda value: bool(value) and _is_list(_is_message)(value),
    "model": lambda value: value is None or _is_text(value),
    "tools": lambda value: value is None or _are_tools(value),
    "stream": lambda value: value is None or isinstance(value, bool),
    "max_tool_calls": lambda value: value is None or _is_number(value, 1, MOST_STEPS),
    "stop_server_tools_when": lambda value: value is None or _are_stops(value),
}


def _not_json(name: str) -> NoReturn:
    raise ValueError(name)
