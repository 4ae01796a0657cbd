"""The chat endpoint with a scripted model."""

from __future__ import annotations

import json
import os
import re
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn, cast, get_args

from attrs import Factory, asdict, define, field, frozen, validators

from .errors import MESSAGES, Refusal
from .files import make
from .multipart import check_filename
from .requests import Arrival
from .responses import Answer, file_in, json_answer
from .store import StoredFile

if TYPE_CHECKING:
    from .app import Service


# ---- What a chat request asks, and the files that it refers to.

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


# ---- What a scripted model does for one chat request, as values.

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


# ---- The JSON of a chat request, judged as far as the emulator looks at it.

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


# ---- How a chat request is answered: with one object, or with a stream of server-sent events.

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


# ---- The ``openrouter:files`` server tool: list, read, write and edit on the files of a workspace.

LARGEST_TEXT = 20 * 1024 * 1024
"""Bytes that one read or write may have. Source: OpenRouter guide of the tool, "20 MB"; that it means MiB is ours."""

_TEXTS = {"application/json", "application/x-ndjson"}


async def use(service: Service, workspace_id: str, call: Call) -> dict[str, Any]:
    """Do what the model wants: ``{"result": ...}``, or ``{"error": "..."}`` with what it did wrong.

    Source: OpenRouter guide of the tool; the inner results of list, write and edit are partly ours.
    """
    operation = _OPERATIONS.get(call.operation)
    if operation is None:
        return {"error": f"operation must be one of {', '.join(_OPERATIONS)}"}
    try:
        return {"result": await operation(service, workspace_id, call)}
    except Refusal as refusal:
        return {"error": refusal.message or MESSAGES[refusal.status]}


async def _list(service: Service, workspace_id: str, call: Call) -> dict[str, Any]:
    files = await service.store.look(lambda index: index.of(workspace_id))
    wanted = call.filename_filter or ""
    return {"files": [_metadata(service, file) for file in files if wanted in file.filename]}


async def _read(service: Service, workspace_id: str, call: Call) -> dict[str, Any]:
    file = await _target(service, workspace_id, call)
    return {"id": file.id, "filename": file.filename, "content": await _text(service, file)}


async def _write(service: Service, workspace_id: str, call: Call) -> dict[str, Any]:
    name, text = _given(call.filename, "filename"), _given(call.content, "content")
    return _metadata(service, await _made(service, workspace_id, name, text))


async def _edit(service: Service, workspace_id: str, call: Call) -> dict[str, Any]:
    """Copy on write: the source stays as it is."""
    old, new = _given(call.old_string, "old_string"), _given(call.new_string, "new_string")
    source = await _target(service, workspace_id, call)
    text = await _text(service, source)
    _check_single(text, old)
    name = source.filename if call.new_filename is None else call.new_filename
    made = await _made(service, workspace_id, name, text.replace(old, new))
    return {**_metadata(service, made), "file_id": made.id, "source_file_id": source.id}


_OPERATIONS: dict[str, Callable[[Service, str, Call], Awaitable[dict[str, Any]]]] = {
    "list": _list,
    "read": _read,
    "write": _write,
    "edit": _edit,
}


def _given(value: str | None, name: str) -> str:
    if value is None:
        raise Refusal(400, f"Missing required field: {name}")
    return value


def _check_single(text: str, old: str) -> None:
    # Places that overlap are two places: str.count would see one.
    first = text.find(old) if old else -1
    if first < 0:
        raise Refusal(400, "old_string was not found in the file")
    if text.find(old, first + 1) >= 0:
        raise Refusal(400, "old_string matches more than one place in the file")


async def _target(service: Service, workspace_id: str, call: Call) -> StoredFile:
    """The file that a call is about: by id, else the newest of that name (which of them is our choice)."""
    file_id, name = call.file_id, call.filename
    if file_id is not None:
        file = await service.store.look(lambda index: index.get(file_id, workspace_id))
    else:
        wanted = _given(name, "file_id or filename")
        file = await service.store.look(lambda index: index.named(workspace_id, wanted))
    if file is None:
        raise Refusal(404, f"File not found: {file_id or name}")
    return file


async def _text(service: Service, file: StoredFile) -> str:
    if file.size_bytes > LARGEST_TEXT:
        raise Refusal(413, f"File is larger than {LARGEST_TEXT} bytes")
    if not (file.mime_type.startswith("text/") or file.mime_type in _TEXTS):
        raise Refusal(400, "Only UTF-8 text files can be read")
    # A type of text is given only to content that is UTF-8 to its end.
    return (await service.store.bytes_of(file.id)).decode()


async def _made(service: Service, workspace_id: str, name: str, text: str) -> StoredFile:
    check_filename(name)
    try:
        content = name.encode() and text.encode()
    except UnicodeEncodeError as error:
        raise Refusal(400, "filename and content must be UTF-8 text") from error
    if len(content) > LARGEST_TEXT:
        raise Refusal(413, f"content is larger than {LARGEST_TEXT} bytes")
    return await make(service, name, content, downloadable=True, workspace_id=workspace_id, within_quota=True)


def _metadata(service: Service, file: StoredFile) -> dict[str, Any]:
    return file_in("seed" if service.rules.seed_era else "openrouter", file)


# ---- The scripted model: it plays one script per chat request, and its tool calls are really made.

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


# ---- The chat operation: a request is read, its files are looked up, the scripted model answers it.

_SHELLS = ("shell", "bash", "local_shell", "bash_20250124")
_ID = re.compile(r"[\w-]{1,256}")


async def chat(service: Service, arrival: Arrival, workspace_id: str) -> Answer:
    """Have the model answer, streamed or not.

    Raises:
        Refusal: 413, 400, 404 for the request, 403 for a blocked tool; without a stream the status with which the
            model fails.
    """
    received = await _received(service, arrival, workspace_id)
    service.model.chats.append(received)
    performance = await play(service, received, workspace_id)
    completion = Completion(chat=received, performance=performance, created=int(service.rules.clock()))
    if received.stream:
        return Answer(body=completion.events(), content_type="text/event-stream", sized=False)
    failure = performance.failure
    if failure is not None and failure.place is None and isinstance(failure.code, int):
        raise Refusal(failure.code, failure.message)
    return json_answer(completion.whole())


async def _received(service: Service, arrival: Arrival, workspace_id: str) -> ChatReceived:
    """The request, judged.

    Source: OpenRouter guide of the tool: in the seed era only a request with the header has its file ids
    resolved, without it they are the upstream provider's business; that today all are is our reading.
    """
    body = body_of(await _raw(arrival, service.rules.max_file_bytes))
    _check_tools(body, service.model.blocked)
    resolves = arrival.headers.get("x-openrouter-file-ids") == "openrouter"
    ids = file_ids_in(body) if resolves or not service.rules.seed_era else ()
    files = [await _file(service, file_id, workspace_id) for file_id in ids]
    return ChatReceived(body=body, files=tuple(files), resolves_files=resolves)


def _check_tools(body: Mapping[str, Any], blocked: Collection[str]) -> None:
    """Source: OpenRouter's page on shell and bash tools: 400 on chat, 403 for what the workspace blocks."""
    for tool in body.get("tools") or ():
        if tool["type"].removeprefix("openrouter:") in _SHELLS:
            raise Refusal(400, f"The tool {tool['type']} is not supported on Chat Completions")
        if tool["type"] in blocked:
            raise Refusal(403, f"The server tool {tool['type']} is blocked in this workspace")


async def _file(service: Service, file_id: str, workspace_id: str) -> StoredFile:
    if not _ID.fullmatch(file_id):
        raise Refusal(400, f"Invalid file_id: {file_id!r}")
    file = await service.store.look(lambda index: index.get(file_id, workspace_id))
    if file is None:
        raise Refusal(404, f"File not found: {file_id}")
    return file


async def _raw(arrival: Arrival, limit: int) -> bytes:
    """The body; a file may be written out in it. Source: OpenRouter OpenAPI document, 413; that all counts is ours."""
    raw = bytearray()
    while piece := await arrival.read():
        raw += piece
        if len(raw) > limit:
            raise Refusal(413)
    return bytes(raw)
