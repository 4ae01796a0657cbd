"""What the service accepts, told by content: one table of signatures, and what makes bytes a text.

The service does not publish how it decides. A request that is refused costs little, a good file
that is never sent costs more: so whatever may be accepted is let through, and the server decides.
"""

from __future__ import annotations

import codecs
import re

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
