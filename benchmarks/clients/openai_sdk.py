"""openai-python, whose Files API has the same shape."""

from pathlib import Path

from openai import AsyncOpenAI

from ..job import KEY, crowd


class Client:
    """One SDK object for all calls; uploads from a path and downloads streamed, as its README advises."""

    def __init__(self, job):
        self._job = job
        self._sdk = AsyncOpenAI(api_key=KEY, base_url=f"{job.origin}/openai/v1")

    async def aclose(self):
        await self._sdk.close()

    async def warm(self):
        await self._sdk.files.retrieve("or_file_small0")

    async def upload(self):
        async def one(path):
            await self._sdk.files.create(file=Path(path), purpose="user_data")

        await crowd(self._job.concurrency, one, self._job.paths)

    async def download(self):
        async def one(file_id):
            async with self._sdk.files.with_streaming_response.content(file_id) as answer:
                await answer.stream_to_file(self._job.target(file_id))

        await crowd(self._job.concurrency, one, self._job.ids)

    async def retrieve(self):
        await crowd(self._job.concurrency, self._sdk.files.retrieve, self._job.ids)

    async def list(self):
        return sum([1 async for _ in self._sdk.files.list(limit=1000)])
