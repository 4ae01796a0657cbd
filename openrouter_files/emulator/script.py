"""What a scripted model does for one chat request, as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from attrs import asdict, field, frozen, validators

if TYPE_CHECKING:
    from collections.abc import Mapping

FinishReason = Literal["stop", "length", "content_filter", "tool_calls", "error"]
"""Why a model stopped. Source: OpenRouter OpenAPI document, ChatFinishReasonEnum."""


@frozen(kw_only=True)
class Call:
    """The model calls ``openrouter:files``: ``list``, ``read``, ``write``, ``edit``, or something that there is not.

    That is the ``operation``; ``file_id``, ``filename``, ``filename_filter``, ``content``, ``old_string``,
    ``new_string`` and ``new_filename`` are the documented arguments; None leaves one out.
    Source: OpenRouter guide of the ``openrouter:files`` server tool.
    """

    operation: str = field(kw_only=False)
    file_id: str | None = None
    filename: str | None = None
    filename_filter: str | None = None
    content: str | None = None
    old_string: str | None = None
    new_string: str | None = None
    new_filename: str | None = None

    @property
    def arguments(self) -> Mapping[str, str]:
        """The arguments as the model sends them."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@frozen(kw_only=True)
class Say:
    """The model writes ``text``; the last one's ``finish_reason`` is the answer's."""

    text: str = field(kw_only=False)
    finish_reason: FinishReason = "stop"


FailPlace = Literal["beside", "choice", "alone"]
"""Where in an answer of 200 an error stands."""


@frozen(kw_only=True)
class Fail:
    """The model breaks off: an error of that ``code``, a number or a word, and ``message``.

    ``place`` is where the error stands in an answer of 200: ``"beside"`` the choices, in the ``"choice"``, or
    ``"alone"``. None is beside the choices of a stream; without a stream the answer has the code as its status then.
    Source: OpenRouter guide "Errors and debugging": once a model has begun, an error comes with status 200.

    Raises:
        ValueError: there is no such place, or the code is to be a status and is none.
    """

    code: int | str = 502
    message: str = "Provider disconnected unexpectedly"
    place: FailPlace | None = field(default=None, validator=validators.optional(validators.in_(get_args(FailPlace))))

    def __attrs_post_init__(self) -> None:
        if self.place is None and not (isinstance(self.code, int) and 400 <= self.code < 600):
            raise ValueError(f"a code that is no status of an error needs a place: {self.code!r}")

    @property
    def error(self) -> Mapping[str, Any]:
        """The object ``error``."""
        return {"code": self.code, "message": self.message}


Step = Call | Say | Fail
"""What a model may do; a script is a few of them."""

UNSCRIPTED: tuple[Step, ...] = (Say("The model has no script for this request."),)
"""What the model does when the test gave it nothing to do."""


@frozen(kw_only=True)
class ToolCall:
    """A ``call`` that the model made in the workspace ``workspace_id``, and what it was told.

    That is the ``output``: ``{"result": ...}`` or ``{"error": "..."}``.
    """

    call: Call
    output: Mapping[str, Any]
    workspace_id: str

    @property
    def result(self) -> Any:
        """What the tool did, None if it failed."""
        return self.output.get("result")

    @property
    def error(self) -> str | None:
        """Why the tool failed, None if it did not."""
        return self.output.get("error")


class ScriptsNotPlayed(AssertionError):  # noqa: N818 - it names what happened, as the test will read it
    """The emulator ended while scripts were left, ``unplayed``: the test did not ask the model often enough."""

    def __init__(self, unplayed: tuple[tuple[Step, ...], ...]) -> None:
        super().__init__("; ".join(f"no chat request met the script {script}" for script in unplayed))
        self.unplayed = unplayed

    def __reduce__(self) -> tuple[type[ScriptsNotPlayed], tuple[tuple[tuple[Step, ...], ...]]]:
        return type(self), (self.unplayed,)  # the default would make one of its message
