"""What a chat request asks, and the files that it refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openrouter_files.emulator.stored import StoredFile

MOST_STEPS = 30
"""Calls of server tools that one request may cause. Source: OpenRouter guide "Server tools"."""


@frozen(kw_only=True)
class ChatReceived:
    """A chat request as it came: ``body`` is its JSON, ``files`` are those its messages refer to by id.

    ``resolves_files`` says whether it had the header ``x-openrouter-file-ids: openrouter``.
    """

    body: Mapping[str, Any]
    files: tuple[StoredFile, ...]
    resolves_files: bool

    @property
    def model(self) -> str:
        """The model that was asked."""
        return self.body.get("model") or "openrouter/auto"

    @property
    def stream(self) -> bool:
        """Whether the answer is to be streamed."""
        return self.body.get("stream") is True

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        """The messages, as they came."""
        messages: Sequence[Mapping[str, Any]] = self.body["messages"]
        return messages

    @property
    def tools(self) -> Sequence[Mapping[str, Any]]:
        """The tools that the model may use, as they came."""
        return self.body.get("tools") or ()

    @property
    def offers_files(self) -> bool:
        """Whether the model may use the files tool."""
        offered = any(tool["type"] == "openrouter:files" for tool in self.tools)
        return offered and self.body.get("tool_choice") != "none"

    @property
    def step_limit(self) -> int:
        """How many calls the server makes for the model.

        Source: OpenRouter guide "Server tools": ``max_tool_calls`` is 30 unless less is asked for,
        a ``step_count_is`` in ``stop_server_tools_when`` overrides it.
        """
        stops = self.body.get("stop_server_tools_when") or ()
        counts = [stop["step_count"] for stop in stops if stop.get("type") == "step_count_is"]
        return min(counts) if counts else self.body.get("max_tool_calls") or MOST_STEPS


def file_ids_in(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The ids by which messages refer to files. Source: OpenRouter OpenAPI document, ChatContentFile."""
    contents: list[Any] = [message.get("content") for message in body["messages"]]
    lists: list[list[dict[str, Any]]] = [content for content in contents if isinstance(content, list)]
    parts = [part for content in lists for part in content]
    return tuple(part["file"]["file_id"] for part in parts if part["type"] == "file" and "file_id" in part["file"])
