"""`upload --journal`: stopped at any moment, and gone on with by the same command line."""

import asyncio
import json
import random
import signal
from collections import Counter

import pytest
from test_cli_process import called, ended, eventually, started

from openrouter_files.emulator import Drop, Stall, Status


@pytest.fixture
def job(tmp_path):
    """A folder of forty files, and the command line that uploads it."""
    (tmp_path / "data").mkdir()
    for number in range(40):
        (tmp_path / "data" / f"{number:02}.txt").write_text(f"file {number}\n" * (number + 1))
    return ["upload", tmp_path / "data", "--journal", tmp_path / "job.db", "--retries", "6"]


def once(emulator):
    """Whether every file is stored exactly once."""
    return Counter(file.filename for file in emulator.files()) == Counter(f"{n:02}.txt" for n in range(40))


async def test_killed_until_it_is_done(emulator, job):
    """SIGKILL at any moment, with faults on, then the same command line: every file is stored once, all ids told."""
    faults = [Drop(after_work=True), Status(502, after_work=True), Drop(after=10), *[Stall(0.02, after_work=True)] * 17]
    random.Random(7).shuffle(faults)
    emulator.queue("upload", *faults)
    for count in (5, 14, 26):
        async with started(*job, server=emulator) as process:
            await eventually(lambda count=count: len(emulator.files()) >= count)
            process.kill()
            await process.wait()
    async with started(*job, server=emulator) as process:
        done = await ended(process)
    assert done.status == 0
    assert once(emulator)
    assert set(done.lines) == {file.id for file in emulator.files()}
    assert "already stored" in done.messages


async def test_interrupted_and_gone_on_with(emulator, job):
    """Ctrl-C says how to go on; meanwhile nobody else may have the journal; the same command line ends the job."""
    # What takes 0.3 s is not taken for slow on a busy machine: all eight places stay, and the eight stalls are met.
    emulator.queue("upload", *[Stall(0.3)] * 10, *[Stall(60)] * 8)
    async with started(*job, server=emulator) as process:
        await eventually(lambda: len(emulator.requests) >= 19 and len(emulator.files()) == 10)
        other = await called(*job, server=emulator)
        process.send_signal(signal.SIGINT)
        done = await ended(process)
    assert other.status == 1
    assert f"in use by process {process.pid}" in other.messages
    assert len(other.messages.splitlines()) == 1
    assert done.status == 130
    assert "8 files cut off" in done.messages
    assert done.messages.endswith("interrupted; run the same command again to go on\n")
    assert (await called(*job, server=emulator)).status == 0
    assert once(emulator)


async def test_interrupted_at_any_moment(emulator, job, tmp_path):
    """Ctrl-C ends the program with 130 and in silence, from the first moment with a journal to the end of the work."""

    async def interrupted(seconds):
        journal = tmp_path / f"after {seconds}"
        async with started(*job[:2], "--journal", journal, server=emulator) as process:
            await eventually(journal.exists)
            await asyncio.sleep(seconds)
            process.send_signal(signal.SIGINT)
            return (await ended(process)).status

    statuses = await asyncio.gather(*(interrupted(moment) for moment in (0, 0.02, 0.05, 0.1, 0.2)))
    assert set(statuses) <= {130, 0}
    assert statuses[0] == 130


async def test_what_failed_is_tried_again(emulator, job):
    """A job that failed for some files says that it can go on; the second run sends these only."""
    emulator.queue("upload", Status(400, message="no"), Status(503))
    first = await called(*job[:-2], "--retries", "0", "--concurrency", "1", "--json", server=emulator)
    kinds = Counter(json.loads(line)["outcome"] for line in first.lines)
    assert (first.status, kinds) == (5, {"uploaded": 38, "failed": 2})
    assert "error: 2 files of 40 failed:" in first.messages
    assert "  trouble at the service: try again later" in first.messages
    assert first.messages.endswith("run the same command again to go on\n")
    second = await called(*job, "--json", server=emulator)
    kinds = Counter(json.loads(line)["outcome"] for line in second.lines)
    assert (second.status, kinds) == (0, {"uploaded": 2, "skipped": 38})
    assert "2 files uploaded" in second.messages
    assert "38 already stored" in second.messages


async def test_a_dry_run_tells_what_is_left(emulator, job, tmp_path):
    """--dry-run with a journal shows what would be sent, makes no request and leaves the journal alone."""
    none_yet = await called(*job, "--dry-run", server=emulator)
    assert len(none_yet.lines) == 40
    assert not (tmp_path / "job.db").exists()
    await called(*job, server=emulator)
    (tmp_path / "data" / "new.txt").write_text("new")
    (tmp_path / "data" / "copy.txt").write_bytes((tmp_path / "data" / "03.txt").read_bytes())
    before, requests = (tmp_path / "job.db").read_bytes(), len(emulator.requests)
    plain, known = (
        await called(*job, "--dry-run", server=emulator),
        await called(*job, "--dry-run", "--skip-known", server=emulator),
    )
    assert [line.rsplit("\t")[-1] for line in plain.lines] == ["copy.txt", "new.txt"]
    assert [line.rsplit("\t")[-1] for line in known.lines] == ["new.txt"]
    assert "2 files would be uploaded; 40 already stored" in plain.messages
    assert "1 file would be uploaded; 41 already stored" in known.messages
    assert len(emulator.requests) == requests
    assert (tmp_path / "job.db").read_bytes() == before


async def test_verify_sends_what_is_gone(emulator, tmp_path):
    """--verify asks for what was stored, and sends again what was deleted meanwhile."""
    (tmp_path / "a.txt").write_text("a")
    job = ["upload", tmp_path / "a.txt", "--journal", tmp_path / "j"]
    (first,) = (await called(*job, server=emulator)).lines
    await called("delete", first, server=emulator)
    assert (await called(*job, server=emulator)).lines == [first]
    (second,) = (await called(*job, "--verify", server=emulator)).lines
    assert [file.id for file in emulator.files()] == [second]


async def test_the_journal_is_no_part_of_the_folder(emulator, tmp_path):
    """A journal may lie in the folder that is uploaded: neither it nor what belongs to it is sent."""
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "job.db.txt").write_text("not a part of it")
    for _ in range(2):
        done = await called("upload", ".", "--journal", "job.db", server=emulator, cwd=tmp_path)
        assert (done.status, len(done.lines)) == (0, 2)
    assert sorted(file.filename for file in emulator.files()) == ["a.txt", "job.db.txt"]


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
async def test_what_is_left_of_a_lost_journal(emulator, tmp_path, more):
    """What a killed job wrote last is told, and stays, if the rest of the journal is gone or empty; nothing is sent."""
    (tmp_path / "a.txt").write_text("a")
    for name in ("gone", "empty"):
        (tmp_path / f"{name}-wal").write_bytes(b"the latest pages")
    (tmp_path / "empty").touch()
    for name in ("gone", "empty"):
        done = await called("upload", "a.txt", "--journal", name, *more, server=emulator, cwd=tmp_path)
        assert (done.status, emulator.files()) == (1, ())
        assert f"{name} is empty or gone" in done.messages
        assert (tmp_path / f"{name}-wal").read_bytes() == b"the latest pages"


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
async def test_what_is_no_journal(emulator, tmp_path, more):
    """A foreign or a damaged file is one line, status 1, and stays as it is."""
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "foreign").write_text("my notes, not a journal\n" * 10)
    await called("upload", "a.txt", "--journal", "torn", server=emulator, cwd=tmp_path)
    (tmp_path / "torn").write_bytes((tmp_path / "torn").read_bytes()[:5000])
    for name in ("foreign", "torn"):
        before = (tmp_path / name).read_bytes()
        done = await called("upload", "a.txt", "--journal", name, *more, server=emulator, cwd=tmp_path)
        assert done.status == 1
        assert len(done.messages.splitlines()) == 1
        assert name in done.messages
        assert (tmp_path / name).read_bytes() == before
