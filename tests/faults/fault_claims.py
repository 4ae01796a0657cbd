"""Uploads in doubt that are hard to tell apart, and listings that make it harder."""

import asyncio
import time

from fault_calls import knowing, upload, uploads, uploads_all_failing
from fault_raw import after, forward, meanwhile, reset, said, says, trickle
from fault_world import CLAIMED, REPEATED, SEARCHED, SHORT, SMALL, Row

from openrouter_files import AmbiguousUploadError
from openrouter_files.emulator import Drop, Status

LOST = Drop(after_work=True)
NEVER = Status(502)
_OTHER = b"HELLO, FILES\n"


class Clock:
    """A clock that can be set, or stopped at a moment."""

    def __init__(self, *, ahead=0.0, stopped=None):
        self.ahead, self.stopped = ahead, stopped

    def __call__(self):
        """Return Unix seconds."""
        return (time.time() if self.stopped is None else self.stopped) + self.ahead


async def _old_twin(world):
    """A file of the same name and size is an hour old."""
    clock = world.emulator.clock
    clock.ahead -= 3600
    await world.emulator.put("a.txt", _OTHER)
    clock.ahead += 3600


async def _young_twin(world):
    """A file of the same name and size is as old as the server's clock can tell."""
    await world.emulator.put("a.txt", _OTHER)


async def _many(world):
    """The workspace holds 2,500 files, and the client knows the newest."""
    await asyncio.gather(*(world.emulator.put(f"{number}.txt", b"x") for number in range(2499)))
    await knowing(world)


async def _many_unknown(world):
    """The workspace holds 2,500 files, of which the client knows none."""
    await asyncio.gather(*(world.emulator.put(f"{number}.txt", b"x") for number in range(2500)))


async def _known_and_gone(world):
    """The newest file that the client knew was deleted by somebody else."""
    file = await world.files.upload(b"an earlier file\n", filename="earlier.txt")
    await world.emulator.put("b.txt", b"b")
    other = world.files.with_options()
    await other.delete(file.id)


async def _stranger(emulator):
    await emulator.put("a.txt", _OTHER)


def _refuses_after(status):
    async def act(exchange):
        if "after=" in exchange.target:
            await exchange.send(said({"error": {"code": status, "message": "after?"}}, status))
        else:
            await forward(exchange)

    return act


async def _ignores_after(exchange):
    await exchange.send(await exchange.answered("/api/v1/files?limit=1000"))


async def _tells_no_time(exchange):
    lines = (await exchange.answered()).split(b"\r\n")
    await exchange.send(b"\r\n".join(line for line in lines if not line.lower().startswith(b"date:")))


def _in_doubt(name, how, **more):
    """One upload that was stored, and whose answer was lost."""
    row = {"call": upload(), "faults": {"upload": (LOST,)}, "requests": {"upload": 1, "list": 1}, "stored": 1}
    return Row(**{"name": name, "how": how} | row | more)


def _candidates(count):
    return {"candidates": lambda files: len(files) == count, "maybe_processed": True}


def _policy(what, how, ambiguous, fault, counts):
    posts, stored = counts
    return Row(
        name=f"in doubt, with ambiguous={ambiguous!r}, {what}",
        call=upload(),
        how=how,
        retry={"ambiguous": ambiguous},
        faults={"upload": (fault,)},
        requests={"upload": posts},
        stored=stored,
        error=_candidates(0),
    )


POLICIES = [
    _policy("stored", AmbiguousUploadError, "raise", LOST, (1, 1)),
    _policy("not stored", AmbiguousUploadError, "raise", NEVER, (1, 0)),
    _policy("stored: a duplicate is its price", REPEATED, "repeat", LOST, (2, 2)),
    _policy("not stored", REPEATED, "repeat", NEVER, (2, 1)),
]

STRANGERS = [
    _in_doubt(
        "in doubt, stored, and a stranger stored the same name and size meanwhile",
        AmbiguousUploadError,
        acts={"upload": (meanwhile(_stranger, reset(work=True)),)},
        faults={},
        stored=2,
        error=_candidates(2),
    ),
    _in_doubt(
        "in doubt, not stored, and a stranger stored the same name and size meanwhile: nobody can tell it from ours",
        CLAIMED,
        call=lambda world: world.files.upload(SMALL, filename="a.txt"),
        acts={"upload": (meanwhile(_stranger, reset()),)},
        faults={},
    ),
    _in_doubt(
        "in doubt, stored, and a stranger stored the same a moment before",
        AmbiguousUploadError,
        before=_young_twin,
        server={"clock": Clock(stopped=1_800_000_000.5)},
        stored=2,
        error=_candidates(2),
    ),
    _in_doubt(
        "in doubt, stored, and a stranger stored the same an hour before",
        CLAIMED,
        before=_old_twin,
        server={"clock": Clock()},
        stored=2,
    ),
    _in_doubt(
        "in doubt, not stored, and a stranger stored the same an hour before",
        SEARCHED,
        before=_old_twin,
        server={"clock": Clock()},
        faults={"upload": (NEVER,)},
        requests={"upload": 2, "list": 1},
        stored=2,
    ),
    *(
        _in_doubt(
            f"in doubt, {'stored' if fault is LOST else 'not stored'}, an old twin, the server's clock {hours:+} h",
            CLAIMED if fault is LOST else SEARCHED,
            before=_old_twin,
            server={"clock": Clock(ahead=3600 * hours)},
            faults={"upload": (fault,)},
            requests={"upload": 1 if fault is LOST else 2, "list": 1},
            stored=2,
        )
        for hours in (-1, 1)
        for fault in (LOST, NEVER)
    ),
    _in_doubt(
        "in doubt, the server tells no time and no id is known",
        AmbiguousUploadError,
        standing={"list": _tells_no_time},
        error=_candidates(1),
    ),
    _in_doubt(
        "in doubt, the server tells no time but an id is known",
        CLAIMED,
        before=knowing,
        standing={"list": _tells_no_time},
        stored=2,
    ),
    _in_doubt(
        "in doubt, not stored, the server tells no time and no id is known",
        SEARCHED,
        standing={"list": _tells_no_time},
        faults={"upload": (NEVER,)},
        requests={"upload": 2, "list": 1},
    ),
]

LISTINGS = [
    _in_doubt(
        "in doubt, the listing answers 500 at every attempt",
        AmbiguousUploadError,
        faults={"upload": (LOST,), "list": (Status(500),) * 4},
        requests={"upload": 1, "list": 4},
        error=_candidates(0),
    ),
    _in_doubt(
        "in doubt, the listing is forbidden",
        AmbiguousUploadError,
        faults={"upload": (LOST,), "list": (Status(403),)},
        error=_candidates(0),
    ),
    _in_doubt(
        "in doubt, the listing is HTML from a proxy",
        AmbiguousUploadError,
        faults={"upload": (LOST,)},
        standing={"list": says(said(b"<html>", content_type="text/html"))},
        error=_candidates(0),
    ),
    _in_doubt(
        "in doubt, the listing trickles for ever",
        AmbiguousUploadError,
        faults={"upload": (LOST,)},
        standing={"list": trickle(b"HTTP/1.1 200 Said\r\n")},
        retry={"attempts": 2},
        requests={"upload": 1, "list": 2},
        timeouts=SHORT,
        error=_candidates(0),
    ),
    _in_doubt(
        "in doubt, the listing answers at its third attempt",
        CLAIMED,
        faults={"upload": (LOST,), "list": (Status(502), Drop(after_work=True))},
        requests={"upload": 1, "list": 3},
    ),
    _in_doubt(
        "in doubt, the listing asks for a pause",
        CLAIMED,
        faults={"upload": (LOST,), "list": (Status(429, retry_after_ms=100),)},
        requests={"upload": 1, "list": 2},
    ),
    *(
        _in_doubt(
            f"in doubt, the server refuses after= with {status}",
            CLAIMED,
            before=knowing,
            standing={"list": _refuses_after(status)},
            requests={"upload": 1, "list": 2},
            stored=2,
        )
        for status in (400, 404, 422)
    ),
    _in_doubt(
        "in doubt, the server ignores after=",
        CLAIMED,
        before=knowing,
        standing={"list": _ignores_after},
        stored=2,
    ),
    _in_doubt("in doubt, 2,500 files, the newest id is known: one page", CLAIMED, before=_many, stored=2501),
    _in_doubt(
        "in doubt, 2,500 files, no id is known: all pages",
        CLAIMED,
        before=_many_unknown,
        requests={"upload": 1, "list": 3},
        stored=2501,
    ),
    _in_doubt("in doubt, the known id was deleted", CLAIMED, before=_known_and_gone, stored=2),
    *(
        _in_doubt(
            f"in doubt, the answers have the {shape} shape",
            CLAIMED,
            before=knowing,
            server={"shape": shape},
            stored=2,
        )
        for shape in ("openai", "anthropic", "seed")
    ),
    _in_doubt(
        "in doubt, not yet stored at the first look, but at the second",
        CLAIMED,
        faults={},
        acts={"upload": (after(0.1, said(b"<html>", 504, connection="close")),)},
        retry={"first_delay": 0.15},
        requests={"upload": 1, "list": 2},
    ),
]

CROWDS = [
    Row(
        name=name,
        call=uploads(*contents, names=names),
        how=how,
        faults={"upload": faults},
        requests=requests,
        stored=len(contents),
        **more,
    )
    for name, how, contents, names, faults, requests, more in [
        ("8 identical uploads, all stored, all answers lost", CLAIMED, (SMALL,) * 8, None, (LOST,) * 8,
         {"upload": 8, "list": 1}, {}),
        ("8 identical uploads, none stored, all answers lost", SEARCHED, (SMALL,) * 8, None, (NEVER,) * 8,
         {"upload": 16, "list": 1}, {}),
        ("8 identical uploads, every other stored, all answers lost", SEARCHED, (SMALL,) * 8, None,
         (LOST, NEVER) * 4, {"upload": 12, "list": 1}, {}),
        ("8 identical uploads, one answer lost", CLAIMED, (SMALL,) * 8, None, (LOST,), {"upload": 8, "list": 1}, {}),
        ("30 identical uploads, all answers lost, then again", SEARCHED, (SMALL,) * 30, None,
         (LOST, NEVER, Status(500), Drop(after_work=True, reset=True), Status(504, after_work=True)) * 6,
         {"upload": 42, "list": 1}, {}),
        ("6 uploads of different names in doubt share a listing", CLAIMED, (SMALL,) * 6,
         tuple(f"{number}.txt" for number in range(6)), (LOST,) * 6, {"upload": 6, "list": 1}, {}),
        ("6 uploads of different sizes in doubt share a listing", CLAIMED,
         tuple(SMALL * number for number in range(1, 7)), None, (LOST,) * 6, {"upload": 6, "list": 1}, {}),
        ("2 uploads of the same name and size, other content, none stored", SEARCHED, (SMALL, _OTHER), None,
         (NEVER,) * 2, {"upload": 4, "list": 1}, {}),
        ("20 identical uploads meet 429, 408 and lost answers", CLAIMED, (SMALL,) * 20, None,
         (LOST, Status(408), LOST, Status(429, retry_after_ms=30)), {"upload": 22, "list": 1}, {}),
    ]
] + [
    Row(
        name=f"2 uploads of the same name and size, other content, {what}",
        call=uploads_all_failing(SMALL, _OTHER),
        how=AmbiguousUploadError,
        faults={"upload": faults},
        requests={"upload": 2, "list": 1},
        stored=stored,
        error=_candidates(stored),
    )
    for what, faults, stored in [("both stored", (LOST, LOST), 2), ("one stored", (LOST, NEVER), 1)]
]  # fmt: skip

ROWS = [*POLICIES, *STRANGERS, *LISTINGS, *CROWDS]
