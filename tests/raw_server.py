"""A server for what no framework can do: each connection follows a script of its own."""

import asyncio
import json

FILE = {
    "_shape": "openrouter",
    "id": "or_file_raw",
    "type": "file",
    "filename": "a.txt",
    "mime_type": "text/plain",
    "size_bytes": 5,
    "created_at": "2026-11-20T00:00:00Z",
    "downloadable": True,
}


def reply(status=200, body=b"", **headers):
    """The bytes of an answer, after which the connection ends; a header of None is left out."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"content_type": "application/json", "content_length": str(len(body)), "connection": "close"} | headers
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items() if value is not None]
    return f"HTTP/1.1 {status} Said\r\n{''.join(lines)}\r\n".encode() + body


class Connection:
    """One connection; ``requests`` of the server gets what ``request`` reads."""

    def __init__(self, server, reader, writer):
        self.server, self.reader, self.writer = server, reader, writer

    async def head(self):
        line, *fields = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip("\r\n").split("\r\n")
        pairs = (field.partition(": ") for field in fields)
        headers = {name.lower(): value for name, _, value in pairs}
        self.server.requests.append({"line": line, "headers": headers, "fields": fields, "body": b""})
        return self.server.requests[-1]

    async def request(self):
        request = await self.head()
        request["body"] = await self.reader.readexactly(int(request["headers"].get("content-length", 0)))
        return request

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()


class RawServer:
    """Serves connection n by script n: bytes answer one request, a function does as it likes.

    The last script serves every connection that comes later, too.
    """

    api_key = "sk-or-v1-raw-server"

    def __init__(self, *scripts, ssl=None):
        self.scripts, self.ssl = list(scripts), ssl
        self.requests = []
        self.connections = 0
        self._running = set()

    async def _serve(self, reader, writer):
        self._running.add(asyncio.current_task())
        script = self.scripts[min(self.connections, len(self.scripts) - 1)]
        self.connections += 1
        connection = Connection(self, reader, writer)
        try:
            if isinstance(script, bytes):
                await connection.request()
                await connection.send(script)
            else:
                await script(connection)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._running.discard(asyncio.current_task())

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.ssl)
        self.port = self._server.sockets[0].getsockname()[1]
        self.origin = f"{'https' if self.ssl else 'http'}://127.0.0.1:{self.port}"
        self.base_url = f"{self.origin}/api/v1"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._server.wait_closed()
