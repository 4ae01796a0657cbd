"""The binary types that the service accepts, told by their first bytes."""

from __future__ import annotations

import zipfile
from typing import IO

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
