"""Cancelled at any await: nothing is left, the client goes on, and no file is stored that nobody asked for."""

import asyncio
import random
from collections import Counter
from contextlib import aclosing, asynccontextmanager, suppress

import anyio
import pytest
from fault_raw import Front, content, deaf, gone, said, says, silent
from fault_world import LARGE, MADE, OLD, SMALL, nothing_left, open_files

from openrouter_files import FilesClient, Options, RetryPolicy, Timeouts
from openrouter_files.emulator import Emulator

MIDDLE = LARGE[:1_500_000]

# After how many rounds of the loop: each of the first, in which most happens, then fewer.
STEPS = [*range(10), *range(10, 60, 8), *range(60, 300, 60)]
SEEDS = range(6)
LONGEST = 0.08


class Place:
    """A server and a folder, used again and again, and one client after another."""

    def __init__(self, front, folder):
        self.front, self.folder = front, folder
        self.files = None
        self.file = None
        self.sent = 0
        self.succeeded = []

    async def uploaded(self, data):
        """Upload under a name of its own; what succeeds is remembered."""
        self.sent += 1
        file = await self.files.upload(data, filename=f"{self.sent}.txt")
        self.succeeded.append(file.filename)

    async def spooled(self):
        """Upload an iterator, which is kept in a temporary file meanwhile."""

        async def pieces():
            for _ in range(4):
                yield LARGE[:300_000]
                await asyncio.sleep(0)

        async with aclosing(pieces()) as source:
            await self.uploaded(source)

    async def from_disk(self):
        """Upload a large file from disk."""
        path = self.folder.parent / "source.txt"
        if not path.exists():
            path.write_bytes(MIDDLE)
        await self.uploaded(path)

    async def iterated(self):
        """Iterate over a download."""
        async with self.files.download(self.file.id) as chunks:
            assert [chunk async for chunk in chunks]

    async def saved(self):
        """Download over an older file."""
        await self.files.download_to(self.file.id, self.folder / "made.bin")

    async def listed(self):
        """Walk through the listing."""
        async with aclosing(self.files.list(page_size=1)) as files:
            assert [file async for file in files]

    async def deleted(self):
        """Delete something that was just made."""
        self.sent += 1
        file = await self.front.emulator.put(f"{self.sent}.txt", b"x")
        await self.files.delete(file.id)


def lost(front):
    """The answers to uploads are lost: they are looked for."""
    front.act("upload", gone(work=True))


def failing(front):
    """Uploads and downloads are put off, so that their calls sleep before they try again."""
    for operation in ("upload", "download"):
        front.act(operation, says(said(b"{}", 408), end=False))


def refused(front):
    """Uploads meet a 429, so that their calls wait for the rate limit."""
    front.act("upload", says(said(b"{}", 429, retry_after_ms="30"), end=False))


def breaking(front):
    """Downloads break off in the middle."""
    front.act("download", content(MADE, ranges=True, etag='"1"', stop=100_000, pause=0.0))


def mute(front):
    """The server says nothing."""
    for operation in ("upload", "download"):
        front.act(operation, silent())


def not_reading(front):
    """The server stops reading."""
    front.act("upload", deaf(1000))


def well(front):
    """Nothing goes wrong."""


CALLS = {
    "a small upload": (lambda place: place.uploaded(SMALL), well),
    "a large upload": (lambda place: place.uploaded(MIDDLE), well),
    "an upload from disk": (Place.from_disk, well),
    "a spooled upload": (Place.spooled, well),
    "an upload that is looked for": (lambda place: place.uploaded(SMALL), lost),
    "a large upload that is looked for": (lambda place: place.uploaded(MIDDLE), lost),
    "an upload that waits to be repeated": (lambda place: place.uploaded(SMALL), failing),
    "an upload that waits for the rate limit": (lambda place: place.uploaded(SMALL), refused),
    "an upload to a silent server": (lambda place: place.uploaded(SMALL), mute),
    "an upload to a server that stops reading": (lambda place: place.uploaded(LARGE), not_reading),
    "a download that is iterated": (Place.iterated, well),
    "a download that is saved": (Place.saved, well),
    "a download that breaks and goes on": (Place.saved, breaking),
    "an iteration that breaks and goes on": (Place.iterated, breaking),
    "a download that waits to be repeated": (Place.saved, failing),
    "a download from a silent server": (Place.saved, mute),
    "a listing": (Place.listed, well),
    "a deletion": (Place.deleted, well),
}


@asynccontextmanager
async def place_in(folder):
    """Set up a server, for many rounds; in the end nothing is stored twice, and nothing is missing."""
    async with Emulator() as emulator, Front(emulator) as front:
        place = Place(front, folder)
        place.file = await emulator.put("made.bin", MADE)
        yield place
        copies = Counter(file.filename for file in emulator.files())
        assert max(copies.values()) == 1
        assert set(place.succeeded) <= set(copies)


def client_for(place):
    """Make a client that is quick to repeat and slow to give up."""
    retry = RetryPolicy(attempts=4, first_delay=0.02, max_delay=5.0)
    options = Options(retry=retry, timeouts=Timeouts(connect=10, idle=10, answer=10))
    front = place.front
    return FilesClient(front.api_key, base_url=front.base_url, options=options, max_connections=2)


async def by_asyncio(call, wait):
    """Start a call, wait, and cancel it; its errors are raised."""
    task = asyncio.ensure_future(call)
    await wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def by_asyncio_twice(call, wait):
    """Likewise, and cancel it again while it tidies up."""
    task = asyncio.ensure_future(call)
    await wait()
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    with suppress(asyncio.CancelledError):
        await task


async def by_anyio(call, wait):
    """Leave a scope of anyio, which cancels again and again until the call is gone, and knows its own cancellation."""
    with anyio.CancelScope() as scope:

        async def cancel():
            await wait()
            scope.cancel()

        cancelling = asyncio.ensure_future(cancel())
        try:
            await call
        finally:
            cancelling.cancel()
    assert asyncio.current_task().cancelling() == 0


CANCELLING = pytest.mark.parametrize("cancel", [by_asyncio, by_asyncio_twice, by_anyio])


def _spools():
    """Files without a name."""
    return {name for name in open_files() if "(deleted)" in name[1]}


async def _round(place, call, arm, wait, cancel):
    """Cancel a call; nothing is left of it, and its client works."""
    (place.folder / "made.bin").write_bytes(OLD)
    spools = _spools()
    async with client_for(place) as place.files:
        arm(place.front)
        await cancel(call(place), wait)
        assert _spools() == spools
        assert [path.name for path in place.folder.iterdir()] == ["made.bin"]
        assert (place.folder / "made.bin").read_bytes() in {OLD, MADE}
        place.front.queues.clear()
        assert (await place.files.retrieve(place.file.id)).id == place.file.id


async def _rounds(name, folder, waits, cancel):
    folder.mkdir()
    call, arm = CALLS[name]
    async with asyncio.timeout(60), nothing_left(), place_in(folder) as place:
        for wait in waits:
            await _round(place, call, arm, wait, cancel)


def _steps(count):
    async def wait():
        for _ in range(count):
            await asyncio.sleep(0)

    return wait


def _seconds(seed):
    return lambda: asyncio.sleep(random.Random(seed).uniform(0, LONGEST))


@CANCELLING
@pytest.mark.parametrize("name", CALLS)
async def test_a_call_is_cancelled_after_any_number_of_steps(name, tmp_path, cancel):
    """After each number of rounds of the loop: no part file, no spool, no copy too many, and the client works."""
    await _rounds(name, tmp_path / "downloads", [_steps(count) for count in STEPS], cancel)


@CANCELLING
@pytest.mark.parametrize("name", CALLS)
async def test_a_call_is_cancelled_at_a_random_await(name, tmp_path, cancel):
    """At a random moment: no part file, no spool, no copy too many, and the client works."""
    await _rounds(name, tmp_path / "downloads", [_seconds(seed) for seed in SEEDS], cancel)
