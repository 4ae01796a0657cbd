"""Memory stays flat and the loop free, whatever the size of the files: client and server in processes of their own."""

import asyncio
import json
import os
import shutil
import socket
import sys
import tempfile
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

SERVER = Path(__file__).parent.parent / "benchmarks" / "servers" / "lean.py"
WORKER = Path(__file__).with_name("memory_worker.py")

SIZE = 95 * 1024 * 1024
MOST_ABOVE_IDLE = 64
LONGEST_STALL = 0.25
"""Seconds. A busy machine pauses any process now and then; hardly twice in a row for so long."""
PAGE_RATIO = 0.8
"""For which part of the time that json and cattrs need for a page at once it may hold the loop. It takes a half."""
ROOM = 2 * 1024**3

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc"),
    pytest.mark.skipif(not SERVER.exists(), reason="the server of the benchmarks is not part of this distribution"),
    pytest.mark.skipif(shutil.disk_usage(tempfile.gettempdir()).free < ROOM, reason="needs 2 GiB of disk space"),
]

FILE = {
    "_shape": "openrouter",
    "id": "or_file_small",
    "type": "file",
    "filename": "reports/2026/quarter-1.csv",
    "mime_type": "text/csv",
    "size_bytes": 4096,
    "created_at": "2026-11-20T12:34:56.789Z",
    "downloadable": True,
}


def build(folder):
    """What the server serves; the large files are holes, which cost neither time nor disk."""
    for name in ("answers", "pages", "content"):
        (folder / name).mkdir()
    (folder / "answers" / "small.json").write_text(json.dumps(FILE))
    page = {"_shape": "openrouter", "data": [FILE] * 1000, "cursor": None, "has_more": False}
    (folder / "pages" / ".json").write_text(json.dumps(page))
    (folder / "pages" / "strange.json").write_text(json.dumps(page | {"total": 1000}))
    for path in (folder / "source.bin", folder / "content" / "mid"):
        with path.open("wb") as file:
            file.truncate(SIZE)


@asynccontextmanager
async def serving(folder):
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    process = await asyncio.create_subprocess_exec(sys.executable, str(SERVER), str(folder), "--port", str(port))
    try:
        async with asyncio.timeout(20):
            while not await answers(port):
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}/api/v1"
    finally:
        process.terminate()
        await process.wait()


async def answers(port):
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


@pytest.fixture
async def cost():
    """Carry out one piece of work in a process of its own; return what it cost."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        build(folder)
        async with serving(folder) as base_url:

            async def cost(what):
                arguments = [sys.executable, str(WORKER), what, base_url, str(folder)]
                # What measures the coverage of child processes would be measured, too; and what others want of glibc.
                unmeasured = {k: v for k, v in os.environ.items() if not k.startswith(("COV", "MALLOC_"))}
                process = await asyncio.create_subprocess_exec(
                    *arguments, stdout=asyncio.subprocess.PIPE, env=unmeasured
                )
                output, _ = await process.communicate()
                assert process.returncode == 0
                return json.loads(output)

            yield cost


@pytest.mark.parametrize("what", ["upload", "download"])
async def test_many_large_transfers_need_little_memory_and_leave_the_loop_free(cost, what):
    """Eight files of 95 MiB at once stay under 64 MiB above idle, and no other task waits for a quarter second."""
    seen = await cost(what)
    assert seen["above_idle"] < MOST_ABOVE_IDLE
    if seen["stall"] >= LONGEST_STALL:
        seen = await cost(what)
    assert seen["stall"] < LONGEST_STALL


async def test_a_page_of_a_thousand_files_holds_the_loop_only_briefly(cost):
    """Between two turns of the loop, a page takes no more CPU time than a fraction of what json and cattrs need."""
    seen = await cost("page")
    assert seen["stall"] < PAGE_RATIO * seen["at_once"]


async def test_an_unusual_page_holds_the_loop_only_briefly(cost):
    """Nor does one that msgspec leaves to the converter: it is read in steps."""
    seen = await cost("strange_page")
    assert seen["stall"] < PAGE_RATIO * seen["at_once"]
