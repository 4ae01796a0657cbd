"""The journal of uploads: what it remembers, what it refuses to touch, and that no kill makes it forget."""

import asyncio
import gc
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import tracemalloc
from collections import defaultdict
from pathlib import Path

import anyio
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_files import JournalError
from openrouter_files.bulk.journal import Entry, Journal, placed
from openrouter_files.bulk.outcomes import LocalFile

ROOT = str(Path(__file__).parent.parent)
HERE = "https://openrouter.ai/api/v1 (default workspace)"


def entry(number=0, *, path=None, filename=None, size=None, mtime_ns=None, sha256=None):
    return Entry(
        source=LocalFile(path or f"/data/{number}.txt", filename or f"{number}.txt"),
        size=number if size is None else size,
        mtime_ns=number if mtime_ns is None else mtime_ns,
        sha256=sha256 or number.to_bytes(32, "big"),
    )


def opened(path):
    return Journal.open(path, destination=HERE)


async def store(journal, what, file_id):
    await journal.stored(await journal.intend(what, anchor=None), file_id)


async def is_done(journal, what):
    return await journal.done(what.source, size=what.size, mtime_ns=what.mtime_ns)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "job.sqlite"


@pytest.fixture
async def journal(path):
    async with await opened(path) as journal:
        yield journal


async def test_an_upload_of_unknown_content_is_owned_only(journal):
    """What changed while it was sent has an id, and is neither done nor known: nobody knows what was stored."""
    what = entry(1)
    await journal.stored(await journal.intend(what, anchor=None), "file_1", hashed=False)
    assert await is_done(journal, what) is None
    assert await journal.refreshed(what) is None
    assert await journal.known(what.sha256, what.size) is None
    assert await journal.owned(["file_1"]) == {"file_1"}
    assert (await journal.newest_id(), await journal.intents()) == ("file_1", ())


async def test_what_is_stored_is_done(journal):
    """A file is done when it was stored with this path, name, size and time, and only then."""
    await store(journal, entry(7), "file_7")
    assert await is_done(journal, entry(7)) == "file_7"
    others = (entry(7, path="/x"), entry(7, filename="x"), entry(7, size=8), entry(7, mtime_ns=8))
    assert [await is_done(journal, other) for other in others] == [None] * 4


async def test_an_intent_is_not_done(journal):
    """What was begun is neither done nor known nor owned; it is an intent with its anchor and time."""
    before = time.time()
    row = await journal.intend(entry(7), anchor="file_6")
    assert await is_done(journal, entry(7)) is None
    assert await journal.known(entry(7).sha256, 7) is None
    (intent,) = await journal.intents()
    assert (intent.row, intent.entry, intent.anchor) == (row, entry(7), "file_6")
    assert before <= intent.intended_at <= time.time()


async def test_an_intent_is_stored_once_or_withdrawn(journal):
    """An intent gets one id or none; a second id, or an id for what was withdrawn, is refused and changes nothing."""
    first, second = [await journal.intend(entry(n), anchor=None) for n in (1, 2)]
    await journal.stored(first, "file_1")
    await journal.withdraw(first)
    await journal.withdraw(second)
    for row in (first, second, 1000):
        with pytest.raises(JournalError, match=f"no intent {row}"):
            await journal.stored(row, "file_x")
    assert await journal.intents() == ()
    assert await is_done(journal, entry(1)) == "file_1"
    assert await journal.owned(["file_1", "file_x"]) == {"file_1"}


async def test_numbers_are_not_used_again(journal):
    """A later intent has a higher number, even if those before it were withdrawn."""
    first = await journal.intend(entry(1), anchor=None)
    await journal.withdraw(first)
    assert await journal.intend(entry(2), anchor=None) > first


async def test_a_touched_file_is_known_by_its_content(journal):
    """The same path, name and content with a new time is stored already, and done from then on."""
    await store(journal, entry(7), "file_7")
    touched = entry(7, mtime_ns=99)
    assert await is_done(journal, touched) is None
    assert await journal.refreshed(touched) == "file_7"
    assert await is_done(journal, touched) == "file_7"
    assert await journal.refreshed(entry(7, sha256=b"x" * 32)) is None
    assert await journal.refreshed(entry(7, path="/x")) is None


async def test_content_is_known_under_any_name(journal):
    """The same bytes elsewhere have the id of the last time they were stored; adopting it makes them done."""
    await store(journal, entry(7), "file_old")
    await store(journal, entry(7), "file_7")
    elsewhere = entry(7, path="/x", filename="y")
    assert await journal.known(elsewhere.sha256, 7) == "file_7"
    assert await journal.known(elsewhere.sha256, 8) is None
    await journal.adopt(elsewhere, "file_7")
    assert await is_done(journal, elsewhere) == "file_7"


async def test_adopting_again_adds_nothing(journal, path):
    """A job that is repeated every day, and adopts the same files every day, does not let its journal grow."""
    await store(journal, entry(7), "file_7")
    for _ in range(3):
        for what in (entry(7), entry(8)):
            await journal.adopt(what, "file_7")
    reader = sqlite3.connect(path)
    assert reader.execute("SELECT count(*) FROM upload").fetchone() == (2,)
    reader.close()


async def test_the_newest_id_is_the_one_stored_last(journal):
    """A listing starts from the id that came last, whatever was intended last; an adopted id is not new."""
    assert await journal.newest_id() is None
    rows = [await journal.intend(entry(n), anchor=None) for n in (1, 2)]
    for row, file_id in zip(reversed(rows), ("file_2", "file_1"), strict=True):
        await journal.stored(row, file_id)
    await journal.adopt(entry(3), "file_2")
    assert await journal.newest_id() == "file_1"
    await journal.forget("file_1")
    assert await journal.newest_id() == "file_2"


async def test_a_forgotten_file_is_as_if_never_stored(journal):
    """What the server lost is neither done nor known nor owned, under none of its names."""
    await store(journal, entry(7), "file_7")
    await journal.adopt(entry(7, path="/x"), "file_7")
    await journal.forget("file_7")
    assert await journal.done_many([(entry(7).source, 7, 7, ""), (LocalFile("/x", "7.txt"), 7, 7, "")]) == [None, None]
    assert await journal.known(entry(7).sha256, 7) is None
    assert await journal.owned(["file_7"]) == frozenset()


async def test_a_path_is_the_same_from_every_folder(journal, tmp_path, monkeypatch):
    """A relative path means the file it meant when it was stored, not its namesake in another folder."""
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    await store(journal, entry(7, path="a.txt"), "file_7")
    await journal.intend(entry(8, path="./b.txt"), anchor=None)
    assert await is_done(journal, entry(7, path=str(tmp_path / "a.txt"))) == "file_7"
    assert [i.entry.source for i in await journal.intents()] == [placed(LocalFile("b.txt", "8.txt"))]
    monkeypatch.chdir("other")
    assert await is_done(journal, entry(7, path="a.txt")) is None
    assert await is_done(journal, entry(7, path="../a.txt")) == "file_7"


NAMES = st.text(st.characters(), min_size=1, max_size=20)


@settings(max_examples=20, deadline=None)
@given(files=st.dictionaries(NAMES, NAMES, min_size=1, max_size=20))
def test_any_name_is_kept_as_it_is(files, tmp_path_factory):
    """Whatever a path or a name is made of, half characters included, it is found again after reopening."""
    path = tmp_path_factory.mktemp("names") / "job.sqlite"
    entries = [entry(n, path=f"/{p}", filename=f) for n, (p, f) in enumerate(files.items())]

    async def scenario():
        async with await opened(path) as journal:
            for n, one in enumerate(entries):
                await store(journal, one, f"file_{n}")
                await journal.intend(one, anchor=None)
        async with await opened(path) as journal:
            assert [i.entry.source for i in await journal.intents()] == [placed(e.source) for e in entries]
            ids = await journal.done_many((e.source, e.size, e.mtime_ns, e.changed) for e in entries)
            assert ids == [f"file_{n}" for n in range(len(entries))]

    asyncio.run(scenario())


async def test_a_closed_journal_keeps_all_and_takes_nothing(path):
    """After closing, which may be done twice, everything is in one file, and a new wish is the caller's mistake."""
    async with await opened(path) as journal:
        row = await journal.intend(entry(1), anchor="file_0")
        await store(journal, entry(2), "file_2")
    await journal.close()
    with pytest.raises(ValueError, match="closed"):
        await journal.intents()
    assert sorted(p.name for p in path.parent.iterdir()) == ["job.sqlite", "job.sqlite.lock"]
    async with await opened(path) as journal:
        assert [intent.row for intent in await journal.intents()] == [row]
        assert await journal.newest_id() == "file_2"


async def test_an_empty_file_is_a_new_journal(path):
    """A file that was made for a journal, and nothing written to it, becomes one."""
    path.touch()
    async with await opened(path) as journal:
        assert await journal.intents() == ()


# -- what is not ours ------------------------------------------------------------------------------


def other_database(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()


def other_version(path):
    shutil.copy(asyncio.run(small_journal(path.parent / "small")), path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA user_version = 7")
    connection.close()


async def small_journal(path):
    async with await opened(path) as journal:
        for batch in range(10):
            await asyncio.gather(*(store(journal, entry(batch * 100 + n), f"file_{n}") for n in range(100)))
    return path


def cut(share):
    def make(path):
        whole = asyncio.run(small_journal(path.parent / "small")).read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])

    return make


def scribbled(path):
    content = bytearray(asyncio.run(small_journal(path.parent / "small")).read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    path.write_bytes(content)


STRANGERS = {
    "text": (lambda path: path.write_text("a,b\n1,2\n"), "is not a journal"),
    "one byte": (lambda path: path.write_bytes(b"S"), "is not a journal"),
    "zeros": (lambda path: path.write_bytes(bytes(8192)), "is not a journal"),
    "database": (other_database, "is not a journal"),
    "version": (other_version, "has version 7"),
    "cut at 60 bytes": (cut(0.0002), "is not a journal"),
    "cut in its first page": (cut(0.005), "damaged"),
    "half": (cut(0.5), "damaged"),
    "but for the end": (cut(0.97), "damaged"),
    "scribbled over": (scribbled, "damaged"),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_what_is_no_journal_is_left_as_it_is(kind, path):
    """Foreign, damaged and other versions' files are refused in a sentence that names them; no byte of them changes."""
    make, why = STRANGERS[kind]
    make(path)
    content = path.read_bytes()
    with pytest.raises(JournalError, match=why) as caught:
        asyncio.run(opened(path))
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content


@pytest.mark.parametrize("how", ["empty", "gone"])
async def test_what_is_left_of_a_lost_journal_is_kept(path, how):
    """If only the latest pages of a killed job are left, that is told, and they stay: with the journal they are it."""
    async with await opened(path) as journal:
        await store(journal, entry(1), "file_1")
        whole, rest = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    lost = path.with_name("lost.sqlite")
    Path(f"{lost}-wal").write_bytes(rest)
    if how == "empty":
        lost.touch()
    with pytest.raises(JournalError, match="is a part of it"):
        await opened(lost)
    assert Path(f"{lost}-wal").read_bytes() == rest
    lost.write_bytes(whole)
    async with await opened(lost) as journal:
        assert await is_done(journal, entry(1)) == "file_1"


def test_beside_a_stranger_nothing_is_left(path):
    """To look at a file that is no journal leaves no file beside it."""
    path.write_text("my notes\n")
    with pytest.raises(JournalError):
        asyncio.run(opened(path))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


async def test_what_cannot_be_a_journal(tmp_path):
    """A folder, a pipe, a path below a file, a folder that is missing, a loop of links: each a sentence."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in (".", "pipe", "file/job", "missing/job", "loop"):
        with pytest.raises(JournalError, match=str(tmp_path)):
            await opened(tmp_path / name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "loop", "pipe"]


async def test_a_journal_belongs_to_one_destination(path):
    """For another server or workspace the journal is refused: its ids mean nothing there."""
    async with await opened(path) as journal:
        await store(journal, entry(1), "file_1")
    with pytest.raises(JournalError, match=r"about uploads to .*default workspace.*, not to elsewhere"):
        await Journal.open(path, destination="elsewhere")
    async with await opened(path) as journal:
        assert await is_done(journal, entry(1)) == "file_1"


async def test_a_failing_disk_fails_every_wish(path):
    """When the file is damaged under an open journal, all who wait are told; none is told that it was committed."""
    async with await opened(path) as journal:
        await store(journal, entry(1), "file_1")
        other = sqlite3.connect(path)
        other.execute("DROP TABLE upload")
        other.close()
        wishes = [journal.intend(entry(n), anchor=None) for n in range(5)]
        results = await asyncio.gather(*wishes, return_exceptions=True)
    assert {type(result) for result in results} == {JournalError}
    assert "no such table" in str(results[0])


# -- one at a time ---------------------------------------------------------------------------------


async def test_the_second_is_told_who_holds_the_journal(path):
    """Of two journals on one file, by whatever way, the second is told the process, the host and since when."""
    (path.parent / "link").symlink_to(path)
    async with await opened(path):
        for way in (path, path.parent / "link"):
            with pytest.raises(JournalError, match=rf"in use by process {os.getpid()} on \S+, since \d{{4}}-\d\d-\d\d"):
                await opened(way)
    await (await opened(path)).close()


HOLDER = """
import asyncio, os, sys
from openrouter_files.bulk.journal import Journal
async def main():
    journal = await Journal.open(sys.argv[1], destination=sys.argv[2])
    if len(sys.argv) > 3:
        born, bear = os.pipe()
        if not os.fork():
            os.close(1)
            os.write(bear, b"!")
            os.read(0, 1)  # outlives its parent
            os._exit(0)
        os.read(born, 1)
    print("open", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.parametrize("forks", [[], ["forks"]])
async def test_a_killed_process_holds_nothing(path, forks):
    """Another process's journal is refused while it lives, and free once it is killed, whatever it forked."""
    command = (sys.executable, "-c", HOLDER, path, HERE, *forks)
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PYTHONPATH": ROOT})
    with holder:
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(JournalError, match=f"in use by process {holder.pid} "):
            await opened(path)
        holder.kill()
        holder.wait()
        async with await opened(path) as journal:
            assert await journal.intents() == ()


# -- committed means committed ---------------------------------------------------------------------

# One process forks the workers, so that each of them starts without importing anything.
NURSERY = """
import asyncio, itertools, os, sys
from openrouter_files.bulk.journal import Entry, Journal
from openrouter_files.bulk.outcomes import LocalFile

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

async def worker(journal, pid, lane):
    for n in itertools.count():
        source = LocalFile(f"/{pid}/{lane}/{n}", "name")
        row = await journal.intend(Entry(source=source, size=n, mtime_ns=n, sha256=bytes(32)), anchor=None)
        say("intended", row, source.path)
        if n % 7 == 3:
            await journal.withdraw(row)
            say("withdrawn", row)
        elif n % 7 != 5:
            file_id = f"file_{pid}_{lane}_{n}"
            await journal.stored(row, file_id)
            say("stored", row, file_id, n, source.path)

async def work(path, destination):
    async with await Journal.open(path, destination=destination) as journal:
        await asyncio.gather(*(worker(journal, os.getpid(), lane) for lane in range(8)))

for line in sys.stdin:
    if not (pid := os.fork()):
        asyncio.run(work(*line.rstrip("\\n").split("\\t")))
        os._exit(1)
    say("born", pid)
    os.waitpid(pid, 0)
    say("gone")
"""


class Memory:
    """What the killed said before they died."""

    def __init__(self):
        self.intended, self.stored, self.withdrawn = {}, {}, set()

    def hear(self, word, row, *rest):
        row = int(row)
        match word:
            case "intended":
                assert row not in self.intended
                self.intended[row] = rest[0]
            case "stored":
                self.stored[row] = rest
            case "withdrawn":
                self.withdrawn.add(row)

    async def compare(self, journal):
        intents = {intent.row: intent.entry.source.path for intent in await journal.intents()}
        stamps = [(LocalFile(path, "name"), int(n), int(n), "") for _, n, path in self.stored.values()]
        assert await journal.done_many(stamps) == [file_id for file_id, _, _ in self.stored.values()]
        owned = await journal.owned([file_id for file_id, _, _ in self.stored.values()])
        assert len(owned) == len(self.stored)
        assert not intents.keys() & (self.stored.keys() | self.withdrawn)
        for row in self.intended.keys() - self.stored.keys() - self.withdrawn:
            # Either still an intent, or its id or its withdrawal was committed a moment before the kill.
            if row not in intents:
                pid, lane, n = self.intended[row].split("/")[1:]
                stored = await journal.owned([f"file_{pid}_{lane}_{n}"])
                assert stored or int(n) % 7 == 3, f"intent {row} is lost"


def test_no_kill_loses_what_was_committed(tmp_path):
    """SIGKILL at any moment: the journal opens again, and every intent and id that was confirmed is in it."""
    memories = defaultdict(Memory)
    moments = random.Random(4)
    nursery = subprocess.Popen(
        (sys.executable, "-c", NURSERY),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": ROOT},
        text=True,
    )
    with nursery:
        for life in range(40):
            path = tmp_path / f"{life // 4}.sqlite"  # the first life of each makes the file
            nursery.stdin.write(f"{path}\t{HERE}\n")
            nursery.stdin.flush()
            word, pid = nursery.stdout.readline().split()
            assert word == "born"
            time.sleep(moments.uniform(0, 0.03 if life % 4 == 0 else 0.15))
            os.kill(int(pid), signal.SIGKILL)
            while (line := nursery.stdout.readline()) != "gone\n":
                memories[path].hear(*line.split())
            asyncio.run(reopened_and_compared(path, memories[path]))
        nursery.stdin.close()
    assert sum(len(memory.stored) for memory in memories.values()) > 100


async def reopened_and_compared(path, memory):
    async with await opened(path) as journal:
        await memory.compare(journal)


async def test_a_cancelled_wish_is_granted_all_the_same(path):
    """Whoever is cancelled while the disk works does not know; but the journal does, and closing waits for it."""
    async with await opened(path) as journal:
        row = await journal.intend(entry(1), anchor=None)
        wish = asyncio.create_task(journal.stored(row, "file_1"))
        await asyncio.sleep(0)
        wish.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wish
    async with await opened(path) as journal:
        assert await is_done(journal, entry(1)) == "file_1"


async def test_a_cancelled_end_is_an_end(path):
    """A close that is cancelled has closed: all is committed and the lock is free."""
    journal = await opened(path)
    wishes = [asyncio.create_task(store(journal, entry(n), f"file_{n}")) for n in range(100)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(journal.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await asyncio.gather(*wishes, return_exceptions=True)
    async with await opened(path) as journal:
        assert len(await journal.intents()) == 100


async def test_a_cancelled_opening_holds_nothing(path):
    """An opening that nobody waits for any more does not keep the journal from others."""
    opening = asyncio.create_task(opened(path))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    for _ in range(200):
        try:
            await (await opened(path)).close()
        except JournalError:
            await asyncio.sleep(0.01)
        else:
            return
    pytest.fail("the journal stays locked")


async def test_many_writers_share_a_commit(path):
    """Sixty-four writers at once need far fewer commits than wishes: the log of the file grows by a few frames only."""
    async with await opened(path) as journal:
        await asyncio.gather(*(journal.intend(entry(n), anchor=None) for n in range(64)))
        frames = Path(f"{path}-wal").stat().st_size / 4120  # each commit writes a page at least
        assert len(await journal.intents()) == 64
    assert frames < 40


async def test_the_loop_goes_on_while_the_disk_works(path):
    """The file is never touched on the loop: it stays free while thousands of wishes are granted."""
    async with await opened(path) as journal:
        longest, running = 0.0, True

        async def watch():
            nonlocal longest
            while running:
                before = time.monotonic()
                await asyncio.sleep(0.001)
                longest = max(longest, time.monotonic() - before)

        watching = asyncio.create_task(watch())
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # somebody looks at the file: all writers wait
        wish = asyncio.create_task(journal.intend(entry(1), anchor=None))
        await asyncio.sleep(0.5)
        assert not wish.done()
        other.execute("ROLLBACK")
        other.close()
        await wish
        running = False
        await watching
    assert longest < 0.4


async def test_another_file_of_the_same_size_and_time(path):
    """A file with another ctime or inode is not done; with the same content it is, once that was looked at."""
    async with await opened(path) as journal:
        await store(journal, evolve(entry(7), changed="1 1"), "file_7")
        assert await journal.done(entry(7).source, size=7, mtime_ns=7, changed="1 1") == "file_7"
        assert await journal.done(entry(7).source, size=7, mtime_ns=7, changed="2 1") is None
        assert await journal.refreshed(evolve(entry(7), changed="2 1")) == "file_7"
        assert await journal.done(entry(7).source, size=7, mtime_ns=7, changed="2 1") == "file_7"


async def test_a_journal_knows_whether_it_was_closed(path):
    """One that its job did not close says when it was begun, until it was told what was stored since."""
    async with await opened(path) as journal:
        assert journal.begun is None
    async with await opened(path) as journal:
        assert journal.begun is None
        for end in ("", "-wal", ".lock"):
            shutil.copy(f"{path}{end}", f"{path}.copy{end}")
    for told in (False, True):
        async with await opened(f"{path}.copy") as journal:
            assert journal.begun is not None
            if told:
                await journal.unrecorded([], since=journal.begun)
    async with await opened(f"{path}.copy") as journal:
        assert journal.begun is None


async def test_a_hard_link_is_the_same_journal(path, tmp_path):
    """Two names of one file are one journal, with one lock: what was stored under one is known by the other."""
    (tmp_path / "elsewhere").mkdir()
    other = tmp_path / "elsewhere" / "other.db"
    async with await opened(path) as journal:
        await store(journal, entry(7), "file_7")
        other.hardlink_to(path)
        with pytest.raises(JournalError, match="in use"):
            await opened(other)
    async with await opened(other) as journal:
        assert await is_done(journal, entry(7)) == "file_7"
    assert [at.name for at in other.parent.iterdir()] == ["other.db"]


async def test_a_hundred_thousand_rows_are_little(path):
    """A journal of 100,000 files opens and answers for each in seconds; memory does not grow with them."""
    async with await opened(path):
        pass
    connection = sqlite3.connect(path)
    rows = ((f"/d/{n}", str(n), n, n, n.to_bytes(32, "big"), 0.0, f"file_{n}", n) for n in range(100_000))
    connection.executemany(
        "INSERT INTO upload (path, filename, size, mtime_ns, sha256, changed, intended_at, file_id, ordinal)"
        " VALUES (?, ?, ?, ?, ?, '', ?, ?, ?)",
        rows,
    )
    connection.commit()
    connection.close()
    began = time.monotonic()
    await ask(path, 100_000)
    assert time.monotonic() - began < 60  # a second, on a machine that does nothing else
    tracemalloc.start()  # makes all slow, so it follows an opening and a tenth of the questions
    try:
        await ask(path, 10_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


async def ask(path, amount):
    async with await opened(path) as journal:
        for start in range(0, amount, 64):
            numbers = range(start, min(start + 64, amount))
            ids = await journal.done_many((LocalFile(f"/d/{n}", str(n)), n, n, "") for n in numbers)
            assert ids == [f"file_{n}" for n in numbers]
        assert await journal.newest_id() == "file_99999"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
async def test_a_full_disk_is_told_of_the_journal(tmp_path):
    """The error names the journal that cannot be locked, and what the disk said."""
    (tmp_path / "job.db.lock").symlink_to("/dev/full")
    with pytest.raises(JournalError, match=r"job\.db cannot be locked: \w"):
        await Journal.open(tmp_path / "job.db", destination="x")
    assert not (tmp_path / "job.db").exists()


@pytest.mark.parametrize("steps", range(4))
@pytest.mark.parametrize("by", ["asyncio", "anyio"])
async def test_a_cancelled_journal_is_unlocked_at_once(path, steps, by):
    """Cancelled while it is opened or closed, it is free when that has ended; the cancellation is the one that came."""

    async def use():
        journal = await opened(path)
        await journal.close()

    for _ in range(5):
        if by == "asyncio":
            task = asyncio.create_task(use())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel("mine")
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            assert caught.value.args == (("mine",) if steps else caught.value.args)
        else:
            with anyio.move_on_after(steps * 0.0005):
                await use()
        await use()


async def test_a_journal_whose_loop_was_closed_under_it_is_unlocked(path):
    """A loop that is closed by hand ends nothing: what is left of it lets the journal go."""

    def in_a_loop_closed_by_hand():
        loop = asyncio.new_event_loop()
        loop.run_until_complete(opened(path))
        loop.close()

    await asyncio.to_thread(in_a_loop_closed_by_hand)
    gc.collect()
    await (await opened(path)).close()
