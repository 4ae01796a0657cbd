"""Requests: one function for each endpoint."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from functools import partial
from types import NoneType
from typing import Generic, Literal, TypeVar
from urllib.parse import quote, urlencode

from attrs import frozen

from ..models import ContainerFile, ContainerPage, DeletedFile, File, FilePage, PageToken
from ..options import Options, check
from .responses import read_as as read
from .responses import read_page

# ---- What is sent, as values: a request, and an operation that also knows how to read the answer.

T = TypeVar("T")

# Source: RFC 3986, 2.3: what needs no escaping. Nearly all ids are made of it.
_UNRESERVED = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")
_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

JSON = "application/json"
BYTES = "application/octet-stream"

MOST_METADATA = 4 * 1024 * 1024
"""Bytes of an answer that is no file. A page of 1,000 files has about 300 kB, or 3 MB with the longest names there are;
what JSON becomes in memory is several times as long, and is made at one go."""


@frozen(kw_only=True, slots=False)  # one is made for each call: without slots that is a third faster
class Request:
    """One request before it meets a network.

    Attributes:
        path: Below the base URL, percent-encoded, with its leading slash.
        query: Name and value as they are meant, not yet encoded.
        accept: The media type asked for.
        headers: Besides what every request says.
        idempotent: Whether a second one does no more than the first.
        most_bytes: How long a good answer may be that is read whole.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    query: tuple[tuple[str, str], ...] = ()
    accept: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    idempotent: bool = True
    most_bytes: int = MOST_METADATA

    @property
    def target(self) -> str:
        """Path and query as they stand in a request line."""
        return f"{self.path}?{urlencode(self.query, quote_via=quote)}" if self.query else self.path


@frozen(kw_only=True, slots=False)  # likewise
class Operation(Generic[T]):
    """What to send, and how to read the answer.

    Attributes:
        in_steps: Reads a long answer as ``read`` does, with pauses; None if none is long.
    """

    request: Request
    read: Callable[[bytes], T]
    in_steps: Callable[[bytes], Generator[None, None, T]] | None = None


def segment(identifier: str, *, what: str = "file id") -> str:
    """Percent-encode an opaque id as one path segment, whole.

    Raises:
        TypeError: It is not a string.
        ValueError: It is empty, ``.`` or ``..``, which would be another endpoint, or holds what
            no URL can carry.

    Source: RFC 3986, 3.3 and 5.2.4: dot segments are removed even when they are escaped.
    """
    check(f"a {what}", identifier, str)
    if _UNRESERVED.fullmatch(identifier):
        return identifier
    if identifier in {"", ".", ".."}:
        raise ValueError(f"{identifier!r} is not a {what}")
    if _UNSENDABLE.search(identifier):
        raise ValueError(f"the {what} {identifier!r} holds a control character or half a character")
    return quote(identifier, safe="")


# ---- What to send and how to read the answer, one function per operation of the Files API.
#
# Source of all of them: the official OpenAPI document and the Files API guide.

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
