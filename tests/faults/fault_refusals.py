"""Uploads that are refused or put off, answered early or after 1xx; sources that change while they are sent."""

import asyncio
import time
from contextlib import aclosing
from email.utils import formatdate

from fault_calls import knowing, upload
from fault_raw import early, preceded, said
from fault_world import LARGE, PLAIN, REPEATED, SEARCHED, SHORT, SMALL, Row, brief

from openrouter_files import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ClientClosedRequestError,
    InternalServerError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnavailableError,
    SourceError,
    TransportError,
)
from openrouter_files.emulator import Drop, Status

# Refused for good

_FOR_GOOD = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: APIError,
    413: PayloadTooLargeError,
    422: APIError,
    499: ClientClosedRequestError,
}

REFUSED = [
    Row(
        name=f"an upload is refused with {status}",
        call=upload(),
        how=error,
        faults={"upload": (Status(status),)},
        requests={"upload": 1},
        error={"status": status, "maybe_processed": False, "attempts": 1},
    )
    for status, error in _FOR_GOOD.items()
]

EARLY = [
    Row(
        name=f"{status} after {after:,} bytes of a large upload, then the server {what}",
        call=upload(LARGE),
        how=_FOR_GOOD[status],
        acts={"upload": (early(status, after=after, then=then, pause=pause),)},
        requests={"upload": 1},
        error={"status": status, "maybe_processed": False},
    )
    for status in (401, 413)
    for after in (0, 100_000)
    for what, then, pause in [
        ("reads on", "read", 0.0),
        ("stops reading", "deaf", 0.0),
        ("closes", "close", 0.0),
        ("resets", "reset", 0.0),
        ("resets a moment later", "reset", 0.1),
    ]
] + [
    Row(
        name="413 is said while a large upload goes on, by the emulator",
        call=upload(LARGE),
        how=PayloadTooLargeError,
        faults={"upload": (Status(413, early=True),)},
        requests={"upload": 1},
    ),
    Row(
        name="503 before the body was read, then the server resets",
        call=upload(LARGE),
        how=SEARCHED,
        acts={"upload": (early(503, after=100_000, then="reset", pause=0.1),)},
        requests={"upload": 2, "list": 1},
        stored=1,
    ),
    Row(
        name="429 before the body was read, and the server reads on",
        call=upload(LARGE),
        how=REPEATED,
        faults={"upload": (Status(429, early=True, retry_after_ms=50),)},
        requests={"upload": 2},
        stored=1,
    ),
]

# Put off


def _dated(seconds, status=429):
    """Refuse with a date; it is computed when it is said."""

    async def act(exchange):
        await exchange.take(exchange.length)
        when = formatdate(time.time() + seconds, usegmt=True)
        await exchange.send(said({"error": {"code": status, "message": "later"}}, status, retry_after=when))

    return act


_LATER = [
    ("429 without a time", Status(429)),
    ("429 with Retry-After: 1", Status(429, retry_after=1)),
    ("429 with Retry-After: 0", Status(429, retry_after=0)),
    ("429 with Retry-After: 0.05", Status(429, retry_after=0.05)),
    ("429 with Retry-After: soon", Status(429, retry_after="soon")),
    ("429 with retry-after-ms: 50", Status(429, retry_after_ms=50)),
    ("429 with retry-after-ms: 50 and Retry-After: 60", Status(429, retry_after=60, retry_after_ms=50)),
    ("408", Status(408)),
    ("400 that wraps 429", Status(400, code=429, retry_after_ms=50)),
    ("400 that wraps 408", Status(400, code=408)),
]

LATER = [
    *(
        Row(
            name=f"an upload is put off by {name}",
            call=upload(),
            how=REPEATED,
            faults={"upload": (fault,)},
            requests={"upload": 2},
            stored=1,
        )
        for name, fault in _LATER
    ),
    *(
        Row(
            name=f"an upload is put off by 429 with a date {seconds} s from now",
            call=upload(),
            how=REPEATED,
            acts={"upload": (_dated(seconds),)},
            requests={"upload": 2},
            stored=1,
        )
        for seconds in (2, -60)
    ),
    *(
        Row(
            name=f"an upload is told to wait longer than it may, by {brief(fault)}",
            call=upload(),
            how=error,
            faults={"upload": (fault,)},
            requests=requests,
            error={"retry_after": lambda seconds: seconds > 5, "attempts": 1},
        )
        for fault, error, requests in [
            (Status(429, retry_after=6), RateLimitError, {"upload": 1}),
            (Status(429, retry_after=3600), RateLimitError, {"upload": 1}),
            (Status(429, retry_after_ms=600_000), RateLimitError, {"upload": 1}),
            (Status(400, code=429, retry_after=60), RateLimitError, {"upload": 1}),
        ]
    ),
    Row(
        name="an upload is told to wait longer than it may, by 429 with a date",
        call=upload(),
        how=RateLimitError,
        acts={"upload": (_dated(60),)},
        requests={"upload": 1},
        error={"retry_after": lambda seconds: 50 < seconds <= 60},
    ),
    Row(
        name="an upload is put off by 429 beyond its deadline",
        call=upload(),
        how=RateLimitError,
        faults={"upload": (Status(429, retry_after=2),)},
        retry={"deadline": 0.5},
        requests={"upload": 1},
    ),
    Row(
        name="an upload is put off by 429 for ever",
        call=upload(),
        how=RateLimitError,
        faults={"upload": (Status(429, retry_after_ms=20),) * 4},
        requests={"upload": 4},
        error={"attempts": 4, "maybe_processed": False},
    ),
    Row(
        name="an upload that fails with 503 for ever is looked for each time",
        call=upload(),
        how=ServiceUnavailableError,
        faults={"upload": (Status(503),) * 4},
        requests={"upload": 4, "list": 4},
        error={"attempts": 4, "maybe_processed": False},
    ),
    Row(
        name="an upload that fails with 500 for ever is looked for each time",
        call=upload(),
        how=InternalServerError,
        faults={"upload": (Status(500),) * 4},
        requests={"upload": 4, "list": 4},
        error={"attempts": 4, "maybe_processed": False},
    ),
    Row(
        name="an upload meets 429, 408, a reset and a lost body in turn",
        call=upload(LARGE),
        how=REPEATED,
        faults={"upload": (Status(429, retry_after_ms=20), Status(408), Drop(after=9, reset=True))},
        requests={"upload": 4},
        stored=1,
        narrow=True,  # the emulator's sockets buffer megabytes: the whole file could have left before the reset
    ),
    Row(
        name="an upload is put off by 503 with retry-after-ms: 50",
        call=upload(),
        how=SEARCHED,
        faults={"upload": (Status(503, retry_after_ms=50),)},
        requests={"upload": 2, "list": 1},
        stored=1,
    ),
    Row(
        name="an upload is put off by a 400 that wraps 503",
        call=upload(),
        how=SEARCHED,
        faults={"upload": (Status(400, code=503),)},
        requests={"upload": 2, "list": 1},
        stored=1,
    ),
    Row(
        name="a 400 that wraps 404 is what it is",
        call=upload(),
        how=BadRequestError,
        faults={"upload": (Status(400, code=404),)},
        requests={"upload": 1},
        error={"status": 400, "code": 404},
    ),
]

# 1xx

PRELUDES = [
    Row(
        name=f"an upload is answered after {what}",
        call=upload(data),
        how=PLAIN,
        acts={"upload": (preceded(prelude),)},
        requests={"upload": 1},
        stored=1,
    )
    for what, data, prelude in [
        ("100 Continue", SMALL, b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("102 and 103", LARGE, b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nLink: </a>; rel=preload\r\n\r\n"),
        ("forty times 102", SMALL, b"HTTP/1.1 102 Processing\r\n\r\n" * 40),
    ]
]

# Sources


def _changing(change):
    """Upload a file that changes when the first piece of it is under way."""

    async def call(world):
        path = world.folder.parent / "source.txt"
        path.write_bytes(LARGE)
        await world.files.upload(path, on_progress=lambda _: change(path))

    return call


def _grow(path):
    with path.open("ab") as file:
        file.write(b"one more line\n")


def _shrink(path):
    with path.open("r+b") as file:
        file.truncate(len(LARGE) // 2)


def _slices(data):
    return [data[start : start + 1_000_000] for start in range(0, len(data), 1_000_000)]


def _failing(data, *, size=None):
    async def pieces(world):
        for piece in _slices(data[: len(data) // 2]):
            yield piece
        while size is not None and not world.requests:  # it is under way: the server has to notice
            await asyncio.sleep(0.01)
        raise OSError(5, "the disk is broken")

    async def call(world):
        async with aclosing(pieces(world)) as source:
            await world.files.upload(source, filename="a.txt", size=size)

    return call


def _streamed(data, size=None):
    async def pieces():
        for piece in _slices(data):
            yield piece

    async def call(world):
        async with aclosing(pieces()) as source:
            file = await world.files.upload(source, filename="a.txt", size=len(data) if size is None else size)
        assert await world.is_stored(file, data)

    return call


async def _missing(world):
    await world.files.upload(world.folder / "missing.txt")


async def _stopped(world):
    def stop(progress):
        if progress.done > len(LARGE) / 2:  # by then the server has seen the request
            raise LookupError("enough")

    path = world.folder.parent / "source.txt"
    path.write_bytes(LARGE)
    await world.files.upload(path, on_progress=stop)


SOURCES = [
    Row(
        name="the progress callback of an upload from disk fails",
        call=_stopped,
        how=LookupError,
        requests={"upload": 1},
    ),
    Row(
        name="a file grows while it is sent",
        call=_changing(_grow),
        how=SourceError,
        requests={"upload": 1},
        timeouts=SHORT,
    ),
    Row(
        name="a file shrinks while it is sent",
        call=_changing(_shrink),
        how=SourceError,
        requests={"upload": 1},
        timeouts=SHORT,
    ),
    Row(name="a file is not there", call=_missing, how=FileNotFoundError, requests={}),
    Row(name="an iterator fails before its size is known", call=_failing(LARGE), how=OSError, requests={}),
    Row(
        name="a large iterator of known size fails in its middle",
        call=_failing(LARGE, size=len(LARGE)),
        how=OSError,
        requests={"upload": 1},
    ),
    Row(
        name="an iterator yields less than its size",
        call=_streamed(LARGE, len(LARGE) + 1),
        how=SourceError,
        requests={"upload": 1},
    ),
    Row(
        name="an iterator yields more than its size",
        call=_streamed(LARGE, len(LARGE) - 1),
        how=SourceError,
        requests={"upload": 1},
    ),
    Row(
        name="an iterator that can be sent only once is not sent again",
        call=_streamed(SMALL),
        how=RateLimitError,
        faults={"upload": (Status(429),)},
        requests={"upload": 1},
    ),
    Row(
        name="an iterator that can be sent only once breaks in the middle",
        call=_streamed(LARGE),
        how=TransportError,
        faults={"upload": (Drop(after=9, reset=True),)},
        requests={"upload": 1},
        error={"maybe_processed": False},
    ),
    Row(
        name="an iterator that can be sent only once, not stored",
        call=_streamed(SMALL),
        how=InternalServerError,
        faults={"upload": (Status(500),)},
        requests={"upload": 1, "list": 1},
        error={"maybe_processed": False},
    ),
    Row(
        name="an upload finds the workspace full",
        call=upload(LARGE),
        how=PermissionDeniedError,
        server={"quota_bytes": 1_000_000},
        requests={"upload": 1},
    ),
    Row(
        name="an upload is larger than the server takes",
        call=upload(LARGE),
        how=PayloadTooLargeError,
        server={"max_file_bytes": 1_000_000},
        requests={"upload": 1},
    ),
    Row(
        name="an empty upload is refused",
        call=upload(b""),
        how=BadRequestError,
        before=knowing,
        requests={"upload": 1},
        stored=1,
    ),
]

ROWS = [*REFUSED, *EARLY, *LATER, *PRELUDES, *SOURCES]
