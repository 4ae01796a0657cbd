"""A lean server for machines without nginx: fixed answers on bare asyncio protocols. Also run as a program."""

import argparse
import asyncio
import mmap
import re
import ssl
from pathlib import Path

_FILE = re.compile(r"/(api|openai)/v1/files/or_file_(small|mid|big)[^/]*?(/content)?")
_LIST = re.compile(r"/(api|openai)/v1/files(?:\?(.*))?")
_TOKEN = re.compile(r"(?:^|&)(?:cursor|after)=([^&]*)")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_PIECE = 256 * 1024


class Site:
    """The answers of a folder, ready to be sent."""

    def __init__(self, root):
        self._root = Path(root)
        self._ready = {}

    def answer(self, method, target):
        """Head and body of the answer to a request."""
        key = (method, target)
        if key not in self._ready:
            self._ready[key] = self._made(self._name(method, target))
        return self._ready[key]

    def _name(self, method, target):
        if found := _LIST.fullmatch(target):
            prefix = "openai/" if found[1] == "openai" else ""
            token = _TOKEN.search(found[2] or "")
            return (
                f"{prefix}answers/small.json" if method == "POST" else f"{prefix}pages/{token[1] if token else ''}.json"
            )
        if found := _FILE.fullmatch(target):
            prefix = "openai/" if found[1] == "openai" else ""
            return f"content/{found[2]}" if found[3] else f"{prefix}answers/{found[2]}.json"
        return None

    def _made(self, name):
        if name is None or not (self._root / name).is_file():
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n", b"{}"
        body = self._mapped(name) if name.startswith("content") else (self._root / name).read_bytes()
        kind = "octet-stream" if name.startswith("content") else "json"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/{kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode(), body

    def _mapped(self, name):
        with (self._root / name).open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


class Lean(asyncio.Protocol):
    """One connection: reads heads, drops bodies, sends what is ready."""

    def __init__(self, site, delay=0.0):
        self._site, self._delay = site, delay
        self._held, self._left = b"", 0
        self._request = None
        self._chunked = False
        self._sending = None

    def connection_made(self, transport):
        self._transport = transport
        transport.set_write_buffer_limits(high=4 * _PIECE)

    def data_received(self, data):
        if self._request is None:
            self._held += data
            self._begin()
        elif self._chunked:
            self._held = self._held[-8:] + data
            if self._held.endswith(b"\r\n0\r\n\r\n"):
                self._done(b"")
        elif len(data) >= self._left:
            self._done(data[self._left :])
        else:
            self._left -= len(data)

    def _begin(self):
        end = self._held.find(b"\r\n\r\n")
        if end < 0:
            return
        head, rest = self._held[:end], self._held[end + 4 :]
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        found = _LENGTH.search(head)
        self._request, self._left, self._held = (method, target), int(found[1]) if found else 0, b""
        self._chunked = _CHUNKED.search(head) is not None
        if b"100-continue" in head:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if rest or not (self._left or self._chunked):
            self.data_received(rest)

    def _done(self, rest):
        answer = self._site.answer(*self._request)
        self._request, self._held = None, rest
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._send, *answer)
        else:
            self._send(*answer)
        if rest:
            self._begin()

    def _send(self, head, body):
        if len(body) < _PIECE:
            self._transport.write(head + body)
            return
        self._transport.write(head)
        self._sending = iter(range(0, len(body), _PIECE)), memoryview(body)
        self._more = True
        self._pump()

    def _pump(self):
        starts, view = self._sending
        for start in starts:
            self._transport.write(view[start : start + _PIECE])
            if not self._more:
                return
        self._sending = None

    def pause_writing(self):
        self._more = False

    def resume_writing(self):
        self._more = True
        if self._sending is not None:
            self._pump()

    def eof_received(self):
        return False


async def _serve(options):
    site, loop = Site(options.root), asyncio.get_running_loop()
    context = None
    if options.chain:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.chain, options.key)
    servers = [await loop.create_server(lambda: Lean(site, options.delay), "127.0.0.1", options.port, backlog=512)]
    if context is not None:
        made = loop.create_server(lambda: Lean(site, options.delay), "127.0.0.1", options.tls_port, ssl=context)
        servers.append(await made)
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tls-port", type=int, default=0)
    parser.add_argument("--chain")
    parser.add_argument("--key")
    parser.add_argument("--delay", type=float, default=0.0)
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
