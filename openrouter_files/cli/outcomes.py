"""What became of a file, as a result: for programs, for pipes, and for tables. Pure, but for a file's size on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from openrouter_files import Deleted, Downloaded, Failed, File, LocalFile, NotTried, Refused, Skipped, Uploaded

from .describing import short_row
from .results import Row
from .troubles import key
from .wording import plain, size

if TYPE_CHECKING:
    from pathlib import Path

Outcome: TypeAlias = Uploaded | Downloaded | Deleted | Skipped | Refused | Failed | NotTried
"""What became of one file of a job."""


def row_of(outcome: Uploaded | Downloaded | Deleted) -> Row:
    """Return what went well as a row."""
    match outcome:
        case Uploaded(source=source, file=file):
            return short_row(file, outcome="uploaded", source=source.path)
        case Downloaded(file=file, path=path):
            return _downloaded(file, path)
        case Deleted(file_id=file_id):
            told = {"outcome": "deleted", "id": file_id, "deleted": True}
            return Row(json=told, plain=plain(file_id), cells={"deleted": plain(file_id)})


def _downloaded(file: File, path: Path) -> Row:
    cells = {"id": plain(file.id), "size": size(file.size_bytes), "path": plain(str(path))}
    told = {"outcome": "downloaded", "id": file.id, "path": str(path), "size_bytes": file.size_bytes}
    return Row(json=told | {"filename": file.filename}, plain=cells["path"], cells=cells)


def skipped_row(outcome: Skipped) -> Row:
    """Return what needed no doing: people get its number only, a pipe the id of a file that is stored."""
    source = outcome.source
    told = {"outcome": "skipped", "reason": outcome.reason, "id": outcome.file_id, "source": key(source)}
    if not isinstance(source, str):
        told["filename"] = source.filename
    return Row(json=told, plain=plain(outcome.file_id) if isinstance(source, LocalFile) else "", cells={})


def known_as(outcome: Outcome) -> LocalFile | str:
    """Return what the gauge knows a file as."""
    match outcome:
        case Downloaded(file=file) | Skipped(source=File() as file) | Failed(source=File() as file):
            return file.id
        case Deleted(file_id=file_id):
            return file_id
        case Uploaded() | Refused() | Skipped() | Failed() | NotTried():
            return outcome.source if not isinstance(outcome.source, File) else outcome.source.id
