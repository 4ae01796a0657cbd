"""Uploads: not complete, complete without a good answer, refused. Stored files are successful uploads, always."""

import asyncio

from fault_calls import upload, upload_path, warm
from fault_raw import (
    cut,
    deaf,
    forward,
    gone,
    head,
    reset,
    said,
    says,
    silent,
    trickle,
    with_fields,
)
from fault_world import CLAIMED, LARGE, PLAIN, REPEATED, SEARCHED, SHORT, SLOW_READERS, SMALL, Row, brief

from openrouter_files import (
    TransportError,
    TransportTimeoutError,
)
from openrouter_files.emulator import Drop, Stall, Status, Trickle, Truncate

HTML = b"<html><body>Bad gateway</body></html>"


def _again(name, act, *, data=LARGE, **more):
    """Not complete, so the server cannot have it: sent again without a look."""
    return Row(
        name=name, call=upload(data), how=REPEATED, acts={"upload": (act,)}, requests={"upload": 2}, stored=1, **more
    )


async def _refuse_for_a_while(world):
    await world.front.close()
    world.opening = asyncio.get_running_loop().call_later(0.1, lambda: asyncio.ensure_future(world.front.open()))


NOT_COMPLETE = [
    *(
        _again(f"a large upload is reset at {where} of its body", act, narrow=True)
        for where, act in [
            ("byte 0", reset(at=0)),
            ("byte 1", reset(at=1)),
            ("10 %", reset(0.1)),
            ("50 %", reset(0.5)),
            ("90 %", reset(0.9)),
        ]
    ),
    _again("a large upload is closed before its body was read", gone()),
    _again("the server stops reading an upload at its first byte", deaf(1), timeouts=SLOW_READERS),
    _again("the server stops reading an upload in mid-body", deaf(1_000_000), timeouts=SLOW_READERS),
    Row(
        name="a large upload from disk is reset in mid-body",
        call=upload_path(),
        how=REPEATED,
        acts={"upload": (reset(0.5),)},
        requests={"upload": 2},
        stored=1,
    ),
    Row(
        name="a large upload is closed in mid-body",
        call=upload(LARGE),
        how=REPEATED,
        faults={"upload": (Drop(after=1_000_000),)},
        requests={"upload": 2},
        stored=1,
        narrow=True,
    ),
    Row(
        name="an upload is refused until the server is up",
        call=upload(),
        how=PLAIN,
        before=_refuse_for_a_while,
        standing={"upload": forward},
        retry={"attempts": 30, "first_delay": 0.05, "max_delay": 0.05},
        requests={"upload": 1},
        stored=1,
    ),
    Row(
        name="a large upload meets a kept connection that is closed on reuse",
        call=upload(LARGE),
        how=REPEATED,
        before=warm,
        acts={"upload": (gone(),)},
        requests={"upload": 2},
        stored=2,
    ),
    Row(
        name="a large upload is reset at every attempt",
        call=upload(LARGE),
        how=TransportError,
        standing={"upload": reset(0.5)},
        requests={"upload": 4},
        error={"maybe_processed": False, "attempts": 4},
    ),
    Row(
        name="the server never reads",
        call=upload(LARGE),
        how=TransportTimeoutError,
        standing={"upload": deaf(1)},
        retry={"attempts": 2},
        timeouts=SHORT,
        requests={"upload": 2},
        error={"maybe_processed": False},
    ),
    Row(
        name="an upload is sent once and in the end refused for want of ambiguity",
        call=upload(LARGE),
        how=TransportError,
        standing={"upload": reset(0.5)},
        retry={"attempts": 1, "ambiguous": "raise"},
        requests={"upload": 1},
        error={"maybe_processed": False},
    ),
]

# Everything was sent, and what came back does not say that it was stored. True where it was.
_IN_DOUBT = [
    ("reset", True, reset(work=True)),
    ("reset", False, reset()),
    ("closed", True, gone(work=True)),
    ("closed", False, says()),
    ("cut in the status line", True, cut(6)),
    ("cut in the status line", False, says(b"HTTP/1")),
    ("cut in the head", True, cut(60)),
    ("cut in the head", False, says(b"HTTP/1.1 200 Said\r\nContent-Le")),
    ("cut in the body", True, cut(-20)),
    ("cut in the body", False, says(head(200, content_length=300) + b'{"id": "or_')),
    ("cut in the body and reset", True, cut(-20, reset=True)),
    ("200 with HTML from a proxy", True, says(said(HTML, content_type="text/html"), work=True)),
    ("200 with HTML from a proxy", False, says(said(HTML, content_type="text/html"))),
    ("200 without a body", True, says(said(b""), work=True)),
    ("200 without a body", False, says(said(b""))),
    ("200 without an id", True, says(said({"filename": "a.txt"}), work=True)),
    ("200 without an id", False, says(said({"filename": "a.txt"}))),
    ("200 with half a JSON", True, says(said(b'{"id": "or_fi'), work=True)),
    ("204", True, says(head(204), work=True)),
    ("502 with HTML from a proxy", True, says(said(HTML, 502, content_type="text/html"), work=True)),
    ("502 with HTML from a proxy", False, says(said(HTML, 502, content_type="text/html"))),
    ("garbage instead of HTTP", True, says(b"\x16\x03\x01 this is no HTTP at all\r\n\r\n", work=True)),
    ("garbage instead of HTTP", False, says(b"\x16\x03\x01 this is no HTTP at all\r\n\r\n")),
    ("two different lengths", True, with_fields(b"Content-Length: 7")),
    ("two different lengths", False, says(head(200, content_length=7, content__length=8).replace(b"--", b"-"))),
    ("a head of 200 kB", True, with_fields(b"X-Filler: " + b"x" * 200_000)),
    ("a head of 200 kB", False, says(b"HTTP/1.1 200 Said\r\nX-Filler: " + b"x" * 200_000 + b"\r\n\r\n")),
    ("a bad chunk size", True, says(head(200, transfer_encoding="chunked") + b"zz\r\n{}\r\n0\r\n\r\n", work=True)),
    ("half a chunk", True, says(head(200, transfer_encoding="chunked") + b"ff\r\n{}", work=True)),
    ("half a chunk", False, says(head(200, transfer_encoding="chunked") + b"ff\r\n{}")),
]

_IN_DOUBT_AND_SLOW = [
    ("silence", True, silent(work=True)),
    ("silence", False, silent()),
    ("a head that trickles for ever", True, trickle(b"HTTP/1.1 200 Said\r\nX-", work=True)),
    ("a head that trickles for ever", False, trickle(b"HTTP/1.1 200 Said\r\nX-")),
    ("a body that trickles for ever", True, trickle(head(200, content_length=9999), work=True)),
    ("1xx answers for ever", True, trickle(b"", b"HTTP/1.1 102 Processing\r\n\r\n", work=True)),
]


def _doubt(name, is_stored, act, *, data=SMALL, size="a small", **more):
    """Complete without a good answer: looked for, and sent again only if it is not there."""
    return Row(
        name=f"{size} upload: {name}, {'stored' if is_stored else 'not stored'}",
        call=upload(data),
        how=CLAIMED if is_stored else SEARCHED,
        acts={"upload": (act,)},
        requests={"upload": 1, "list": 1} if is_stored else {"upload": 2, "list": 1},
        stored=1,
        **more,
    )


_FAULTS_AFTER_WORK = [
    *(Status(status, after_work=True) for status in (500, 502, 503, 504, 524, 529)),
    Status(400, code=502, after_work=True),
    Drop(after_work=True),
    Drop(after_work=True, reset=True),
    Truncate(0),
    Truncate(10),
    Truncate(100, reset=True),
]

DOUBT = [
    *(_doubt(*each) for each in _IN_DOUBT),
    *(_doubt(*each, timeouts=SHORT) for each in _IN_DOUBT_AND_SLOW),
    *(
        Row(
            name=f"{size} upload, stored, meets {brief(fault)}",
            call=upload(data),
            how=CLAIMED,
            faults={"upload": (fault,)},
            requests={"upload": 1, "list": 1},
            stored=1,
        )
        for fault in _FAULTS_AFTER_WORK
        for size, data in [("a small", SMALL), ("a large", LARGE)]
    ),
    *(
        Row(
            name=f"an upload, not stored, meets {status}",
            call=upload(),
            how=SEARCHED,
            faults={"upload": (Status(status),)},
            requests={"upload": 2, "list": 1},
            stored=1,
        )
        for status in (500, 502, 503, 504, 524, 529)
    ),
    *(
        Row(
            name=f"an upload, {'stored' if late else 'not stored'}, meets silence of 30 s",
            call=upload(),
            how=CLAIMED if late else SEARCHED,
            faults={"upload": (Stall(30, after_work=late),)},
            timeouts=SHORT,
            requests={"upload": 1, "list": 1} if late else {"upload": 2, "list": 1},
            stored=1,
        )
        for late in (True, False)
    ),
    Row(
        name="an upload, stored, whose answer trickles for ever",
        call=upload(),
        how=CLAIMED,
        faults={"upload": (Trickle(0.05),)},
        timeouts=SHORT,
        requests={"upload": 1, "list": 1},
        stored=1,
    ),
]

ROWS = [*NOT_COMPLETE, *DOUBT]
