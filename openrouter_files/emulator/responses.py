"""Responses and errors."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
import os
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from typing import IO, Any, Literal, NoReturn

from aiohttp import web
from attrs import Factory, frozen

from .errors import envelope
from .store import PIECE, Blob, Store, StoredFile

# ---- The shapes of an answer: the three of today, and that of the API's first weeks.

Shape = Literal["openrouter", "openai", "anthropic", "seed"]
"""How answers look; ``seed`` is the shape before 2026-07-29, without ``_shape``."""

_OPENAI_AGENTS = ("OpenAI/", "AsyncOpenAI/")


def shape_asked_by(headers: Mapping[str, str]) -> Shape:
    """The shape that a request gets because of its headers (names in lower case).

    Source: OpenRouter guide "Files API": ``anthropic-version`` asks for the anthropic shape, a
    request that looks like an OpenAI SDK's for the openai shape; what looks so is our guess.
    """
    if "anthropic-version" in headers:
        return "anthropic"
    stainless = any(name.startswith("x-stainless-") for name in headers)
    return "openai" if stainless or headers.get("user-agent", "").startswith(_OPENAI_AGENTS) else "openrouter"


def file_in(shape: Shape, file: StoredFile) -> dict[str, Any]:
    """A file as an object of that shape.

    Source: OpenRouter OpenAPI document, OpenRouterFile, OpenAIFile, AnthropicFile.
    """
    return _openai_file(file) if shape == "openai" else _marked(shape, _plain_file(file))


def receipt_in(shape: Shape, file_id: str) -> dict[str, Any]:
    """What a deletion answers.

    Source: OpenRouter OpenAPI document, FileDeleteResponse.
    """
    if shape == "openai":
        return {"_shape": "openai", "id": file_id, "object": "file", "deleted": True}
    return _marked(shape, {"id": file_id, "type": "file_deleted"})


def page_in(shape: Shape, files: Sequence[StoredFile], *, has_more: bool) -> dict[str, Any]:
    """A page of the listing; ``cursor`` exists only in the openrouter and the seed shape.

    Source: OpenRouter OpenAPI document, FileListResponse.
    """
    page = {
        "data": [file_in(shape, file) for file in files],
        "has_more": has_more,
        "first_id": files[0].id if files else None,
        "last_id": files[-1].id if files else None,
    }
    if shape in {"openrouter", "seed"}:
        page["cursor"] = cursor_after(files[-1].id) if has_more else None
    return _marked(shape, {"object": "list", **page} if shape == "openai" else page)


def cursor_after(file_id: str) -> str:
    """The token of the page that follows a file.

    Source: both cursors in OpenRouter's documents are base64 of ``{"cursor": "<file id>"}``.
    """
    return base64.b64encode(json.dumps({"cursor": file_id}, separators=(",", ":")).encode()).decode()


def cursor_says(cursor: str) -> str | None:
    """The file id in a token, None if it is no token of ours."""
    try:
        said = json.loads(base64.b64decode(cursor, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
    match said:
        case {"cursor": str() as file_id} if file_id.isascii():
            return file_id
        case _:
            return None


def _marked(shape: Shape, answer: dict[str, Any]) -> dict[str, Any]:
    return answer if shape == "seed" else {"_shape": shape, **answer}


def _plain_file(file: StoredFile) -> dict[str, Any]:
    return {
        "id": file.id,
        "type": "file",
        "filename": file.filename,
        "mime_type": file.mime_type,
        "size_bytes": file.size_bytes,
        "created_at": f"{file.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "downloadable": file.downloadable,
    }


def _openai_file(file: StoredFile) -> dict[str, Any]:
    return {
        "_shape": "openai",
        "id": file.id,
        "object": "file",
        "bytes": file.size_bytes,
        "created_at": int(file.created_at.timestamp()),
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
    }


# ---- An answer as a value, and the ways to send it: whole, in slow pieces, or cut off.

_RESET = struct.pack("ii", 1, 0)
_POLITE = 1.0


def _no_headers() -> Mapping[str, str]:
    return {}


@frozen(kw_only=True)
class Answer:
    """A status, headers and a body, in memory or on disk; unless it is ``sized``, its length is not told beforehand."""

    status: int = 200
    body: bytes | Blob
    content_type: str = "application/json"
    headers: Mapping[str, str] = Factory(_no_headers)
    sized: bool = True

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return self.body.size if isinstance(self.body, Blob) else len(self.body)


def json_answer(value: Mapping[str, Any]) -> Answer:
    """A good answer. Non-ASCII names are sent as they are."""
    return Answer(body=json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def error_answer(status: int, message: str | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """An error in the envelope."""
    return Answer(status=status, body=envelope(status, message), headers=headers or {})


@frozen(kw_only=True)
class Manner:
    """How an answer is sent: at most ``stop_after`` bytes of its body, ``piece`` bytes at a time after a ``pause``."""

    stop_after: int = sys.maxsize
    piece: int = PIECE
    pause: float = 0.0
    reset: bool = False


PLAIN = Manner()


def stamped(answer: Answer, now: float) -> dict[str, str]:
    """The headers of an answer that leaves now, by the emulator's clock.

    Source: OpenRouter guide "Errors and debugging": each answer carries a request id.
    """
    return {
        "Content-Type": answer.content_type,
        "Date": formatdate(now, usegmt=True),
        "x-request-id": f"req_{os.urandom(12).hex()}",
        **answer.headers,
    }


async def send(
    request: web.BaseRequest, answer: Answer, headers: Mapping[str, str], store: Store, manner: Manner = PLAIN
) -> web.StreamResponse:
    """Send an answer in a manner; one that is cut off does not return but hangs up."""
    if isinstance(answer.body, bytes) and answer.sized and manner == PLAIN:
        return web.Response(status=answer.status, body=answer.body, headers=headers)
    response = web.StreamResponse(status=answer.status, headers=headers)
    if answer.sized:
        response.content_length = answer.size
    await response.prepare(request)
    await _send_body(response, answer, store, manner)
    if manner.stop_after < answer.size:
        await hang_up(request, reset=manner.reset)
    return response


async def _send_body(response: web.StreamResponse, answer: Answer, store: Store, manner: Manner) -> None:
    # The empty write sends the head, which aiohttp would otherwise keep until there is a body.
    await response.write(b"")
    stop = min(answer.size, manner.stop_after)
    if isinstance(answer.body, bytes):
        await _send_held(response, answer.body[:stop], manner)
        return
    file = await _opened_by(store, answer.body)
    try:
        await _send_read(response, file, stop, store, manner)
    finally:
        file.close()


async def _opened_by(store: Store, blob: Blob) -> IO[bytes]:
    opening = asyncio.ensure_future(store.on_disk(_opened, blob))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_closed)  # the thread opens it all the same, and nobody else would close it
        raise


def _closed(opening: asyncio.Future[IO[bytes]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


async def _send_held(response: web.StreamResponse, body: bytes, manner: Manner) -> None:
    for start in range(0, len(body), manner.piece):
        await asyncio.sleep(manner.pause)
        await response.write(body[start : start + manner.piece])


async def _send_read(response: web.StreamResponse, file: IO[bytes], stop: int, store: Store, manner: Manner) -> None:
    for start in range(0, stop, manner.piece):
        if manner.pause:
            await asyncio.sleep(manner.pause)
        await response.write(await store.on_disk(file.read, min(manner.piece, stop - start)))


def _opened(blob: Blob) -> IO[bytes]:
    file = blob.path.open("rb")
    file.seek(blob.start)
    return file


async def hang_up(request: web.BaseRequest, *, reset: bool) -> NoReturn:
    """End the connection, with FIN or with RST, and wait until aiohttp ends this request for it."""
    transport = request.transport
    # A client may have left first: then there is nothing to be ended.
    with contextlib.suppress(OSError):
        if transport is not None:
            await (_reset(transport) if reset else _say_goodbye(request, transport))
    # The loss of the connection cancels this (handler_cancellation).
    await asyncio.get_running_loop().create_future()
    raise AssertionError("a connection that was hung up is still served")


async def _reset(transport: asyncio.Transport) -> None:
    peer: socket.socket = transport.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


async def _say_goodbye(request: web.BaseRequest, transport: asyncio.Transport) -> None:
    # The kernel turns a close into a reset while unread bytes are left: so FIN first, read the rest, then close.
    if not request.content.at_eof():
        peer: socket.socket = transport.get_extra_info("socket")
        peer.shutdown(socket.SHUT_WR)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_read_on(request), _POLITE)
    transport.close()


async def _read_on(request: web.BaseRequest) -> None:
    while await request.content.readany():
        pass
