"""Where a file of the workspace lands on a disk, known before it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .disk.names import safe_parts
from .disk.target import inside, remove_abandoned_parts
from .models import File

if TYPE_CHECKING:
    import os

    from .models import ContainerFile

__all__ = ["local_path", "remove_abandoned_parts"]


def local_path(file: File | ContainerFile, folder: str | os.PathLike[str], *, keep_folders: bool = False) -> Path:
    """Return the path that ``download_to`` gives a file in a folder: its name made safe. No disk is touched.

    Args:
        file: What would be saved.
        folder: Where.
        keep_folders: Whether ``a/b.txt`` becomes ``b.txt`` in a folder ``a``, not ``b.txt``.

    Raises:
        ValueError: With ``keep_folders``, the name leads out of the folder.
    """
    name = file.filename if isinstance(file, File) else file.path
    if keep_folders:
        return Path(folder, *safe_parts(name, otherwise=file.id))
    return inside(folder, name, otherwise=file.id)
