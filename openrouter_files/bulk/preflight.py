"""Looks at a file before it is sent."""

from __future__ import annotations

import asyncio
import codecs
import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import IO

from attrs import frozen

from .outcomes import LocalFile, Refused

# ---- What the service accepts, told by content: one table of signatures, and what makes bytes a text.
#
# The service does not publish how it decides. A request that is refused costs little, a good file
# that is never sent costs more: so whatever may be accepted is let through, and the server decides.

# Source: OpenRouter OpenAPI document, uploadFile: PDF; PNG, JPEG, GIF, WebP; DOCX, XLSX, PPTX;
# MP3, WAV, FLAC, OGG; UTF-8 text. The signatures: each format's own; WHATWG MIME Sniffing.
_SIGNATURES = {
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8\xff",
    "GIF": rb"GIF8[79]a",
    "WebP": rb"RIFF.{4}WEBP",
    "WAV": rb"(?:RIFF|RIFX|RF64|BW64).{4}WAVE",
    "FLAC": rb"fLaC",
    "OGG": rb"OggS",
    # A tag, or the head of a layer III frame, perhaps behind the zeros that some encoders begin with.
    "MP3": rb"ID3|\x00*\xff[\xe2\xe3\xf2\xf3\xfa\xfb]",
}
_SIGNATURE = re.compile(b"|".join(b"(?P<%s>%s)" % (kind.encode(), s) for kind, s in _SIGNATURES.items()), re.DOTALL)
# Readers look for it in the first 1,024 bytes; to search there takes a tenth of the time of a pattern that skips.
_PDF, _PDF_WITHIN = re.compile(rb"%PDF-"), 1024
ZIP = b"PK\x03\x04"
# Names stand uncompressed in front of each part and in the directory at the end.
_OFFICE = re.compile(rb"\[Content_Types\]\.xml|word/document|xl/workbook|ppt/presentation")

# Source: WHATWG MIME Sniffing, "binary data byte".
_BINARY = bytes({*range(0x20)} - set(b"\t\n\x0c\r\x1b"))


def binary_kind(head: bytes) -> str | None:
    """Return the format that the first bytes of a file announce; None if it is none of the table."""
    if _PDF.search(head, 0, _PDF_WITHIN):
        return "PDF"
    found = _SIGNATURE.match(head)
    return found and found.lastgroup


def is_office(*ends: bytes) -> bool:
    """Whether the beginning or the end of a ZIP archive name a part of an office document."""
    return any(map(_OFFICE.search, ends))


class Text:
    """Whether what passes by is UTF-8 text without binary control bytes."""

    def __init__(self) -> None:
        self.is_text = True
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def see(self, piece: bytes, *, last: bool = False) -> None:
        """Take in the next bytes; only the ``last`` may not end within a character."""
        if not self.is_text:
            return
        try:
            self._decoder.decode(piece, final=last)
        except UnicodeDecodeError:
            self.is_text = False
        else:
            self.is_text = len(piece.translate(None, _BINARY)) == len(piece)


# ---- One look at the content of a local file: what kind it is and, if asked for, its hash. Blocking, for a thread.

_PIECE = 1 << 20
# No signature is longer than a few bytes; a text shows its nature much sooner.
_HEAD = 1 << 16
# Where the directory of an archive is.
_TAIL = 1 << 20


@frozen(kw_only=True)
class Fingerprint:
    """What was learned.

    Attributes:
        kind: ``"PDF"``, ``"text"`` ...; None if it is surely nothing that the service accepts.
        sha256: 32 bytes; empty if it was not asked for.
        content: All of a small file, which need not be read again; None of others.
    """

    kind: str | None
    sha256: bytes = b""
    content: bytes | None = None


def fingerprint(file: IO[bytes], size: int, *, hashed: bool) -> Fingerprint:
    """Read an unbuffered file from its start: all of it for the hash, else no more than tells its kind."""
    head = file.read(_HEAD)
    content = head if len(head) == size else None
    if not hashed:
        kind = _kind(head, _tail(file, head, size), is_text=_looks_like_text(head, size))
        return Fingerprint(kind=kind, content=content)
    sha256, text = hashlib.sha256(), Text()
    for piece in _pieces(file, head):
        sha256.update(piece)
        text.see(piece)
    text.see(b"", last=True)
    kind = _kind(head, _tail(file, head, size), is_text=text.is_text)
    return Fingerprint(kind=kind, sha256=sha256.digest(), content=content)


def _pieces(file: IO[bytes], head: bytes) -> Iterator[bytes]:
    piece = head
    while piece:
        yield piece
        piece = file.read(_PIECE)


def _looks_like_text(head: bytes, size: int) -> bool:
    text = Text()
    text.see(head, last=len(head) == size)
    return text.is_text


def _tail(file: IO[bytes], head: bytes, size: int) -> bytes:
    if not head.startswith(ZIP) or size <= len(head):
        return b""
    file.seek(max(size - _TAIL, len(head)), os.SEEK_SET)
    return file.read(_TAIL)


def _kind(head: bytes, tail: bytes, *, is_text: bool) -> str | None:
    if head.startswith(ZIP):
        return "office" if is_office(head, tail) else None
    return binary_kind(head) or ("text" if is_text else None)


# ---- Before a byte is sent: what the service would surely refuse, found out without asking it.

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
