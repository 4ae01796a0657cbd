"""What to send and how to read the answer, one function per operation of the Files API.

Source of all of them: the official OpenAPI document and the Files API guide.
"""

from __future__ import annotations

from functools import partial
from types import NoneType
from typing import TYPE_CHECKING

from ..given import check
from ..models import ContainerFile, ContainerPage, DeletedFile, File, FilePage, PageToken
from .reading import read, read_page
from .requests import BYTES, Operation, Request, segment

if TYPE_CHECKING:
    from ..options import Options

Query = tuple[tuple[str, str], ...]

_read_file = partial(read, File)
_read_inside = partial(read, ContainerPage)
_read_inside_in_steps = partial(read_page, ContainerPage)
_read_container_file = partial(read, ContainerFile)

MOST_PER_PAGE = 1000


def _scope(options: Options) -> Query:
    """Whose files: absent parameters are not sent at all."""
    if options.workspace_id is None and options.provider is None:
        return ()
    named = (("workspace_id", options.workspace_id), ("provider", options.provider))
    return tuple((name, value) for name, value in named if value is not None)


def check_limit(limit: int | None, name: str = "limit") -> None:
    """Refuse a page size that the server would refuse; ValueError or TypeError before anything is sent."""
    check(name, limit, int, NoneType)
    if limit is not None and not 1 <= limit <= MOST_PER_PAGE:
        raise ValueError(f"{name} must be between 1 and {MOST_PER_PAGE}, not {limit}")


def _start(cursor: PageToken | None) -> Query:
    if cursor is None:
        return ()
    # Callers may give text, too; it was made a token by whoever knows which parameter it is for.
    check("cursor", cursor, PageToken, str, NoneType)
    check(f"where to start ({cursor.parameter})", cursor.value, str)
    return ((cursor.parameter, cursor.value),)


def list_files(options: Options, *, limit: int | None = None, cursor: PageToken | None = None) -> Operation[FilePage]:
    """One page. ``cursor`` replaces whatever said where to start: the guide forbids both."""
    check_limit(limit)
    size: Query = () if limit is None else (("limit", str(limit)),)
    request = Request(method="GET", path="/files", query=size + _start(cursor) + _scope(options))
    return Operation(request=request, read=partial(read, FilePage), in_steps=partial(read_page, FilePage))


def upload_file(options: Options) -> Operation[File]:
    """The form around the file is the body; see multipart."""
    request = Request(method="POST", path="/files", query=_scope(options), idempotent=False)
    return Operation(request=request, read=_read_file)


def retrieve_file(options: Options, file_id: str) -> Operation[File]:
    """Metadata of one file."""
    request = Request(method="GET", path=f"/files/{segment(file_id)}", query=_scope(options))
    return Operation(request=request, read=_read_file)


def delete_file(options: Options, file_id: str) -> Operation[DeletedFile]:
    """Deletion of one file; a second one answers 404.

    A good status without a body is a receipt, too: gateways and other stores answer 204.
    """
    request = Request(method="DELETE", path=f"/files/{segment(file_id)}", query=_scope(options))

    def receipt(body: bytes) -> DeletedFile:
        return read(DeletedFile, body) if body.strip() else DeletedFile(id=file_id)

    return Operation(request=request, read=receipt)


def file_content(options: Options, file_id: str) -> Request:
    """The bytes of one file: streamed, so there is nothing to read whole."""
    return Request(method="GET", path=f"/files/{segment(file_id)}/content", query=_scope(options), accept=BYTES)


def _inside(container_id: str, file_id: str = "") -> str:
    path = f"/containers/{segment(container_id, what='container id')}/files"
    return f"{path}/{segment(file_id)}" if file_id else path


def list_container_files(
    container_id: str, *, limit: int | None = None, cursor: PageToken | None = None
) -> Operation[ContainerPage]:
    """One page, by path. Containers know neither workspace_id nor provider."""
    check_limit(limit)
    size: Query = () if limit is None else (("limit", str(limit)),)
    request = Request(method="GET", path=_inside(container_id), query=size + _start(cursor))
    return Operation(request=request, read=_read_inside, in_steps=_read_inside_in_steps)


def retrieve_container_file(container_id: str, file_id: str) -> Operation[ContainerFile]:
    """Metadata of one file of a container."""
    segment(file_id)
    return Operation(request=Request(method="GET", path=_inside(container_id, file_id)), read=_read_container_file)


def container_file_content(container_id: str, file_id: str) -> Request:
    """The bytes of one file of a container, streamed."""
    segment(file_id)
    return Request(method="GET", path=f"{_inside(container_id, file_id)}/content", accept=BYTES)


def promote_container_file(container_id: str, file_id: str) -> Operation[File]:
    """A copy in the workspace, under a new id each time: no more idempotent than an upload."""
    segment(file_id)
    request = Request(method="POST", path=f"{_inside(container_id, file_id)}/promote", idempotent=False)
    return Operation(request=request, read=_read_file)
