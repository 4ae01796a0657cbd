"""Walking through a folder: lazily, depth first, in the order of the names. Blocking, for a thread."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from attrs import define

from .outcome import LocalFile

if TYPE_CHECKING:
    from collections.abc import Iterator


@define
class _Level:
    """A folder on the way, and what is left in it, the next at the end; subfolders end with a slash."""

    path: str
    prefix: str
    names: list[str]


def files_within(folder: str) -> Iterator[LocalFile]:
    """Yield all files below a folder, hidden ones included, named by their way from it.

    In memory are the names of one folder per level, never the tree. Links to folders are not
    followed, so there is no going round in circles. What is no file (a pipe, a link that leads
    nowhere) and a folder that cannot be listed are yielded like files: opening them tells why they
    cannot be uploaded, and nothing is lost in silence.
    """
    levels: list[_Level] = []
    yield from _entered(levels, folder, "")
    while levels:
        level = levels[-1]
        if not level.names:
            levels.pop()
            continue
        name = level.names.pop()
        path, filename = os.path.join(level.path, name), level.prefix + name  # noqa: PTH118 - a path is text here
        if name.endswith("/"):
            yield from _entered(levels, path[:-1], filename)
        else:
            yield LocalFile(path, filename)


def _entered(levels: list[_Level], folder: str, prefix: str) -> Iterator[LocalFile]:
    try:
        levels.append(_Level(folder, prefix, _listed(folder)))
    except OSError:
        yield LocalFile(folder, prefix.removesuffix("/") or base_name(folder))


def base_name(path: str) -> str:
    """Return the last part of a path, whether or not it ends with a separator."""
    return os.path.basename(os.path.normpath(path))  # noqa: PTH119 - a path is text here


def _listed(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        names = [entry.name + ("/" if _is_folder(entry) else "") for entry in entries if not _is_linked_folder(entry)]
    # With its slash a folder stands where the names of its files do: the walk as a whole is in order.
    names.sort(reverse=True)
    return names


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _is_linked_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:  # it leads to where nobody may look: opening it will say so
        return False
