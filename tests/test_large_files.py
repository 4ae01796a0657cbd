"""Large files on disk, in pieces: the right bytes, whoever holds them, and a loop that is free meanwhile."""

import asyncio
import os
import threading
from contextlib import aclosing, asynccontextmanager
from io import FileIO
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_files import SourceError
from openrouter_files.local.sources import LargeFile, Measure

CONTENT = b"".join(number.to_bytes(8) for number in range(400_000))  # 3.2 MB: no two pieces are alike
IN_MEMORY = Path("/dev/shm")  # the one file system that is everywhere and cannot read without waiting


@asynccontextmanager
async def opened(path):
    """The file, closed in the end."""
    file = LargeFile(FileIO(path))
    try:
        yield file
    finally:
        await file.end()
        assert file.closed


async def pieces(path, size=None):
    """All pieces of a file, as they were yielded: nobody copied them."""
    async with opened(path) as file, aclosing(file.pieces(Measure(path.name, size or len(CONTENT)))) as found:
        return [piece async for piece in found]


@pytest.fixture
def path(tmp_path):
    """A file of a few pieces."""
    path = tmp_path / "large.bin"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def path_in_memory():
    """The same where the system cannot say what it has at hand."""
    if not IN_MEMORY.is_dir():
        pytest.skip("there is no /dev/shm")
    path = IN_MEMORY / f"openrouter_files-{os.getpid()}.bin"
    path.write_bytes(CONTENT)
    yield path
    path.unlink()


def forgotten(path):
    """Have the system forget what it holds of a file: it must be fetched from the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


async def test_pieces_that_are_held_stay_what_they_were(path):
    """Memory is read into again only when nobody looks at it."""
    held = await pieces(path)
    assert len(held) > 3
    assert b"".join(held) == CONTENT


async def test_pieces_that_are_let_go_share_their_memory(path):
    """One piece of memory is enough for a file of any length."""
    async with opened(path) as file, aclosing(file.pieces(Measure("x", len(CONTENT)))) as found:
        seen = set()
        async for piece in found:
            seen.add(id(piece.obj))
            del piece
    assert len(seen) == 1


async def test_a_slice_alone_keeps_the_memory(path):
    """A transport that has sent most of a piece still holds its end."""
    async with opened(path) as file, aclosing(file.pieces(Measure("x", len(CONTENT)))) as found:
        ends = [(len(piece), piece[-5:]) async for piece in found]
    cuts = accumulate(size for size, _ in ends)
    assert [bytes(end) for _, end in ends] == [CONTENT[cut - 5 : cut] for cut in cuts]


async def test_what_must_be_fetched_is_the_same(path):
    """From a cold disk, too."""
    forgotten(path)
    assert b"".join(await pieces(path)) == CONTENT


async def test_a_file_system_that_cannot_read_without_waiting(path_in_memory):
    """There each piece is read in a thread."""
    assert b"".join(await pieces(path_in_memory)) == CONTENT


@pytest.mark.parametrize("where", ["path", "path_in_memory"])
@pytest.mark.parametrize(("size", "words"), [(len(CONTENT) + 1, "ended at"), (len(CONTENT) - 1, "grew while")])
async def test_a_file_that_is_not_what_was_promised(request, where, size, words):
    """The last piece stays here."""
    seen = 0

    async def take(found):
        nonlocal seen
        async for piece in found:
            seen += len(piece)

    async with opened(request.getfixturevalue(where)) as file, aclosing(file.pieces(Measure("x", size))) as found:
        with pytest.raises(SourceError, match=words):
            await take(found)
    assert seen < size


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, len(CONTENT)), max_size=4))
async def test_a_disk_that_has_some_of_it(tmp_path_factory, cuts):
    """Whatever the system holds and whatever it has forgotten, the bytes are the same."""
    path = tmp_path_factory.mktemp("some") / "large.bin"
    path.write_bytes(CONTENT)
    forgotten(path)
    with path.open("rb") as file:
        for cut in cuts:
            os.pread(file.fileno(), 100_000, cut)
    assert b"".join(await pieces(path)) == CONTENT


@pytest.mark.parametrize("where", ["path", "path_in_memory"])
async def test_others_have_their_turn(request, where):
    """Even if whoever takes the pieces never waits."""
    turns = 0

    async def others():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(others())
    held = await pieces(request.getfixturevalue(where))
    task.cancel()
    assert turns >= len(held) - 1 >= 3


async def test_a_reader_that_is_cancelled_waits_for_its_thread(path_in_memory):
    """The file may be closed under it afterwards."""
    begun, leave = threading.Event(), threading.Event()

    class Slow(FileIO):
        def readinto(self, room):
            begun.set()
            leave.wait(5)
            return super().readinto(room)

    file = LargeFile(Slow(path_in_memory))
    async with aclosing(file.pieces(Measure("x", len(CONTENT)))) as found:
        task = asyncio.create_task(anext(found))
        await asyncio.to_thread(begun.wait, 5)
        task.cancel()
        await asyncio.sleep(0.02)
        assert not task.done()
        leave.set()
        await asyncio.wait([task])
        assert task.cancelled()
    await file.end()
