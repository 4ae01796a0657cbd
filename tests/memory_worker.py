"""A process that does one piece of work with a client, and prints what it cost: see test_memory.py."""

import asyncio
import json
import sys
import time
from datetime import datetime
from pathlib import Path

from attrs import frozen
from cattrs import Converter

from openrouter_files import FilesClient

AT_ONCE = 8


def mebibytes(field):
    """Of /proc: VmRSS is memory in use, VmHWM the most there ever was."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


class Watch:
    """The longest that the loop was not free: by the clock, and by the CPU time of its own thread."""

    def __init__(self):
        self.clock = self.cpu = 0.0

    async def look(self, every):
        while True:
            clock, cpu = time.perf_counter(), time.thread_time()
            await asyncio.sleep(every)
            self.clock = max(self.clock, time.perf_counter() - clock - every)
            self.cpu = max(self.cpu, time.thread_time() - cpu)


async def watched(work, every):
    watch = Watch()
    looking = asyncio.create_task(watch.look(every))
    await asyncio.sleep(0)
    await work
    await asyncio.sleep(every)  # so that the last stretch counts, too
    looking.cancel()
    return watch


async def transfers(one):
    idle = mebibytes("VmRSS")
    watch = await watched(asyncio.gather(*(one(n) for n in range(AT_ONCE))), 0.005)
    return {"above_idle": mebibytes("VmHWM") - idle, "stall": watch.clock}


async def upload(files, folder):
    return await transfers(lambda n: files.upload(folder / "source.bin", filename=f"{n}.bin"))


async def download(files, folder):
    async def one(number):
        path = await files.download_to(f"or_file_mid{number}", folder / f"{number}.bin")
        size = path.stat().st_size
        path.unlink()
        assert size == (folder / "source.bin").stat().st_size

    return await transfers(one)


@frozen
class Plain:
    id: str
    filename: str
    size_bytes: int
    created_at: datetime
    mime_type: str
    downloadable: bool


def at_once(body):
    """The CPU seconds that json and cattrs, as they come, need for a page without a break."""
    converter = Converter()
    converter.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))
    began = time.thread_time()
    converter.structure(json.loads(body)["data"], list[Plain])
    return time.thread_time() - began


async def page(files, folder, cursor=None):
    """In turns, because the machine is faster or slower from second to second; the best of a few counts."""
    body = (folder / "pages" / ".json").read_bytes()
    stalls, needed = [], []
    for _ in range(15):
        stalls.append((await watched(files.list_page(limit=1000, cursor=cursor), 0)).cpu)
        needed.append(at_once(body))
    return {"stall": min(stalls), "at_once": min(needed)}


async def strange_page(files, folder):
    return await page(files, folder, "strange")


def main():
    what, base_url, folder = sys.argv[1:]

    async def run():
        async with FilesClient("sk-or-v1-memory", base_url=base_url) as files:
            await files.list_page(limit=1)
            return await globals()[what](files, Path(folder))

    sys.stdout.write(json.dumps(asyncio.run(run())))


if __name__ == "__main__":
    main()
