"""Saving a download: where, under which name, what if it is taken, and whole or not at all."""

from __future__ import annotations

import errno
import os
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from attrs import field, frozen

from ..disk.target import PartFile, exists, folder_is, inside, inside_folders
from ..disk.writing import write_all
from ..given import listener, tell
from ..models import ContainerFile, File, Progress
from ..options import OVERWRITE, Overwrite

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..exchange.stream import Stream
    from ..models import ProgressCallback

    Retrieve: TypeAlias = Callable[[str], Awaitable[File | ContainerFile]]


def _known_policy(_: object, __: object, overwrite: object) -> None:
    if overwrite is not None and overwrite not in OVERWRITE:
        raise ValueError(f"overwrite must be one of {', '.join(map(repr, OVERWRITE))}, not {overwrite!r}")


@frozen(kw_only=True)
class Saving:
    """How a download is saved: the keywords of ``download_to``."""

    overwrite: Overwrite | None = field(default=None, validator=_known_policy)
    keep_folders: bool = False
    fsync: bool = False
    on_progress: ProgressCallback | None = field(default=None, validator=listener)


async def save(
    start: Callable[[], Awaitable[Stream]],
    target: str | os.PathLike[str],
    file: File | ContainerFile | str,
    retrieve: Retrieve,
    saving: Saving,
) -> Path:
    """Find a place, download, and give the file its name once it is proven whole.

    A path that the caller named is replaced, unless told otherwise; a name that the server chose,
    inside a folder, must be free.
    """
    chosen_by_us = await folder_is(target)
    path = await _inside(target, file, retrieve, saving) if chosen_by_us else Path(target)
    overwrite = saving.overwrite or ("error" if chosen_by_us else "replace")
    if await _is_taken(path, overwrite):
        return path
    stream = await start()
    try:
        return await _saved(stream, path, overwrite, saving)
    finally:
        stream.close()


async def _inside(
    folder: str | os.PathLike[str], file: File | ContainerFile | str, retrieve: Retrieve, saving: Saving
) -> Path:
    described = await retrieve(file) if isinstance(file, str) else file
    name = described.filename if isinstance(described, File) else described.path
    if saving.keep_folders:
        return await inside_folders(folder, name, otherwise=described.id)
    return inside(folder, name, otherwise=described.id)


async def _is_taken(target: Path, overwrite: Overwrite) -> bool:
    """Whether there is nothing to do because the name is taken; FileExistsError if that is wrong."""
    if overwrite in {"replace", "rename"} or not await exists(target):
        return False
    if overwrite == "error":
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    return True


async def _saved(stream: Stream, path: Path, overwrite: Overwrite, saving: Saving) -> Path:
    part = await PartFile.beside(path)
    try:
        async with aclosing(stream.chunks()) as chunks:
            await write_all(chunks, part, saving.on_progress and partial(_tell, stream, saving.on_progress))
        return await part.appear(path, overwrite=overwrite, fsync=saving.fsync)
    except BaseException:
        await part.discard()
        raise


def _tell(stream: Stream, on_progress: ProgressCallback, done: int) -> None:
    tell("on_progress", on_progress, Progress(done=done, total=stream.size))
