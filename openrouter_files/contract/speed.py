"""The usual answers, read in a short way: pages by a pattern; all by msgspec if it is installed (the extra ``speed``).

A short way says either what the converter would say, or nothing: whatever it does not know, or balks at, is left
to the converter. So only the time depends on what is installed: a page of 1,000 files takes 0.8 ms, not 1.5.
The only user of msgspec.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # msgspec reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from ..models import NOTHING, File
from . import alike
from .pages import Listed, next_page
from .usual import new_draft

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

_readers: dict[type, Callable[[bytes], Any]] = {Listed: alike.read}

try:
    import msgspec
except ImportError:
    pass
else:
    # In the order in which they come. What is of another type is left to the converter.
    class _File(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
        _shape: Literal["openrouter", "anthropic"] | None = None
        id: str
        type: Literal["file"] | None = None
        filename: str
        mime_type: str | None = None
        size_bytes: int
        created_at: Annotated[datetime, msgspec.Meta(tz=True)]
        downloadable: bool | None = None

    class _Page(msgspec.Struct, forbid_unknown_fields=True):
        data: list[_File]
        cursor: Any = msgspec.UNSET
        first_id: Any = msgspec.UNSET
        last_id: Any = msgspec.UNSET
        has_more: Any = msgspec.UNSET
        _shape: Any = msgspec.UNSET

    _one, _many = msgspec.json.Decoder(_File).decode, msgspec.json.Decoder(_Page).decode

    def _files(read: list[_File]) -> Iterator[File]:
        """Make files as ``usual.files_of`` does, without a row for each in between: 4 % less for a listing."""
        for one in read:
            file = new_draft()
            file.id = one.id
            file.filename = one.filename
            file.size_bytes = one.size_bytes
            file.created_at = one.created_at
            file.mime_type = one.mime_type
            file.downloadable = one.downloadable
            file.purpose = file.status = None
            file.extra = NOTHING
            file.__class__ = File
            yield file

    def _file(body: bytes) -> File:
        return next(_files([_one(body)]))

    def _page(body: bytes) -> Listed:
        page = _many(body)
        said = {name: getattr(page, name) for name in ("cursor", "last_id", "has_more", "_shape")}
        token = next_page({name: value for name, value in said.items() if value is not msgspec.UNSET})
        return Listed(_files(page.data), token, page.data[-1].id if page.data else None)

    _readers.update({File: _file, Listed: _page})


def read(cls: type[T], body: bytes) -> T | None:
    """Read an answer; None if it is not the usual one, or there is no short way."""
    reader: Callable[[bytes], T | None] | None = _readers.get(cls)
    if reader is None:
        return None
    try:
        return reader(body)
    except (ValueError, RecursionError):  # not JSON, not this JSON, not a time: the converter says what is wrong
        return None
