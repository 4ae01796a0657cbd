"""A job that is killed at any moment and started again: every file is stored once, and the journal knows it."""

import asyncio
import os
import random
import signal
import sqlite3
import sys
from collections import Counter
from contextlib import asynccontextmanager, closing, suppress
from hashlib import sha256
from pathlib import Path

import pytest

from openrouter_files import FilesClient, InternalServerError, Options, RetryPolicy, upload_many, uploading
from openrouter_files.emulator import Drop, Emulator, Pass, Stall, Status

TESTS = Path(__file__).parent
FILES = 300
KILLS = 50


def misfortune(chance):
    """One fault, of every kind that an upload may meet."""
    kinds = {
        Pass(): 10,
        Stall(chance.uniform(0.01, 0.05)): 42,
        Stall(chance.uniform(0.01, 0.05), after_work=True): 16,
        Drop(after_work=True, reset=chance.random() < 0.5): 8,
        Drop(after=chance.choice([None, 0, 100]), reset=chance.random() < 0.5): 6,
        Status(502, after_work=True): 7,
        Status(502): 6,
        Status(500, after_work=True): 2,
        Status(429, retry_after_ms=30): 3,
    }
    return chance.choices([*kinds], [*kinds.values()])[0]


@pytest.fixture
def folder(tmp_path):
    """Small files, some of the same content."""
    chance = random.Random(1)
    for n in range(FILES):
        path = tmp_path / "sources" / f"{n % 7}" / f"{n}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{n // 2}\n" * chance.randrange(1, 200))
    return tmp_path / "sources"


class Nursery:
    """The process that forks the jobs."""

    def __init__(self, process):
        self._process = process

    async def born(self):
        self._process.stdin.write(b"\n")
        word, pid = await self.line()
        assert word == "born"
        return int(pid)

    async def line(self):
        line = await asyncio.wait_for(self._process.stdout.readline(), 60)
        assert line, "the nursery has ended"
        return line.decode().split()

    async def until(self, *words):
        """Read on until one of the words comes; return its line."""
        while (line := await self.line())[0] not in words:
            pass
        return line


@asynccontextmanager
async def nursery(*arguments):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", TESTS / "bulk_worker.py", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(TESTS.parent)},
    )
    try:
        yield Nursery(process)
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 30)


async def ended(jobs, emulator, chance, number):
    """Let one job work for a while, then end it; return its status."""
    pid = await jobs.born()
    # Most die at work, some before: while they open the journal or settle the doubts of the one before.
    early = chance.random() < 0.2
    if not early:
        assert await jobs.until("begun", "gone") == ["begun"]
    gone = asyncio.ensure_future(jobs.until("gone"))
    await worked(emulator, gone, 0 if early else chance.randrange(14))
    await asyncio.sleep(chance.uniform(0, 0.1) if early else chance.uniform(0, 0.03))
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    return int((await gone)[1])


async def worked(emulator, gone, amount):
    """Wait until that many more requests are met, or the job is gone: a slow machine takes the time that it needs."""
    emulator.clear()
    while len(emulator.requests) < amount and not gone.done():
        await asyncio.sleep(0.002)


async def finished(jobs):
    """Let jobs work to their end, until one has nothing left to do; return the outcomes of the last."""
    for _ in range(10):
        await jobs.born()
        _, count, *kinds = await jobs.until("took", "gone")
        _, status = await jobs.until("gone")
        assert status == "0"
        if kinds == ["Skipped"]:
            return int(count)
    raise AssertionError("the job comes to no end")


def noted(journal):
    with closing(sqlite3.connect(journal)) as connection:
        return connection.execute("SELECT filename, file_id, sha256, size FROM upload").fetchall()


def compare(journal, emulator, folder):
    """Every file is stored exactly once, under its name and with its content; and so says the journal."""
    sources = {str(path.relative_to(folder)): path for path in folder.rglob("*.txt")}
    stored = emulator.files()
    assert len(sources) == FILES
    assert Counter(file.filename for file in stored) == dict.fromkeys(sources, 1)
    assert {file.filename: file.sha256 for file in stored} == {
        name: sha256(path.read_bytes()).hexdigest() for name, path in sources.items()
    }
    assert sorted(noted(journal)) == sorted(
        (file.filename, file.id, bytes.fromhex(file.sha256), file.size_bytes) for file in stored
    )


@asynccontextmanager
async def unlucky(store, seed, amount):
    """A server that keeps its files and meets its requests with faults; not all of them need be met."""
    chance = random.Random(seed)
    emulator = Emulator(store=store)
    await emulator.start()
    emulator.queue("upload", *(misfortune(chance) for _ in range(amount)))
    emulator.queue("list", *chance.choices([Pass(), Status(502), Drop(), Status(503)], [12, 1, 1, 1], k=amount))
    try:
        yield emulator
    except AssertionError as error:
        error.add_note(f"seed {seed}")
        raise
    finally:
        await emulator.stop()


async def test_killed_at_any_moment(tmp_path, folder):
    """SIGKILL, 50 times or more, amid lost answers, 500s, 429s, resets, stalls: each file is stored once and noted."""
    seed, journal = 20261121, tmp_path / "job.sqlite"
    chance, statuses = random.Random(seed), Counter()
    async with unlucky(tmp_path / "store", seed, 450) as emulator:
        async with nursery(folder, journal, emulator.base_url) as jobs:
            while statuses.total() < KILLS or (len(emulator.files()) < FILES - 20 and statuses.total() < 2 * KILLS):
                statuses[await ended(jobs, emulator, chance, signal.SIGKILL)] += 1
            assert statuses[-signal.SIGKILL] >= KILLS
            assert len(emulator.files()) > FILES // 4, "killed too early to do any harm"
            assert await finished(jobs) == FILES
        compare(journal, emulator, folder)


async def test_interrupted_at_any_moment(tmp_path, folder):
    """Ctrl-C, 12 times: the jobs end as interrupted programs do, and none leaves a lock, a duplicate or a gap."""
    seed, journal = 5, tmp_path / "job.sqlite"
    chance = random.Random(seed)
    async with unlucky(tmp_path / "store", seed, 70) as emulator:
        async with nursery(folder, journal, emulator.base_url) as jobs:
            statuses = [await ended(jobs, emulator, chance, signal.SIGINT) for _ in range(12)]
            assert statuses == [130] * 12
            assert await finished(jobs) == FILES
        compare(journal, emulator, folder)


async def killed_after_twelve(emulator, folder, journal):
    """Kill a job when twelve files are stored and six more are on their way."""
    emulator.queue("upload", *[Pass()] * 12, *[Stall(5)] * 6)
    job = await asyncio.create_subprocess_exec(
        *(sys.executable, TESTS / "bulk_worker.py", folder, journal, emulator.base_url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    job.stdin.write(b"\n")
    pid = int((await job.stdout.readline()).split()[1])
    async with asyncio.timeout(30):
        while len(emulator.files()) < 12:
            await asyncio.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    job.stdin.close()
    await job.communicate()
    emulator.clear()


@pytest.mark.parametrize("damage", ["nothing", "gone", "cut", "overwritten"])
async def test_what_was_written_last_may_be_lost(tmp_path, damage):
    """A job was killed, and somebody copied only the journal itself: nothing is stored twice by the next run."""
    folder, journal, amount = tmp_path / "files", tmp_path / "job.db", 20
    folder.mkdir()
    for number in range(amount):
        (folder / f"{number:02}.txt").write_text(f"{number}\n")
    async with Emulator() as emulator:
        await killed_after_twelve(emulator, folder, journal)
        wal = Path(f"{journal}-wal")
        match damage:
            case "gone":
                wal.unlink()
                Path(f"{journal}-shm").unlink()
            case "cut":
                os.truncate(wal, wal.stat().st_size // 2)
            case "overwritten":
                wal.write_bytes(bytes(wal.stat().st_size))
        async with FilesClient(emulator.api_key, base_url=emulator.base_url) as files:
            report = await upload_many(files, folder, journal=journal)
            assert report.ok
            assert sorted(file.filename for file in emulator.files()) == sorted(at.name for at in folder.iterdir())
            again = await upload_many(files, folder, journal=journal)
            assert [one.reason for one in again.skipped] == ["done"] * amount


@pytest.mark.parametrize("between", ["its listing fails", "it is about three files", "it is left early"])
async def test_what_was_lost_is_not_forgotten_by_a_run_that_did_not_come_to_it(tmp_path, between):
    """The run after the loss was cut short or about other files: the next one knows still what was stored already."""
    folder, journal, amount = tmp_path / "files", tmp_path / "job.db", 20
    folder.mkdir()
    for number in range(amount):
        (folder / f"{number:02}.txt").write_text(f"{number}\n")
    async with Emulator() as emulator:
        await killed_after_twelve(emulator, folder, journal)
        Path(f"{journal}-wal").unlink()
        Path(f"{journal}-shm").unlink()
        options = Options(retry=RetryPolicy(attempts=1))
        async with FilesClient(emulator.api_key, base_url=emulator.base_url, options=options) as files:
            match between:
                case "its listing fails":
                    emulator.queue("list", Status(500))
                    with pytest.raises(InternalServerError):
                        await upload_many(files, folder, journal=journal)
                case "it is about three files":
                    await upload_many(files, sorted(folder.iterdir())[-3:], journal=journal)
                case "it is left early":
                    async with uploading(files, folder, journal=journal, concurrency=1) as outcomes:
                        await anext(aiter(outcomes))
            assert (await upload_many(files, folder, journal=journal)).ok
            assert sorted(file.filename for file in emulator.files()) == sorted(at.name for at in folder.iterdir())
