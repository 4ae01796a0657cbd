"""Runs many calls at once."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Generator, Iterable
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager
from hashlib import blake2b
from types import TracebackType
from typing import Generic, Self, TypeAlias, TypeVar, cast

from attrs import frozen

from ..client import FilesClient
from ..errors import (
    AuthenticationError,
    FilesError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnavailableError,
    TransportTimeoutError,
)
from ..events import AttemptEnded, Event, EventCallback, RetryScheduled
from ..local.threads import ended
from ..models import Progress, ProgressCallback
from ..options import check_listener, tell
from .journal import placed
from .outcomes import BulkProgress, BulkProgressCallback, LocalFile, Statistics

# ---- One upload at a time of each content: who comes second waits, and finds it stored.

Content: TypeAlias = tuple[bytes, int]
"""The hash of a file, and its size."""


class Turns:
    """Which contents are under way."""

    def __init__(self) -> None:
        self._ends: dict[Content, asyncio.Event] = {}

    async def over(self, content: Content) -> bool:
        """Wait until a content is not under way any more; whether it was."""
        end = self._ends.get(content)
        if end is not None:
            await end.wait()
        return end is not None

    @contextmanager
    def taken(self, content: Content) -> Generator[None]:
        """Be the one who sends it; to be entered without a pause after ``over`` said that nobody does."""
        end = self._ends[content] = asyncio.Event()
        try:
            yield
        finally:
            del self._ends[content]
            end.set()


# ---- When to stop a whole job: an error about the key is met by every file that is left, one about a file is not.


class Brake:
    """Pulled once, by the first error about the key.

    Attributes:
        why: That error; None while the job may go on.
    """

    def __init__(self, files: FilesClient) -> None:
        self._files = files
        self.why: Exception | None = None

    async def hear(self, error: Exception) -> None:
        """Learn of a failure, and judge it."""
        if isinstance(error, AuthenticationError) or (
            isinstance(error, PermissionDeniedError) and not await self._may_list()
        ):
            self.why = self.why or error

    async def _may_list(self) -> bool:
        """Ask whether the key is good for anything: 403 is also what a full workspace answers."""
        try:
            await self._files.list_page(limit=1)
        except (AuthenticationError, PermissionDeniedError):
            return False
        except FilesError:
            return True
        return True


# ---- Taking items one by one from whatever holds them, without blocking the loop or reading ahead far.

T = TypeVar("T")

# What is advanced in one go: an iterator may well touch a disk or a network, so it runs in a thread.
_BATCH = 64


async def taken(items: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T]:
    """Yield the items of an iterable or an async iterable; TypeError for a text, whose items are its letters."""
    if isinstance(items, str):
        raise TypeError(f"no iterable of ids, but one id: {items!r}")
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
        return
    if isinstance(items, list | tuple | set | frozenset):
        for item in items:
            yield item
        return
    batches = _batches(items)
    while batch := await asyncio.to_thread(next, batches, None):
        for item in batch:
            yield item


def _batches(items: Iterable[T]) -> Generator[list[T]]:
    """Yield items a few at a time; what the iterable raises comes after what it gave."""
    batch: list[T] = []
    try:
        for item in items:
            batch.append(item)
            if len(batch) == _BATCH:
                yield batch
                batch = []
    except Exception:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


# ---- Counting what a job does, for whoever watches it.


class Meter:
    """The counts of one job.

    Args:
        pace: How many run.
        on_progress: Told about progress; None for nobody.
        pass_on: Who listened to the client before the job did; None for nobody.
    """

    def __init__(
        self, pace: Pace, on_progress: BulkProgressCallback | None = None, pass_on: EventCallback | None = None
    ) -> None:
        check_listener("on_progress", on_progress)
        self._pace = pace
        self._tell = on_progress
        self._pass_on = pass_on
        self._began = time.monotonic()
        self._files = self._found = 0
        self._bytes_done = self._bytes_found = 0
        self._moved = self._retries = self._rate_limited = 0

    @property
    def is_watched(self) -> bool:
        """Whether anybody listens."""
        return self._tell is not None

    def found(self, size: int | None) -> None:
        """Count a file that there is to do."""
        self._found += 1
        self._bytes_found += size or 0

    def track(self, name: str) -> Track:
        """Follow one transfer."""
        return Track(self, name)

    def moved(self, name: str, step: int, done: int, total: int | None) -> None:
        """Count bytes of a running transfer; a step is negative when it starts over."""
        self._bytes_done += step
        self._say(name, done, total)

    def finished(self, name: str, size: int, *, moved: bool) -> None:
        """Count a file that has its outcome."""
        self._files += 1
        self._moved += size if moved else 0
        self._say(name, size, size)

    def hear(self, event: Event) -> None:
        """Learn of an attempt or a retry of the client's."""
        if isinstance(event, RetryScheduled):
            self._retries += 1
        else:
            self._rate_limited += isinstance(event.error, RateLimitError)
        if self._pass_on is not None:
            tell("on_event", self._pass_on, event)

    def statistics(self) -> Statistics:
        """Return how the job went so far."""
        return Statistics(
            seconds=time.monotonic() - self._began,
            bytes=self._moved,
            retries=self._retries,
            rate_limited=self._rate_limited,
            lowest_concurrency=self._pace.lowest,
            highest_concurrency=self._pace.highest,
        )

    def _say(self, name: str, done: int, total: int | None) -> None:
        if self._tell is None:
            return
        progress = BulkProgress(
            files=self._files,
            found=self._found,
            bytes_done=self._bytes_done,
            bytes_found=self._bytes_found,
            name=name,
            name_done=done,
            name_total=total,
            running=self._pace.running,
            concurrency=self._pace.places,
        )
        try:
            tell("on_progress", self._tell, progress)
        except OSError as error:  # not the disk's: it must not be taken for a file that was never sent
            raise RuntimeError(f"on_progress failed: {error}") from error


class Track:
    """One transfer: its absolute progress into steps of the total."""

    def __init__(self, meter: Meter, name: str) -> None:
        self._meter = meter
        self._name = name
        self.done = 0

    @property
    def listener(self) -> ProgressCallback | None:
        """Whom the client is to tell; None if nobody watches the job: it would be counted for nobody."""
        return self.progress if self._meter.is_watched else None

    def progress(self, progress: Progress) -> None:
        """Hear of it from the client."""
        step, self.done = progress.done - self.done, progress.done
        self._meter.moved(self._name, step, progress.done, progress.total)

    def end(self, size: int, *, moved: bool) -> None:
        """Settle: a file that is done counts whole, one that failed not at all."""
        self._meter.moved(self._name, (size if moved else 0) - self.done, self.done, size)
        self._meter.finished(self._name, size, moved=moved)


# ---- How many transfers run at once: as many as the caller allows and the server takes.
#
# Additive increase, multiplicative decrease: each success raises the limit by a part of one, a 429
# or a server that is overwhelmed halves it, answers that take several times as long as they used to
# lower it by a tenth.

# Within one such span the same trouble is met by all that were under way: it counts once.
_SPAN = 1.0
_HALF, _TENTH_LESS = 0.5, 0.9
# Times as long as the usual: slower answers mean a queue somewhere, not a faster job.
_SLOW = 4.0


class Pace:
    """A limit that adapts, and the places within it.

    Attributes:
        limit: Transfers that may run at once; a fraction counts when it is whole.
        lowest, highest: How far it went.
        running: Places that are taken.
    """

    def __init__(self, most: int) -> None:
        if most < 1:
            raise ValueError(f"concurrency must be at least 1, not {most}")
        self.limit = float(most)
        self.lowest = self.highest = most
        self.running = 0
        self._most = most
        self._lowered_at = 0.0
        self._usual: dict[int, float] = {}
        self._waiting: asyncio.Future[None] | None = None

    @property
    def places(self) -> int:
        """The limit, as a number of transfers."""
        return max(1, int(self.limit))

    async def enter(self) -> None:
        """Take a place, as soon as there is one. Only one may wait: the one who starts transfers."""
        while self.running >= self.places:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        self.running += 1

    def leave(self) -> None:
        """Give a place back."""
        self.running -= 1
        self._wake()

    def hear_event(self, event: Event, size: int = 0) -> None:
        """Learn from what the client tells about an attempt."""
        if isinstance(event, AttemptEnded) and not event.cancelled:
            self.hear(event.error, event.seconds, size)

    def hear(self, error: Exception | None, seconds: float, size: int) -> None:
        """Learn from an attempt: what it failed with, how long it took, how many bytes it moved."""
        if isinstance(error, RateLimitError | ServiceUnavailableError | TransportTimeoutError):
            self._lower(_HALF)
        elif error is None:
            self._succeeded(seconds, size)

    def _succeeded(self, seconds: float, size: int) -> None:
        # Transfers of about one size are compared with each other only.
        usual = self._usual.setdefault(size.bit_length(), seconds)
        self._usual[size.bit_length()] = min(usual * 1.01, usual * 0.9 + seconds * 0.1, key=lambda u: abs(u - usual))
        if seconds > _SLOW * usual:
            self._lower(_TENTH_LESS)
        elif self.limit < self._most:
            self._set(self.limit + 1 / self.limit)

    def _lower(self, factor: float) -> None:
        now = time.monotonic()
        if now - self._lowered_at >= _SPAN:
            self._lowered_at = now
            self._set(self.limit * factor)

    def _set(self, limit: float) -> None:
        self.limit = min(float(self._most), max(1.0, limit))
        self.lowest = min(self.lowest, self.places)
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


# ---- Telling duplicates without keeping their names: a few bytes for each file, in tables that grow one at a time.

# A table that grows stops the loop while it is copied: of so many, each is small.
_TABLES = 256
_FIRST_SIZE = 16


class _Marks:
    """A set of 64-bit numbers other than 0, of 16 bytes each on average where a set of ints has a hundred."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * _FIRST_SIZE))
        self._count = 0

    def add(self, mark: int) -> bool:
        """Add a number; return whether it was there already."""
        place = self._place(mark)
        if self._slots[place] == mark:
            return True
        self._slots[place] = mark
        self._count += 1
        if 4 * self._count > 3 * len(self._slots):
            self._grow()
        return False

    def _place(self, mark: int) -> int:
        size = len(self._slots)
        place = mark % size
        while self._slots[place] not in (0, mark):
            place = (place + 1) % size
        return place

    def _grow(self) -> None:
        old, self._slots = self._slots, array("Q", bytes(2 * 8 * len(self._slots)))
        for mark in old:
            if mark:
                self._slots[self._place(mark)] = mark


class Seen:
    """The files that a job was given so far."""

    def __init__(self) -> None:
        self._tables = [_Marks() for _ in range(_TABLES)]

    def again(self, source: LocalFile) -> bool:
        """Remember a file; return whether it was given before, under the same name."""
        there = placed(source)
        text = f"{there.path}\0{there.filename}".encode(errors="surrogatepass")
        digest = blake2b(text, digest_size=9).digest()
        return self._tables[digest[0]].add(int.from_bytes(digest[1:], "big") or 1)


# ---- The engine of a job: takes items as needed, runs a bounded number of them, hands out outcomes as they come.

Item = TypeVar("Item")
Result = TypeVar("Result")


# Outcomes that nobody has taken yet: whoever does not take them gets no more.
_MOST_WAITING = 1024


@frozen
class Ready(Generic[Result]):
    """An item that needs no work: its outcome is known."""

    outcome: Result


@frozen
class _Done(Generic[Result]):
    """An outcome whose place is taken until it is handed out."""

    outcome: Result


@frozen
class _End:
    """Comes after the last outcome, with what the source of items failed with, if it did."""

    error: BaseException | None


class Outcomes(Generic[Item, Result]):
    """A job: an async context manager, and inside it an async iterator of outcomes.

    ::

        async with uploading(files, paths) as outcomes:
            async for outcome in outcomes: ...

    Nothing is yielded inside a task group: leaving the context early, by ``break``, an error or a
    cancellation, ends the running transfers and waits until they are gone.
    """

    def __init__(
        self,
        items: Callable[[], AsyncGenerator[Item | Ready[Result]]],
        work: Callable[[Item], Awaitable[Result]],
        pace: Pace,
        *,
        statistics: Callable[[], Statistics],
        around: AbstractAsyncContextManager[object],
    ) -> None:
        """Made by ``uploading``, ``downloading`` and ``deleting``, not by you."""
        self._items = items
        self._work = work
        self._pace = pace
        self._statistics = statistics
        self._around = around
        self._ready: asyncio.Queue[Ready[Result] | _Done[Result] | _End] = asyncio.Queue(_MOST_WAITING)
        self._tasks: set[asyncio.Task[None]] = set()
        self._feeder: asyncio.Task[None] | None = None

    @property
    def statistics(self) -> Statistics:
        """How the job went so far."""
        return self._statistics()

    async def __aenter__(self) -> Self:
        if self._feeder is not None:
            raise RuntimeError("a job runs once: make another one")
        await self._around.__aenter__()
        self._feeder = asyncio.create_task(self._feed())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._stop()
        finally:
            self._say_no_more()
            await self._around.__aexit__(kind, error, trace)

    def __aiter__(self) -> AsyncIterator[Result]:
        """Iterate over the outcomes, in the order in which they come."""
        return self

    async def __anext__(self) -> Result:
        if self._feeder is None:
            raise RuntimeError("the job has not begun: use `async with` first")
        taken = await self._ready.get()
        if isinstance(taken, _End):
            self._ready.put_nowait(taken)  # for whoever asks again
            raise taken.error or StopAsyncIteration
        if isinstance(taken, _Done):
            self._pace.leave()
        return taken.outcome

    async def _feed(self) -> None:
        error: BaseException | None = None
        try:
            async with aclosing(self._items()) as items:
                async for item in items:
                    await self._begin(item)
        except Exception as caught:  # noqa: BLE001  # raised again where the outcomes are taken
            error = caught
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._ready.put(_End(error))

    async def _begin(self, item: Item | Ready[Result]) -> None:
        if isinstance(item, Ready):
            await self._ready.put(cast("Ready[Result]", item))
            return
        await self._pace.enter()
        task = asyncio.create_task(self._run(item))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, item: Item) -> None:
        try:
            await self._ready.put(_Done(await self._work(item)))
        except Exception as error:  # noqa: BLE001  # likewise: a mistake of ours must not be lost
            await self._ready.put(_End(error))

    async def _stop(self) -> None:
        """End everything; a caller who is cancelled waits, too."""
        tasks = {t for t in (self._feeder, *self._tasks) if t is not None}
        for task in tasks:
            task.cancel()
        await ended(*tasks)

    def _say_no_more(self) -> None:
        """Drop the outcomes that nobody took: whoever asks now, or was asking, is told that there are no more."""
        while not self._ready.empty():
            self._ready.get_nowait()
        self._ready.put_nowait(_End(None))
