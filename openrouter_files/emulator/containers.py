"""Container files."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from .errors import Refusal
from .files import content_answer, make
from .ready import Ready
from .requests import Arrival, limit_in
from .responses import Answer, file_in, json_answer
from .store import Blob, StoredFile, container_drawer, workspace_of

if TYPE_CHECKING:
    from .app import Service


# ---- The files of a container: their ids, their order, and the pages in which they are listed.

_PREFIX = "cfile_"


@frozen(kw_only=True)
class ContainerStored(Ready["ContainerStored"]):
    """A file in a container, as a test looks at it (not an answer's shape).

    ``id`` and ``size_bytes`` are as in answers, ``path`` is relative to the home of the container
    ``container_id``, which is one of the workspace ``workspace_id``.  ``created_at`` (aware, UTC) is the last
    sync, ``sha256`` the hash of the content in hex. Awaited, it is itself.
    """

    id: str
    container_id: str
    path: str
    size_bytes: int
    created_at: datetime
    workspace_id: str
    sha256: str


@frozen(kw_only=True)
class Scan:
    """What one page found: ``files``, the ``last`` position that was looked at, and whether there are more."""

    files: tuple[StoredFile, ...]
    last: str | None
    has_more: bool


def id_of(path: str) -> str:
    """The id of a container file, or of a directory marker, whose path ends with ``/``.

    Source: OpenRouter reference "List container files": ``cfile_`` and base64url of the path, no padding.
    """
    return _PREFIX + base64.urlsafe_b64encode(path.encode()).decode().rstrip("=")


def path_of(file_id: str) -> str | None:
    """The path that an id stands for, None if it is no such id."""
    coded = file_id.removeprefix(_PREFIX)
    try:
        path = base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return path if path and id_of(path) == file_id else None


def scan(files: Sequence[StoredFile], *, after: str, limit: int, bound: int | None) -> Scan:
    """At most ``limit`` files behind a position, lexicographic by path.

    With a ``bound``, at most so many positions are looked at, directory markers among them.

    Source: OpenRouter OpenAPI document, listContainerFiles and its pages; what a scan meets is our guess.
    """
    known = {file.filename: file for file in files}
    positions = sorted(known if bound is None else known.keys() | _markers(known), key=str.encode)
    ahead = [path for path in positions if path.encode() > after.encode()]
    stops = [place for place, path in enumerate(ahead[:bound], 1) if path in known][:limit]
    seen = ahead[: stops[-1] if len(stops) == limit else bound]
    found = tuple(known[path] for path in seen if path in known)
    return Scan(files=found, last=seen[-1] if seen else None, has_more=len(seen) < len(ahead))


def described(container_id: str, file: StoredFile) -> ContainerStored:
    """A container file as a test looks at it."""
    return ContainerStored(
        id=id_of(file.filename),
        container_id=container_id,
        path=file.filename,
        size_bytes=file.size_bytes,
        created_at=file.created_at,
        workspace_id=workspace_of(file.workspace_id),
        sha256=file.sha256,
    )


def file_object(container_id: str, file: StoredFile) -> dict[str, Any]:
    """A container file as answers show it. Source: OpenRouter OpenAPI document, ContainerFile."""
    return {
        "id": id_of(file.filename),
        "object": "container.file",
        "container_id": container_id,
        "bytes": file.size_bytes,
        "created_at": int(file.created_at.timestamp()),
        "path": file.filename,
        "source": "assistant",
    }


def page_object(container_id: str, page: Scan) -> dict[str, Any]:
    """A page as answers show it: ``last_id`` may name a position that is not among the files.

    Source: OpenRouter OpenAPI document, ContainerFileListResponse.
    """
    data = [file_object(container_id, file) for file in page.files]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": id_of(page.last) if page.last is not None and (data or page.has_more) else None,
        "has_more": page.has_more,
    }


def _markers(paths: dict[str, StoredFile]) -> set[str]:
    return {path[: place + 1] for path in paths for place, sign in enumerate(path) if sign == "/"}


# ---- The four operations on container files: what each does for a request, and what it answers.


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
