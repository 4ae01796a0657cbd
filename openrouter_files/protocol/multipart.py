"""The multipart form of an upload."""

from __future__ import annotations

import re

from attrs import frozen

from ..options import check

# Source: WHATWG HTML, multipart/form-data: these three, and nothing else, are escaped.
_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})
_CONTROL, _HALF = re.compile(r"[\x00-\x1f\x7f-\x9f]"), re.compile(r"[\ud800-\udfff]")
# Source: RFC 2046, 5.1.1.
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=?-]{1,70}")
# Source: RFC 9110, 8.3.1, loosely: parameters are let through as long as they stay on the line.
_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(?:\s*;[\x20-\x7e]*)?", re.ASCII)


@frozen(kw_only=True)
class Form:
    """The bytes before and after the file, and the Content-Type of the whole."""

    content_type: str
    head: bytes
    tail: bytes


def encode_filename(filename: str) -> str:
    """Escape a filename for a Content-Disposition line: raw UTF-8, slashes as they are.

    Raises:
        TypeError: It is not text.
        ValueError: It is empty, holds a control character other than CR and LF (servers drop the
            part or the rest of the name), or half a character (a name from a disk that is not UTF-8).
    """
    check("a filename", filename, str)
    if not filename:
        raise ValueError("a filename is needed: pass filename=")
    escaped = filename.translate(_ESCAPES)
    if _CONTROL.search(escaped):
        raise ValueError(f"the filename {filename!r} holds a control character")
    if _HALF.search(escaped):
        raise ValueError(f"the filename {filename!r} is not Unicode text: pass filename=")
    return escaped


def frame(*, filename: str, content_type: str | None, boundary: str) -> Form:
    """Build the form around a file.

    Args:
        filename: What the server stores, folders included.
        content_type: Of the part; None for ``application/octet-stream``. The server reads the
            type from the content and ignores this one.
        boundary: Must not occur in the file; the caller draws it at random.

    Raises:
        TypeError: The filename or the type is not text.
        ValueError: The filename, the type or the boundary cannot be sent.

    Source: RFC 7578; WHATWG HTML, multipart/form-data encoding algorithm.
    """
    media_type = content_type or "application/octet-stream"
    check("content_type", media_type, str)
    if not _BOUNDARY.fullmatch(boundary):
        raise ValueError(f"{boundary!r} is not a boundary")
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise ValueError(f"{media_type!r} is not a content type")
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{encode_filename(filename)}"\r\n'
        f"Content-Type: {media_type}\r\n\r\n"
    )
    return Form(
        content_type=f"multipart/form-data; boundary={boundary}",
        head=head.encode(),
        tail=f"\r\n--{boundary}--\r\n".encode(),
    )
