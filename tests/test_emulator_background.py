"""The emulator in a thread of its own: for plain code, and for clients whose loops come and go."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest

from openrouter_files import FilesClient
from openrouter_files.emulator import Drop, Emulator, FaultsNotMet, Pass, Say, ScriptsNotPlayed, Unmet


def client(emulator):
    return FilesClient(emulator.api_key, base_url=emulator.base_url)


async def upload(emulator):
    async with client(emulator) as files:
        return await files.upload(b"hello\n", filename="hello.txt")


def test_it_serves_loops_that_come_and_go():
    """Each loop of the caller finds the same server with the same files, and controls it."""
    with Emulator() as emulator:
        for count in (1, 2, 3):
            stored = asyncio.run(upload(emulator))
            assert asyncio.run(emulator.content(stored.id)) == b"hello\n"
            assert len(emulator.files()) == count


async def test_it_serves_a_loop_that_is_running():
    """A plain `with` in async code is a server that answers even while the loop is not idle."""
    with Emulator() as emulator:
        await upload(emulator)
        await emulator.put("made.md", b"made\n")
        assert [file.filename for file in emulator.files()] == ["hello.txt", "made.md"]


def test_its_controls_need_no_await(tmp_path):
    """What a control does is done, and what it returns is there, when the call returns."""
    (tmp_path / "b.txt").write_bytes(b"b")
    with Emulator(providers=["openai"]) as emulator:
        made = emulator.put("a.txt", b"a")
        emulator.put("b.txt", tmp_path / "b.txt", downloadable=False)
        theirs = emulator.put("c.txt", b"c", provider="openai")
        assert emulator.files()[0] == made
        assert [file.filename for file in emulator.files()] == ["a.txt", "b.txt"]
        assert [emulator.content(file.id) for file in (made, theirs)] == [b"a", b"c"]
        inside = emulator.put_in_container("sess", "out/r.csv", b"a,b")
        assert asyncio.run(contained(emulator)) == {inside.id: "out/r.csv"}
        with pytest.raises(KeyError):
            emulator.content("or_file_unknown")


async def contained(emulator):
    async with client(emulator) as files:
        return {file.id: file.path async for file in files.container("sess").list()}


@pytest.mark.parametrize("size", [1, 1_000_000])
def test_what_its_controls_return_may_be_awaited(size):
    """Code that awaits them, or hands them to asyncio, has the same results."""

    async def awaiting(emulator):
        made = await emulator.put("a", b"a" * size)
        same, other = await asyncio.gather(emulator.content(made.id), asyncio.create_task(emulator.content(made.id)))
        return made, same, other, await asyncio.wait_for(emulator.put_in_container("sess", "b", b"b"), 1)

    with Emulator() as emulator:
        made, same, other, inside = asyncio.run(awaiting(emulator))
        assert emulator.files() == (made,)
        assert same == other == b"a" * size
        assert inside.path == "b"
        assert asyncio.run(emulator.put("c", b"c")) == emulator.files()[1]


def test_it_can_be_stopped_and_started_again(tmp_path):
    """A server that goes away and comes back, on the same port and with the same files."""
    with Emulator(store=tmp_path / "store") as emulator:
        made, url = emulator.put("a", b"a"), emulator.base_url
        emulator.stop()
        with pytest.raises(RuntimeError, match="not running"):
            emulator.put("b", b"b")
        emulator.start()
        assert (emulator.files(), emulator.base_url) == ((made,), url)
        assert len(asyncio.run(listed(emulator))) == 1


async def listed(emulator):
    async with client(emulator) as files:
        return (await files.list_page()).data


async def test_nothing_is_done_before_it_is_awaited_elsewhere():
    """An emulator on the caller's own loop cannot do anything before that has its turn."""
    async with Emulator() as emulator:
        storing = emulator.put("a", b"a")
        assert emulator.files() == ()
        assert (await storing,) == emulator.files()


def test_it_leaves_no_thread():
    """Its loop and its threads are gone when the context is left, however it is left."""
    before = set(threading.enumerate())
    with Emulator() as emulator:
        asyncio.run(upload(emulator))
    with pytest.raises(ZeroDivisionError), Emulator():
        _ = 1 / 0
    assert set(threading.enumerate()) == before


def test_a_start_that_fails_is_told():
    """What hinders the start comes through, and no thread is left."""
    before = set(threading.enumerate())
    with Emulator() as emulator:
        running = set(threading.enumerate())
        with pytest.raises(OSError, match="address"), Emulator(port=emulator.port):
            pass
        assert set(threading.enumerate()) == running
    assert set(threading.enumerate()) == before


def test_what_was_prepared_in_vain_is_told_at_the_end():
    """Leaving the context checks what `check` checks: faults first, then scripts."""
    with pytest.raises(FaultsNotMet, match="upload never met"), Emulator() as emulator:
        emulator.queue("upload", Drop())
    with pytest.raises(ScriptsNotPlayed) as caught, Emulator() as emulator:
        emulator.script(Say("Hello."))
    assert caught.value.unplayed == emulator.unplayed == ((Say("Hello."),),)
    with pytest.raises(ScriptsNotPlayed):
        emulator.check()


@pytest.fixture
def hasty_threads():
    """Threads that take turns all the time."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_controls_do_not_stumble_over_the_server(hasty_threads):
    """What the server takes from its queues while a test looks at them is no error."""
    with Emulator() as emulator:
        emulator.queue("list", *[Pass()] * 200)

        async def empty_the_queue():
            async with client(emulator) as files:
                while emulator.unmet:
                    await asyncio.gather(*(files.list_page(limit=1) for _ in range(20)))

        emptying = threading.Thread(target=lambda: asyncio.run(empty_the_queue()))
        emptying.start()
        seen: set[int] = set()
        while emptying.is_alive():
            unmet = emulator.unmet
            assert set(unmet) <= {Unmet("list", Pass())}
            seen.add(len(unmet))
            emulator.requests, emulator.chats, emulator.files()
        emptying.join()
        assert len(seen) > 2
        assert emulator.unmet == ()
