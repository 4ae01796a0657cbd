"""Before a byte is sent: what the service would surely refuse, found out without asking it."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import IO, TYPE_CHECKING

from attrs import frozen

from .fingerprint import Fingerprint, fingerprint
from .outcome import LocalFile, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

# Source: OpenRouter guide "Files API": 100 MiB inclusive.
LARGEST = 104_857_600
# Source: OpenRouter guide "Files API", filenames.
_LONGEST_NAME = 255
_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f-\x9f]')
_NO_SEGMENT = frozenset({"", ".", ".."})
_HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")
_ACCEPTED = (
    "the content is none of the accepted types: PDF; PNG, JPEG, GIF, WebP; DOCX, XLSX, PPTX; "
    "MP3, WAV, FLAC, OGG; UTF-8 text"
)

# A few threads of our own: hashing must not keep the user's, or a name lookup, waiting.
_threads = ThreadPoolExecutor(4, thread_name_prefix="openrouter_files_preflight")


def _fresh_threads() -> None:
    global _threads  # noqa: PLW0603 - threads do not survive a fork
    _threads = ThreadPoolExecutor(4, thread_name_prefix="openrouter_files_preflight")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fresh_threads)


@frozen(kw_only=True)
class Inspection:
    """A local file as it is.

    Attributes:
        size: Bytes.
        mtime_ns: When it was written.
        changed: ctime and inode: see ``changed``.
        kind: What the content is: ``"PDF"``, ``"text"`` ...; None if the service accepts nothing
            like it. Of an empty or too large file, which is not read, ``"unread"``.
        sha256: Of the content; empty if it was not asked for or not read.
        content: All of a small file: what was looked at is what is sent, and it is read once. None of others.
    """

    size: int
    mtime_ns: int
    changed: str
    kind: str | None
    sha256: bytes = b""
    content: bytes | None = None


async def inspected(paths: Sequence[str], *, hashed: bool = False) -> list[Inspection | OSError]:
    """Return what ``inspect`` does of each, or why the file cannot be read; all in one visit of a thread."""
    look = partial(_inspected_all, paths, hashed=hashed)
    return await asyncio.get_running_loop().run_in_executor(_threads, look)


def _inspected_all(paths: Sequence[str], *, hashed: bool) -> list[Inspection | OSError]:
    return [_inspected(path, hashed=hashed) for path in paths]


def _inspected(path: str, *, hashed: bool) -> Inspection | OSError:
    try:
        return inspect(path, hashed=hashed)
    except OSError as error:
        return error
    except ValueError as error:  # a path with a NUL: no disk has it
        return OSError(f"{error}: {path!r}")


def inspect(path: str, *, hashed: bool = False) -> Inspection:
    """Open a file once, read it at most once. Blocking.

    Args:
        path: Of the file.
        hashed: Whether to read all of it; else no more is read than tells its kind.

    Raises:
        OSError: The disk's own; it is no regular file; or it changed while it was read.
    """
    with _opened(path) as file:
        before = os.fstat(file.fileno())
        seen = _read(file, before, hashed=hashed)
        after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise OSError(f"it changed while it was read: {path!r}")
    size, mtime_ns = after.st_size, after.st_mtime_ns
    return Inspection(
        size=size, mtime_ns=mtime_ns, changed=changed(after), kind=seen.kind, sha256=seen.sha256, content=seen.content
    )


def changed(status: os.stat_result) -> str:
    """Return what differs between two files of one path, size and mtime: when the inode was changed, and which it is.

    What unpacks, copies or builds files may give each the time it likes; nothing sets these two.
    """
    return f"{status.st_ctime_ns} {status.st_ino}"


def refusal(source: LocalFile, inspection: Inspection) -> Refused | None:
    """Return why the service would not take a file; None if it may."""
    if (problem := name_problem(source.filename)) is not None:
        return Refused(source=source, reason="name", detail=problem)
    if inspection.size == 0:
        return Refused(source=source, reason="empty", detail="the file is empty")
    if inspection.size > LARGEST:
        detail = f"the file has {inspection.size:,} bytes; {LARGEST:,} are allowed"
        return Refused(source=source, reason="too large", detail=detail)
    if inspection.kind is None:
        return Refused(source=source, reason="type", detail=_ACCEPTED)
    return None


def name_problem(filename: str) -> str | None:
    """Return which rule a stored name breaks; None if it breaks none."""
    if not 1 <= len(filename) <= _LONGEST_NAME:
        return f"the name has {len(filename)} characters; 1 to {_LONGEST_NAME} are allowed"
    if (found := _FORBIDDEN.search(filename)) is not None:
        return f"the name holds {found.group()!r}, which is not allowed"
    if _HALF_CHARACTER.search(filename):
        return f"the name {filename!r} is not Unicode text"
    if not _NO_SEGMENT.isdisjoint(filename.split("/")):
        return "the name starts or ends with '/', or has an empty, '.' or '..' folder"
    return None


def _opened(path: str) -> IO[bytes]:
    """Open a regular file; a pipe without a writer would keep us waiting for ever."""
    if stat.S_ISDIR(mode := os.stat(path).st_mode):  # noqa: PTH116 - a path is text here
        os.scandir(path).close()  # a folder is here because it could not be listed: this says why
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file", path)
    return open(path, "rb", buffering=0)  # noqa: PTH123 - likewise


def _read(file: IO[bytes], status: os.stat_result, *, hashed: bool) -> Fingerprint:
    # What is refused for its size need not be read, least of all if it is larger than the memory.
    if not 0 < status.st_size <= LARGEST:
        return Fingerprint(kind="unread")
    return fingerprint(file, status.st_size, hashed=hashed)
