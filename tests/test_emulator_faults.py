"""Faults of the emulator, as a bare client and plain sockets meet them."""

import asyncio
import io
import json
import pickle
import time

import aiohttp
import pytest

from openrouter_files.emulator import (
    Drop,
    Emulator,
    FaultsNotMet,
    Pass,
    RateLimit,
    Say,
    ScriptsNotPlayed,
    Stall,
    Status,
    Trickle,
    Truncate,
    Unmet,
)

FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello\n\r\n--b--\r\n'
LARGE = FORM.replace(b"hello\n", b"hello\n" * 1_000_000)


@pytest.fixture
async def session(emulator):
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {emulator.api_key}"}) as opened:
        yield opened


async def upload(session, emulator, form=FORM):
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    async with session.post(f"{emulator.base_url}/files", data=io.BytesIO(form), headers=headers) as answer:
        return answer.status, answer.headers, await answer.read()


async def listing(session, emulator):
    async with session.get(f"{emulator.base_url}/files") as answer:
        return answer.status, answer.headers, await answer.read()


async def connected(emulator, form=FORM):
    """A socket over which the head of a request has been sent."""
    reader, writer = await asyncio.open_connection(emulator.host, emulator.port)
    head = f"POST /api/v1/files HTTP/1.1\r\nHost: [::1]\r\nAuthorization: Bearer {emulator.api_key}\r\n"
    head += f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(form)}\r\n\r\n"
    writer.write(head.encode())
    return reader, writer


async def arrived(emulator):
    """Wait until a request has met its fault."""
    async with asyncio.timeout(5):
        while not (emulator.requests and emulator.requests[0].fault):
            await asyncio.sleep(0.01)


async def test_faults_are_met_one_by_one(emulator, session):
    """Each request of an operation meets the next fault; other operations and later requests do not."""
    emulator.queue("list", Status(503), Pass(), Status(500))
    assert (await upload(session, emulator))[0] == 200
    assert [(await listing(session, emulator))[0] for _ in range(4)] == [503, 200, 500, 200]
    assert [received.fault for received in emulator.requests] == [None, Status(503), Pass(), Status(500), None]


async def test_a_status_comes_in_the_envelope(emulator, session):
    """A status fault answers the documented envelope and headers, without doing the work."""
    emulator.queue("upload", Status(429, retry_after=1, retry_after_ms=250))
    status, headers, body = await upload(session, emulator)
    assert (status, headers["Retry-After"], headers["retry-after-ms"]) == (429, "1", "250")
    assert json.loads(body) == {"error": {"code": 429, "message": "Rate limit exceeded"}}
    assert emulator.files() == ()
    assert emulator.requests[0].body_bytes == len(FORM)


async def test_a_status_may_say_anything(emulator, session):
    """Another code in the envelope, another text, another body, a date as Retry-After."""
    date = "Fri, 20 Nov 2026 00:00:00 GMT"
    page = Status(502, body=b"<html>", content_type="text/html", retry_after=date)
    emulator.queue("list", Status(400, code=503, message="upstream"), page, Status(504), Status(500, body=b""))
    assert json.loads((await listing(session, emulator))[2])["error"] == {"code": 503, "message": "upstream"}
    status, headers, body = await listing(session, emulator)
    assert (status, headers["Content-Type"], headers["Retry-After"], body) == (502, "text/html", date, b"<html>")
    assert (await listing(session, emulator))[0] == 504
    assert (await listing(session, emulator))[2] == b""


async def test_a_failure_may_be_claimed_after_the_work(emulator, session):
    """`after_work` stores the file and answers the error all the same."""
    emulator.queue("upload", Status(502, after_work=True))
    assert (await upload(session, emulator))[0] == 502
    assert len(emulator.files()) == 1


async def test_an_early_status_does_not_wait_for_the_body(emulator):
    """`early` answers when only the head has come, and still takes the rest politely."""
    emulator.queue("upload", Status(413, early=True))
    reader, writer = await connected(emulator, LARGE)
    assert (await reader.readline()).startswith(b"HTTP/1.1 413")
    writer.write(LARGE)
    await writer.drain()
    assert emulator.requests[0].body_bytes == 0
    writer.transport.abort()


async def test_an_early_status_reaches_a_client_that_is_sending(emulator, session):
    """A client in the middle of a large body gets the status, not a broken pipe."""
    emulator.queue("upload", Status(413, early=True))
    assert (await upload(session, emulator, LARGE))[0] == 413
    assert (await upload(session, emulator))[0] == 200


async def test_a_drop_ends_the_connection_without_an_answer(emulator):
    """FIN before the body is read, and nothing stored."""
    emulator.queue("upload", Drop())
    reader, writer = await connected(emulator)
    assert await reader.read() == b""
    writer.transport.abort()
    assert emulator.requests[0].status is None
    assert emulator.files() == ()


async def test_a_drop_may_wait_for_some_of_the_body(emulator):
    """`after` reads that many bytes of the body first; a client that goes on sending sees an end, not a reset."""
    emulator.queue("upload", Drop(after=1000))
    reader, writer = await connected(emulator, LARGE)
    writer.write(LARGE[:500])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(), 0.1)
    writer.write(LARGE[500:300_000])
    assert await reader.read() == b""
    assert emulator.requests[0].body_bytes >= 1000
    writer.transport.abort()


async def test_a_drop_behind_the_end_of_the_body_stores_nothing(emulator, session):
    """A body that is shorter than `after` is read to its end, and the file is not stored."""
    emulator.queue("upload", Drop(after=10_000))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await upload(session, emulator)
    assert emulator.files() == ()


async def test_a_reset_is_a_reset(emulator):
    """`reset` ends the connection with RST."""
    emulator.queue("upload", Drop(reset=True))
    reader, writer = await connected(emulator)
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.transport.abort()


@pytest.mark.parametrize("reset", [False, True])
async def test_the_lost_answer(emulator, session, reset):
    """`after_work` stores the file and drops the connection in place of the answer."""
    emulator.queue("upload", Drop(after_work=True, reset=reset))
    with pytest.raises(aiohttp.ClientConnectionError):
        await upload(session, emulator)
    assert len(emulator.files()) == 1
    assert emulator.requests[0].status is None


@pytest.mark.parametrize("after_work", [False, True])
async def test_a_stall_is_a_pause_and_nothing_else(emulator, session, after_work):
    """The answer comes late, and is the true one."""
    emulator.queue("upload", Stall(0.5, after_work=after_work))
    begun = time.monotonic()
    task = asyncio.create_task(upload(session, emulator))
    await arrived(emulator)
    await asyncio.sleep(0.1)
    assert bool(emulator.files()) == after_work
    assert (await task)[0] == 200
    assert time.monotonic() - begun >= 0.5


async def test_a_client_that_leaves_during_a_stall_ends_its_request(emulator):
    """A stall before the work ends with its client, and the work is not done."""
    emulator.queue("upload", Stall(60))
    _, writer = await connected(emulator)
    writer.write(FORM)
    await arrived(emulator)
    writer.transport.abort()
    await asyncio.sleep(0.1)
    assert (emulator.files(), emulator.requests[0].status) == ((), None)


@pytest.mark.parametrize("size", [1000, 2_000_000])
@pytest.mark.parametrize("after", [0, 10, 999])
async def test_a_truncated_answer_promised_more(emulator, session, size, after):
    """The head promises the whole length, the body ends after so many bytes."""
    file = await emulator.put("a", b"x" * size)
    emulator.queue("download", Truncate(after))
    async with session.get(f"{emulator.base_url}/files/{file.id}/content") as answer:
        assert answer.content_length == size
        with pytest.raises(aiohttp.ClientPayloadError, match=f"received {after} of {size} bytes"):
            await answer.read()


async def test_a_truncation_beyond_the_end_is_none(emulator, session):
    """An answer that is not longer than `after` comes whole."""
    emulator.queue("list", Truncate(1_000_000))
    assert json.loads((await listing(session, emulator))[2])["data"] == []


@pytest.mark.parametrize("size", [10, 1_000_000])
async def test_an_answer_may_trickle(emulator, session, size):
    """The body comes in pieces with pauses, and is whole."""
    file = await emulator.put("a", b"x" * size)
    emulator.queue("download", Trickle(0.03, piece=size * 4 // 10))
    begun = time.monotonic()
    async with session.get(f"{emulator.base_url}/files/{file.id}/content") as answer:
        assert await answer.read() == b"x" * size
    assert time.monotonic() - begun >= 0.09


async def test_faults_that_nobody_met_fail_the_context():
    """Leaving the context while faults are queued raises, naming them."""
    with pytest.raises(FaultsNotMet, match="delete never met Drop") as raised:
        async with Emulator() as emulator:
            emulator.queue("delete", Drop())
    assert raised.value.unmet == emulator.unmet == (Unmet("delete", Drop()),)
    assert isinstance(raised.value, AssertionError)


async def test_unmet_faults_do_not_hide_another_failure():
    """An exception that leaves the context is the one that is seen."""
    emulator = Emulator()
    emulator.queue("list", Drop())
    with pytest.raises(ZeroDivisionError):
        await divided_in(emulator)


async def divided_in(emulator):
    async with emulator:
        return 1 / 0


def test_what_was_not_met_reaches_another_process():
    """The errors of a test that did not do what it was meant to are pickled, as by those who run tests in processes."""
    unmet, unplayed = (Unmet("list", Drop()),), ((Say("hello"),),)
    for error in (FaultsNotMet(unmet), ScriptsNotPlayed(unplayed)):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_a_trickle_is_of_pieces():
    """Pieces of no bytes would never be a body."""
    with pytest.raises(ValueError, match="piece"):
        Trickle(0.1, piece=0)


async def test_a_rate_limit_answers_429(emulator, session):
    """Beyond the burst: 429 with Retry-After, seen in the log; queued faults wait for a request that passes."""
    emulator.limit(RateLimit(per_second=0.5, burst=2))
    emulator.queue("list", Pass(), Pass(), Status(500))
    answers = [await listing(session, emulator) for _ in range(4)]
    assert [status for status, *_ in answers] == [200, 200, 429, 429]
    assert answers[2][1]["Retry-After"] == "2"
    assert [received.limited for received in emulator.requests] == [False, False, True, True]
    emulator.limit(None)
    assert (await listing(session, emulator))[0] == 500


async def test_a_rate_limit_may_be_of_one_operation(emulator, session):
    """Only the requests of that operation count, and are told what the limit says."""
    emulator.limit(RateLimit(per_second=1, retry_after=0.25), "upload")
    assert [(await upload(session, emulator))[0] for _ in range(2)] == [200, 429]
    assert (await upload(session, emulator))[1]["Retry-After"] == "0.25"
    assert (await listing(session, emulator))[0] == 200
