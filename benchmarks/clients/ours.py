"""This package, one plain call after the other."""

import sys

from ..job import KEY, crowd

if "benchmarks.clients.ours_speed" not in sys.modules:
    sys.modules["msgspec"] = None  # the five packages alone, whatever else is installed here

from openrouter_files import FilesClient


class Client:
    """See the README of the package: nothing here is tuned."""

    def __init__(self, job):
        self._job = job
        self._files = FilesClient(KEY, base_url=job.base_url)

    async def aclose(self):
        await self._files.aclose()

    async def warm(self):
        await self._files.retrieve("or_file_small0")

    async def upload(self):
        await crowd(self._job.concurrency, self._files.upload, self._job.paths)

    async def download(self):
        async def one(file_id):
            await self._files.download_to(file_id, self._job.target(file_id))

        await crowd(self._job.concurrency, one, self._job.ids)

    async def retrieve(self):
        await crowd(self._job.concurrency, self._files.retrieve, self._job.ids)

    async def list(self):
        return sum([1 async for _ in self._files.list()])
