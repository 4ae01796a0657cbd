"""The bytes of a file as an answer, whole or in part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openrouter_files.emulator.answers import Answer
from openrouter_files.emulator.ranges import Part, part_asked
from openrouter_files.emulator.store import Blob

if TYPE_CHECKING:
    from openrouter_files.emulator.received import Arrival
    from openrouter_files.emulator.service import Service
    from openrouter_files.emulator.stored import StoredFile

_BINARY = "application/octet-stream"


async def content_answer(service: Service, arrival: Arrival, file: StoredFile) -> Answer:
    """The content of a file, of which a server with ranges sends the part that is asked for."""
    body = await service.store.content(file)
    if not service.rules.ranges:
        return Answer(body=body, content_type=_BINARY)
    return _ranged(arrival, file, body)


def _ranged(arrival: Arrival, file: StoredFile, body: bytes | Blob) -> Answer:
    etag = f'"{file.sha256}"'
    headers = {"Accept-Ranges": "bytes", "ETag": etag}
    part = part_asked(arrival.headers, file.size_bytes, etag)
    if part is None:
        return Answer(body=body, content_type=_BINARY, headers=headers)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{file.size_bytes}"
    return Answer(status=206, body=_cut(body, part), content_type=_BINARY, headers=headers)


def _cut(body: bytes | Blob, part: Part) -> bytes | Blob:
    if isinstance(body, bytes):
        return body[part.start : part.stop]
    return Blob(path=body.path, start=part.start, size=part.stop - part.start)
