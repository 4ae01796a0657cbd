"""What a row of the table is, the world in which it happens, and what must not be left of it."""

import asyncio
import gc
import random
import socket
import sys
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
from attrs import evolve, field, fields, frozen
from fault_raw import Front

from openrouter_files import File, FilesClient, Options, RetryPolicy, Timeouts
from openrouter_files.emulator import Emulator

SMALL = b"hello, files\n"
LARGE = b"0123456789abcde\n" * 512 * 1024
MADE = random.Random(20).randbytes(300_000)
OLD = b"the old file"

# How a success came about; an error is named by its type.
PLAIN = "succeeds at once"
REPEATED = "succeeds after a repeat"
CLAIMED = "found in the listing and claimed, not sent again"
SEARCHED = "not found in the listing, sent again"
RESUMED = "goes on where it broke (Range)"
RESTARTED = "starts over and skips what it had"
PROVEN = "proven whole by the metadata"
UNTOUCHED = "leaves the disk as it was"

QUICK = RetryPolicy(attempts=4, first_delay=0.01, max_delay=5.0)
SHORT = Timeouts(connect=0.6, idle=0.6, answer=0.6)
# Megabytes travel twice here, and a busy machine needs its time between two pieces.
SLOW_READERS = Timeouts(connect=5.0, idle=1.2, answer=10.0)
PATIENT = Timeouts(connect=10.0, idle=10.0, answer=10.0)


def brief(fault):
    """Say what a fault is, without what it is not."""
    set_apart = [each for each in fields(type(fault)) if getattr(fault, each.name) != each.default]
    return f"{type(fault).__name__}({', '.join(f'{each.name}={getattr(fault, each.name)!r}' for each in set_apart)})"


@frozen(kw_only=True)
class Row:
    """A scenario.

    Attributes:
        name: What happens.
        call: What is asked of the client; it checks its own result.
        how: How it ends: one of the phrases above, or the type of the error.
        requests: By operation.
        stored: Copies in the emulator at the end.
        disk: What the folder of the downloads holds at the end.
        faults: Queued in the emulator, by operation.
        acts: Queued in the raw server before the emulator; with them or ``standing``, there is one.
        standing: Acts of the raw server that never end.
        server: Arguments of the emulator.
        before: What is done before; its requests do not count.
        error: Attributes of the error; a function is asked whether it likes the value.
        narrow: Whether the client's sockets buffer next to nothing: what is not read is not sent.
        asked: Whether each request for a content was for a part of it; None if that does not matter.
        patience: Seconds after which the row is red.
        xfail: Why the row is red today.
    """

    name: str
    call: object
    how: object
    requests: dict
    stored: int = 0
    disk: dict = field(factory=dict)
    faults: dict = field(factory=dict)
    acts: dict = field(factory=dict)
    standing: dict = field(factory=dict)
    server: dict = field(factory=dict)
    before: object = None
    timeouts: Timeouts = PATIENT
    retry: dict = field(factory=dict)
    error: dict = field(factory=dict)
    narrow: bool = False
    asked: tuple | None = None
    patience: float = 20.0
    xfail: str | None = None

    @property
    def outcome(self):
        """How it ends, in words."""
        return self.how if isinstance(self.how, str) else self.how.__name__


class World:
    """An emulator, perhaps a raw server before it, a client, and a folder."""

    def __init__(self, row, emulator, front, files, folder):
        self.row, self.emulator, self.front, self.files, self.folder = row, emulator, front, files, folder
        self.server = front or emulator
        self.made = None

    @property
    def target(self):
        """Where a download goes."""
        return self.folder / "made.bin"

    @property
    def known(self):
        """The file that the server made, as a File: its size is known."""
        made = self.made
        return File(id=made.id, filename=made.filename, size_bytes=made.size_bytes, created_at=made.created_at)

    @property
    def requests(self):
        """By operation, since the row began."""
        return dict(Counter(each.operation for each in (self.front.seen if self.front else self.emulator.requests)))

    async def begin(self):
        """Do what comes before, then arm the faults."""
        if self.row.before is not None:
            await self.row.before(self)
        self.emulator.clear()
        for operation, faults in self.row.faults.items():
            self.emulator.queue(operation, *faults)
        if self.front:
            self.front.seen.clear()
            self.front.standing.update(self.row.standing)
            for operation, acts in self.row.acts.items():
                self.front.act(operation, *acts)

    async def is_stored(self, file, data):
        """Whether a file that the client returned is what the server has of these bytes."""
        return file.size_bytes == len(data) and await self.emulator.content(file.id) == data

    def on_disk(self):
        """Every file in the folder, part files included."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}


def _narrow_session():
    def narrow(address):
        made = socket.socket(*address[:3])
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        return made

    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=narrow))


@asynccontextmanager
async def world_of(row, folder):
    """Set up the world of a row, and take it down."""
    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator(**row.server))
        raw = row.acts or row.standing
        front = await stack.enter_async_context(Front(emulator)) if raw else None
        server = front or emulator
        options = Options(retry=evolve(QUICK, **row.retry), timeouts=row.timeouts)
        session = await stack.enter_async_context(_narrow_session()) if row.narrow else None
        network = {"session": session} if row.narrow else {}
        files = FilesClient(server.api_key, base_url=server.base_url, options=options, **network)
        yield World(row, emulator, front, await stack.enter_async_context(files), folder)


def open_files():
    """What this process has open, each with what it leads to."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found.add((descriptor.name, str(descriptor.readlink())))
        except FileNotFoundError:  # that of the listing itself
            continue
    return found


@contextmanager
def _told_of_abandoned(complaints):
    """Note each async generator that nobody closes: its loop has to start a task for that.

    python-backoff leaves one of its own behind when a call is cancelled, which holds nothing.
    """
    first, finalize = sys.get_asyncgen_hooks()

    def abandoned(generator):
        if "/backoff/" not in generator.ag_code.co_filename:
            complaints.append(f"{generator.__qualname__} was not closed")
        finalize(generator)

    sys.set_asyncgen_hooks(first, abandoned)
    try:
        yield
    finally:
        sys.set_asyncgen_hooks(first, finalize)


@asynccontextmanager
async def nothing_left():
    """No task, no socket, no file is left of what happens inside, and nobody complains about anything."""
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    before = open_files()
    with _told_of_abandoned(complaints):
        yield
        for _ in range(20):  # sockets say goodbye in the next rounds of the loop
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        gc.collect()
        await asyncio.sleep(0)
    found = (left, open_files() - before, complaints)
    assert found == (set(), set(), []), found
