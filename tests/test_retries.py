"""What a failed attempt leads to over loopback: its class, another attempt or none, and what is said about it."""

# ruff: noqa: PLR0917 - fixtures and the columns of a table are many

import asyncio
import logging
import math
import pickle
import re
import time
from email.utils import formatdate
from itertools import pairwise

import pytest
from raw_server import FILE, RawServer, reply

from openrouter_files import (
    NO_RETRIES,
    AmbiguousUploadError,
    APIError,
    AuthenticationError,
    BadGatewayError,
    BadRequestError,
    ClientClosedRequestError,
    InternalServerError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    ServiceUnavailableError,
    TransportError,
)
from openrouter_files.emulator import Drop, Status

OPERATIONS = ["list", "list_page", "upload", "retrieve", "delete", "download", "download_to"]
REPEATABLE = [operation for operation in OPERATIONS if operation != "upload"]
TRANSIENT = [408, 429, 500, 502, 503, 504, 524, 529]
CLASSES = {
    400: BadRequestError,
    401: AuthenticationError,
    402: APIError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: APIError,
    408: APIError,
    409: APIError,
    413: PayloadTooLargeError,
    418: APIError,
    422: APIError,
    429: RateLimitError,
    499: ClientClosedRequestError,
    500: InternalServerError,
    501: ServerError,
    502: BadGatewayError,
    503: ServiceUnavailableError,
    504: ServerError,
    524: ServerError,
    529: ServerError,
    599: ServerError,
}


def on_the_wire(operation):
    """What the emulator calls an operation of the client."""
    return operation.removesuffix("_to").removesuffix("_page")


@pytest.fixture
async def stored(emulator):
    """A file that may be downloaded."""
    return await emulator.put("a.bin", b"0123456789")


@pytest.mark.parametrize("status", CLASSES)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_each_status_has_its_class_in_every_operation(emulator, files, stored, perform, operation, status):
    """A bad status becomes the same class whatever was asked, with what the server said about it."""
    emulator.queue(on_the_wire(operation), Status(status, message="because", retry_after=7))
    with pytest.raises((APIError, AmbiguousUploadError)) as caught:
        await perform(operation, files.with_options(retry=NO_RETRIES), stored.id)
    error = caught.value
    if isinstance(error, AmbiguousUploadError):
        assert (operation, status >= 500) == ("upload", True)
        assert (error.request, error.attempts) == (("POST", "/files"), 1)
        error = error.__cause__
    assert type(error) is CLASSES[status]
    assert (error.status, error.code, error.message, error.retry_after) == (status, status, "because", 7)
    assert error.request_id.startswith("req_")
    assert error.attempts == 1
    assert error.request[0] == {"upload": "POST", "delete": "DELETE"}.get(operation, "GET")
    assert f"{status} because" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (b"", "text/plain", "text/plain, not JSON"),
        (b"<html>sorry</html>", "text/html", "text/html, not JSON"),
        (b'{"type": "error", "error": {"type": "x", "message": "theirs"}}', "application/json", "theirs"),
        (b'{"error": "just text"}', "application/json", "Bad Gateway"),
        (b'{"error": {"message": ""}}', "application/json", "Bad Gateway"),
        (b"[]", "application/json", "Bad Gateway"),
        (b'{"error": {"mess', "application/json", "Bad Gateway"),
        (b"[" * 100_000, "application/json", "Bad Gateway"),
        (b"\xff\xfe", "application/json", "Bad Gateway"),
    ],
)
async def test_any_body_of_an_error_keeps_its_class(emulator, files, body, content_type, message):
    """HTML, nothing, another vendor's envelope and broken JSON: the status says what happened."""
    emulator.queue("list", Status(502, body=body, content_type=content_type))
    with pytest.raises(BadGatewayError, match=message) as caught:
        await files.with_options(retry=NO_RETRIES).list_page()
    assert (caught.value.status, caught.value.code) == (502, 502)


@pytest.mark.parametrize("status", TRANSIENT)
@pytest.mark.parametrize("operation", REPEATABLE)
async def test_what_may_pass_is_repeated(emulator, files, stored, perform, operation, status):
    """Reading and deleting survive two transient answers in a row; nothing is noticed but time."""
    emulator.queue(on_the_wire(operation), Status(status), Status(status))
    await perform(operation, files, stored.id)
    assert len(emulator.requests) == 3


@pytest.mark.parametrize("fault", [Drop(), Drop(reset=True), Status(400, code=503)], ids=repr)
@pytest.mark.parametrize("operation", REPEATABLE)
async def test_what_did_not_arrive_is_repeated(emulator, files, stored, perform, operation, fault):
    """A lost connection, and a 400 that wraps a transient failure, are repeated like an answer that declines."""
    emulator.queue(on_the_wire(operation), fault, fault)
    await perform(operation, files, stored.id)
    assert len(emulator.requests) == 3


@pytest.mark.parametrize("status", [status for status in CLASSES if status not in TRANSIENT])
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_what_will_not_pass_is_raised_at_once(emulator, files, stored, perform, operation, status):
    """An answer that will be the same next time is raised after one request, without a note."""
    emulator.queue(on_the_wire(operation), Status(status))
    with pytest.raises((APIError, AmbiguousUploadError)) as caught:
        await perform(operation, files, stored.id)
    assert len(emulator.requests) == caught.value.attempts == 1
    assert not hasattr(caught.value, "__notes__")


async def test_a_wrapped_status_decides(emulator, files):
    """A 400 whose body says 502 is a BadGatewayError that keeps the status of the answer."""
    emulator.queue("list", Status(400, code=502))
    with pytest.raises(BadGatewayError, match=r"400 .*\(code 502\)") as caught:
        await files.with_options(retry=NO_RETRIES).list_page()
    assert (caught.value.status, caught.value.code) == (400, 502)


@pytest.mark.parametrize("operation", REPEATABLE)
async def test_attempts_end_with_the_last_error(emulator, files, stored, perform, operation):
    """The last error comes through as it is, counts the attempts, and has a note about them."""
    emulator.queue(on_the_wire(operation), Status(503), Status(500), Status(502, message="the last"))
    with pytest.raises(BadGatewayError, match="the last") as caught:
        await perform(operation, files.with_options(retry=RetryPolicy(attempts=3, first_delay=0.01)), stored.id)
    assert caught.value.attempts == len(emulator.requests) == 3
    (note,) = caught.value.__notes__
    assert note.startswith("gave up after 3 attempts in 0.")


async def test_an_unreachable_server_is_tried_as_often(client_for, unreachable):
    """A refused connection is a TransportError after all attempts, with host and port in its words."""
    files = await client_for(unreachable, retry=RetryPolicy(attempts=3, first_delay=0.01))
    with pytest.raises(TransportError, match=r"GET /files: cannot connect to 127\.0\.0\.1:\d+") as caught:
        await files.list_page()
    assert (caught.value.attempts, caught.value.request, caught.value.maybe_processed) == (3, ("GET", "/files"), False)


@pytest.mark.parametrize("operation", ["list_page", "retrieve", "delete", "download"])
async def test_without_retries_one_request_is_sent(client_for, perform, operation):
    """NO_RETRIES is one request, also when the connection ends without an answer."""

    async def mute(connection):
        await connection.request()

    async with RawServer(mute) as server:
        with pytest.raises(TransportError) as caught:
            await perform(operation, await client_for(server, retry=NO_RETRIES), "or_file_1")
        assert len(server.requests) == caught.value.attempts == 1


@pytest.mark.parametrize(
    ("operation", "fault", "least"),
    [
        ("list", Status(429, retry_after=0.3), 0.3),
        ("list", Status(503, retry_after="0.3"), 0.3),
        ("download", Status(429, retry_after_ms=300), 0.3),
        ("delete", Status(429, retry_after_ms=300, retry_after=4), 0.3),
        ("upload", Status(429, retry_after=0.3), 0.3),
        ("retrieve", Status(500, retry_after=0.3), 0.3),
    ],
)
async def test_the_server_decides_how_long_to_wait_at_least(emulator, files, stored, perform, operation, fault, least):
    """Retry-After, in seconds or milliseconds, is waited out; a random bit is added and nothing taken away."""
    emulator.queue(operation, fault)
    await perform(operation, files, stored.id)
    first, second = (request.at for request in emulator.requests)
    assert least <= second - first < least + 1


async def test_a_date_to_wait_for_is_waited_for(emulator, files):
    """Retry-After may be an HTTP date."""
    until = math.ceil(time.time()) + 1
    emulator.queue("list", Status(429, retry_after=formatdate(until, usegmt=True)))
    await files.list_page()
    assert time.time() >= until


@pytest.mark.parametrize("nonsense", ["soon", "-5", "", "1e9", "nan", "Mon, 32 Foo 2026"])
async def test_an_unreadable_wait_counts_as_none(emulator, files, nonsense):
    """A Retry-After that says nothing readable is ignored: the usual delay counts."""
    emulator.queue("list", Status(503, retry_after=nonsense))
    async with asyncio.timeout(1):
        await files.list_page()


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_wait_beyond_the_limit_is_raised_at_once(emulator, files, stored, perform, operation):
    """A server that asks for more than max_delay gets its way: the call ends, and the error says how long."""
    emulator.queue(on_the_wire(operation), Status(429, retry_after=3600))
    with pytest.raises(RateLimitError, match=r"retry after 3600 s") as caught:
        await perform(operation, files, stored.id)
    assert (caught.value.retry_after, caught.value.attempts) == (3600, 1)
    assert len(emulator.requests) == 1


async def test_delays_grow(emulator, files):
    """The n-th wait is at most first_delay * 2**n, and never beyond max_delay."""
    emulator.queue("list", *[Status(500)] * 5)
    policy = RetryPolicy(attempts=6, first_delay=0.04, max_delay=0.1)
    await files.with_options(retry=policy).list_page()
    at = [request.at for request in emulator.requests]
    waits = [later - earlier for earlier, later in pairwise(at)]
    assert all(wait < limit + 0.06 for wait, limit in zip(waits, (0.04, 0.08, 0.1, 0.1, 0.1), strict=True))


async def test_a_deadline_ends_the_call(emulator, files):
    """No attempt begins that would begin after the deadline; the last error is raised well before."""
    emulator.queue("list", Status(503, retry_after=0.2), Status(503, retry_after=0.2))
    began = time.monotonic()
    with pytest.raises(ServiceUnavailableError) as caught:
        await files.with_options(retry=RetryPolicy(attempts=9, first_delay=0, deadline=0.35)).list_page()
    assert time.monotonic() - began < 0.35
    assert caught.value.attempts == 2


async def test_the_caller_chooses_the_statuses(emulator, files):
    """Statuses of the caller's choice are repeated, and no others."""
    policy = RetryPolicy(first_delay=0.01, statuses={418})
    emulator.queue("list", Status(418), Status(418), Status(503))
    with pytest.raises(ServiceUnavailableError) as caught:
        await files.with_options(retry=policy).list_page()
    assert caught.value.attempts == 3


async def test_each_retry_logs_one_line(emulator, files, caplog):
    """A call that is repeated says so on the logger openrouter_files: what, why, when, how often."""
    caplog.set_level(logging.INFO, "openrouter_files")
    emulator.queue("list", Status(503, message="busy"), Status(500))
    await files.list_page()
    lines = [record.getMessage() for record in caplog.records if record.name == "openrouter_files"]
    first, second = lines
    assert re.fullmatch(r"GET /files: 503 busy \(request id \w+\); trying again in 0\.0\d s \(attempt 2 of 5\)", first)
    assert re.fullmatch(r"GET /files: .*; trying again in 0\.0\d s \(attempt 3 of 5\)", second)
    assert {record.levelname for record in caplog.records if record.name == "openrouter_files"} == {"INFO"}


async def test_success_is_silent(emulator, files, stored, perform, caplog):
    """A call that works at once logs nothing."""
    caplog.set_level(logging.DEBUG, "openrouter_files")
    for operation in OPERATIONS:
        await perform(operation, files, stored.id) if operation != "delete" else None
    assert [record for record in caplog.records if record.name == "openrouter_files"] == []


async def test_nonsense_instead_of_http_is_a_transport_error(client_for):
    """What is no HTTP is a TransportError of one line, repeated like any lost answer."""
    async with RawServer(b"SSH-2.0-OpenSSH_9.9\r\n", reply(body=FILE)) as server:
        files = await client_for(server)
        assert (await files.retrieve("or_file_raw")).id == "or_file_raw"
    async with RawServer(b"SSH-2.0-OpenSSH_9.9\r\n") as server:
        with pytest.raises(TransportError, match="not readable HTTP") as caught:
            await (await client_for(server, retry=NO_RETRIES)).retrieve("or_file_raw")
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize("operation", ["list_page", "retrieve", "delete", "upload"])
async def test_an_answer_that_is_cut_short_is_a_transport_error(client_for, perform, operation):
    """A JSON answer that breaks off is no answer: a TransportError, ambiguous for an upload."""
    async with RawServer(reply(body=b'{"id": "x', content_length="100")) as server:
        with pytest.raises((TransportError, AmbiguousUploadError)) as caught:
            await perform(operation, await client_for(server, retry=NO_RETRIES), "or_file_1")
    assert caught.value.maybe_processed == (operation in {"delete", "upload"})
    assert isinstance(caught.value, AmbiguousUploadError) == (operation == "upload")
