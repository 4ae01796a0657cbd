"""The type of a content."""

from __future__ import annotations

import codecs
import csv
import hashlib
import json
import re
import zipfile
from typing import IO, Any, NoReturn

from attrs import Factory, define, field

# ---- The binary types that the service accepts, told by their first bytes.

_MAGIC = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"fLaC", "audio/flac"),
    (b"OggS\x00", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_OFFICE = "application/vnd.openxmlformats-officedocument."
_DOCUMENTS = {
    "word/document.xml": f"{_OFFICE}wordprocessingml.document",
    "xl/workbook.xml": f"{_OFFICE}spreadsheetml.sheet",
    "ppt/presentation.xml": f"{_OFFICE}presentationml.presentation",
}
_MPEG1_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MPEG_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_MPEG1 = 3
_FRAME_HEAD = 4


def binary_type(head: bytes) -> str | None:
    """The accepted type that these first bytes (a few KiB) announce, None if they announce none.

    Source: OpenRouter OpenAPI document, upload (list of types); signatures: WHATWG MIME Sniffing.
    """
    named = next((mime for magic, mime in _MAGIC if head.startswith(magic)), None)
    riff = _RIFF.get(head[8:12]) if head.startswith(b"RIFF") else None
    return named or riff or ("audio/mpeg" if _is_bare_mp3(head) else None)


def is_zip(head: bytes) -> bool:
    """Whether an office document may hide behind these first bytes."""
    return head.startswith(b"PK\x03\x04")


def office_type(file: IO[bytes]) -> str | None:
    """DOCX, XLSX or PPTX, told by the main part in the archive; None for any other archive."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = frozenset(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return None
    return next((mime for part, mime in _DOCUMENTS.items() if part in names), None)


def _is_bare_mp3(head: bytes) -> bool:
    # Two sync bits are too weak a sign: the frame has to end where the next one begins.
    length = _frame_length(head)
    return length is not None and _frame_length(head[length:]) is not None


def _frame_length(head: bytes) -> int | None:
    if len(head) < _FRAME_HEAD or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, rate, kbps = (head[1] >> 3) & 3, (head[2] >> 2) & 3, head[2] >> 4
    if version not in _MPEG_HZ or rate == 3 or kbps in {0, 15}:
        return None
    table, samples = (_MPEG1_KBPS, 144_000) if version == _MPEG1 else (_MPEG2_KBPS, 72_000)
    return samples * table[kbps] // _MPEG_HZ[version][rate] + ((head[2] >> 1) & 1)


# ---- What kind of text a UTF-8 text is: JSON, NDJSON, CSV, Markdown or plain.
#
# The service does not publish how it decides; these rules are the emulator's own.

_FEW = 2
_JSON_BEGINS = re.compile(r'\s*(?:\{|\[\s*(?:["{\[]|(?:-?\d[\d.eE+-]*|true|false|null)\s*,))', re.ASCII)
_BLOCK = re.compile(r"#{1,6} \S| {0,3}(?:[-*+]|\d{1,9}[.)]) \S| {0,3}(?:```|~~~)")
_LINK = re.compile(r"\[[^\]\n]{1,200}\]\([^)\n]{1,500}\)")


def text_type(text: str, *, cut: bool) -> str:
    """The reported type of a text, or of the beginning of a long one (``cut``).

    Source: OpenRouter OpenAPI document, upload: the five names; the procedure is ours.
    """
    text = text.removeprefix("\ufeff")
    lines = [line for line in text.split("\n")[: -1 if cut else None] if line.strip()]
    if _is_json(text) or (cut and _begins_json(text, lines)):
        return "application/json"
    if len(lines) >= _FEW and all(map(_is_json, lines)):
        return "application/x-ndjson"
    if _is_csv(lines):
        return "text/csv"
    return "text/markdown" if _is_markdown(text, lines) else "text/plain"


def _begins_json(text: str, lines: list[str]) -> bool:
    # The rest is not at hand, so the first tokens speak for it, unless the first line is a value of its own.
    return _JSON_BEGINS.match(text) is not None and not (lines and _is_json(lines[0]))


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text, parse_int=str, parse_constant=_not_json)
    except (ValueError, RecursionError):
        return False
    return True


def _not_json(name: str) -> NoReturn:
    raise ValueError(name)


def _is_csv(lines: list[str]) -> bool:
    if len(lines) < _FEW or "," not in lines[0]:
        return False
    try:
        widths = {len(row) for row in csv.reader(lines, strict=True)}
    except csv.Error:
        return False
    return len(widths) == 1 and widths.pop() >= _FEW


def _is_markdown(text: str, lines: list[str]) -> bool:
    # Searching for what is rare first spares a regular expression at every character.
    return any(map(_BLOCK.match, lines)) or ("](" in text and _LINK.search(text) is not None)


# ---- Looking at content piece by piece: its size, its hash, its type. Blocking, for a thread.

UNKNOWN = "application/octet-stream"
"""The type of what the service would refuse; only files the server made itself carry it."""

_SAMPLE = 1 << 19
_CONTROLS = bytes({*range(0x20)} - set(b"\t\n\x0c\r\x1b"))


@define
class Examination:
    """What is learned about content while it passes by; at most a sample of 512 KiB is kept.

    Text up to that length is judged as a whole, longer text by its beginning.
    """

    size: int = 0
    _hash: Any = field(factory=hashlib.sha256)
    _sample: bytearray = field(factory=bytearray)
    _decoder: codecs.IncrementalDecoder = Factory(codecs.getincrementaldecoder("utf-8"))
    _is_text: bool = True

    def see(self, piece: bytes) -> None:
        """Take in the next bytes."""
        self.size += len(piece)
        self._hash.update(piece)
        self._sample += piece[: _SAMPLE - len(self._sample)]
        self._is_text = self._is_text and self._reads_as_text(piece)

    @property
    def sha256(self) -> str:
        """The hash of everything seen, in hex."""
        return str(self._hash.hexdigest())

    def mime_type(self, content: IO[bytes]) -> str | None:
        """The accepted type of everything seen, None if there is none; archives are looked into.

        Source: OpenRouter guide "Files API": the type is determined from the contents.
        """
        head = bytes(self._sample)
        if is_zip(head):
            return office_type(content)
        return binary_type(head) or self._text_type(head)

    def _text_type(self, head: bytes) -> str | None:
        if not self._is_text or not self._ends_whole():
            return None
        return text_type(head.decode("utf-8", "ignore"), cut=self.size > len(head))

    def _reads_as_text(self, piece: bytes) -> bool:
        # Valid UTF-8 is not enough: an ELF or MP4 head is, too, but for its control bytes.
        try:
            self._decoder.decode(piece)
        except UnicodeDecodeError:
            return False
        return len(piece.translate(None, _CONTROLS)) == len(piece)

    def _ends_whole(self) -> bool:
        try:
            self._decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
        return True
