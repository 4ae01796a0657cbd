"""What is shown of a file, in each style. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import asdict

from .results import Row
from .wording import for_programs, plain, size, when

if TYPE_CHECKING:
    from openrouter_files import File


def as_json(file: File, **more: Any) -> dict[str, Any]:
    """Return a file as JSON lines show it; what the answer did not say is null."""
    known = asdict(file, recurse=False)
    return known | {"created_at": file.created_at and file.created_at.isoformat(), "extra": dict(file.extra)} | more


def downloadable(file: File) -> str:
    """Return whether a file can be downloaded, in a word."""
    return "-" if file.downloadable is None else "yes" if file.downloadable else "no"


def short_row(file: File, **more: Any) -> Row:
    """Return a file as most results show it: its id to pipes, the least to people; ``more`` is for programs."""
    cells = {
        "id": plain(file.id),
        "size": size(file.size_bytes),
        "created": when(file.created_at),
        "name": plain(file.filename),
    }
    return Row(json=as_json(file, **more), plain=cells["id"], cells=cells)


def long_row(file: File) -> Row:
    """Return a file with its type and whether it can be downloaded; tabs between the fields of a pipe."""
    row = short_row(file)
    more = {"type": plain(file.mime_type or "-"), "get": downloadable(file), "name": row.cells["name"]}
    line = (row.plain, for_programs(file.size_bytes), for_programs(file.created_at), *more.values())
    cells = {key: text for key, text in row.cells.items() if key != "name"} | more
    return Row(json=row.json, plain="\t".join(line), cells=cells)


def all_fields(file: File) -> dict[str, str]:
    """Return all that is known about a file, as text, unknown fields included."""
    told = as_json(file)
    told |= told.pop("extra") | {"downloadable": downloadable(file)}
    return {plain(name): plain(str(value)) for name, value in told.items() if value is not None}
