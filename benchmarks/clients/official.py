"""The official Python SDK of OpenRouter, as its documentation shows it."""

from pathlib import Path

from openrouter import OpenRouter

from ..job import KEY, crowd


class Client:
    """One SDK object for all calls."""

    def __init__(self, job):
        self._job = job
        self._sdk = OpenRouter(api_key=KEY, server_url=job.base_url)

    async def aclose(self):
        await self._sdk.__aexit__(None, None, None)

    async def warm(self):
        await self._sdk.files.retrieve_async(file_id="or_file_small0")

    async def upload(self):
        async def one(path):
            with Path(path).open("rb") as handle:
                await self._sdk.files.upload_async(file={"file_name": "a.txt", "content": handle})

        await crowd(self._job.concurrency, one, self._job.paths)

    async def download(self):
        async def one(file_id):
            answer = await self._sdk.files.download_async(file_id=file_id)
            with self._job.target(file_id).open("wb") as out:
                async for chunk in answer.aiter_bytes():
                    out.write(chunk)

        await crowd(self._job.concurrency, one, self._job.ids)

    async def retrieve(self):
        async def one(file_id):
            await self._sdk.files.retrieve_async(file_id=file_id)

        await crowd(self._job.concurrency, one, self._job.ids)

    async def list(self):
        seen, page = 0, await self._sdk.files.list_async(limit=1000)
        while page is not None:
            seen += len(page.result.data)
            page = await page.next()
        return seen
