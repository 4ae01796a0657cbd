"""Faults on demand."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Literal

from attrs import define, field, frozen, validators

from .errors import envelope
from .requests import Arrival
from .responses import PLAIN, Answer, Manner, hang_up

# ---- What can be made to go wrong, as values, and the queues in which it waits for its request.

Operation = Literal[
    "list", "upload", "retrieve", "delete", "download",
    "list_container", "retrieve_container", "download_container", "promote", "chat",
]  # fmt: skip
"""What a request asks for."""


@frozen(kw_only=True)
class Pass:
    """This request is served as if no fault were queued."""


@frozen(kw_only=True)
class Status:
    """An error ``status`` instead of the answer.

    ``after_work`` does the work first and claims that it failed.  ``early`` answers before the body
    is read (which is then read and thrown away).  ``retry_after`` (seconds, or a date as text) and
    ``retry_after_ms`` become headers.  ``code`` is the envelope's ``error.code`` when it differs from
    the status, ``message`` its text; ``body`` replaces the envelope, of ``content_type``.
    """

    status: int = field(kw_only=False)
    retry_after: float | str | None = None
    retry_after_ms: float | None = None
    after_work: bool = False
    early: bool = False
    code: int | None = None
    message: str | None = None
    body: bytes | None = None
    content_type: str = "application/json"


@frozen(kw_only=True)
class Drop:
    """The connection ends without an answer.

    After ``after`` bytes of the request's body (None: before any is read), or, ``after_work``, when
    everything was done and only the answer gets lost.  ``reset`` ends it with RST instead of FIN.
    """

    after: int | None = None
    after_work: bool = False
    reset: bool = False


@frozen(kw_only=True)
class Stall:
    """Silence of ``seconds``, before the body is read or, ``after_work``, before the answer; then all goes well."""

    seconds: float = field(kw_only=False)
    after_work: bool = False


@frozen(kw_only=True)
class Truncate:
    """The answer promises its whole length and ends after ``after`` bytes of its body; ``reset`` with RST."""

    after: int = field(kw_only=False)
    reset: bool = False


@frozen(kw_only=True)
class Trickle:
    """The answer's body comes ``piece`` bytes at a time, with a ``pause`` in seconds before each."""

    pause: float = field(kw_only=False)
    piece: int = field(default=1, validator=validators.ge(1))


Fault = Pass | Status | Drop | Stall | Truncate | Trickle
"""What may be queued for one request."""


@frozen
class Unmet:
    """A ``fault`` that waited in vain for a request of its ``operation``."""

    operation: Operation
    fault: Fault


class FaultsNotMet(AssertionError):  # noqa: N818 - it names what happened, as the test will read it
    """The emulator ended while faults were still queued, ``unmet``: the test did not do what it was meant to."""

    def __init__(self, unmet: tuple[Unmet, ...]) -> None:
        super().__init__("; ".join(f"{item.operation} never met {item.fault}" for item in unmet))
        self.unmet = unmet

    def __reduce__(self) -> tuple[type[FaultsNotMet], tuple[tuple[Unmet, ...]]]:
        return type(self), (self.unmet,)  # the default would make one of its message


@define
class FaultQueues:
    """The faults of each operation, in the order in which its requests meet them."""

    _queues: dict[Operation, deque[Fault]] = field(factory=dict[Operation, "deque[Fault]"])

    def add(self, operation: Operation, faults: tuple[Fault, ...]) -> None:
        """Queue faults behind those already there."""
        self._queues.setdefault(operation, deque()).extend(faults)

    def next(self, operation: Operation) -> Fault | None:
        """The fault that the next request of an operation meets, None if none is queued."""
        queue = self._queues.get(operation)
        return queue.popleft() if queue else None

    @property
    def unmet(self) -> tuple[Unmet, ...]:
        """What no request has met yet."""
        queues = tuple(self._queues.items())  # copies, because the server may be in another thread
        return tuple(Unmet(operation, fault) for operation, queue in queues for fault in tuple(queue))


# ---- What a queued fault does to its request, before the work and after it.


async def before_work(fault: Fault | None, arrival: Arrival) -> Answer | None:
    """Let a fault act before anything is done; an answer stands for the work, None lets it be done."""
    match fault:
        case Status(after_work=False):
            if not fault.early:
                await _read(arrival)
            return status_answer(fault)
        case Drop(after_work=False):
            await _read(arrival, fault.after or 0)
            await hang_up(arrival.request, reset=fault.reset)
        case Stall(after_work=False):
            await asyncio.sleep(fault.seconds)
        case _:
            pass
    return None


async def after_work(fault: Fault | None, arrival: Arrival, answer: Answer) -> Answer:
    """Let a fault act when everything is done: the answer that is sent in place of the true one."""
    match fault:
        case Status(after_work=True):
            return status_answer(fault)
        case Drop(after_work=True):
            await hang_up(arrival.request, reset=fault.reset)
        case Stall(after_work=True):
            await asyncio.sleep(fault.seconds)
        case _:
            pass
    return answer


def manner_of(fault: Fault | None) -> Manner:
    """How the answer is sent under a fault."""
    match fault:
        case Truncate():
            return Manner(stop_after=fault.after, reset=fault.reset)
        case Trickle():
            return Manner(piece=fault.piece, pause=fault.pause)
        case _:
            return PLAIN


def status_answer(fault: Status) -> Answer:
    """The answer that a status fault makes up."""
    waits = {"Retry-After": fault.retry_after, "retry-after-ms": fault.retry_after_ms}
    body = fault.body if fault.body is not None else envelope(fault.code or fault.status, fault.message)
    return Answer(
        status=fault.status,
        body=body,
        content_type=fault.content_type,
        headers={name: as_header(wait) for name, wait in waits.items() if wait is not None},
    )


def as_header(wait: float | str) -> str:
    """A wait as a header says it: whole numbers without a fraction, a date as it is."""
    return wait if isinstance(wait, str) else f"{wait:.3f}".rstrip("0").rstrip(".")


async def _read(arrival: Arrival, enough: int | None = None) -> None:
    """Read and throw away the body, or its first ``enough`` bytes and what came along with them."""
    while (enough is None or arrival.note.body_bytes < enough) and await arrival.read():
        pass
