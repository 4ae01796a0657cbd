"""An answer as a value, and the ways to send it: whole, in slow pieces, or cut off."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import sys
from email.utils import formatdate
from typing import IO, TYPE_CHECKING, Any, NoReturn

from aiohttp import web
from attrs import Factory, frozen

from openrouter_files.emulator.refusals import envelope
from openrouter_files.emulator.store import PIECE, Blob, Store

if TYPE_CHECKING:
    from collections.abc import Mapping

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
