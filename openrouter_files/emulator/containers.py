"""The files of a container: their ids, their order, and the pages in which they are listed."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from attrs import frozen

from openrouter_files.emulator.drawers import workspace_of
from openrouter_files.emulator.ready import Ready

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from openrouter_files.emulator.stored import StoredFile

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
