"""The floor: aiohttp written as tightly as possible. No errors, no retries, no progress, nothing proven."""

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import aiohttp
from attrs import frozen
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn
from yarl import URL

from ..job import KEY, crowd

_PIECE, _SLICE = 1024 * 1024, 256 * 1024
_MOST_AT_ONCE = 32


@frozen
class File:
    """What an answer says."""

    id: str
    filename: str
    size_bytes: int
    mime_type: str
    downloadable: bool
    created_at: datetime


def _converter():
    converter = Converter(detailed_validation=False)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, lambda value, _: value)
    converter.register_structure_hook(datetime, lambda value, _: datetime.fromisoformat(value))
    converter.register_structure_hook(File, make_dict_structure_fn(File, converter))
    return converter


_structure = _converter().get_structure_hook(File)
_HEAD = b'--b0undary\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
_TAIL = b"\r\n--b0undary--\r\n"
_FORM = {"Content-Type": "multipart/form-data; boundary=b0undary"}


class _Streamed(aiohttp.Payload):
    """A form around a large file: one piece read ahead, written in slices."""

    def __init__(self, file, size, pool, piece):
        super().__init__(file, content_type=_FORM["Content-Type"])
        self._size = len(_HEAD) + size + len(_TAIL)
        self._pool, self._piece = pool, piece

    def decode(self, encoding="utf-8", errors="strict"):  # noqa: ARG002  # aiohttp's signature
        raise TypeError

    async def write(self, writer):
        loop, read = asyncio.get_running_loop(), self._value.read
        ahead = loop.run_in_executor(self._pool, read, self._piece)
        await writer.write(_HEAD, drain=False)
        while data := await ahead:
            ahead = loop.run_in_executor(self._pool, read, self._piece)
            view = memoryview(data)
            for start in range(0, len(data), _SLICE):
                await writer.write(view[start : start + _SLICE])
        await writer.write(_TAIL, drain=False)

    async def write_with_length(self, writer, content_length):  # noqa: ARG002  # likewise
        await self.write(writer)


def _contents(paths):
    return [_HEAD + Path(path).read_bytes() + _TAIL for path in paths]


class Client:
    """A session, two threads, and nothing else."""

    def __init__(self, job):
        self._job = job
        self._pool = ThreadPoolExecutor(2)
        self._url = URL(f"{job.base_url}/files")
        self._piece = max(_SLICE, min(_PIECE, 8 * _PIECE // job.concurrency))
        self._session = None

    async def aclose(self):
        await self._session.close()
        self._pool.shutdown()

    async def warm(self):
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"Authorization": f"Bearer {KEY}"},
            read_bufsize=_SLICE,
        )
        await self._get("or_file_small0")

    async def _get(self, file_id):
        async with self._session.get(URL(f"{self._url}/{file_id}", encoded=True)) as answer:
            return _structure(json.loads(await answer.read()), File)

    async def _post(self, data):
        async with self._session.post(self._url, data=data, headers=_FORM) as answer:
            return _structure(json.loads(await answer.read()), File)

    async def upload(self):
        if self._job.size <= _SLICE:
            await self._upload_small()
        else:
            await crowd(self._job.concurrency, self._upload_large, self._job.paths)

    async def _upload_small(self):
        """Read a batch of files per hop, one batch ahead of those who send them."""
        loop, job = asyncio.get_running_loop(), self._job
        ready = asyncio.Queue(2)

        async def fill():
            for start in range(0, job.count, _MOST_AT_ONCE):
                batch = job.paths[start : start + _MOST_AT_ONCE]
                await ready.put(await loop.run_in_executor(self._pool, _contents, batch))
            await ready.put(None)

        held, over = [], False

        async def send():
            nonlocal over
            while held or not over:
                if held:
                    await self._post(held.pop())
                elif (batch := await ready.get()) is None:
                    over = True
                    ready.put_nowait(None)
                else:
                    held.extend(batch)

        await asyncio.gather(fill(), *(send() for _ in range(job.concurrency)))

    async def _upload_large(self, path):
        with Path(path).open("rb", buffering=0) as file:
            await self._post(_Streamed(file, self._job.size, self._pool, self._piece))

    async def download(self):
        await crowd(self._job.concurrency, self._download, self._job.ids)

    async def _download(self, file_id):
        """Gather a piece, and write it in one hop while the next is received."""
        loop, held, size, writing = asyncio.get_running_loop(), [], 0, None
        descriptor = os.open(self._job.target(file_id), os.O_WRONLY | os.O_CREAT, 0o666)
        async with self._session.get(URL(f"{self._url}/{file_id}/content", encoded=True)) as answer:
            while chunk := await answer.content.readany():
                held.append(chunk)
                size += len(chunk)
                if size >= self._piece:
                    if writing is not None:
                        await writing
                    writing, held, size = loop.run_in_executor(self._pool, os.writev, descriptor, held), [], 0
        if writing is not None:
            await writing
        os.writev(descriptor, held)
        os.close(descriptor)

    async def retrieve(self):
        await crowd(self._job.concurrency, self._get, self._job.ids)

    async def list(self):
        seen, cursor = 0, ""
        while cursor is not None:
            url = URL(f"{self._url}?limit=1000{'&cursor=' if cursor else ''}{cursor}", encoded=True)
            async with self._session.get(url) as answer:
                page = json.loads(await answer.read())
            seen += len([_structure(item, File) for item in page["data"]])
            cursor = page["cursor"]
        return seen
