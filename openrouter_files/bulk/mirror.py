"""What a mirror has already: where each file belongs in it, and whether an earlier pull has put it there."""

from __future__ import annotations

import errno
import stat
import unicodedata
from hashlib import sha256
from typing import TYPE_CHECKING

from attrs import evolve

from ..local_names import local_path
from .outcome import Failed, Skipped
from .running import Ready

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ..models import File
    from .outcome import DownloadOutcome

# Of a name that gets a mark; with mark and ending it is short enough not to be cut again.
_LONGEST_STEM, _LONGEST_ENDING = 150, 16


def as_saved(root: Path, file: File) -> File:
    """Return a file under the name that it has in a mirror, whatever else is there: pure.

    A name that is not safe as it is gets a mark of what it was: two names that would become one
    stay two, and each is found again.

    Raises:
        ValueError: The name leads out of the folder.
    """
    name = local_path(file, root, keep_folders=True).relative_to(root).as_posix()
    return file if name == file.filename else evolve(file, filename=marked(name, file.filename))


def folded(path: Path) -> str:
    """Return what two paths have in common that some disks take for one: case and Unicode composition aside.

    Source: APFS and NTFS by default; Unicode Standard, 3.13, canonical caseless matching.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", str(path)).casefold())


def marked(name: str, was: str) -> str:
    """Return a name with a mark of what it was before its ending: ``notes_1 (93c7a506).md``."""
    folders, slash, last = name.rpartition("/")
    stem, dot, ending = last.rpartition(".")
    if not stem or len(ending.encode()) > _LONGEST_ENDING:
        stem, dot, ending = last, "", ""
    stem = stem.encode()[:_LONGEST_STEM].decode(errors="ignore").rstrip(" .")
    mark = sha256(was.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{folders}{slash}{stem} ({mark}){dot}{ending}"


def sorted_out(root: Path, newest: Iterable[File], saved: dict[str, File]) -> list[File | Ready[DownloadOutcome]]:
    """Return the files that are missing, and of the others what became of them. Blocking.

    Args:
        root: The folder of the mirror.
        newest: What belongs there.
        saved: Is given, by id, each file under the name that it has in the mirror. Of two that differ only in what
            some disks do not tell apart (``README.md`` and ``readme.md``), the later one gets a mark.
    """
    return [*_sorted_out(root, newest, saved)]


def _sorted_out(root: Path, newest: Iterable[File], saved: dict[str, File]) -> Iterator[File | Ready[DownloadOutcome]]:
    places: set[str] = set()
    for file in newest:
        try:
            mine = saved[file.id] = as_saved(root, file)
            place = local_path(mine, root, keep_folders=True)
            if folded(place) in places and mine.filename == file.filename:
                mine = saved[file.id] = evolve(file, filename=marked(file.filename, file.filename))
                place = local_path(mine, root, keep_folders=True)
        except ValueError:
            yield file  # to download it will fail, and say why
            continue
        if folded(place) in places:
            error = FileExistsError(errno.EEXIST, "another file of the workspace has this name here", str(place))
            yield Ready(Failed(source=file, error=error))
        else:
            places.add(folded(place))
            yield Ready(Skipped(source=file, reason="done", file_id=file.id)) if _is_at(place, file) else file


def _is_at(place: Path, file: File) -> bool:
    """Whether an earlier pull saved this very file: it left its time of creation on it."""
    try:
        status = place.stat()
    except (OSError, ValueError):
        return False
    same_time = file.created_at is not None and int(status.st_mtime) == int(file.created_at.timestamp())
    return stat.S_ISREG(status.st_mode) and status.st_size == file.size_bytes and same_time
