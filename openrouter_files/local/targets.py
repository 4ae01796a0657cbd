"""Where a download goes: part files, renaming, safe names."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import sys
import unicodedata
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from itertools import count, islice
from pathlib import Path

from ..models import ContainerFile, File
from ..options import Overwrite
from .sources import crowded, share, sharing
from .threads import Errand, ended, errand, hop

# ---- Local names for what strangers named: nothing that leads elsewhere, nothing a system chokes on. Pure.

# Source: Microsoft, "Naming Files, Paths, and Namespaces"; superscript digits count as digits there.
_DEVICE = re.compile(r"con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]", re.IGNORECASE)
_JOINERS = "\u200c\u200d"
_END = re.compile(rf"[\s.{_JOINERS}]+$")
_FORBIDDEN = re.compile(r'[<>:"|?*\\/\x00-\x1f\x7f-\x9f\ud800-\udfff]')
# Most systems take 255 bytes; some room is left for ".part-XXXXXXXX" and " (999)".
_LONGEST, _LONGEST_ENDING = 220, 16


def _shortened(name: str, longest: int = _LONGEST) -> str:
    """Cut a long name before its ending, which says what it is."""
    if len(name.encode()) <= longest:
        return name
    stem, dot, ending = name.rpartition(".")
    ending = dot + ending if stem and len(ending.encode()) <= _LONGEST_ENDING else ""
    stem = stem if ending else name
    return _trimmed(stem.encode()[: longest - len(ending.encode())].decode(errors="ignore")) + ending


def _trimmed(name: str) -> str:
    return _END.sub("", name.strip())


def _undisguised(name: str) -> str:
    """Windows opens a device by these names, whatever follows the dot, and whatever space comes before it."""
    return f"_{name}" if _DEVICE.fullmatch(name.partition(".")[0].strip()) else name


def _visible(name: str) -> str:
    """Leave out what cannot be seen, but not what joins letters, or keeps them apart: that is spelling.

    Direction marks make "exe.gpj" look like "jpg.exe". Source: Unicode Standard, 23.2, "Cursive Connection".
    """
    shown = "".join(c for c in name if c in _JOINERS or unicodedata.category(c) not in {"Cf", "Cs", "Cc"})
    return "".join(c for at, c in enumerate(shown) if c not in _JOINERS or _is_between_letters(shown, at))


def _is_between_letters(name: str, at: int) -> bool:
    """Whether a joiner has a letter on both sides: marks belong to letters, and emoji are joined, too."""
    if not 0 < at < len(name) - 1:
        return False
    kinds = [unicodedata.category(name[beside]) for beside in (at - 1, at + 1)]
    return all(kind[0] in "LM" or kind in {"So", "Sk"} for kind in kinds)


def safe_name(filename: str, *, otherwise: str) -> str:
    """Return a local name for one path component named by a server or a model.

    Args:
        filename: Any text; of a path, the last component counts, whichever slashes it uses.
        otherwise: Used, made safe likewise, when nothing of the filename is left.
    """
    last = re.split(r"[\\/]", filename.rstrip("\\/"))[-1]
    name = _trimmed(_FORBIDDEN.sub("_", _visible(last)))
    if not name.strip("._ "):
        return safe_name(otherwise, otherwise="file") if otherwise != "file" else "file"
    return _undisguised(_shortened(name))


def safe_parts(filename: str, *, otherwise: str) -> tuple[str, ...]:
    """Return local names for all components of a filename that holds folders.

    Raises:
        ValueError: It is absolute, names a drive, or climbs with ``..``.
    """
    parts = [p for p in re.split(r"[\\/]", filename) if p not in {"", "."}]
    if filename[:1] in {"/", "\\"} or ".." in parts or re.match(r"[A-Za-z]:", filename):
        raise ValueError(f"{filename!r} leads out of its folder")
    return tuple(safe_name(part, otherwise=otherwise) for part in parts or [otherwise])


def numbered(name: str, number: int) -> str:
    """Return the name with a number before its ending: ``report (2).pdf``."""
    stem, dot, ending = _shortened(name).rpartition(".")
    return f"{stem} ({number}).{ending}" if stem and dot else f"{_shortened(name)} ({number})"


# ---- Where a download goes: a part file beside its place, proven, then renamed. Whole or not at all.

# File systems without hard links cannot say "only if it is free" in one step.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EXDEV})

# With ".part-XXXXXXXX" behind it, a name must still fit into the 255 bytes that most systems take.
_TARGET_LONGEST = 240

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
        name = target.name if len(os.fsencode(target.name)) < _TARGET_LONGEST else target.name[:60]
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


# ---- Writing what arrives to a part file: gathered, off the loop, one write while the next is received.


class _Writer:
    """At most one share in memory and, unless very many are running, one on its way to the disk."""

    def __init__(self, part: PartFile) -> None:
        self._part = part
        self._held: list[bytes] = []
        self._size = 0
        self._writing: Errand[None] | None = None

    async def take(self, chunk: bytes) -> None:
        self._held.append(chunk)
        self._size += len(chunk)
        if self._size >= share():
            await self.flush()

    async def flush(self) -> None:
        await self.settle()
        held, self._held, self._size = self._held, [], 0
        self._writing = self._part.write(held)
        if crowded():  # what comes meanwhile is not held, too
            await self.settle()

    async def settle(self) -> None:
        if self._writing is not None:
            await self._writing

    async def stop(self) -> None:
        if self._writing is not None:
            await ended(self._writing.outcome())


async def write_all(chunks: AsyncIterator[bytes], part: PartFile, tell: Callable[[int], object] | None) -> None:
    """Write all chunks; ``tell`` hears how many bytes have arrived so far, if somebody listens."""
    writer, done = _Writer(part), 0
    with sharing():
        try:
            async for chunk in chunks:
                await writer.take(chunk)
                done += len(chunk)
                if tell is not None:
                    tell(done)
            await writer.flush()
            await writer.settle()
        finally:
            await writer.stop()


# ---- Where a file of the workspace lands on a disk, known before it is asked for.

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
