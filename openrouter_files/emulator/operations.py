"""The five file operations: what each does for a request, and what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openrouter_files.emulator.answers import Answer, json_answer
from openrouter_files.emulator.making import upload
from openrouter_files.emulator.ranges import Part, part_asked
from openrouter_files.emulator.refusals import Refusal
from openrouter_files.emulator.service import Admission, Service, admit
from openrouter_files.emulator.shapes import file_in, page_in, receipt_in
from openrouter_files.emulator.store import Blob

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openrouter_files.emulator.faults import Operation
    from openrouter_files.emulator.index import Index
    from openrouter_files.emulator.parameters import Where
    from openrouter_files.emulator.received import Arrival
    from openrouter_files.emulator.stored import StoredFile

_BINARY = "application/octet-stream"


async def perform(service: Service, arrival: Arrival, operation: Operation) -> Answer:
    """Serve a request whose operation is known.

    Raises:
        Refusal: what the service would refuse.
    """
    return await _OPERATIONS[operation](service, arrival, admit(service, arrival))


async def _list(service: Service, arrival: Arrival, admission: Admission) -> Answer:
    where = admission.where
    files = await service.store.look(lambda index: _page(index, admission.workspace_id, where))
    shape = service.rules.shape_for(arrival.headers)
    return json_answer(page_in(shape, files[: where.limit], has_more=len(files) > where.limit))


async def _upload(service: Service, arrival: Arrival, admission: Admission) -> Answer:
    file = await upload(service, arrival, admission.workspace_id)
    return json_answer(file_in(service.rules.shape_for(arrival.headers), file))


async def _retrieve(service: Service, arrival: Arrival, admission: Admission) -> Answer:
    file = await _found(service, arrival, admission)
    return json_answer(file_in(service.rules.shape_for(arrival.headers), file))


async def _delete(service: Service, arrival: Arrival, admission: Admission) -> Answer:
    file_id = arrival.file_id or ""
    if not await service.store.remove(file_id, admission.workspace_id):
        raise Refusal(404)
    return json_answer(receipt_in(service.rules.shape_for(arrival.headers), file_id))


async def _download(service: Service, arrival: Arrival, admission: Admission) -> Answer:
    file = await _found(service, arrival, admission)
    if not file.downloadable:
        raise Refusal(400, "This file is not downloadable")
    body = await service.store.content(file)
    if not service.rules.ranges:
        return Answer(body=body, content_type=_BINARY)
    return _ranged(arrival, file, body)


_OPERATIONS: dict[Operation, Callable[[Service, Arrival, Admission], Awaitable[Answer]]] = {
    "list": _list,
    "upload": _upload,
    "retrieve": _retrieve,
    "delete": _delete,
    "download": _download,
}


def _page(index: Index, workspace_id: str, where: Where) -> tuple[StoredFile, ...]:
    place = 0 if where.after is None else index.place(where.after, workspace_id)
    if place is None:
        raise Refusal(400, "The listing cannot start after a file that does not exist")
    # One more than asked tells whether there is more.
    return index.page(workspace_id, place, where.limit + 1)


async def _found(service: Service, arrival: Arrival, admission: Admission) -> StoredFile:
    """The file that a request is about.

    Source: OpenRouter guide "Files API": 404 for an unknown id and for one of another workspace.
    """
    file_id = arrival.file_id or ""
    file = await service.store.look(lambda index: index.get(file_id, admission.workspace_id))
    if file is None:
        raise Refusal(404)
    return file


def _ranged(arrival: Arrival, file: StoredFile, body: bytes | Blob) -> Answer:
    etag = f'"{file.sha256}"'
    headers = {"Accept-Ranges": "bytes", "ETag": etag}
    part = part_asked(arrival.headers, file.size_bytes, etag)
    if part is None:
        return Answer(body=body, content_type=_BINARY, headers=headers)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{file.size_bytes}"
    return Answer(status=206, body=_cut(body, part), content_type=_BINARY, headers=headers)


def _cut(body: bytes | Blob, part: Part) -> bytes | Blob:
    if isinstance(body, bytes):
        return body[part.start : part.stop]
    return Blob(path=body.path, start=part.start, size=part.stop - part.start)
