"""The chat operation: a request is read, its files are looked up, the scripted model answers it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from openrouter_files.emulator.answers import Answer, json_answer
from openrouter_files.emulator.chat_body import body_of
from openrouter_files.emulator.completion import Completion
from openrouter_files.emulator.model import play
from openrouter_files.emulator.question import ChatReceived, file_ids_in
from openrouter_files.emulator.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from openrouter_files.emulator.received import Arrival
    from openrouter_files.emulator.service import Service
    from openrouter_files.emulator.stored import StoredFile

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
