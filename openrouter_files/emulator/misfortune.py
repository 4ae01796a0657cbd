"""What a queued fault does to its request, before the work and after it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from openrouter_files.emulator.answers import PLAIN, Answer, Manner, hang_up
from openrouter_files.emulator.faults import Drop, Fault, Stall, Status, Trickle, Truncate
from openrouter_files.emulator.refusals import envelope

if TYPE_CHECKING:
    from openrouter_files.emulator.received import Arrival


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
