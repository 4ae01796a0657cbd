"""The file that nearly every answer holds, read without a hook for each field: 1.2 instead of 5 microseconds.

A page has a thousand of them. Whatever is unusual about one is left to the converter, which knows all shapes.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ..models import NOTHING, File
from .dates import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

Row: TypeAlias = "tuple[str, str, int, datetime, str | None, bool | None]"

# What ``_shape`` openrouter says of a file; the last two are said by the type already.
FIELDS = ("id", "filename", "size_bytes", "created_at", "mime_type", "downloadable", "type", "_shape")

_row_of = itemgetter(*FIELDS)


class _Draft(File):
    """A File that is being made: the same slots, and nothing yet that keeps them from being set."""

    __slots__ = ()
    __init__ = cast("Any", object.__init__)
    # Both, or a slot is set by a call of a function.
    __setattr__ = object.__setattr__
    __delattr__ = object.__delattr__


new_draft = cast("Callable[[], Any]", _Draft)


def files_of(rows: Iterable[Row]) -> Iterator[File]:
    """Make files of rows whose types are what they nearly always are."""
    for file_id, filename, size_bytes, created_at, mime_type, downloadable in rows:
        # What the class itself does takes three times as long.
        file = new_draft()
        file.id = file_id
        file.filename = filename
        file.size_bytes = size_bytes
        file.created_at = created_at
        file.mime_type = mime_type
        file.downloadable = downloadable
        file.purpose = file.status = None
        file.extra = NOTHING
        file.__class__ = File
        yield file


def _proven(rows: Iterable[Sequence[Any]]) -> Iterator[Row]:
    """Pass on what has the types that it nearly always has; TypeError if something has not, ValueError if no time."""
    for file_id, filename, size_bytes, created_at, mime_type, downloadable, _, _ in rows:
        if not (
            type(file_id) is str
            and type(filename) is str
            and type(size_bytes) is int
            and type(created_at) is str
            and (mime_type is None or type(mime_type) is str)
            and (downloadable is None or type(downloadable) is bool)
        ):
            raise TypeError
        yield file_id, filename, size_bytes, moment(created_at), mime_type, downloadable


def usual_objects(raw: Any) -> list[File] | None:
    """Read an array of JSON objects; None if it is none, or one of them not the usual one."""
    items: list[Any] = raw
    if type(raw) is not list or {*map(type, items)} - {dict} or {*map(len, items)} - {len(FIELDS)}:
        return None
    try:
        return list(files_of(_proven(map(_row_of, items))))
    except (KeyError, TypeError):
        return None


def usual_object(raw: Any) -> File | None:
    """Read one JSON object; None if it is none, or not the usual one."""
    files = usual_objects([raw])
    return files[0] if files else None
