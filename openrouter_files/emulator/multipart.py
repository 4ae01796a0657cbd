"""Reads multipart forms."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import define, field, frozen

from .errors import Refusal

# ---- Which filenames an upload may have.

LONGEST_NAME = 255
_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f-\x9f]')
_NO_SEGMENT = frozenset({"", ".", ".."})


def check_filename(name: str) -> None:
    """Let a good name pass: 1 to 255 characters, ``/`` for folders, nothing that a disk trips over.

    Raises:
        Refusal: 400, with the rule that was broken.

    Source: OpenRouter guide "Files API", section on filenames.
    """
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Refusal(400, f"Filename must have 1 to {LONGEST_NAME} characters")
    if _FORBIDDEN.search(name):
        raise Refusal(400, "Filename contains a forbidden character")
    if not _NO_SEGMENT.isdisjoint(name.split("/")):
        raise Refusal(400, "Filename has an empty, '.' or '..' segment, or starts or ends with '/'")


# ---- Reading a form as it arrives: parts, their names and their bytes. Knows nothing of files or sockets.

LONGEST_HEAD = 16 * 1024
_BOUNDARY = re.compile(
    r'multipart/form-data\s*;.*?boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE | re.DOTALL
)
_DISPOSITION = re.compile(rb"^content-disposition:[ \t]*form-data((?:[ \t]*;.*)?)$", re.IGNORECASE | re.MULTILINE)
_PARAMETER = re.compile(rb'[ \t]*;[ \t]*([\w*-]+)=(?:"([^"]*)"|([^;"\s]+))')
_ESCAPED = {b"%22": b'"', b"%0D": b"\r", b"%0A": b"\n"}
_ESCAPES = re.compile(rb"%22|%0D|%0A")


class MalformedFormError(Exception):
    """The body is not the form that its Content-Type announced."""


@frozen
class PartBegun:
    """A part starts: its ``name``, and the ``filename`` it brought (None: it brought none)."""

    name: str
    filename: str | None


@frozen
class PartData:
    """Some bytes of the part that was begun last."""

    data: bytes


@frozen
class FormEnded:
    """The closing boundary was read; whatever follows does not count."""


FormEvent = PartBegun | PartData | FormEnded


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type announces.

    Raises:
        MalformedFormError: not a form, or without a boundary.

    Source: RFC 7578 section 4.1.
    """
    found = _BOUNDARY.match(content_type)
    if found is None:
        raise MalformedFormError("Content-Type must be multipart/form-data with a boundary")
    return (found[1] or found[2]).encode(errors="surrogateescape")  # as aiohttp decodes a header


@define
class FormReader:
    """Turns the bytes of a body, in whatever pieces they come, into what the form says."""

    _boundary: bytes
    _buffer: bytearray = field(init=False, factory=lambda: bytearray(b"\r\n"))
    _place: str = field(init=False, default="preamble")

    @property
    def ended(self) -> bool:
        """Whether the closing boundary was read."""
        return self._place == "end"

    def feed(self, data: bytes) -> Iterator[FormEvent]:
        """What the next bytes of the body say.

        Raises:
            MalformedFormError: they do not fit a form.
        """
        if self.ended:
            return
        self._buffer += data
        while (event := self._step()) is not None:
            if not isinstance(event, bool):
                yield event

    def _step(self) -> FormEvent | bool | None:
        """One event, True for progress without one, None when more bytes are needed."""
        match self._place:
            case "preamble":
                return self._skip_preamble()
            case "delimiter":
                return self._after_delimiter()
            case "head":
                return self._read_head()
            case "content":
                return self._read_content()
            case _:
                return None

    @property
    def _delimiter(self) -> bytes:
        return b"\r\n--" + self._boundary

    def _skip_preamble(self) -> bool | None:
        at = self._buffer.find(self._delimiter)
        if at < 0:
            del self._buffer[: max(0, len(self._buffer) - len(self._delimiter))]
            return None
        return self._enter("delimiter", skip=at + len(self._delimiter))

    def _after_delimiter(self) -> FormEvent | bool | None:
        following = bytes(self._buffer[:2])
        if len(following) < len(b"--"):
            return None
        if following == b"--":
            self._enter("end", skip=len(self._buffer))
            return FormEnded()
        if following != b"\r\n":
            raise MalformedFormError("Malformed boundary line")
        return self._enter("head", skip=2)

    def _read_head(self) -> FormEvent | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 and len(self._buffer) <= LONGEST_HEAD:
            return None
        if not 0 <= end <= LONGEST_HEAD:
            raise MalformedFormError("Part header is too long")
        part = _part(bytes(self._buffer[:end]))
        self._enter("content", skip=end + 4)
        return part

    def _read_content(self) -> FormEvent | bool | None:
        at = self._buffer.find(self._delimiter)
        # What may be the beginning of a boundary waits for the next bytes.
        ready = at if at >= 0 else len(self._buffer) - len(self._delimiter) + 1
        if ready <= 0:
            return None if at < 0 else self._enter("delimiter", skip=len(self._delimiter))
        data = bytes(self._buffer[:ready])
        del self._buffer[:ready]
        return PartData(data)

    def _enter(self, place: str, *, skip: int) -> bool:
        self._place = place
        del self._buffer[:skip]
        return True


def _part(head: bytes) -> PartBegun:
    said = _DISPOSITION.search(head.replace(b"\r\n", b"\n"))
    if said is None:
        raise MalformedFormError("Part without Content-Disposition: form-data")
    parameters = {found[1].lower(): found[2] or found[3] or b"" for found in _PARAMETER.finditer(said[1])}
    if b"name" not in parameters or _PARAMETER.sub(b"", said[1]).strip():
        raise MalformedFormError("Malformed Content-Disposition")
    filename = parameters.get(b"filename")
    return PartBegun(_text(parameters[b"name"]), None if filename is None else _text(filename))


def _text(raw: bytes) -> str:
    """A name as it was before it was escaped: three escapes and no others.

    Source: WHATWG HTML, "multipart/form-data encoding algorithm".
    """
    try:
        return _ESCAPES.sub(lambda found: _ESCAPED[found[0]], raw).decode()
    except UnicodeDecodeError:
        raise MalformedFormError("Name is not UTF-8") from None
