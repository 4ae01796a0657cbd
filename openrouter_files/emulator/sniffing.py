"""Looking at content piece by piece: its size, its hash, its type. Blocking, for a thread."""

from __future__ import annotations

import codecs
import hashlib
from typing import IO, Any

from attrs import Factory, define, field

from openrouter_files.emulator.signatures import binary_type, is_zip, office_type
from openrouter_files.emulator.texts import text_type

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
