"""A workspace as folders: which paths the names of its files make, and which file each path means. Pure."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .failures import not_found

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from openrouter_files import File

IDS = "@id"
"""The folder that holds every file under its id, older ones of a name included. In no listing of the root."""

# Of a file whose time the server does not know.
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def normal(path: str) -> str:
    """Return a path as it is compared: without slashes that say nothing."""
    return "/".join(part for part in path.split("/") if part)


def id_in(path: str) -> str | None:
    """Return the id in a path like ``@id/or_file_...``; None for other paths."""
    folder, _, file_id = path.partition("/")
    return file_id if folder == IDS and file_id else None


def file_entry(path: str, file: File, older: Sequence[File] = ()) -> dict[str, Any]:
    """Return what ``info`` says about a file; ``older`` are the others of its name, newest first."""
    return {
        "name": path,
        "size": file.size_bytes,
        "type": "file",
        "created": file.created_at,
        "id": file.id,
        "filename": file.filename,
        "mime_type": file.mime_type,
        "downloadable": file.downloadable,
        "older": [other.id for other in older],
    }


def folder_entry(path: str) -> dict[str, Any]:
    """Return what ``info`` says about a folder."""
    return {"name": path, "size": 0, "type": "directory"}


def _by_age(files: Iterable[File]) -> list[File]:
    """Sort the files, oldest first; those of one second stay in the order in which they were made."""
    listed = list(files)
    if listed and _time(listed[0]) > _time(listed[-1]):
        listed.reverse()  # a provider may list the newest first
    return sorted(listed, key=_time)


def _time(file: File) -> datetime:
    return file.created_at or _LONG_AGO


class Listing:
    """A workspace at one moment."""

    def __init__(self, files: Iterable[File]) -> None:
        self._ids = {file.id: file for file in _by_age(files)}
        self._named: dict[str, list[File]] = {}
        self._folders: dict[str, set[str]] = {"": set()}
        for file in self._ids.values():
            self._add(normal(file.filename), file)

    def _add(self, path: str, file: File) -> None:
        # What has no path, or one that means an id, can be had by its id.
        if path and path.partition("/")[0] != IDS:
            self._named.setdefault(path, []).append(file)
            self._place(path)

    def _place(self, path: str) -> None:
        folder = path.rpartition("/")[0]
        siblings = self._folders.setdefault(folder, set())
        if path not in siblings:
            siblings.add(path)
            if folder:
                self._place(folder)

    def versions(self, path: str) -> tuple[File, ...]:
        """Return the files that a path means, oldest first; none for a folder.

        Raises:
            FileNotFoundError: There is nothing there.
        """
        if path not in self._named and path not in self._folders:
            raise not_found(path)
        return tuple(self._named.get(path, ()))

    def file(self, path: str) -> File:
        """Return the file that a path means: the newest of its name.

        Raises:
            FileNotFoundError: There is nothing there.
            IsADirectoryError: There is only a folder.
        """
        versions = self.versions(path)
        if not versions:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        return versions[-1]

    def info(self, path: str) -> dict[str, Any]:
        """Describe what a path means; a file goes before a folder of the same name.

        Raises:
            FileNotFoundError: There is nothing there.
        """
        newest_first = self.versions(path)[::-1]
        return file_entry(path, newest_first[0], newest_first[1:]) if newest_first else folder_entry(path)

    def ls(self, path: str) -> list[dict[str, Any]]:
        """Describe what is in a folder, by name; of a file, the file itself.

        Raises:
            FileNotFoundError: There is nothing there.
        """
        if path == IDS:
            return [file_entry(f"{IDS}/{file.id}", file) for file in self._ids.values()]
        if path not in self._folders:
            return [self.info(path)]
        inside = sorted(self._folders[path])
        files = [self.info(child) for child in inside if child in self._named]
        return files + [folder_entry(child) for child in inside if child in self._folders]
