"""A raw server before the emulator, for what no framework can do: it acts upon a request byte by byte.

Each request of an operation meets the next act of its queue, else a standing act, else it is forwarded.
"""

import asyncio
import contextlib
import gzip as zipping
import json
import re
import socket
import struct
from collections import deque

RESET = struct.pack("ii", 1, 0)
_OPERATIONS = {("GET", 0): "list", ("POST", 0): "upload", ("GET", 1): "retrieve", ("DELETE", 1): "delete"}
_OPERATIONS |= {("GET", 2): "download"}


def operation_of(method, target):
    """What a request asks for; its path if that is no operation."""
    path = target.partition("?")[0]
    rest = path.removeprefix("/api/v1/files")
    return path if rest == path else _OPERATIONS.get((method, rest.count("/")), path)


def head(status=200, **fields):
    """The head of an answer; a field of None is left out."""
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items() if value is not None]
    return f"HTTP/1.1 {status} Said\r\n{''.join(lines)}\r\n".encode("latin-1")


def said(body=b"", status=200, **fields):
    """A whole answer."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head(status, **({"content_type": "application/json", "content_length": len(body)} | fields)) + body


class Exchange:
    """One request, read as far as an act wants it to be."""

    def __init__(self, front, reader, writer, raw):
        self.front, self.reader, self.writer, self.raw = front, reader, writer, raw
        line, *fields = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
        self.method, self.target, _ = line.split(" ")
        self.headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
        self.operation = operation_of(self.method, self.target)
        self.length = int(self.headers.get("content-length", 0))
        self.body = b""

    async def take(self, count):
        """Read the request's body up to ``count`` bytes in all."""
        self.body += await self.reader.readexactly(min(count, self.length) - len(self.body))

    async def answered(self, target=None):
        """Have the emulator do the work; return its answer as it came."""
        await self.take(self.length)
        line, _, fields = self.raw.partition(b"\r\n")
        line = line if target is None else line.replace(self.target.encode(), target.encode())
        reader, writer = await asyncio.open_connection("127.0.0.1", self.front.emulator.port)
        try:
            writer.write(line + b"\r\nConnection: close\r\n" + fields + self.body)
            answer = await reader.read()
        finally:
            writer.close()
        return re.sub(rb"(?i)\r\nconnection: close", b"", answer, count=1)

    async def send(self, data):
        """Send some bytes at once."""
        self.writer.write(data)
        await self.writer.drain()

    def reset(self):
        """End the connection with RST."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.writer.transport.abort()

    async def leave(self):
        """End the connection with FIN, when the other side had time to read what was sent."""
        await asyncio.sleep(0.02)
        self.writer.close()


def _bound(port):
    bound = socket.socket()
    for shared in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        bound.setsockopt(socket.SOL_SOCKET, shared, 1)
    bound.bind(("127.0.0.1", port))
    return bound


class Front:
    """The raw server; ``seen`` are the exchanges it had, ``queues`` and ``standing`` the acts by operation."""

    def __init__(self, emulator):
        self.emulator = emulator
        self.api_key = emulator.api_key
        self.queues = {}
        self.standing = {}
        self.seen = []
        # Bound for as long as the front lives, also while nobody listens: no other server is given its port then.
        self._place = _bound(0)
        self.port = self._place.getsockname()[1]
        self._running = set()

    @property
    def base_url(self):
        """Where a client has to turn to."""
        return f"http://127.0.0.1:{self.port}/api/v1"

    @property
    def unmet(self):
        """The operations whose acts waited in vain."""
        return [operation for operation, queue in self.queues.items() if queue]

    async def open(self):
        """Listen, with small buffers: a client cannot get rid of a large body that nobody reads."""
        listener = _bound(self.port)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
        self._server = await asyncio.start_server(self._serve, sock=listener)

    async def close(self):
        """Stop listening and end all connections."""
        self._server.close()
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._server.wait_closed()

    async def __aenter__(self):
        await self.open()
        return self

    async def __aexit__(self, *_):
        await self.close()
        self._place.close()

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._running.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while not writer.is_closing():
                    await self._act(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()
            self._running.discard(task)

    async def _act(self, reader, writer):
        exchange = Exchange(self, reader, writer, await reader.readuntil(b"\r\n\r\n"))
        self.seen.append(exchange)
        queue = self.queues.get(exchange.operation)
        await (queue.popleft() if queue else self.standing.get(exchange.operation, forward))(exchange)
        # What is left of a body is not the next request.
        if not writer.is_closing():
            await exchange.take(exchange.length)

    def act(self, operation, *acts):
        """Queue acts for the next requests of an operation."""
        self.queues.setdefault(operation, deque()).extend(acts)


async def forward(exchange):
    """As if there was no such server in between; what the emulator drops is dropped."""
    answer = await exchange.answered()
    await exchange.send(answer)
    if not answer:
        exchange.writer.close()


def says(*pieces, pause=0.0, work=False, end=True):
    """Answer with these bytes, perhaps after the emulator did the work; then, perhaps, end the connection."""

    async def act(exchange):
        await (exchange.answered() if work else exchange.take(exchange.length))
        for piece in pieces:
            await exchange.send(piece)
            await asyncio.sleep(pause)
        if end:
            await exchange.leave()

    return act


def cut(count, *, work=True, reset=False):
    """Send the first ``count`` bytes of the emulator's answer (less than none: all but so many), and be gone."""

    async def act(exchange):
        await exchange.send((await exchange.answered())[:count])
        await asyncio.sleep(0.02)
        exchange.reset() if reset else exchange.writer.close()

    return act


def reset(share=1.0, *, at=None, work=False):
    """Reset at a byte of the request's body, or after a share of it; perhaps after the work was done."""

    async def act(exchange):
        await exchange.take(int(exchange.length * share) if at is None else at)
        if work:
            await exchange.answered()
        exchange.reset()

    return act


def gone(*, work=False):
    """Close without an answer, whatever was read or not."""

    async def act(exchange):
        await (exchange.answered() if work else exchange.take(0))
        exchange.writer.close()

    return act


def deaf(count):
    """Read so much of the body, and then no more."""

    async def act(exchange):
        await exchange.take(count)
        await asyncio.sleep(60)

    return act


def silent(*, work=False):
    """Read everything, perhaps do the work, and say nothing."""

    async def act(exchange):
        await (exchange.answered() if work else exchange.take(exchange.length))
        await asyncio.sleep(60)

    return act


def trickle(first=b"", piece=b"x", pause=0.02, *, work=False):
    """Never end what is said, and never be silent."""

    async def act(exchange):
        await (exchange.answered() if work else exchange.take(exchange.length))
        await exchange.send(first)
        while True:
            await exchange.send(piece)
            await asyncio.sleep(pause)

    return act


def early(status, *, after=0, then="read", pause=0.0, length=None):
    """Answer before the body was read; then read it, stop reading, close, or reset."""

    async def act(exchange):
        await exchange.take(after)
        body = json.dumps({"error": {"code": status, "message": "said early"}}).encode()
        await exchange.send(said(body, status, connection=None if then == "read" else "close"))
        await asyncio.sleep(pause)
        match then:
            case "reset":
                exchange.reset()
            case "close":
                exchange.writer.close()
            case "deaf":
                await asyncio.sleep(60)

    return act


def preceded(prelude):
    """The emulator's answer, with something before it."""

    async def act(exchange):
        await exchange.send(prelude + await exchange.answered())

    return act


def with_fields(*fields):
    """The emulator's answer, with some more lines in its head."""

    async def act(exchange):
        line, _, rest = (await exchange.answered()).partition(b"\r\n")
        await exchange.send(b"\r\n".join([line, *fields, rest]))

    return act


def after(wait, answer):
    """Say that it failed, close, and do the work a while later."""

    async def act(exchange):
        await exchange.take(exchange.length)
        await exchange.send(answer)
        await asyncio.sleep(wait)
        await exchange.answered()
        exchange.writer.close()

    return act


def meanwhile(work, act):
    """Do something of one's own (given the emulator), then act."""

    async def both(exchange):
        await exchange.take(exchange.length)
        await work(exchange.front.emulator)
        await act(exchange)

    return both


def content(
    data,
    *,
    status=None,
    stop=None,
    ranges=False,
    etag=None,
    length="true",
    framing="length",
    gzip=False,
    content_range=None,
    end=None,
    pause=0.1,
):
    """Serve a file as one likes: its part if ``ranges`` and one is asked for; ``stop`` cuts what is sent.

    ``framing`` is length, chunked or close; ``length`` a number that is not true, ``end`` reset, stall or close.
    """

    async def act(exchange):
        asked = re.fullmatch(r"bytes=(\d+)-", exchange.headers.get("range", ""))
        start = int(asked[1]) if ranges and asked else 0
        body = zipping.compress(data[start:]) if gzip else data[start:]
        default = f"bytes {start}-{len(data) - 1}/{len(data)}" if start else None
        told = len(body) if length == "true" else length
        await exchange.send(
            head(
                status or (206 if start else 200),
                content_type="application/octet-stream",
                content_length=told if framing == "length" else None,
                transfer_encoding="chunked" if framing == "chunked" else None,
                content_encoding="gzip" if gzip else None,
                accept_ranges="bytes" if ranges else None,
                etag=etag,
                content_range=default if content_range is None else content_range,
                connection="close" if framing == "close" or stop is not None or end else None,
            )
        )
        await exchange.send(chunked(body[:stop], last=stop is None) if framing == "chunked" else body[:stop])
        if framing == "close" or stop is not None or end:
            await _end(exchange, end, pause)

    return act


async def _end(exchange, end, pause):
    await asyncio.sleep(60 if end == "stall" else pause)
    exchange.reset() if end == "reset" else exchange.writer.close()


def chunked(body, *, last=True, size=50_000):
    """A body in chunks; without the ``last``, the last of them promises more than there is."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    whole = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces[: None if last else -1])
    return whole + b"0\r\n\r\n" if last else whole + b"%x\r\n%b" % (size + 1, pieces[-1])
