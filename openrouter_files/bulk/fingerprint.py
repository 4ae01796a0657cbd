"""One look at the content of a local file: what kind it is and, if asked for, its hash. Blocking, for a thread."""

from __future__ import annotations

import hashlib
import os
from typing import IO, TYPE_CHECKING

from attrs import frozen

from .signatures import ZIP, Text, binary_kind, is_office

if TYPE_CHECKING:
    from collections.abc import Iterator

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
