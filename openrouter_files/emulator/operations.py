"""The five file operations: what each does for a request, and what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openrouter_files.emulator.answers import Answer, json_answer
from openrouter_files.emulator.content import content_answer
from openrouter_files.emulator.making import upload
from openrouter_files.emulator.refusals import Refusal
from openrouter_files.emulator.shapes import file_in, page_in, receipt_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openrouter_files.emulator.faults import Operation
    from openrouter_files.emulator.index import Index
    from openrouter_files.emulator.parameters import Where
    from openrouter_files.emulator.received import Arrival
    from openrouter_files.emulator.service import Admission, Service
    from openrouter_files.emulator.stored import StoredFile


async def _list(service: Service, arrival: Arrival, admission: Admission) -> Answer:
    where = admission.where
    files = await service.store.look(lambda index: _page(index, admission.drawer, where))
    page, has_more = files[: where.limit], len(files) > where.limit
    shape = service.rules.shape_for(arrival.headers)
    return json_answer(page_in(shape, page if where.before is None else page[::-1], has_more=has_more))


async def _upload(service: Service, arrival: Arrival, admission: Admission) -> Answer:
    file = await upload(service, arrival, admission.drawer)
    return json_answer(file_in(service.rules.shape_for(arrival.headers), file))


async def _retrieve(service: Service, arrival: Arrival, admission: Admission) -> Answer:
    file = await _found(service, arrival, admission)
    return json_answer(file_in(service.rules.shape_for(arrival.headers), file))


async def _delete(service: Service, arrival: Arrival, admission: Admission) -> Answer:
    file_id = arrival.file_id or ""
    if not await service.store.remove(file_id, admission.drawer):
        raise Refusal(404)
    return json_answer(receipt_in(service.rules.shape_for(arrival.headers), file_id))


async def _download(service: Service, arrival: Arrival, admission: Admission) -> Answer:
    file = await _found(service, arrival, admission)
    if not file.downloadable:
        raise Refusal(400, "This file is not downloadable")
    return await content_answer(service, arrival, file)


FILE_OPERATIONS: dict[Operation, Callable[[Service, Arrival, Admission], Awaitable[Answer]]] = {
    "list": _list,
    "upload": _upload,
    "retrieve": _retrieve,
    "delete": _delete,
    "download": _download,
}


def _page(index: Index, drawer: str, where: Where) -> tuple[StoredFile, ...]:
    start = where.after or where.before
    place = None if start is None else index.place(start, drawer)
    if start is not None and place is None:
        raise Refusal(400, "The listing cannot start at a file that does not exist")
    # One more than asked tells whether there is more.
    if where.newest_first or where.before is not None:
        return index.page_back(drawer, place, where.limit + 1)
    return index.page(drawer, place or 0, where.limit + 1)


async def _found(service: Service, arrival: Arrival, admission: Admission) -> StoredFile:
    """The file that a request is about.

    Source: OpenRouter guide "Files API": 404 for an unknown id and for one of another workspace.
    """
    file_id = arrival.file_id or ""
    file = await service.store.look(lambda index: index.get(file_id, admission.drawer))
    if file is None:
        raise Refusal(404)
    return file
