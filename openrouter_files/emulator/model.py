"""The scripted model: it plays one script per chat request, and its tool calls are really made."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from openrouter_files.emulator.script import UNSCRIPTED, Call, Fail, FinishReason, Say, Step, ToolCall
from openrouter_files.emulator.tool import use

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openrouter_files.emulator.question import ChatReceived
    from openrouter_files.emulator.service import Service

_INERT = "Files are not available to this request: it lacks the header x-openrouter-file-ids: openrouter"


@define
class Model:
    """What the model will do, what it was asked, and what its tool calls came to."""

    scripts: deque[tuple[Step, ...]] = field(factory=deque[tuple[Step, ...]])
    chats: deque[ChatReceived] = field(factory=lambda: deque["ChatReceived"](maxlen=1_000))
    tool_calls: deque[ToolCall] = field(factory=lambda: deque[ToolCall](maxlen=10_000))
    blocked: set[str] = field(factory=set[str])

    def next_script(self) -> tuple[Step, ...]:
        """What the model does for the next request."""
        return self.scripts.popleft() if self.scripts else UNSCRIPTED

    def forget(self) -> None:
        """Forget what was asked and called, not what is yet to be done."""
        self.chats.clear()
        self.tool_calls.clear()


@frozen(kw_only=True)
class Performance:
    """What was played, in this order."""

    steps: Sequence[Say | ToolCall | Fail]

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The calls that the model made."""
        return tuple(step for step in self.steps if isinstance(step, ToolCall))

    @property
    def text(self) -> str:
        """All that the model said."""
        return "".join(step.text for step in self.steps if isinstance(step, Say))

    @property
    def failure(self) -> Fail | None:
        """Why the model broke off, None if it did not."""
        return next((step for step in self.steps if isinstance(step, Fail)), None)

    @property
    def finish_reason(self) -> FinishReason:
        """Why the model stopped."""
        reasons: list[FinishReason] = [step.finish_reason for step in self.steps if isinstance(step, Say)]
        return reasons[-1] if reasons else "stop"


async def play(service: Service, chat: ChatReceived, workspace_id: str) -> Performance:
    """Let the model do what its next script says; without the tool it cannot call it, and does not."""
    steps: list[Say | ToolCall | Fail] = []
    for step in service.model.next_script():
        if isinstance(step, Call) and not chat.offers_files:
            continue
        made = sum(isinstance(earlier, ToolCall) for earlier in steps)
        steps.append(await _called(service, chat, workspace_id, step, made) if isinstance(step, Call) else step)
        if isinstance(step, Fail):
            break
    return Performance(steps=steps)


async def _called(service: Service, chat: ChatReceived, workspace_id: str, call: Call, made: int) -> ToolCall:
    """One call of the tool.

    Source: OpenRouter guide "Server tools": 30 steps per request; what the model is told beyond is ours.
    """
    if service.rules.seed_era and not chat.resolves_files:
        output = {"error": _INERT}
    elif made >= chat.step_limit:
        output = {"error": f"The limit of {chat.step_limit} tool calls per request is reached"}
    else:
        output = await use(service, workspace_id, call)
    done = ToolCall(call=call, output=output, workspace_id=workspace_id)
    service.model.tool_calls.append(done)
    return done
