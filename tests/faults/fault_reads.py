"""Metadata, listings and deletions under faults: what is idempotent is repeated, and everything ends."""

from fault_calls import delete, delete_a_missing_one, list_all, made, read, retrieve, save, upload, warm
from fault_raw import (
    cut,
    forward,
    gone,
    head,
    preceded,
    reset,
    said,
    says,
    silent,
    trickle,
    with_fields,
)
from fault_world import MADE, PLAIN, REPEATED, SEARCHED, SHORT, Row, brief

from openrouter_files import (
    APIError,
    AuthenticationError,
    BadGatewayError,
    BadRequestError,
    ClientClosedRequestError,
    InternalServerError,
    InvalidResponseError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    ServiceUnavailableError,
    TransportError,
    TransportTimeoutError,
)
from openrouter_files.emulator import Drop, Stall, Status, Trickle, Truncate

# What is asked, how it is called, and how many copies are there after it was done once.
CALLS = {"retrieve": (retrieve, 1), "list": (list_all, 1), "delete": (delete, 0), "download": (read, 1)}
_TRANSIENT = (408, 500, 502, 503, 504, 524, 529)
HTML = b"<html><body>Bad gateway</body></html>"


def _repeated(operation, name, *, count=1, **more):
    call, stored = CALLS[operation]
    return Row(
        name=f"{operation}: {name}",
        call=call,
        how=REPEATED,
        before=more.pop("before", made),
        requests={operation: 1 + count},
        stored=stored,
        **more,
    )


STATUSES = [
    *(
        _repeated(operation, f"{status}, then all is well", faults={operation: (Status(status),)})
        for operation in CALLS
        for status in _TRANSIENT
    ),
    *(
        _repeated(operation, f"{brief(fault)}, then all is well", faults={operation: (fault,)})
        for operation in CALLS
        for fault in (Status(429, retry_after_ms=50), Status(503, retry_after_ms=50), Status(400, code=503))
    ),
    *(
        Row(
            name=f"{operation}: {status} is raised at once",
            call=CALLS[operation][0],
            how=error,
            before=made,
            faults={operation: (Status(status),)},
            requests={operation: 1},
            stored=1,
            error={"status": status, "attempts": 1},
        )
        for operation in CALLS
        for status, error in [
            (400, BadRequestError),
            (401, AuthenticationError),
            (403, PermissionDeniedError),
            (404, NotFoundError),
            (499, ClientClosedRequestError),
        ]
    ),
    *(
        Row(
            name=f"{operation}: {status} for ever",
            call=CALLS[operation][0],
            how=error,
            before=made,
            faults={operation: (Status(status),) * 4},
            requests={operation: 4},
            stored=1,
            error={"status": status, "attempts": 4},
        )
        for operation in ("retrieve", "delete", "download")
        for status, error in [
            (408, APIError),
            (500, InternalServerError),
            (502, BadGatewayError),
            (503, ServiceUnavailableError),
            (504, ServerError),
        ]
    ),
    *(
        Row(
            name=f"{operation}: told to wait an hour by {status}",
            call=CALLS[operation][0],
            how=error,
            before=made,
            faults={operation: (Status(status, retry_after=3600),)},
            requests={operation: 1},
            stored=1,
            error={"retry_after": 3600},
        )
        for operation in CALLS
        for status, error in [(429, RateLimitError), (503, ServiceUnavailableError)]
    ),
]

# One exchange breaks, the next is fine. Deletions are not done by these.
_BROKEN = [
    ("closed without an answer", gone()),
    ("reset", reset()),
    ("cut in the status line", says(b"HTTP/1")),
    ("cut in the head", says(b"HTTP/1.1 200 Said\r\nContent-Le")),
    ("cut in the body", says(head(200, content_length=300) + b'{"id": "or_')),
    ("two different lengths", says(head(200, content_length=7, Content_length=8) + b"{}")),
    ("half a chunk", says(head(200, transfer_encoding="chunked") + b"ff\r\n{}")),
    ("a bad chunk size", says(head(200, transfer_encoding="chunked") + b"zz\r\n{}\r\n0\r\n\r\n")),
    ("a head of 200 kB", says(b"HTTP/1.1 200 Said\r\nX-Filler: " + b"x" * 200_000 + b"\r\n\r\n")),
    ("2,000 header lines and no end", says(b"HTTP/1.1 200 Said\r\n" + b"X-Filler: x\r\n" * 20_000)),
    ("garbage instead of HTTP", says(b"\x16\x03\x01 this is no HTTP at all\r\n\r\n")),
    ("an SSH banner", says(b"SSH-2.0-OpenSSH_9.9\r\n")),
    ("a status that is no number", says(b"HTTP/1.1 OK Said\r\nContent-Length: 0\r\n\r\n")),
    ("a negative length", says(b"HTTP/1.1 200 Said\r\nContent-Length: -1\r\n\r\n")),
    ("502 with HTML from a proxy", says(said(HTML, 502, content_type="text/html"))),
    ("504 without a body", says(said(b"", 504))),
    ("503 that closes", says(said(b"{}", 503, connection="close"))),
    ("503 cut in its body", says(head(503, content_length=300) + b"{")),
    ("1xx and then nothing", says(b"HTTP/1.1 100 Continue\r\n\r\n")),
]
_BROKEN_AND_SLOW = [
    ("silence", silent()),
    ("a head that trickles for ever", trickle(b"HTTP/1.1 200 Said\r\nX-")),
    ("header lines that trickle for ever", trickle(b"HTTP/1.1 200 Said\r\n", b"X-Filler: x\r\n")),
    ("1xx answers for ever", trickle(b"", b"HTTP/1.1 102 Processing\r\n\r\n")),
]
_METADATA_AND_SLOW = [
    ("a body that trickles for ever", trickle(head(200, content_length=99_999))),
    ("chunks that trickle for ever", trickle(head(200, transfer_encoding="chunked"), b"1\r\nx\r\n")),
    ("a body that is silent", says(head(200, content_length=99), pause=20)),
]

BROKEN = [
    *(
        _repeated(operation, name, acts={operation: (act,)})
        for operation in ("retrieve", "delete")
        for name, act in _BROKEN
    ),
    *(
        _repeated(operation, name, acts={operation: (act,)}, timeouts=SHORT)
        for operation in ("retrieve", "delete")
        for name, act in _BROKEN_AND_SLOW
    ),
    *(
        _repeated(operation, name, acts={operation: (act,)}, timeouts=SHORT)
        for operation in ("list",)
        for name, act in _METADATA_AND_SLOW
    ),
    *(
        _repeated(operation, "a kept connection is closed on reuse", acts={operation: (gone(),)}, before=warm)
        for operation in CALLS
    ),
    *(
        _repeated(operation, f"meets {brief(fault)}", faults={operation: (fault,)}, timeouts=SHORT)
        for operation in ("list", "delete")
        for fault in (Drop(), Drop(reset=True))
    ),
    *(
        _repeated(operation, f"the answer meets {brief(fault)}", faults={operation: (fault,)}, timeouts=SHORT)
        for operation in ("retrieve", "list")
        for fault in (Truncate(0), Truncate(20), Truncate(20, reset=True), Drop(after_work=True))
    ),
    *(
        Row(
            name=f"{operation}: answered after {what}",
            call=CALLS[operation][0],
            how=PLAIN,
            before=made,
            acts={operation: (preceded(prelude),)},
            requests={operation: 1},
            stored=CALLS[operation][1],
        )
        for operation in CALLS
        for what, prelude in [
            ("100 Continue", b"HTTP/1.1 100 Continue\r\n\r\n"),
            ("102 and 103", b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nLink: </a>; rel=preload\r\n\r\n"),
        ]
    ),
    Row(
        name="retrieve: closed without an answer at every attempt, each of which aiohttp makes twice",
        call=retrieve,
        how=TransportError,
        before=made,
        standing={"retrieve": gone()},
        requests={"retrieve": 8},
        stored=1,
        error={"attempts": 4},
    ),
    Row(
        name="retrieve: half an answer at every attempt",
        call=retrieve,
        how=TransportError,
        before=made,
        standing={"retrieve": says(head(200, content_length=300) + b"{")},
        requests={"retrieve": 4},
        stored=1,
        error={"attempts": 4},
    ),
    Row(
        name="list: a head that trickles for ever at every attempt",
        call=list_all,
        how=TransportTimeoutError,
        before=made,
        standing={"list": trickle(b"HTTP/1.1 200 Said\r\nX-")},
        timeouts=SHORT,
        retry={"attempts": 2},
        requests={"list": 2},
        stored=1,
        error={"attempts": 2},
    ),
    Row(
        name="retrieve: silence beyond the deadline",
        call=retrieve,
        how=TransportTimeoutError,
        before=made,
        standing={"retrieve": silent()},
        retry={"deadline": 0.3},
        requests={"retrieve": 1},
        stored=1,
    ),
]

UNREADABLE = [
    Row(
        name=f"{operation}: {name} is not repeated",
        call=CALLS[operation][0],
        how=InvalidResponseError,
        before=made,
        acts={operation: (says(answer),)},
        requests={operation: 1},
        stored=1,
    )
    for operation in ("retrieve", "list", "delete")
    for name, answer in [
        ("200 with HTML from a proxy", said(HTML, content_type="text/html")),
        ("200 without a body", said(b"")),
        ("200 with another object", said({"ok": True})),
    ]
    if (operation, name) != ("delete", "200 without a body")
] + [
    Row(
        name="delete: 200 without a body is enough",
        call=CALLS["delete"][0],
        how=PLAIN,
        before=made,
        acts={"delete": (says(said(b"")),)},
        requests={"delete": 1},
        stored=1,
    ),
    Row(
        name="list: a page leads back to itself",
        call=list_all,
        how=InvalidResponseError,
        before=made,
        standing={"list": says(said({"data": [], "cursor": "again"}), end=False)},
        requests={"list": 2},
        stored=1,
    ),
]


def _to(location, status=302):
    async def act(exchange):
        here = f"http://127.0.0.1:{exchange.front.port}"
        await exchange.take(exchange.length)
        await exchange.send(said(b"", status, location=location.replace("HERE", here)))

    return act


async def _in_place_of_the_content(exchange):
    await exchange.send(said(MADE, content_type="application/octet-stream"))


REDIRECTS = [
    Row(
        name=f"{operation}: a redirect {where} is not followed",
        call=call,
        how=APIError,
        before=made,
        standing={operation: _to(location, status)},
        requests={operation: 1},
        stored=1,
        error={"status": status},
    )
    for operation, call in [("retrieve", retrieve), ("download", read), ("upload", upload()), ("delete", delete)]
    for where, location, status in [
        ("to another port, by http", "http://127.0.0.1:1/elsewhere", 302),
        ("to another host, by http", "http://storage.invalid/elsewhere", 307),
        ("with a password in it", "http://me:secret@127.0.0.1:1/elsewhere", 308),
        ("to nowhere", "", 302),
        ("to another scheme", "ftp://127.0.0.1/elsewhere", 302),
    ]
] + [
    Row(
        name="retrieve: a loop of redirects ends",
        call=retrieve,
        how=APIError,
        before=made,
        standing={"retrieve": _to("HERE/loop"), "/loop": _to("HERE/loop")},
        requests={"retrieve": 1, "/loop": 5},
        stored=1,
        error={"status": 302},
    ),
    Row(
        name="download: a redirect within the origin is followed",
        call=read,
        how=PLAIN,
        before=made,
        standing={"download": _to("/moved"), "/moved": _in_place_of_the_content},
        requests={"download": 1, "/moved": 1},
        stored=1,
    ),
    Row(
        name="download: a redirect within the origin with 307, absolute, is followed",
        call=read,
        how=PLAIN,
        before=made,
        standing={"download": _to("HERE/moved", 307), "/moved": _in_place_of_the_content},
        requests={"download": 1, "/moved": 1},
        stored=1,
    ),
    Row(
        name="upload: a redirect within the origin is not followed",
        call=upload(),
        how=APIError,
        standing={"upload": _to("/moved", 307), "/moved": forward},
        requests={"upload": 1},
        error={"status": 307},
    ),
    Row(
        name="delete: a redirect within the origin with 302 is not followed",
        call=delete,
        how=APIError,
        before=made,
        standing={"delete": _to("/moved", 302)},
        requests={"delete": 1},
        stored=1,
        error={"status": 302},
    ),
]


DELETIONS = [
    *(
        Row(
            name=f"delete: done, but the answer was lost by {brief(fault)}; its own 404 is the proof",
            call=delete,
            how=REPEATED,
            before=made,
            faults={"delete": (fault,)},
            timeouts=SHORT,
            requests={"delete": 2},
        )
        for fault in (
            Drop(after_work=True),
            Drop(after_work=True, reset=True),
            Status(500, after_work=True),
            Status(502, after_work=True),
            Status(503, after_work=True),
            Status(504, after_work=True),
            Stall(30, after_work=True),
            Truncate(3),
            Trickle(0.1),
        )
    ),
    *(
        Row(
            name=f"delete: done, but the answer was {name}; its own 404 is the proof",
            call=delete,
            how=REPEATED,
            before=made,
            acts={"delete": (act,)},
            requests={"delete": 2},
        )
        for name, act in [
            ("cut in the status line", cut(6)),
            ("cut in the head", cut(60)),
            ("cut in the body", cut(-20)),
            ("garbage", says(b"\x16\x03\x01 this is no HTTP at all\r\n\r\n", work=True)),
            ("of two lengths", with_fields(b"Content-Length: 7")),
            ("behind a head of 200 kB", with_fields(b"X-Filler: " + b"x" * 200_000)),
        ]
    ),
    Row(
        name="delete: done on a kept connection that closes; the 404 to the next attempt is the proof",
        call=delete,
        how=REPEATED,
        before=warm,
        acts={"delete": (gone(work=True),)},
        requests={"delete": 2},
    ),
    Row(
        name="delete: done twice on kept connections that close, and once by us",
        call=delete,
        how=REPEATED,
        before=warm,
        acts={"delete": (gone(work=True), gone())},
        requests={"delete": 3},
    ),
    Row(
        name="delete: a file that was never there, after a 503",
        call=delete_a_missing_one,
        how=NotFoundError,
        faults={"delete": (Status(408),)},
        requests={"delete": 2},
    ),
    Row(
        name="delete: a file that was never there",
        call=delete_a_missing_one,
        how=NotFoundError,
        requests={"delete": 1},
        error={"attempts": 1},
    ),
    Row(
        name="delete: 429 and then 404 is no proof",
        call=delete_a_missing_one,
        how=NotFoundError,
        faults={"delete": (Status(429, retry_after_ms=30),)},
        requests={"delete": 2},
    ),
    Row(
        name="delete: refused by 502 for ever",
        call=delete,
        how=BadGatewayError,
        before=made,
        faults={"delete": (Status(502),) * 4},
        requests={"delete": 4},
        stored=1,
        error={"maybe_processed": True},
    ),
    Row(
        name="delete: done, and then 502 for ever",
        call=delete,
        how=BadGatewayError,
        before=made,
        faults={"delete": (Status(502, after_work=True), *(Status(502),) * 3)},
        requests={"delete": 4},
        error={"maybe_processed": True},
    ),
]

KEPT = [
    Row(
        name="upload: a small one meets a kept connection that is closed on reuse",
        call=upload(),
        how=SEARCHED,
        before=warm,
        acts={"upload": (gone(),)},
        requests={"upload": 2, "list": 1},
        stored=2,
    ),
    Row(
        name="download_to: a kept connection is closed on reuse",
        call=save(),
        how=REPEATED,
        before=warm,
        acts={"download": (gone(),)},
        requests={"download": 2},
        stored=1,
        disk={"made.bin": MADE},
    ),
]

ROWS = [*STATUSES, *BROKEN, *UNREADABLE, *REDIRECTS, *DELETIONS, *KEPT]
