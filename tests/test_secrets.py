"""The key is seen by the server and by nobody else: no text, no log, no other host."""

# ruff: noqa: PLR0917 - fixtures and the columns of a table are many

import asyncio
import logging
import pickle
import traceback

import pytest
from raw_server import FILE, RawServer, reply
from shown import shown_of

from openrouter_files import (
    NO_RETRIES,
    APIError,
    FilesClient,
    FilesError,
    Options,
    RetryPolicy,
    Timeouts,
    TransportError,
    delete_many,
)
from openrouter_files.emulator import Drop, Emulator, Stall, Status

KEY = "sk-or-v1-5ecre7-5ecre7"
OPERATIONS = ["list", "upload", "retrieve", "delete", "download", "download_to"]


def everything_in(value, seen=None):
    """All texts that can be reached from a value without looking into the frames of its traceback."""
    seen = set() if seen is None else seen
    if id(value) in seen or len(seen) > 20_000:
        return
    seen.add(id(value))
    yield repr(value)
    yield str(value)
    if isinstance(value, BaseException):
        for part in (value.args, getattr(value, "__notes__", []), value.__cause__, value.__context__):
            yield from everything_in(part, seen)
    if isinstance(value, dict):
        yield from everything_in(list(value.items()), seen)
    if isinstance(value, list | tuple | set | frozenset):
        for part in value:
            yield from everything_in(part, seen)
    if isinstance(value, BaseException):
        yield from everything_in(vars(value), seen)


def assert_silent(error):
    """Nothing that is said about an error, or kept in it, holds the key."""
    for text in everything_in(error):
        assert KEY not in text, type(error)
    assert KEY.encode() not in pickle.dumps(error)
    assert shown_of(error, KEY) == []
    assert KEY not in "".join(traceback.format_exception(error))


def fixed():
    return KEY


async def asked():
    return KEY


@pytest.fixture(params=[KEY, fixed, asked], ids=["text", "function", "coroutine function"])
def key(request):
    """The key, in each form in which it may be given."""
    return request.param


@pytest.mark.parametrize("make", [repr, str, lambda c: repr(vars(c)), lambda c: repr(c.with_options()._options)])
def test_no_client_shows_its_key(key, make):
    """The repr of a client, and of what it is made of, does not hold the key."""
    assert KEY not in make(FilesClient(key, base_url="http://127.0.0.1:1"))


@pytest.mark.parametrize("bad", [KEY + " " + KEY, KEY + "é", KEY + "\n" + KEY])
async def test_a_refused_key_is_not_shown(bad):
    """Not even a key that cannot be one is repeated in the message that says so."""
    with pytest.raises(ValueError, match="key") as caught:
        FilesClient(bad)
    assert_silent(caught.value)
    async with FilesClient(lambda: bad, base_url="http://127.0.0.1:1") as files:
        with pytest.raises(ValueError, match="key") as caught:
            await files.list_page()
    assert_silent(caught.value)


async def cut(connection):
    await connection.request()
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


async def mute(connection):
    await connection.request()


async def silent(connection):
    await connection.request()
    await connection.reader.read()


TIMELESS = {"created_at": KEY}
FAILURES = {
    "refused": reply(401, {"error": {"message": "no"}}),
    "broken": reply(500),
    "html": reply(503, b"<html>", content_type="text/html"),
    "not HTTP": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "a bad header": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
    "an endless header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    "a bad chunk": reply(content_length=None, transfer_encoding="chunked") + b"zz\r\n",
    "a bad encoding": reply(body=b"not gzip", content_encoding="gzip"),
    "cut": cut,
    "mute": mute,
    "silent": silent,
    "unreadable": reply(body=b"{"),
    "redirected away": reply(307, location="http://127.0.0.1:1/x"),
    "redirected into nothing": reply(302, location="https://127.0.0.1:1/x"),
    "redirected in circles": reply(307, location="/api/v1/files"),
    "echoed in the message": reply(401, {"error": {"message": f"Bad key: Bearer {KEY}", "metadata": {"key": KEY}}}),
    "echoed as text": reply(500, f"<html>{KEY}".encode(), content_type=f"text/{KEY}"),
    "echoed in headers": reply(429, X_Request_Id=KEY, location=f"https://127.0.0.1/{KEY}"),
    "echoed in a good answer": reply(body=f"<html>{KEY}".encode()),
    "echoed where a time belongs": reply(
        body={"data": [FILE | {"created_at": KEY}], **FILE, "created_at": KEY, "deleted": KEY}
    ),
    "echoed as a field": reply(body={"data": [{KEY: KEY}], "id": [KEY], "deleted": KEY}),
    "echoed instead of HTTP": KEY.encode() + b"\r\n\r\n",
    "echoed in a bad header": b"HTTP/1.1 200 OK\r\nContent-Length: " + KEY.encode() + b"\r\n\r\n",
    "echoed in a bad chunk": reply(content_length=None, transfer_encoding="chunked") + KEY.encode() + b"\r\n",
}

CONTENTS = {"unreadable", "echoed in a good answer", "echoed where a time belongs", "echoed as a field"}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("failure", FAILURES)
async def test_no_failure_shows_the_key(client_for, perform, caplog, capfd, failure, operation):
    """Whatever goes wrong, neither the error nor what led to it nor any log holds the key."""
    caplog.set_level(logging.DEBUG)
    async with RawServer(FAILURES[failure]) as server:
        key = {"upload": fixed, "download": asked}.get(operation, KEY)
        files = (await client_for(server, api_key=key)).with_options(
            retry=RetryPolicy(attempts=2, first_delay=0, ambiguous="raise"),
            timeouts=Timeouts(connect=0.05, idle=0.05, answer=0.05),
        )
        if operation.startswith("download") and failure in CONTENTS:
            return  # a file may hold anything
        with pytest.raises(FilesError) as caught:
            await perform(operation, files, "or_file_raw")
    assert any(KEY in str(request) for request in server.requests)
    assert_silent(caught.value)
    assert KEY not in caplog.text
    assert KEY not in "".join(capfd.readouterr())


async def answered(files, *, stream):
    answer = await files.ask("hi", model="a/b", stream=stream)
    return [text async for text in answer] if stream else answer


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("failure", sorted(FAILURES.keys() - {"silent"}))  # a model is waited for much longer
async def test_no_question_shows_the_key(client_for, failure, stream):
    """A model that is asked fails without the key, whether its answer streams or not."""
    async with RawServer(FAILURES[failure]) as server:
        files = (await client_for(server, api_key=asked)).with_options(
            retry=NO_RETRIES, timeouts=Timeouts(connect=0.05, idle=0.05, answer=0.05)
        )
        with pytest.raises(FilesError) as caught:
            await answered(files, stream=stream)
    assert_silent(caught.value)


async def cut_later(connection):
    await connection.request()
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + bytes(400_000))


@pytest.mark.parametrize("fails", ["download", "download_to", "upload", "retrieve"])
async def test_no_transfer_that_stops_midway_shows_the_key(client_for, perform, fails):
    """Cut, cancelled or late in the middle: neither the error nor a frame on its way shows the key."""
    async with RawServer(cut_later if fails.startswith("download") else silent) as server:
        files = await client_for(server, api_key=asked, retry=NO_RETRIES)
        if fails.startswith("download"):
            with pytest.raises(FilesError) as caught:
                await perform(fails, files, "or_file_raw")
        else:
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(0.1):
                    await perform(fails, files, "or_file_raw")
    assert_silent(caught.value)


async def test_no_refused_certificate_shows_the_key(client_for, perform, trusted):
    """A server that nobody vouches for is told about without the key."""
    async with RawServer(reply(body=FILE), ssl=trusted[0]) as server:
        for operation in OPERATIONS:
            with pytest.raises(TransportError, match="certificate") as caught:
                await perform(operation, await client_for(server, api_key=KEY, retry=NO_RETRIES), "or_file_raw")
            assert_silent(caught.value)


async def test_no_outcome_of_a_job_shows_the_key(client_for):
    """The errors that a bulk job hands out are as silent as those that are raised."""
    async with RawServer(cut) as server:
        files = await client_for(server, api_key=KEY, retry=NO_RETRIES)
        report = await delete_many(files, ["a", "b"])
    assert len(report.failed) == 2
    for outcome in report.failed:
        assert_silent(outcome.error)


async def test_no_function_that_fails_to_hand_out_a_key_shows_the_last(client_for):
    """What it raises comes through, and the key that it gave before is not shown by a frame of ours."""
    keys = [KEY]
    async with RawServer(reply(503)) as server:
        files = await client_for(server, api_key=keys.pop, retry=RetryPolicy(attempts=2, first_delay=0))
        with pytest.raises(IndexError) as caught:
            await files.retrieve("x")
    assert shown_of(caught.value, KEY) == []


@pytest.mark.parametrize("wrong", [KEY.encode(), [KEY], KEY + " " + KEY])
@pytest.mark.parametrize("handed_out", [False, True])
async def test_no_frame_of_a_refused_key_shows_it(wrong, handed_out):
    """Of what is no key, only the type is told, also when other arguments are wrong."""
    with pytest.raises((TypeError, ValueError)) as caught:
        async with FilesClient((lambda: wrong) if handed_out else wrong, base_url="http://127.0.0.1:1") as files:
            await files.list_page()
    assert shown_of(caught.value, KEY) == []
    with pytest.raises(ValueError, match="base URL") as caught:
        FilesClient(KEY, base_url="ftp://127.0.0.1")
    assert shown_of(caught.value, KEY) == []


async def test_no_unreachable_server_shows_the_key(client_for, perform, unreachable, caplog, key):
    """A connection that is refused is told about without the key."""
    caplog.set_level(logging.DEBUG)
    for operation in OPERATIONS:
        files = await client_for(unreachable, api_key=key, retry=RetryPolicy(attempts=2, first_delay=0))
        with pytest.raises(FilesError) as caught:
            await perform(operation, files, "or_file_1")
        assert_silent(caught.value)
    assert KEY not in caplog.text


async def test_no_log_of_a_life_shows_the_key(caplog, perform, key):
    """At the lowest level of all loggers, a whole life of a client says nothing of its key."""
    caplog.set_level(logging.DEBUG)
    async with Emulator(api_key=KEY) as emulator:
        stored = await emulator.put("a", b"x")
        emulator.queue("list", Status(503), Drop(), Stall(0.01))
        options = Options(retry=RetryPolicy(first_delay=0.01))
        async with FilesClient(key, base_url=emulator.base_url, options=options) as files:
            for operation in OPERATIONS:
                await perform(operation, files, stored.id) if operation != "delete" else None
            await files.delete(stored.id)
    assert "trying again" in caplog.text
    assert KEY not in caplog.text


def redirect(status, location):
    return reply(status, location=location)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("operation", ["list", "retrieve", "download"])
async def test_a_redirect_within_the_origin_is_followed_with_the_key(client_for, perform, operation, status):
    """A GET follows to another path of the same server, with all it had said before."""
    answers = (redirect(status, "/elsewhere?a=b#c"), reply(body=FILE | {"data": []}))
    async with RawServer(*answers) as server:
        files = (await client_for(server, api_key=KEY)).with_options(headers={"X-Mine": "1"})
        await perform(operation, files, "or_file_raw")
    first, second = server.requests
    assert second["line"] == "GET /elsewhere?a=b HTTP/1.1"
    assert second["headers"] == first["headers"]
    assert second["headers"]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(("status", "followed"), [(301, False), (302, False), (303, False), (307, True), (308, True)])
async def test_a_deletion_is_sent_on_only_as_a_deletion(client_for, status, followed):
    """307 and 308 keep the method; the others would make a GET of it, and are an error."""
    async with RawServer(redirect(status, "/elsewhere"), reply(body={"id": "x"})) as server:
        files = await client_for(server)
        if followed:
            assert (await files.delete("x")).id == "x"
            assert server.requests[1]["line"] == "DELETE /elsewhere HTTP/1.1"
        else:
            with pytest.raises(APIError, match="is not followed"):
                await files.delete("x")
            assert server.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("same", [True, False])
async def test_an_upload_is_never_sent_on(client_for, trusted, status, same):
    """No redirect of an upload is followed, not even within the origin: one POST, an APIError."""
    async with RawServer(reply(body=FILE), ssl=trusted[0]) as other:
        async with RawServer(redirect(status, "/x" if same else f"{other.origin}/x"), reply(body=FILE)) as server:
            files = await client_for(server, ssl=trusted[1])
            with pytest.raises(APIError, match="is not followed") as caught:
                await files.upload(b"hello", filename="a.txt")
            assert (caught.value.status, caught.value.attempts, server.connections) == (status, 1, 1)
        assert other.connections == 0


@pytest.mark.parametrize("operation", ["list", "retrieve", "delete", "download", "download_to"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_http_origin_is_never_followed(client_for, perform, operation, status):
    """Plain http to another host or port is not followed, with or without the key; the error names the host."""
    async with RawServer(reply(body=FILE)) as other:
        async with RawServer(redirect(status, f"{other.origin}/x")) as server:
            with pytest.raises(APIError, match=r"the redirect to 127\.0\.0\.1\b.* is not followed"):
                await perform(operation, await client_for(server, api_key=KEY), "or_file_raw")
        assert other.connections == 0


@pytest.mark.parametrize("operation", ["list", "list_page", "retrieve", "delete"])
@pytest.mark.parametrize("status", [302, 307])
async def test_only_content_is_fetched_from_another_origin(client_for, perform, trusted, operation, status):
    """Metadata and listings come from the API alone: another host could make them up."""
    async with RawServer(reply(body=FILE | {"data": [], "deleted": True}), ssl=trusted[0]) as other:
        async with RawServer(redirect(status, f"{other.origin}/x")) as server:
            with pytest.raises(APIError, match="is not followed"):
                await perform(operation, await client_for(server, ssl=trusted[1]), "or_file_raw")
        assert other.connections == 0


@pytest.mark.parametrize("operation", ["download", "download_to"])
async def test_a_location_with_what_no_url_holds_is_asked_for_as_it_came(client_for, perform, operation):
    """A space and bytes that are not ASCII are escaped one by one, and what was escaped is left alone."""
    location = "/stored/a b/caf\xc3\xa9/\xe9?sig=a%2Fb+c%3d"
    head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    async with RawServer(head.encode("latin-1"), reply(body=b"hello")) as server:
        await perform(operation, await client_for(server), "or_file_raw")
    assert server.requests[1]["line"] == "GET /stored/a%20b/caf%C3%A9/%E9?sig=a%2Fb+c%3d HTTP/1.1"


@pytest.mark.parametrize("operation", ["download", "download_to"])
async def test_a_redirect_to_another_https_origin_goes_without_the_key(client_for, perform, trusted, operation):
    """A storage link gets a GET with our User-Agent, and neither key nor headers nor attribution."""
    async with RawServer(reply(body=FILE | {"data": []}), ssl=trusted[0]) as storage:
        async with RawServer(redirect(302, f"{storage.origin}/blob?sig=a%2Fb")) as server:
            files = await client_for(
                server, api_key=KEY, ssl=trusted[1], app_title="T", http_referer="https://r.example"
            )
            await perform(operation, files.with_options(headers={"X-Mine": "1", "Cookie": "c"}), "or_file_raw")
            await files.aclose()
        (request,) = storage.requests
    assert request["line"] == "GET /blob?sig=a%2Fb HTTP/1.1"
    assert KEY not in str(request)
    assert set(request["headers"]) <= {"host", "accept", "accept-encoding", "user-agent", "connection"}


async def test_a_storage_that_sends_on_gets_no_key_either(client_for, trusted):
    """A redirect within the other origin does not make it ours: the key stays away from all that follows."""
    async with RawServer(redirect(302, "/second"), reply(body=FILE), ssl=trusted[0]) as storage:
        async with RawServer(redirect(302, f"{storage.origin}/first")) as server:
            files = await client_for(server, api_key=KEY, ssl=trusted[1])
            await files.download("or_file_raw").read()
            await files.aclose()
        assert [request["line"].split()[1] for request in storage.requests] == ["/first", "/second"]
        assert KEY not in str(storage.requests)


async def test_the_key_does_not_come_back_by_a_detour(client_for, trusted):
    """Sent away and back again, a GET still goes without the key: the detour chose where."""
    async with RawServer(reply(500), ssl=trusted[0]) as storage:
        answers = [redirect(302, f"{storage.origin}/a"), reply(body=FILE)]
        async with RawServer(*answers, ssl=trusted[0]) as server:
            storage.scripts = [redirect(302, f"{server.origin}/back")]
            files = await client_for(server, api_key=KEY, ssl=trusted[1])
            await files.download("or_file_raw").read()
            await files.aclose()
        assert server.requests[1]["line"] == "GET /back HTTP/1.1"
        assert "authorization" not in server.requests[1]["headers"]


async def test_a_deletion_is_not_sent_to_another_origin(client_for, trusted):
    """Only a GET may leave the origin."""
    async with RawServer(reply(body={"id": "x"}), ssl=trusted[0]) as other:
        async with RawServer(redirect(307, f"{other.origin}/x")) as server:
            with pytest.raises(APIError, match="is not followed"):
                await (await client_for(server, ssl=trusted[1])).delete("x")
        assert other.connections == 0


@pytest.mark.parametrize("operation", ["retrieve", "download"])
async def test_five_redirects_are_followed_and_no_sixth(client_for, perform, operation):
    """A chain of five is fine, a longer one is an APIError after six requests."""
    chain = [redirect(307, f"/{n}") for n in range(5)]
    async with RawServer(*chain, reply(body=FILE)) as server:
        await perform(operation, await client_for(server), "or_file_raw")
        assert server.connections == 6
    async with RawServer(redirect(307, "/again")) as server:
        with pytest.raises(APIError) as caught:
            await perform(operation, await client_for(server), "or_file_raw")
        assert (caught.value.status, server.connections) == (307, 6)


@pytest.mark.parametrize(
    "location",
    [
        None,
        "",
        "ftp://127.0.0.1/x",
        "https://",
        "http://127.0.0.1:99999/",
        "javascript:0",
        "https://me:secret@127.0.0.1/x",
    ],
)
async def test_a_redirect_to_nowhere_is_an_error(client_for, location):
    """Without a usable Location the redirect itself is the APIError."""
    async with RawServer(redirect(302, location)) as server:
        with pytest.raises(APIError) as caught:
            await (await client_for(server)).retrieve("x")
        assert (caught.value.status, server.connections) == (302, 1)
    assert "secret" not in str(caught.value)


async def test_a_failure_behind_a_redirect_is_repeated_from_the_start(client_for):
    """A retry asks the server again: a storage link may have expired."""
    answers = [redirect(302, "/blob"), reply(503), redirect(302, "/fresh"), reply(body=FILE)]
    async with RawServer(*answers) as server:
        await (await client_for(server)).retrieve("x")
    assert [request["line"].split()[1] for request in server.requests] == [
        "/api/v1/files/x",
        "/blob",
        "/api/v1/files/x",
        "/fresh",
    ]
