"""Small contents of every type that the service is said to accept, and of some that it is said to refuse."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

_OPEN_XML = "application/vnd.openxmlformats-officedocument."
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"


def _office(part: str, kind: str) -> bytes:
    """An archive as Word, Excel and PowerPoint begin theirs."""
    types = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/{part}" ContentType="{_OPEN_XML}{kind}.main+xml"/></Types>'
    )
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{_RELATIONS}" Target="{part}"/></Relationships>'
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("[Content_Types].xml", types)
        archive.writestr("_rels/.rels", relations)
        archive.writestr(part, "<root/>")
    return file.getvalue()


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "a")
    return file.getvalue()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png() -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + _chunk(b"IDAT", zlib.compress(b"\0\0")) + _chunk(b"IEND", b"")


def _wav() -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", 8) + b"\x80" * 8
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def _mp3() -> bytes:
    frame = b"\xff\xfb\x90\x00" + bytes(413)
    return b"ID3\x03\x00\x00\x00\x00\x00\x00" + frame * 4


def _webp() -> bytes:
    image = bytes.fromhex("2f00000000078850fd0700")
    body = b"WEBP" + struct.pack("<4sI", b"VP8L", len(image)) + image + b"\0"
    return struct.pack("<4sI", b"RIFF", len(body)) + body


_FLAC = b"fLaC\x80\x00\x00\x22" + bytes(34)
_OGG = b"OggS\x00\x02" + bytes(20) + b"\x01\x1e\x01vorbis" + bytes(22)
_PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n%%EOF\n"
_GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
_JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffdb004300") + bytes([1] * 64) + b"\xff\xd9"

SAMPLES: dict[str, bytes] = {
    "PDF": _PDF,
    "PNG": _png(),
    "JPEG": _JPEG,
    "GIF": _GIF,
    "WebP": _webp(),
    "DOCX": _office("word/document.xml", "wordprocessingml.document"),
    "XLSX": _office("xl/workbook.xml", "spreadsheetml.sheet"),
    "PPTX": _office("ppt/presentation.xml", "presentationml.presentation"),
    "MP3": _mp3(),
    "WAV": _wav(),
    "FLAC": _FLAC,
    "OGG": _OGG,
    "a JSON object": b'{"a": 1}\n',
    "a JSON array": b"[1, 2]\n",
    "a JSON number": b"12\n",
    "NDJSON": b'{"a": 1}\n{"a": 2}\n',
    "CSV": b"a,b\n1,2\n",
    "TSV": b"a\tb\n1\t2\n",
    "Markdown": b"# Title\n\n- one\n- two\n",
    "XML": b'<?xml version="1.0"?><a/>\n',
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>\n',
    "text": b"hello\n",
    "text with an umlaut": "grün\n".encode(),
    "text with a byte order mark": b"\xef\xbb\xbfhello\n",
    "text of Latin-1": "grün\n".encode("latin-1"),
    "text with a zero byte": b"a\0b\n",
    "MP4": b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom",
    "ZIP": _zip(),
    "noise": bytes(range(128, 256)),
}
