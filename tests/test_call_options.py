"""What a caller may choose: options of a call, headers, attribution, environment, keys, timeouts."""

# ruff: noqa: PLR0917, PT012 - fixtures and the columns of a table are many; what a loop raises is raised in a loop

import asyncio
import platform
import socket
import time
from types import SimpleNamespace

import pytest
from raw_server import FILE, RawServer, reply

from openrouter_files import (
    NO_RETRIES,
    AuthenticationError,
    BadRequestError,
    FilesClient,
    Options,
    PermissionDeniedError,
    RetryPolicy,
    Timeouts,
    TransportError,
    TransportTimeoutError,
    __version__,
)
from openrouter_files.emulator import Drop, Emulator, Stall, Status, Trickle

OPERATIONS = ["list", "list_page", "upload", "retrieve", "delete", "download", "download_to"]
WORKSPACE = "0b8a5f52-3e6f-4d1c-a957-2d0f4f1c7e99"


@pytest.fixture
async def anything():
    """A server that answers every operation with something it can read."""
    async with RawServer(reply(body=FILE | {"data": []})) as server:
        yield server


async def said(server, perform, operation, files):
    """The request that an operation sends."""
    try:
        await perform(operation, files, "or_file_raw")
    finally:
        request = server.requests[-1]
    return request


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_workspace_and_provider_are_said_in_every_operation(anything, client_for, perform, operation):
    """Both travel in the query of every request once they are chosen, and not at all before."""
    files = await client_for(anything)
    assert "workspace" not in (await said(anything, perform, operation, files))["line"]
    chosen = files.with_options(workspace_id=WORKSPACE, provider="openai")
    line = (await said(anything, perform, operation, chosen))["line"]
    assert f"workspace_id={WORKSPACE}&provider=openai HTTP" in line
    neither = chosen.with_options(workspace_id=None, provider=None)
    line = (await said(anything, perform, operation, neither))["line"]
    assert "workspace" not in line
    assert "provider" not in line


async def test_workspaces_are_apart(emulator, files):
    """What is uploaded to another workspace is seen only there; a key of one workspace may not see others."""
    other = emulator.add_workspace()
    there = files.with_options(workspace_id=other)
    file = await there.upload(b"hello\n", filename="a.txt")
    assert [each.id async for each in there.list()] == [file.id]
    assert [each async for each in files.list()] == []
    with pytest.raises(BadRequestError, match="provider key"):
        await files.with_options(provider="anthropic").list_page()


async def test_a_key_may_be_bound_to_its_workspace(emulator, client_for):
    """403 for another workspace is a PermissionDeniedError."""
    emulator.add_key("sk-or-v1-bound")
    files = await client_for(emulator, api_key="sk-or-v1-bound")
    with pytest.raises(PermissionDeniedError, match="bound to another workspace"):
        await files.with_options(workspace_id=emulator.workspace_id).list_page()


async def test_in_region_hosts_refuse(client_for):
    """The 403 of an in-region host is a PermissionDeniedError with its reason."""
    async with Emulator(region=True) as emulator:
        with pytest.raises(PermissionDeniedError, match="in-region"):
            await (await client_for(emulator)).list_page()


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_headers_of_a_call_are_sent(anything, client_for, perform, operation):
    """Headers of the caller's are sent with every request of that client, and of no other."""
    files = await client_for(anything)
    marked = files.with_options(headers={"X-Mine": "é 1", "anthropic-version": "2023-06-01"})
    request = await said(anything, perform, operation, marked)
    assert request["headers"]["x-mine"].encode("latin-1").decode() == "é 1"
    assert request["headers"]["anthropic-version"] == "2023-06-01"
    assert "x-mine" not in (await said(anything, perform, operation, files))["headers"]


async def test_headers_of_a_call_replace_those_of_the_client(anything, client_for, perform):
    """User-Agent, Accept and attribution can be replaced, in any case, without being sent twice."""
    files = await client_for(anything, app_title="ours")
    chosen = {"user-agent": "OpenAI/Python 3.0", "accept": "*/*", "x-openrouter-title": "theirs"}
    request = await said(anything, perform, "list", files.with_options(headers=chosen))
    names = [field.partition(":")[0].lower() for field in request["fields"]]
    for name, value in chosen.items():
        assert names.count(name) == 1
        assert request["headers"][name] == value


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer x"},
        {"authorization": "Bearer x"},
        {"Content-Length": "1"},
        {"Host": "example.org"},
        {"Transfer-Encoding": "chunked"},
        {"Accept-Encoding": "gzip"},
        {"X-A": "b\r\nX-C: d"},
        {"X-A\r\nX-C": "d"},
        {"X A": "b"},
        {"": "b"},
        {"X-A": "b\0"},
    ],
)
async def test_headers_that_would_break_the_request_are_refused(files, emulator, headers):
    """What the client itself says, and what does not fit into a header line, is a ValueError at once."""
    with pytest.raises(ValueError, match="header"):
        files.with_options(headers=headers)
    assert emulator.requests == ()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"provider": "google"}, ValueError),
        ({"workspace": "x"}, TypeError),
        ({"timeout": 5}, TypeError),
    ],
)
async def test_options_that_make_no_sense_are_refused(files, changes, error):
    """An unknown option or value is the caller's mistake, told at once."""
    with pytest.raises(error):
        files.with_options(**changes)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Timeouts(connect=0),
        lambda: Timeouts(idle=-1),
        lambda: Timeouts(answer=float("nan")),
        lambda: Timeouts(answer=float("inf")),
        lambda: RetryPolicy(attempts=0),
        lambda: RetryPolicy(first_delay=-1),
        lambda: RetryPolicy(max_delay=float("inf")),
        lambda: RetryPolicy(deadline=0),
        lambda: RetryPolicy(ambiguous="maybe"),
    ],
)
def test_values_that_make_no_sense_are_refused(make):
    """Timeouts and policies check themselves."""
    with pytest.raises(ValueError, match="must be"):
        make()


async def test_options_change_one_client_and_share_its_connection(emulator, files):
    """with_options leaves the client as it was, may be chained, and opens no connection of its own."""
    other = emulator.add_workspace()
    first = files.with_options(workspace_id=other)
    second = first.with_options(headers={"X-Mine": "1"})
    await files.list_page()
    await second.list_page()
    plain, marked = emulator.requests
    assert (plain.query, "x-mine" in plain.headers) == ({}, False)
    assert (marked.query, marked.headers["x-mine"]) == ({"workspace_id": other}, "1")
    assert type(second) is FilesClient


async def test_options_can_be_given_to_the_client(emulator):
    """Options of the constructor count for every call."""
    other = emulator.add_workspace()
    options = Options(workspace_id=other, headers={"X-Mine": "1"})
    async with FilesClient(emulator.api_key, base_url=emulator.base_url, options=options) as files:
        await files.list_page()
    assert emulator.requests[0].query == {"workspace_id": other}
    assert emulator.requests[0].headers["x-mine"] == "1"


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_every_request_says_who_sends_it(anything, client_for, perform, operation):
    """User-Agent with our version, and attribution as the caller gave it, travel with every operation."""
    files = await client_for(
        anything, http_referer="https://app.example", app_title="T é", app_categories=["cli-agent", "cloud-agent"]
    )
    request = await said(anything, perform, operation, files)
    headers = request["headers"]
    assert headers["user-agent"] == f"openrouter-files/{__version__} Python/{platform.python_version()}"
    assert headers["http-referer"] == "https://app.example"
    assert headers["x-openrouter-title"].encode("latin-1").decode() == "T é"
    assert headers["x-openrouter-categories"] == "cli-agent,cloud-agent"
    assert headers["authorization"] == f"Bearer {anything.api_key}"


async def test_attribution_that_is_unset_is_not_sent(anything, client_for, perform):
    """Without a value the header is left out, not sent empty."""
    files = await client_for(anything, app_title="")
    headers = (await said(anything, perform, "list", files))["headers"]
    assert not {"http-referer", "x-openrouter-title", "x-openrouter-categories"} & set(headers)


@pytest.mark.parametrize(("argument", "sent"), [(None, "from outside"), ("mine", "mine")])
async def test_attribution_may_come_from_the_environment(anything, client_for, perform, monkeypatch, argument, sent):
    """Argument over environment over nothing."""
    for name in ("OPENROUTER_HTTP_REFERER", "OPENROUTER_APP_TITLE", "OPENROUTER_APP_CATEGORIES"):
        monkeypatch.setenv(name, "from outside")
    files = await client_for(anything, http_referer=argument, app_title=argument, app_categories=argument)
    headers = (await said(anything, perform, "list", files))["headers"]
    assert {headers[f"x-openrouter-{name}"] for name in ("title", "categories")} == {sent}
    assert headers["http-referer"] == sent


@pytest.mark.parametrize("argument", ["http_referer", "app_title", "app_categories"])
def test_attribution_cannot_smuggle_headers(argument):
    """A line break in an attribution value is a ValueError."""
    with pytest.raises(ValueError, match="header"):
        FilesClient("k", **{argument: "a\r\nX-B: c"})


async def test_key_and_base_url_may_come_from_the_environment(emulator, monkeypatch):
    """FilesClient() takes OPENROUTER_API_KEY and OPENROUTER_BASE_URL; arguments come first."""
    monkeypatch.setenv("OPENROUTER_API_KEY", emulator.api_key)
    monkeypatch.setenv("OPENROUTER_BASE_URL", f"{emulator.base_url}/")
    async with FilesClient() as files:
        assert (await files.list_page()).data == ()
    monkeypatch.setenv("OPENROUTER_BASE_URL", "https://example.invalid")
    async with FilesClient("wrong", base_url=emulator.base_url) as files:
        with pytest.raises(AuthenticationError):
            await files.list_page()
    assert [request.path for request in emulator.requests] == ["/api/v1/files"] * 2


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_key_there_is_no_client(monkeypatch, value):
    """No key anywhere is a ValueError that says what to set."""
    if value is not None:
        monkeypatch.setenv("OPENROUTER_API_KEY", value)
    with pytest.raises(ValueError, match="OPENROUTER_API_KEY"):
        FilesClient()


def test_by_default_it_is_openrouter():
    """Without arguments the base URL is that of the service."""
    assert repr(FilesClient("k")) == "FilesClient(base_url='https://openrouter.ai/api/v1')"


@pytest.mark.parametrize(
    "url",
    [
        "http://openrouter.ai/api/v1",
        "http://10.0.0.1/api/v1",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
        "ftp://openrouter.ai",
        "openrouter.ai/api/v1",
        "https://",
        "https://me:secret@openrouter.ai",
        "https://openrouter.ai/api/v1?x=y",
        "https://openrouter.ai/api/v1#x",
    ],
)
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_a_base_url_that_would_give_the_key_away_is_refused(monkeypatch, url, by):
    """Plain http beyond this machine, logins, queries and no URL at all are a ValueError."""
    monkeypatch.setenv("OPENROUTER_BASE_URL", url)
    with pytest.raises(ValueError, match="plain text" if url.startswith("http:") else "base URL"):
        FilesClient("k", base_url=url if by == "argument" else None)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/api/v1", "http://127.3.2.1", "http://localhost", "http://[::1]:80", "http://a.localhost"],
)
def test_plain_http_is_fine_on_this_machine(url):
    """What does not leave this machine may go unencrypted."""
    FilesClient("k", base_url=url)


def test_plain_http_is_fine_when_asked_for():
    """allow_plain_http lets the key travel in plain text."""
    FilesClient("k", base_url="http://10.0.0.1/api/v1", allow_plain_http=True)


@pytest.mark.parametrize("key", ["sk-or-v1-raw-server", "Bearer sk-or-v1-raw-server", "bearer  sk-or-v1-raw-server\n"])
async def test_a_key_may_have_its_prefix(anything, client_for, perform, key):
    """With or without `Bearer `, one and only one prefix is sent."""
    request = await said(anything, perform, "list", await client_for(anything, api_key=key))
    assert request["headers"]["authorization"] == "Bearer sk-or-v1-raw-server"


@pytest.mark.parametrize(
    ("key", "error"),
    [("", ValueError), ("a b", ValueError), ("a\nb", ValueError), ("é", ValueError), (5, TypeError), (b"k", TypeError)],
)
async def test_what_is_no_key_is_refused(emulator, key, error):
    """An impossible key is refused when it is given, or when it is handed out; nothing is sent."""
    with pytest.raises(error):
        FilesClient(key)
    async with FilesClient(lambda: key, base_url=emulator.base_url) as files:
        with pytest.raises(error):
            await files.list_page()
    assert emulator.requests == ()


@pytest.mark.parametrize("kind", ["sync", "async", "object"])
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_function_is_asked_for_the_key_of_each_attempt(client_for, perform, operation, kind):
    """A rotated key reaches the very next attempt, whichever kind of function hands it out."""
    handed = []

    def key():
        handed.append(f"key-{len(handed)}")
        return handed[-1]

    async def later():
        await asyncio.sleep(0)
        return key()

    source = {"sync": key, "async": later, "object": SimpleNamespace(ask=later).ask}[kind]
    async with RawServer(reply(429), reply(408), reply(body=FILE | {"data": []})) as server:
        await perform(operation, await client_for(server, api_key=source), "or_file_raw")
        keys = [request["headers"]["authorization"] for request in server.requests]
    assert keys == ["Bearer key-0", "Bearer key-1", "Bearer key-2"]


async def test_what_a_key_function_raises_comes_through(emulator, client_for, perform):
    """A vault that is closed is its own error: no request, no retry."""

    async def closed():
        raise LookupError("the vault is closed")

    files = await client_for(emulator, api_key=closed)
    for operation in OPERATIONS:
        with pytest.raises(LookupError, match="the vault is closed"):
            await perform(operation, files, "or_file_1")
    assert emulator.requests == ()


SHORT = Timeouts(connect=0.1, idle=0.1, answer=0.1)
MODERATE = Timeouts(connect=5, idle=0.8, answer=1.0)


@pytest.mark.parametrize("operation", ["list", "retrieve", "delete", "download", "download_to"])
async def test_silence_instead_of_an_answer_is_a_timeout(emulator, files, perform, operation):
    """A server that takes the request and says nothing is a TransportTimeoutError, also a TimeoutError."""
    file = await emulator.put("a", b"x")
    emulator.queue(operation.removesuffix("_to"), Stall(30))
    with pytest.raises(TransportTimeoutError) as caught:
        await perform(operation, files.with_options(timeouts=SHORT, retry=NO_RETRIES), file.id)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.maybe_processed == (operation == "delete")


@pytest.mark.parametrize("operation", ["list", "retrieve", "delete", "download"])
@pytest.mark.parametrize("kept", [False, True])
async def test_the_time_to_connect_is_not_added_to_that_for_an_answer(emulator, files, perform, operation, kept):
    """Once a connection is there, new or kept, only `answer` counts, however long connecting might have taken."""
    file = await emulator.put("a", b"x")
    careful = files.with_options(timeouts=Timeouts(connect=60, answer=0.2), retry=NO_RETRIES)
    if kept:
        await careful.list_page()
    emulator.queue(operation, Stall(60))
    with pytest.raises(TransportTimeoutError):
        async with asyncio.timeout(20):
            await perform(operation, careful, file.id)


async def test_silence_is_answered_by_another_attempt(emulator, files):
    """A timeout of a GET is repeated like any other lost answer."""
    emulator.queue("list", Stall(30), Stall(30))
    await files.with_options(timeouts=Timeouts(answer=0.4)).list_page()
    assert len(emulator.requests) == 3


@pytest.fixture
def crowded():
    """A server whose queue is full: connections are neither taken nor refused."""
    with socket.socket() as listening, socket.socket() as first, socket.socket() as second:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield SimpleNamespace(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", api_key="sk-or-v1-nobody")


@pytest.mark.parametrize("operation", ["list", "upload", "download"])
async def test_a_connection_that_does_not_come_is_a_timeout(crowded, client_for, perform, operation):
    """Connecting is bounded by `connect` alone; nothing was sent, so an upload is not ambiguous."""
    files = await client_for(crowded, retry=NO_RETRIES)
    with pytest.raises(TransportTimeoutError, match="no connection in time") as caught:
        await perform(operation, files.with_options(timeouts=Timeouts(connect=0.1), retry=NO_RETRIES), "or_file_1")
    assert not caught.value.maybe_processed


async def test_a_handshake_that_does_not_end_is_a_timeout(client_for):
    """TLS counts as connecting: a server that accepts and then says nothing is not waited for."""

    async def mute(connection):
        await connection.reader.read()

    async with RawServer(mute) as server:
        url = server.base_url.replace("http:", "https:")
        files = (await client_for(server, base_url=url)).with_options(timeouts=Timeouts(connect=0.1), retry=NO_RETRIES)
        async with asyncio.timeout(2):
            with pytest.raises(TransportError) as caught:
                await files.upload(b"hello", filename="a.txt")
    assert isinstance(caught.value, TransportTimeoutError)
    assert not caught.value.maybe_processed


async def test_a_download_that_falls_silent_is_a_timeout(client_for):
    """Silence between two pieces of a file, beyond `idle`, is a TransportTimeoutError after the bytes before it."""

    async def half(connection):
        await connection.request()
        await connection.send(reply(body=b"01234", content_length="10"))
        await asyncio.sleep(5)

    async with RawServer(half) as server:
        files = (await client_for(server)).with_options(timeouts=SHORT, retry=NO_RETRIES)
        got = []
        with pytest.raises(TransportTimeoutError):
            async for chunk in files.download("or_file_1"):
                got.append(chunk)  # noqa: PERF401 - what arrives before the error counts, too
        assert got == [b"01234"]


async def test_a_slow_download_that_lives_is_not_timed_out(emulator, files, tmp_path):
    """A download that takes much longer than each timeout, but never pauses as long, is whole."""
    file = await emulator.put("a", b"x" * 100)
    emulator.queue("download", Trickle(0.2, piece=10), Trickle(0.2, piece=10))
    patient = files.with_options(timeouts=MODERATE, retry=NO_RETRIES)
    assert await patient.download(file.id).read() == b"x" * 100
    await patient.download_to(file.id, tmp_path / "a")


async def slowly(piece, count):
    for _ in range(count):
        await asyncio.sleep(0.2)
        yield piece


@pytest.mark.parametrize("piece", [b"0123456789\n" * 10_000, b"hello\n"], ids=["large", "small"])
async def test_a_slow_upload_that_lives_is_not_timed_out(emulator, files, piece):
    """An upload that takes much longer than each timeout, but never pauses as long, is stored."""
    patient = files.with_options(timeouts=MODERATE, retry=NO_RETRIES)
    file = await patient.upload(slowly(piece, 12), filename="a.txt", size=12 * len(piece))
    assert await emulator.content(file.id) == 12 * piece


@pytest.mark.parametrize("size", [None, 600_000])
async def test_a_source_that_pauses_is_waited_for(emulator, files, size):
    """What the caller's own iterator takes to go on is not the server's silence: no timeout counts it."""

    async def pausing():
        for _ in range(2):
            yield b"0123456789\n" * 30_000 if size is None else b"01234567\n\n" * 30_000
            await asyncio.sleep(1.2)

    file = await files.with_options(timeouts=MODERATE, retry=NO_RETRIES).upload(pausing(), filename="a.txt", size=size)
    assert file.size_bytes == (size or 660_000)


async def test_a_server_that_reads_slowly_is_not_timed_out(client_for):
    """A body that goes out in many small steps takes as long as it needs."""

    async def sipping(connection):
        head = await connection.head()
        left = int(head["headers"]["content-length"])
        while left:
            await asyncio.sleep(0.01)
            left -= len(await connection.reader.read(min(left, 65_536)))
        await connection.send(reply(body=FILE))

    async with RawServer(sipping) as server:
        files = (await client_for(server)).with_options(timeouts=Timeouts(connect=0.1, idle=0.5, answer=1))
        began = time.monotonic()
        await files.upload(bytes(8_000_000), filename="a.bin")
        assert time.monotonic() - began > 1.1


async def test_time_without_limit_can_be_asked_for(emulator, files):
    """None bears silence for ever."""
    emulator.queue("list", Stall(0.2))
    await files.with_options(timeouts=Timeouts(connect=None, idle=None, answer=None)).list_page()


async def test_retries_are_an_option_of_a_call(emulator, files):
    """NO_RETRIES for one call changes no other."""
    emulator.queue("list", Status(503), Status(503))
    with pytest.raises(Exception, match="503"):
        await files.with_options(retry=NO_RETRIES).list_page()
    await files.list_page()
    emulator.queue("list", Drop())
    await files.list_page()
