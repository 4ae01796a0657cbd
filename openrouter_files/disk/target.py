"""Where a download goes: a part file beside its place, proven, then renamed. Whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import sys
from collections import deque
from contextlib import suppress
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING

from .names import numbered, safe_name, safe_parts
from .threads import Errand, errand, hop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..options import Overwrite

# File systems without hard links cannot say "only if it is free" in one step.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EXDEV})

# With ".part-XXXXXXXX" behind it, a name must still fit into the 255 bytes that most systems take.
_LONGEST = 240

# Source: POSIX, IOV_MAX on all systems we know.
_MOST_AT_ONCE = 1024

_PART = re.compile(r".+\.part-[0-9a-f]{8}")

_NOT_THROUGH_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


if sys.platform == "win32":  # pragma: no cover

    def _hold(descriptor: int) -> bool:
        """Do nothing: a file that is open cannot be deleted there."""
        return descriptor < 0
else:
    import fcntl

    def _hold(descriptor: int) -> bool:
        """Lock a part file for as long as it is open here, and return whether nobody else has it open.

        The lock ends with the process, however that ends: so the next job knows which part files are abandoned.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # somebody writes it; or the disk knows no locks, and then nothing is taken for abandoned
            return False
        return True


class PartFile:
    """A file that is being written, beside the place where it will appear."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    async def beside(cls, target: Path) -> PartFile:
        """Create one, and the folder that it lies in; OSError if the disk refuses, in the name of the folder."""
        return await hop(PartFile._create, target, dropped=PartFile._discard)

    @classmethod
    def _create(cls, target: Path) -> PartFile:
        _check(target)
        make_folder(target.parent)
        name = target.name if len(os.fsencode(target.name)) < _LONGEST else target.name[:60]
        path = target.with_name(f"{name}.part-{secrets.token_hex(4)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOT_THROUGH_LINKS
        try:
            descriptor = os.open(path, flags, 0o666)
            _hold(descriptor)
            return cls(path, descriptor)
        except OSError as error:  # nobody asked for a part file: what cannot be written to is the folder
            raise OSError(error.errno, error.strerror, str(target.parent)) from error

    def write(self, chunks: Sequence[bytes]) -> Errand[None]:
        """Append some chunks, in one hop, from now on."""
        return errand(self._write, chunks)

    def _write(self, chunks: Sequence[bytes]) -> None:
        views = deque(memoryview(chunk) for chunk in chunks)
        while views:
            written = self._write_some(list(islice(views, _MOST_AT_ONCE)))
            while views and written >= len(views[0]):
                written -= len(views.popleft())
            if views:
                views[0] = views[0][written:]

    def _write_some(self, views: list[memoryview]) -> int:
        if hasattr(os, "writev"):
            return os.writev(self._descriptor, views)
        return os.write(self._descriptor, views[0])

    async def appear(self, target: Path, *, overwrite: Overwrite, fsync: bool) -> Path:
        """Close the file and give it its name; return where it is now.

        Raises:
            FileExistsError: Something has the name, and ``overwrite`` is ``"error"``.
        """
        return await hop(self._appear, target, overwrite, fsync)

    def _appear(self, target: Path, overwrite: Overwrite, fsync: bool) -> Path:
        if fsync:
            os.fsync(self._descriptor)
        self._close()
        try:
            if overwrite == "replace":
                self._path.replace(target)
            else:
                target = self._claim(target, overwrite)
        except OSError as error:
            if error.filename != str(self._path):
                raise
            # Nobody knows of a part file: what the target cannot be put into is the folder.
            named = target if target.is_dir() else target.parent
            raise OSError(error.errno, error.strerror, str(named)) from error
        if fsync:
            _sync_folder(target.parent)
        return target

    def _claim(self, target: Path, overwrite: Overwrite) -> Path:
        """Take a name that is free, and stay away from one that is not."""
        free = target
        for number in count(2):
            with suppress(FileExistsError):
                _move_if_free(self._path, free)
                break
            if overwrite != "rename":
                self._path.unlink()
                return _taken(target, overwrite)
            free = target.with_name(numbered(target.name, number))
        return free

    async def discard(self) -> None:
        """Leave nothing behind."""
        await hop(self._discard)

    def _discard(self) -> None:
        try:
            self._close()  # a full quota may show only now
        finally:
            with suppress(FileNotFoundError):
                self._path.unlink()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, if they are missing; NotADirectoryError if something else is there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from error


def _check(target: Path) -> None:
    """Refuse what no file may take the place of: a folder, and a pipe or a device (``/dev/null``)."""
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "Not a regular file", str(target))


def _taken(target: Path, overwrite: Overwrite) -> Path:
    """Leave what has the name alone: that is an error, unless the caller said that it is not."""
    if overwrite == "error":
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    return target


def _move_if_free(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        source.rename(target)
    else:
        source.unlink()


def _sync_folder(folder: Path) -> None:
    if os.name != "nt":  # Windows cannot open a folder, and renames durably by itself
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_abandoned_parts(folder: str | os.PathLike[str]) -> None:
    """Remove the part files below a folder whose writers are gone: what downloads that were killed left. Blocking.

    What cannot be looked at or removed stays; links to folders are not followed.
    """
    for where, _, names in os.walk(folder):
        for name in filter(_PART.fullmatch, names):
            _remove_if_abandoned(os.path.join(where, name))  # noqa: PTH118 - a path is text here


def _remove_if_abandoned(path: str) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | _NOT_THROUGH_LINKS)
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode) and _hold(descriptor):
                os.unlink(path)  # noqa: PTH108
        finally:
            os.close(descriptor)


async def folder_is(target: str | os.PathLike[str]) -> bool:
    """Whether a name is to be chosen inside: an existing folder, or a path that ends like one."""
    path = os.fspath(target)
    return path.endswith(("/", os.sep)) or await hop(os.path.isdir, path)


async def exists(target: Path) -> bool:
    """Whether something has the name already, a dangling link included."""
    return await hop(os.path.lexists, target)


def inside(folder: str | os.PathLike[str], filename: str, *, otherwise: str) -> Path:
    """Return the path of a safe local name in a folder."""
    return Path(folder) / safe_name(filename, otherwise=otherwise)


async def inside_folders(folder: str | os.PathLike[str], filename: str, *, otherwise: str) -> Path:
    """Return the path of a name in its own folders below a folder, and make those that are missing.

    Raises:
        ValueError: The name leads out of the folder.
        NotADirectoryError: A link stands where one of its folders should be: it may lead anywhere.
    """
    *parents, name = safe_parts(filename, otherwise=otherwise)
    return await hop(_make_folders, Path(folder), parents) / name


def _make_folders(path: Path, parts: Sequence[str]) -> Path:
    make_folder(path)
    for part in parts:
        path /= part
        if path.is_symlink():
            raise NotADirectoryError(errno.ENOTDIR, "a link, not a folder", str(path))
        make_folder(path)
    return path
