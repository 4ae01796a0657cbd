"""One measurement, as it is handed to the process that carries it out. Imports nothing heavy."""

import asyncio
from pathlib import Path

KEY = "sk-or-v1-benchmark"


class Job:
    """What one client does for one row.

    Attributes:
        origin: Where the server listens: scheme, host and port.
        paths: What is uploaded.
        ids: What is retrieved or downloaded.
        out: The folder of downloads.
    """

    def __init__(self, *, row, client, origin, count, size, concurrency, sources, out, **_):
        self.row, self.client, self.origin = row, client, origin
        self.count, self.size, self.concurrency = count, size, concurrency
        self.out = Path(out)
        self.paths = [str(Path(sources) / f"{n}.txt") for n in range(count)] if row.endswith("_up") else []
        kind = {"big_down": "big", "many_down": "mid"}.get(row, "small")
        self.ids = [f"or_file_{kind}{n:024d}" for n in range(count)]

    @property
    def base_url(self):
        """The root of the API."""
        return f"{self.origin}/api/v1"

    def target(self, file_id):
        """Where a download goes."""
        return self.out / f"{file_id}.bin"

    def check_downloads(self):
        """Insist that every byte is there."""
        sizes = [path.stat().st_size for path in self.out.iterdir()]
        if len(sizes) != self.count or set(sizes) != {self.size}:
            raise RuntimeError(f"{len(sizes)} of {self.count} files arrived, of sizes {set(sizes)}")


async def crowd(most, work, things):
    """Do ``work(thing)`` for all things, at most so many at once; a few tasks, not one per thing."""
    left = iter(things)

    async def one_of_them():
        for thing in left:
            await work(thing)

    async with asyncio.TaskGroup() as group:
        for _ in range(most):
            group.create_task(one_of_them())
