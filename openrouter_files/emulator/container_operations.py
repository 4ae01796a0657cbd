"""The four operations on container files: what each does for a request, and what it answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from openrouter_files.emulator.answers import Answer, json_answer
from openrouter_files.emulator.containers import ContainerStored, described, file_object, page_object, path_of, scan
from openrouter_files.emulator.content import content_answer
from openrouter_files.emulator.drawers import container_drawer
from openrouter_files.emulator.making import make
from openrouter_files.emulator.parameters import limit_in
from openrouter_files.emulator.refusals import Refusal
from openrouter_files.emulator.shapes import file_in
from openrouter_files.emulator.store import Blob

if TYPE_CHECKING:
    import os

    from openrouter_files.emulator.received import Arrival
    from openrouter_files.emulator.service import Service
    from openrouter_files.emulator.stored import StoredFile


async def list_container(service: Service, arrival: Arrival, workspace_id: str) -> Answer:
    """A page of a container's files; a container that nobody knows has none.

    Raises:
        Refusal: 400 for a limit outside 1 to 1000, and for a position that is none.
    """
    container_id, query = arrival.container_id, arrival.note.query
    limit, after = limit_in(query), path_of(query["after"]) if "after" in query else ""
    if after is None:
        raise Refusal(400, "Invalid after")
    drawer = container_drawer(workspace_id, container_id)
    files = await service.store.look(lambda index: index.of(drawer))
    page = scan(files, after=after, limit=limit, bound=service.rules.scan_limit)
    return json_answer(page_object(container_id, page))


async def retrieve_container(service: Service, arrival: Arrival, workspace_id: str) -> Answer:
    """One container file."""
    return json_answer(file_object(arrival.container_id, await _found(service, arrival, workspace_id)))


async def download_container(service: Service, arrival: Arrival, workspace_id: str) -> Answer:
    """The content of a container file."""
    return await content_answer(service, arrival, await _found(service, arrival, workspace_id))


async def promote(service: Service, arrival: Arrival, workspace_id: str) -> Answer:
    """Copy a container file into the workspace: any content, a new id each time.

    Raises:
        Refusal: 404, 413 for its size, 403 for the quota.

    Source: OpenRouter guide "Containers" and reference "Promote a container file".
    """
    file = await _found(service, arrival, workspace_id)
    limit = service.rules.max_file_bytes
    if file.size_bytes > limit:
        raise Refusal(413, f"File exceeds the maximum size of {limit} bytes")
    content = await service.store.content(file)
    source = content.path if isinstance(content, Blob) else content
    made = await make(
        service, file.filename, source, downloadable=True, workspace_id=workspace_id, within_quota=True
    )  # fmt: skip
    return json_answer(file_in(service.rules.shape_for(arrival.headers), made))


async def put_in_container(
    service: Service, container_id: str, path: str, content: bytes | str | os.PathLike[str], workspace_id: str
) -> ContainerStored:
    """Have a container hold a file, in place of the one of that path."""
    drawer = container_drawer(workspace_id, container_id)
    before = await service.store.look(lambda index: index.named(drawer, path))
    if before is not None:
        await service.store.remove(before.id, drawer)
    source = content if isinstance(content, bytes) else Path(content)
    return described(container_id, await make(service, path, source, downloadable=True, workspace_id=drawer))


async def _found(service: Service, arrival: Arrival, workspace_id: str) -> StoredFile:
    path = path_of(arrival.file_id or "")
    drawer = container_drawer(workspace_id, arrival.container_id)
    file = None if path is None else await service.store.look(lambda index: index.named(drawer, path))
    if file is None:
        raise Refusal(404)
    return file
