"""How a chat request is answered: with one object, or with a stream of server-sent events."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

from attrs import Factory, frozen

from openrouter_files.emulator.script import Fail, Say, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openrouter_files.emulator.model import Performance
    from openrouter_files.emulator.question import ChatReceived

_PROCESSING = b": OPENROUTER PROCESSING\n\n"
_DONE = b"data: [DONE]\n\n"
_WORD = re.compile(r"\s*\S+|\s+")


@frozen(kw_only=True)
class Completion:
    """What the model did for one request, ready to be told; ``created`` in Unix seconds."""

    chat: ChatReceived
    performance: Performance
    created: int
    id: str = Factory(lambda: f"gen-{os.urandom(12).hex()}")

    def whole(self) -> dict[str, Any]:
        """The answer without a stream. Source: OpenRouter OpenAPI document, ChatResult."""
        message = {"role": "assistant", "content": self.performance.text, "refusal": None}
        choice: dict[str, Any] = {"index": 0, "finish_reason": self.performance.finish_reason, "message": message}
        answer = {**self._head("chat.completion"), "system_fingerprint": None, "choices": [choice]}
        failure = self.performance.failure
        if failure is None:
            return {**answer, "usage": self._usage()}
        if failure.place == "alone":
            return {"error": failure.error}
        choice["finish_reason"] = "error"
        (choice if failure.place == "choice" else answer)["error"] = failure.error
        return answer

    def events(self) -> bytes:
        """The answer as a stream: comments while tools run, deltas, usage at the end, and ``[DONE]``.

        A stream that fails ends with its error.
        Source: OpenRouter OpenAPI document, ChatStreamChunk; guide "Errors and debugging", errors in mid-stream.
        """
        return b"".join(self._events())

    def _events(self) -> Iterator[bytes]:
        yield _PROCESSING
        yield self._delta({"role": "assistant", "content": ""})
        for step in self.performance.steps:
            yield from self._step(step)
        if self.performance.failure is None:
            yield self._delta({"content": ""}, self.performance.finish_reason)
            yield self._event(choices=[], usage=self._usage())
            yield _DONE

    def _step(self, step: Say | ToolCall | Fail) -> Iterator[bytes]:
        match step:
            case Say():
                yield from (self._delta({"content": piece}) for piece in _WORD.findall(step.text))
            case ToolCall():
                yield _PROCESSING
            case Fail():
                yield self._failed(step)

    def _failed(self, step: Fail) -> bytes:
        if step.place == "alone":
            return self._event(error=step.error)
        choice: dict[str, Any] = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
        if step.place == "choice":
            return self._event(choices=[{**choice, "error": step.error}])
        return self._event(choices=[choice], error=step.error)

    def _delta(self, delta: dict[str, str], finish_reason: str | None = None) -> bytes:
        return self._event(choices=[{"index": 0, "delta": delta, "finish_reason": finish_reason}])

    def _event(self, **content: Any) -> bytes:
        # Separators of lines that are none in JSON (U+2028 and the like) stay raw, as the service sends them.
        chunk = json.dumps(
            {**self._head("chat.completion.chunk"), **content}, ensure_ascii=False, separators=(",", ":")
        )
        return f"data: {chunk}\n\n".encode()

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.chat.model}

    def _usage(self) -> dict[str, Any]:
        """Tokens are words here. Source: OpenRouter OpenAPI document, ChatUsage."""
        prompt, said = len(json.dumps(self.chat.messages).split()), len(_WORD.findall(self.performance.text))
        usage = {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said}
        return {**usage, "cost": 0.0, "is_byok": False, "server_tool_use_details": self._tool_use()}

    def _tool_use(self) -> dict[str, int] | None:
        """Source: OpenRouter OpenAPI document: executed are those calls that produced a result."""
        if not self.chat.offers_files:
            return None
        calls = self.performance.calls
        executed = sum(call.error is None for call in calls)
        return {"tool_calls_requested": len(calls), "tool_calls_executed": executed}
