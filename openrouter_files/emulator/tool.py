"""The ``openrouter:files`` server tool: list, read, write and edit on the files of a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openrouter_files.emulator.filenames import check_filename
from openrouter_files.emulator.making import make
from openrouter_files.emulator.refusals import MESSAGES, Refusal
from openrouter_files.emulator.shapes import file_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openrouter_files.emulator.script import Call
    from openrouter_files.emulator.service import Service
    from openrouter_files.emulator.stored import StoredFile

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
