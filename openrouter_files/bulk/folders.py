"""Walking through a folder: lazily, depth first, in the order of the names. Blocking, for a thread."""

from __future__ import annotations

import os
import re
import stat
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from attrs import define, frozen

from .outcome import LocalFile

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a download is written to until it is whole: another one may be under way in this folder, or was killed.
_PART_FILE = re.compile(r".\.part-[0-9a-f]{8}$")


@frozen(kw_only=True)
class FileFilter:
    """Decides which files are uploaded. An exclusion is stronger than an inclusion.

    A pattern means the files that it matches, and all files below a folder that it matches. With a slash
    inside it is compared with the path, otherwise with each part of the path.

    Attributes:
        include: Only files that match one of these patterns; empty for all.
        exclude: No file that matches one of these patterns.
        hidden: Whether files and folders whose names start with a dot, and part files of
            downloads, are taken from inside a folder.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False

    def wants(self, name: str) -> bool:
        """Return whether a file of that name is wanted."""
        included = not self.include or any(_matches(name, pattern) for pattern in self.include)
        return included and not self.excludes(name)

    def excludes(self, name: str) -> bool:
        """Return whether nothing of that name, or below it, is wanted."""
        return any(_matches(name, pattern) for pattern in self.exclude)

    def hides(self, part: str) -> bool:
        """Return whether an entry of a folder is left out because it is hidden."""
        return not self.hidden and (part.startswith(".") or _PART_FILE.search(part) is not None)


def _matches(name: str, pattern: str) -> bool:
    parts, pattern = name.split("/"), pattern.rstrip("/")
    if "/" not in pattern:
        return any(fnmatchcase(part, pattern) for part in parts)
    return any(fnmatchcase("/".join(parts[:end]), pattern) for end in range(1, len(parts) + 1))


@define
class _Level:
    """A folder on the way, and what is left in it, the next at the end; subfolders end with a slash."""

    path: str
    prefix: str
    names: list[str]


def files_within(folder: str, wanted: FileFilter) -> Iterator[LocalFile]:
    """Yield the files below a folder, named by their way from it.

    In memory are the names of one folder per level, never the tree. Links to folders are not
    followed, so there is no going round in circles. What is no file (a pipe, a link that leads
    nowhere or in a circle) and a folder that cannot be listed are yielded like files: opening them
    tells why they cannot be uploaded, and nothing is lost in silence.
    """
    levels: list[_Level] = []
    yield from _entered(levels, folder, "", wanted)
    while levels:
        level = levels[-1]
        if not level.names:
            levels.pop()
            continue
        name = level.names.pop()
        path, filename = os.path.join(level.path, name), level.prefix + name  # noqa: PTH118 - a path is text here
        if name.endswith("/"):
            yield from _entered(levels, path[:-1], filename, wanted)
        elif wanted.wants(filename):
            yield local_file(path, filename)


def local_file(path: str, filename: str) -> LocalFile:
    """Return a local file with its size, as far as the disk tells it."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a path is text here
    except (OSError, ValueError):  # whoever opens it says why
        return LocalFile(path, filename)
    return LocalFile(path, filename, status.st_size if stat.S_ISREG(status.st_mode) else None)


def _entered(levels: list[_Level], folder: str, prefix: str, wanted: FileFilter) -> Iterator[LocalFile]:
    try:
        levels.append(_Level(folder, prefix, _listed(folder, prefix, wanted)))
    except OSError:
        yield LocalFile(folder, prefix.removesuffix("/") or base_name(folder))


def base_name(path: str) -> str:
    """Return the last part of a path, whether or not it ends with a separator."""
    return os.path.basename(os.path.normpath(path))  # noqa: PTH119 - a path is text here


def _listed(folder: str, prefix: str, wanted: FileFilter) -> list[str]:
    with os.scandir(folder) as entries:
        names = [
            entry.name + ("/" if entry.is_dir(follow_symlinks=False) else "")
            for entry in entries
            if not (wanted.hides(entry.name) or wanted.excludes(prefix + entry.name) or _is_linked_folder(entry))
        ]
    # With its slash a folder stands where the names of its files do: the walk as a whole is in order.
    names.sort(reverse=True)
    return names


def _is_linked_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:  # it leads to where nobody may look: opening it will say so
        return False
