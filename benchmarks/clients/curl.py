"""curl: what the machine can do. One process for all requests of a row, as many at once as the others."""

import asyncio
import json
import os

from ..job import KEY


class Client:
    """Configuration files for ``curl --parallel``."""

    def __init__(self, job):
        self._job = job

    async def aclose(self):
        """Nothing is open."""

    async def warm(self):
        """There is nothing to warm."""

    async def _run(self, requests):
        """Each request is a list of configuration lines; ``next`` separates them."""
        common = [f'header = "Authorization: Bearer {KEY}"', "silent", "show-error", "fail"]
        if authority := os.environ.get("SSL_CERT_FILE"):
            common.append(f'cacert = "{authority}"')
        config = "\nnext\n".join("\n".join([*request, *common]) for request in requests)
        arguments = ["--parallel", "--parallel-max", str(self._job.concurrency)] if len(requests) > 1 else []
        process = await asyncio.create_subprocess_exec(
            "curl", "--disable", *arguments, "--config", "-",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await process.communicate(config.encode())
        if process.returncode:
            raise RuntimeError(f"curl ended with {process.returncode}")
        return output

    async def upload(self):
        url = f'url = "{self._job.base_url}/files"'
        await self._run([[url, f'form = "file=@{path}"', 'output = "/dev/null"'] for path in self._job.paths])

    def _content(self, file_id):
        return [f'url = "{self._job.base_url}/files/{file_id}/content"', f'output = "{self._job.target(file_id)}"']

    async def download(self):
        await self._run([self._content(file_id) for file_id in self._job.ids])

    async def retrieve(self):
        url = f"{self._job.base_url}/files"
        await self._run([[f'url = "{url}/{file_id}"', 'output = "/dev/null"'] for file_id in self._job.ids])

    async def list(self):
        """One process per page: curl cannot read a cursor."""
        seen, cursor = 0, ""
        while cursor is not None:
            more = f"&cursor={cursor}" if cursor else ""
            page = json.loads(await self._run([[f'url = "{self._job.base_url}/files?limit=1000{more}"']]))
            seen, cursor = seen + len(page["data"]), page["cursor"]
        return seen
