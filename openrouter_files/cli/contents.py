"""The files of one container, as a user names them and as they are shown."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from attrs import asdict, define

from .results import Row
from .wording import for_programs, plain, size, when

if TYPE_CHECKING:
    from openrouter_files import ContainerFile, ContainerFiles


@define
class Contents:
    """What a container holds, asked for once."""

    _box: ContainerFiles
    _files: list[ContainerFile] | None = None

    async def all(self) -> list[ContainerFile]:
        """Return all files, by path."""
        if self._files is None:
            async with aclosing(self._box.list()) as listing:
                self._files = [file async for file in listing]
        return self._files

    async def find(self, name: str) -> ContainerFile:
        """Return the file of an id or a path; what is not listed may be there since, so the server decides."""
        files = await self.all()
        known = (file for file in files if name in {file.id, file.path})
        return next(known, None) or await self._box.retrieve(name)


def as_json(file: ContainerFile, **more: Any) -> dict[str, Any]:
    """Return a file as JSON lines show it; what the answer did not say is null."""
    known = asdict(file, recurse=False)
    return known | {"created_at": file.created_at and file.created_at.isoformat(), "extra": dict(file.extra)} | more


def short_row(file: ContainerFile) -> Row:
    """Return a file as results show it: its id to pipes."""
    cells = {
        "id": plain(file.id),
        "size": size(file.size_bytes),
        "created": when(file.created_at),
        "path": plain(file.path),
    }
    return Row(json=as_json(file), plain=cells["id"], cells=cells)


def long_row(file: ContainerFile) -> Row:
    """Return a file with its source; tabs between the fields of a pipe."""
    row = short_row(file)
    source, path = plain(file.source or "-"), row.cells["path"]
    line = (row.plain, for_programs(file.size_bytes), for_programs(file.created_at), source, path)
    return Row(json=row.json, plain="\t".join(line), cells={**row.cells, "source": source, "path": path})


def all_fields(file: ContainerFile) -> dict[str, str]:
    """Return all that is known about a file, as text, unknown fields included."""
    told = as_json(file)
    told |= told.pop("extra")
    return {plain(name): plain(str(value)) for name, value in told.items() if value is not None}
