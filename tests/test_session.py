"""What lies below the calls: loops, forks, threads, sessions of others, proxies, TLS, and an end without remains."""

# ruff: noqa: PLR0917 - fixtures and the columns of a table are many

import asyncio
import gc
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from aiofiles.threadpool import wrap
from raw_server import FILE, RawServer, reply
from shown import shown_of

from openrouter_files import (
    NO_RETRIES,
    APIError,
    FilesClient,
    NotFoundError,
    Options,
    RetryPolicy,
    Timeouts,
    TransportError,
)
from openrouter_files.emulator import Emulator

DESCRIPTORS = Path("/proc/self/fd")
LARGE = b"0123456789 abcde\n" * 40_000
LISTING = """
import asyncio, gc, os, sys
from openrouter_files import FilesClient, NotFoundError

async def names(files):
    return [file.filename async for file in files.list()]
"""

# Each leads a client, or several, through a life it may have.
LIVES = {
    "in one loop": """
async def closed():
    async with FilesClient() as files:
        await names(files)

async def never_closed():
    await names(FilesClient())

async def used_after_its_end():
    async with FilesClient() as files:
        await names(files)
    await names(files)
    await files.aclose()
    await files.aclose()

async def failing():
    files = FilesClient()
    await files.retrieve("or_file_0")

FilesClient()
for life in (closed, never_closed, used_after_its_end, failing):
    try:
        asyncio.run(life())
    except NotFoundError:
        assert life is failing
""",
    "in one loop after another": """
async def closed():
    async with files:
        return await names(files)

files = FilesClient()
for _ in range(3):
    assert asyncio.run(names(files)) == ["x.bin"]
for _ in range(3):
    assert asyncio.run(closed()) == ["x.bin"]
""",
    "in loops closed by hand": """
files = FilesClient()
for clean in (lambda loop: files.aclose(), lambda loop: loop.shutdown_asyncgens()):
    for _ in range(2):
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(names(files)) == ["x.bin"]
        loop.run_until_complete(clean(loop))
        loop.close()
""",
    "dropped while the loop runs": """
async def main():
    await names(FilesClient())
    gc.collect()
    async with asyncio.timeout(5):
        while asyncio.all_tasks() != {asyncio.current_task()}:
            await asyncio.sleep(0.01)
asyncio.run(main())
""",
    "with downloads left in the middle": """
async def left():
    files = FilesClient()
    async for chunk in files.download(sys.argv[1]):
        break
    async with files.download(sys.argv[1]) as chunks:
        async for chunk in chunks:
            break
    chunks = aiter(files.download(sys.argv[1]))
    await anext(chunks)
    chunks = aiter(files.list(page_size=1))
    await anext(chunks)

async def left_open():
    files = FilesClient()
    await files.download(sys.argv[1]).__aenter__()

asyncio.run(left())
asyncio.run(left_open())
""",
    "with calls that are cancelled": """
async def main():
    files = FilesClient()
    asyncio.get_running_loop().call_later(0.05, asyncio.current_task().cancel)
    while True:
        await asyncio.gather(files.download(sys.argv[1]).read(), files.upload(b"hello", filename="h.txt"))

async def impatient():
    files = FilesClient()
    tasks = [asyncio.create_task(files.download_to(sys.argv[1], f"d{n}")) for n in range(5)]
    tasks += [asyncio.create_task(files.upload(sys.executable)) for n in range(3)]
    await asyncio.sleep(0.01)

try:
    asyncio.run(main())
except asyncio.CancelledError:
    pass
asyncio.run(impatient())
assert all(os.path.getsize(name) == 400_000 for name in os.listdir()), os.listdir()
""",
    "forked between two loops": """
files = FilesClient()
asyncio.run(names(files))
child = os.fork()
assert asyncio.run(names(files)) == ["x.bin"]
if child:
    assert os.waitpid(child, 0)[1] == 0
""",
    "forked while a connection is kept": """
async def use():
    file = await files.upload("a path.txt")
    await files.retrieve(file.id)
    await files.download_to(sys.argv[1], f"from {os.getpid()}")

with open("a path.txt", "w") as file:
    file.write("hello")
files = FilesClient()
loop = asyncio.new_event_loop()
loop.run_until_complete(use())
child = os.fork()
if child:
    assert os.waitpid(child, 0)[1] == 0
    for _ in range(2):
        loop.run_until_complete(use())
    loop.run_until_complete(files.aclose())
    loop.close()
else:
    asyncio.run(use())
    asyncio.run(use())
    sys.stdout.flush()
    os._exit(0)
""",
}


@pytest.mark.parametrize(
    "life",
    LIVES,
)
async def test_no_life_ends_with_a_complaint(emulator, run_script, life):
    """However a client is used and left, in a Python whose warnings are errors nothing is complained about."""
    if "fork" in life and not hasattr(os, "fork"):
        pytest.skip("this system does not fork")
    file = await emulator.put("x.bin", bytes(400_000))
    finished = await run_script(f"{LISTING}\n{LIVES[life]}\nprint('done')", emulator, file.id)
    assert finished.complaints == ""
    assert finished.output.endswith("done\n")
    assert finished.status == 0


async def test_threads_with_loops_of_their_own_share_a_client(emulator, files):
    """Several threads, each with its loop, use one client at the same time as this loop does."""
    stored = await emulator.put("x", LARGE)

    async def use():
        for _ in range(5):
            assert await files.download(stored.id).read() == LARGE
            await files.upload(b"hello", filename="h.txt")

    def in_a_thread():
        asyncio.run(use())

    await asyncio.gather(use(), *(asyncio.to_thread(in_a_thread) for _ in range(4)))
    assert len(emulator.files()) == 26


async def test_connections_are_kept_and_reused(client_for):
    """Calls one after another travel over one connection; aclose ends it, and the next call opens another."""
    answers = reply(body={"data": []}, connection="keep-alive")

    async def patient(connection):
        while True:
            await connection.request()
            await connection.send(answers)

    async with RawServer(patient) as server:
        files = await client_for(server)
        for _ in range(3):
            await files.list_page()
        assert server.connections == 1
        await files.aclose()
        await files.list_page()
        assert server.connections == 2


async def test_a_kept_connection_that_the_server_closed_costs_nothing(client_for):
    """A kept connection that turns out to be closed is replaced; a GET, an upload and a DELETE all succeed."""

    async def fickle(connection):
        await connection.request()
        await connection.send(reply(body=FILE | {"data": []}, connection="keep-alive"))

    async with RawServer(fickle) as server:
        files = await client_for(server)
        for _ in range(3):
            await files.list_page()
            await asyncio.sleep(0.05)  # what is sent into a connection that is just being closed may have arrived
            await files.upload(b"hello", filename="a.txt")
            await files.delete("or_file_raw")


@pytest.mark.parametrize("most", [0, -1])
def test_at_least_one_connection_is_needed(most):
    """Without one every call would wait for ever."""
    with pytest.raises(ValueError, match="max_connections"):
        FilesClient("sk-or-v1-x", max_connections=most)


async def test_max_connections_bounds_the_connections(client_for):
    """Twenty calls at once with max_connections=3 open at most three connections, and all are answered."""
    running = most = 0

    async def counting(connection):
        nonlocal running, most
        await connection.request()
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        await connection.send(reply(body=FILE))

    async with RawServer(counting) as server:
        files = await client_for(server, max_connections=3)
        await asyncio.gather(*(files.retrieve("or_file_raw") for _ in range(20)))
    assert most == 3


async def test_waiting_for_a_connection_is_not_silence(client_for):
    """A call that waits for its turn longer than any timeout is not timed out."""

    async def slow(connection):
        await connection.request()
        await asyncio.sleep(0.1)
        await connection.send(reply(body=FILE))

    async with RawServer(slow) as server:
        options = Options(retry=NO_RETRIES, timeouts=Timeouts(connect=0.2, idle=0.2, answer=0.2))
        files = await client_for(server, max_connections=1, options=options)
        await asyncio.gather(*(files.retrieve("or_file_raw") for _ in range(5)))


async def test_a_certificate_of_ones_own_is_trusted_when_given(client_for, trusted):
    """With ssl= the client speaks TLS to a server whose certificate only this context knows."""
    server, client = trusted
    async with Emulator(ssl=server) as emulator:
        files = await client_for(emulator, ssl=client)
        file = await files.upload(LARGE, filename="a.txt")
        assert (await files.retrieve(file.id)).size_bytes == len(LARGE)
        await files.aclose()
        await asyncio.sleep(0.05)


async def test_an_unknown_certificate_is_refused(client_for, trusted):
    """A certificate that nobody vouches for is a TransportError that says so; nothing was sent."""
    async with RawServer(reply(body=FILE), ssl=trusted[0]) as server:
        files = await client_for(server, retry=NO_RETRIES)
        with pytest.raises(TransportError, match=r"certificate of 127\.0\.0\.1 was refused") as caught:
            await files.upload(b"hello", filename="a.txt")
        assert not caught.value.maybe_processed
        assert server.requests == []


@pytest.fixture
async def session():
    """A session that belongs to the caller."""
    async with aiohttp.ClientSession() as opened:
        yield opened


async def test_a_session_of_the_caller_is_left_open(emulator, session):
    """A client closes what it made, and a given session is not its own."""
    async with FilesClient(emulator.api_key, base_url=emulator.base_url, session=session) as files:
        await files.list_page()
    assert not session.closed
    async with session.get(emulator.base_url) as answer:
        assert answer.status == 404


async def refuse(response):
    raise AssertionError(f"nobody asked: {response}")


async def passed_on(request, handler):
    request.headers["X-Passed"] = "1"
    return await handler(request)


class Answered(aiohttp.ClientResponse):
    """An answer of a class of the caller's."""


SESSIONS = {
    "that raises for statuses": {"raise_for_status": True},
    "with a base URL": {"base_url": "http://127.0.0.1:9/elsewhere/"},
    "with cookies": {"cookies": {"theirs": "1"}, "cookie_jar": "unsafe"},
    "with headers": {"headers": {"User-Agent": "theirs", "Authorization": "Bearer theirs", "X-Theirs": "1"}},
    "with a total timeout": {"timeout": aiohttp.ClientTimeout(total=0.001)},
    "that does not decompress": {"auto_decompress": False},
    "that says JSON to everybody": {"headers": {"Content-Type": "application/json", "Accept": "text/html"}},
    "that closes each connection": {"headers": {"Accept-Encoding": "br", "Connection": "close"}},
    "that says nothing by itself": {
        "skip_auto_headers": ["Content-Type", "User-Agent", "Accept", "Accept-Encoding", "Content-Length"]
    },
    "that asks before it sends": {"headers": {"Expect": "100-continue"}},
    "of HTTP/1.0": {"version": aiohttp.HttpVersion10},
    "with a callable that raises": {"raise_for_status": refuse},
    "with a writer of JSON": {"json_serialize": str},
    "with small buffers": {"read_bufsize": 1024},
    "with a middleware": {"middlewares": [passed_on]},
    "that requotes no redirect": {"requote_redirect_url": False},
    "with one connection": {"connector": 1},
    "with a class of answers": {"response_class": Answered},
}


@pytest.mark.parametrize(
    "kind",
    list(SESSIONS),
)
async def test_any_session_of_the_caller_works(emulator, tmp_path, monkeypatch, eager, kind):
    """A session with settings of its own carries every operation, with our key and our errors."""
    settings = dict(SESSIONS[kind])
    if settings.get("cookie_jar"):
        settings["cookie_jar"] = aiohttp.CookieJar(unsafe=True)
    if settings.get("connector"):
        settings["connector"] = aiohttp.TCPConnector(limit=1, force_close=True)
    stored = await emulator.put("x", LARGE)
    async with aiohttp.ClientSession(**settings) as session:
        options = Options(retry=eager)
        files = FilesClient(emulator.api_key, base_url=emulator.base_url, session=session, options=options)
        file = await files.upload(LARGE, filename="a.txt")
        assert (await files.retrieve(file.id)).id == file.id
        assert [each.id async for each in files.list(page_size=1)] == [stored.id, file.id]
        assert await files.download(stored.id).read() == LARGE
        await files.download_to(stored.id, tmp_path / "d")
        await files.delete(file.id)
        with pytest.raises(NotFoundError) as caught:
            await files.retrieve(file.id)
        assert caught.value.message == "Resource not found"
        assert not session.closed
    assert all(request.authorized for request in emulator.requests)
    if kind == "with cookies":
        assert {request.headers["cookie"] for request in emulator.requests} == {"theirs=1"}
    if kind == "with headers":
        assert {request.headers["x-theirs"] for request in emulator.requests} == {"1"}
        assert "theirs" not in {request.headers["user-agent"] for request in emulator.requests}
    if kind == "with a middleware":
        assert {request.headers["x-passed"] for request in emulator.requests} == {"1"}


def test_what_a_session_decides_is_not_given_beside_it(trusted):
    """A TLS context and traces belong to the session, if one is given: a ValueError says so."""

    async def made(**more):
        async with aiohttp.ClientSession() as session:
            FilesClient("key", session=session, **more)

    for more in ({"ssl": trusted[1]}, {"trace_configs": [aiohttp.TraceConfig()]}):
        with pytest.raises(ValueError, match="for sessions of ours"):
            asyncio.run(made(**more))


@pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
@pytest.mark.parametrize("where", ["auth", "netrc"])
async def test_a_session_with_a_login_of_its_own_is_refused(emulator, tmp_path, monkeypatch, where):
    """The library takes no login beside our key: a ValueError says whose it is, and nothing is sent."""
    if where == "netrc":
        (tmp_path / "netrc").write_text("default login me password secret\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        settings = {"trust_env": True}
    else:
        settings = {"auth": aiohttp.BasicAuth("me", "secret")}
    async with aiohttp.ClientSession(**settings) as session:
        files = FilesClient(emulator.api_key, base_url=emulator.base_url, session=session)
        with pytest.raises(ValueError, match="the session passed in has a login of its own") as caught:
            await files.upload(b"x\n", filename="a.txt")
    assert caught.value.__context__ is None
    assert not emulator.requests


@pytest.mark.parametrize("header", ["Authorization", "cookie"])
async def test_what_a_session_says_to_everybody_is_not_told_to_another_host(emulator, header, trusted):
    """A redirect to another origin is not followed by a session with a login or a cookie for every host."""
    async with RawServer(reply(body=b"stolen"), ssl=trusted[0]) as other:
        async with RawServer(reply(302, location=f"{other.origin}/x")) as server:
            connector = aiohttp.TCPConnector(ssl=trusted[1])
            async with aiohttp.ClientSession(headers={header: "theirs"}, connector=connector) as session:
                files = FilesClient(server.api_key, base_url=server.base_url, session=session)
                with pytest.raises(APIError, match="is not followed"):
                    await files.download("or_file_1").read()
        assert other.connections == 0


async def test_our_own_session_keeps_no_cookies(client_for):
    """A cookie that a server sets is not sent back: calls do not depend on each other."""
    async with RawServer(reply(body=FILE, set_cookie="a=b; Path=/")) as server:
        files = await client_for(server)
        for _ in range(2):
            await files.retrieve("or_file_raw")
        assert "cookie" not in server.requests[1]["headers"]


async def pumped(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def proxying(connection):
    """A proxy: tunnels CONNECT, passes everything else on."""
    head = await connection.head()
    method, target, _ = head["line"].split()
    port = target.removeprefix("http://").partition("/")[0].rpartition(":")[2]
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))  # it alone knows where files.test is
    if method == "CONNECT":
        await connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
    else:
        path = "/" + target.removeprefix("http://").partition("/")[2]
        fields = [f for f in head["fields"] if not f.lower().startswith(("proxy-", "connection"))]
        lines = [f"{method} {path} HTTP/1.1", *fields, "Connection: close"]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    try:
        back = asyncio.ensure_future(pumped(reader, connection.writer))
        await pumped(connection.reader, writer)
        await back
    finally:
        back.cancel()
        writer.close()


@pytest.fixture
async def proxy():
    """A proxy on loopback."""
    async with RawServer(proxying) as running:
        yield running


ELSEWHERE = ("files.test", "10.1.2.3", "11.1.2.3", "fd00::7", "fe00::7", "::ffff:127.0.0.1")


@pytest.fixture
async def emulator():
    """An emulator that hears to the names of other machines, too: a proxy knows the way to it."""
    async with Emulator(hostnames=ELSEWHERE) as running:
        yield running


def beyond(server, host="files.test", scheme="http"):
    """What a client is told of a server that stands, as far as it knows, on another machine."""
    return {"base_url": f"{scheme}://{host}:{server.port}/api/v1", "allow_plain_http": True}


async def test_plain_requests_travel_through_the_proxy(emulator, client_for, proxy, monkeypatch):
    """With HTTP_PROXY every operation goes to the proxy in absolute form, with the proxy's login."""
    monkeypatch.setenv("http_proxy", proxy.origin.replace("http://", "http://me:p%40ss@"))
    files = await client_for(emulator, **beyond(emulator))
    file = await files.upload(LARGE, filename="a.txt")
    stored = await emulator.put("x", LARGE)
    assert await files.download(stored.id).read() == LARGE
    await files.delete(file.id)
    assert len(emulator.requests) == len(proxy.requests) == 3
    assert proxy.requests[0]["line"] == f"POST http://files.test:{emulator.port}/api/v1/files HTTP/1.1"
    login = aiohttp.encode_basic_auth("me", "p@ss")
    assert {request["headers"]["proxy-authorization"] for request in proxy.requests} == {login}


async def test_tls_is_tunnelled_and_the_key_stays_inside(client_for, proxy, trusted, monkeypatch):
    """With HTTPS_PROXY the proxy sees one CONNECT with its own login, and neither key nor path."""
    monkeypatch.setenv("https_proxy", proxy.origin.replace("http://", "http://me:secret@"))
    server, client = trusted
    async with Emulator(ssl=server, hostnames=ELSEWHERE) as emulator:
        files = await client_for(emulator, ssl=client, **beyond(emulator, scheme="https"))
        await files.upload(LARGE, filename="a.txt")
        await files.list_page()
        assert len(emulator.requests) == 2
        assert all("proxy-authorization" not in request.headers for request in emulator.requests)
        await files.aclose()
        await asyncio.sleep(0.05)
    (seen,) = proxy.requests
    assert seen["line"] == f"CONNECT files.test:{emulator.port} HTTP/1.1"
    assert seen["headers"]["proxy-authorization"] == aiohttp.encode_basic_auth("me", "secret")
    assert "authorization" not in seen["headers"]
    assert emulator.api_key not in str(seen)


@pytest.mark.parametrize("variables", [{"all_proxy": "{}"}, {"HTTP_PROXY": "{}"}, {"http_proxy": "{}"}])
async def test_each_spelling_of_a_proxy_counts(emulator, client_for, proxy, monkeypatch, variables):
    """ALL_PROXY and HTTP_PROXY count, in either case, with and without http://."""
    for form in (proxy.origin, proxy.origin.removeprefix("http://")):
        for name, value in variables.items():
            monkeypatch.setenv(name, value.format(form))
        await (await client_for(emulator, **beyond(emulator))).list_page()
    assert len(proxy.requests) == 2


@pytest.mark.parametrize(
    "login",
    [("", "secret"), ("me", ""), ("me", "p@s:s/#?%é")],
)
async def test_each_form_of_a_login_is_told_to_the_proxy(emulator, client_for, proxy, monkeypatch, login):
    """Also one without a user name, or with marks that are escaped in a URL."""
    user, password = (quote(part, safe="") for part in login)
    monkeypatch.setenv("http_proxy", proxy.origin.replace("http://", f"http://{user}:{password}@"))
    await (await client_for(emulator, **beyond(emulator))).list_page()
    assert proxy.requests[0]["headers"]["proxy-authorization"] == aiohttp.encode_basic_auth(*login)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "files.localhost", "127.9.9.9"])
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
async def test_this_machine_is_never_reached_by_a_proxy(emulator, client_for, proxy, monkeypatch, host, variable):
    """A proxy on the way out sees no request to loopback, and no key, whatever loopback is called."""
    monkeypatch.setenv(variable, proxy.origin)
    files = await client_for(emulator, base_url=f"http://{host}:{emulator.port}/api/v1", retry=NO_RETRIES)
    with suppress(TransportError):  # not every system reaches itself by each of these
        await files.list_page()
    assert proxy.connections == 0


@pytest.mark.parametrize(
    ("host", "exceptions", "goes_by_proxy"),
    [
        ("files.test", "files.test", False),
        ("files.test", "FILES.Test", False),
        ("files.test", "test", False),
        ("files.test", ".test", False),
        ("files.test", "*.test", False),
        ("files.test", ".files.test", False),
        ("files.test", "other, *", False),
        ("files.test", "a.b  files.test", False),
        ("files.test", "les.test", True),
        ("files.test", "files.test.example", True),
        ("files.test", "files.test:{port}", False),
        ("files.test", "*.test:{port}", False),
        ("files.test", "files.test:1", True),
        ("files.test", "", True),
        ("files.test", ",", True),
        ("10.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "10.1.2.3", False),
        ("10.1.2.3", "10.1.2.3:1", True),
        ("10.1.2.3", "10.1.2.3:{port}", False),
        ("11.1.2.3", "10.0.0.0/8", True),
        ("[fd00::7]", "fd00::/8", False),
        ("[fd00::7]", "[fd00::7]", False),
        ("[fd00::7]", "fd00:0::7", False),
        ("[fd00::7]", "[fd00::7]:{port}", False),
        ("[fd00::7]", "[fd00::7]:1", True),
        ("[fe00::7]", "fd00::/8", True),
    ],
)
async def test_exceptions_are_read_as_others_read_them(
    emulator, client_for, proxy, monkeypatch, host, exceptions, goes_by_proxy
):
    """NO_PROXY holds names, domains, ports, addresses and networks, as with curl and requests."""
    monkeypatch.setenv("http_proxy", proxy.origin)
    monkeypatch.setenv("NO_PROXY", exceptions.format(port=emulator.port))
    once = {"retry": NO_RETRIES, "options": Options(retry=NO_RETRIES, timeouts=Timeouts(connect=0.2))}
    files = await client_for(emulator, **beyond(emulator, host), **once)
    with suppress(TransportError):  # nobody but the proxy knows where that is
        await files.list_page()
    assert (proxy.connections == 1) is goes_by_proxy


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("socks5://me:hidden@127.0.0.1:1080", "names a SOCKS proxy, which is not supported: name an http:// proxy"),
        ("socks5h://127.0.0.1:1080", "names a SOCKS proxy"),
        ("ftp://127.0.0.1:1080", "names a proxy of another kind"),
        ("http://", "is not the URL of a proxy: write http://host:port"),
        ("http://me:hidden@", "is not the URL of a proxy"),
        ("http://me:hidden@proxy:many", "is not the URL of a proxy"),
        ("http://me:12#hidden@proxy", "is not the URL of a proxy"),
        ("http://pro xy:80", "is not the URL of a proxy"),
        ("http://[::1", "is not the URL of a proxy"),
        ("http://proxy:0", "is not the URL of a proxy"),
        ("http://me%3Ayou:hidden@proxy", "holds a login that no proxy can be told"),
    ],
)
def test_a_proxy_that_cannot_be_asked_is_refused_at_once(monkeypatch, url, words):
    """One line says what to do, before a byte is sent; neither it nor a frame below it shows the login."""
    monkeypatch.setenv("HTTPS_PROXY", url)
    with pytest.raises(ValueError, match=f"^HTTPS_PROXY {words}") as caught:
        FilesClient("sk-or-v1-x")
    assert "\n" not in str(caught.value)
    assert shown_of(caught.value, "hidden") == []
    FilesClient("sk-or-v1-x", trust_env=False)


async def test_a_session_that_would_ask_a_proxy_for_this_machine_is_refused(emulator, proxy, monkeypatch):
    """Aiohttp would send the key to it in plain text; NO_PROXY settles it."""
    monkeypatch.setenv("http_proxy", proxy.origin)
    async with aiohttp.ClientSession(trust_env=True) as session:
        with pytest.raises(ValueError, match=r"add 127\.0\.0\.1 to NO_PROXY"):
            FilesClient(emulator.api_key, base_url=emulator.base_url, session=session)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        async with FilesClient(emulator.api_key, base_url=emulator.base_url, session=session) as files:
            await files.list_page()
    assert proxy.connections == 0


@pytest.mark.parametrize(
    ("variables", "arguments"),
    [
        ({"no_proxy": "files.test"}, {}),
        ({"NO_PROXY": "example.org, files.test"}, {}),
        ({"no_proxy": "*"}, {}),
        ({}, {"trust_env": False}),
    ],
)
async def test_the_proxy_can_be_avoided(emulator, client_for, proxy, monkeypatch, variables, arguments):
    """NO_PROXY and trust_env=False lead past the proxy."""
    for name, value in ({"http_proxy": proxy.origin} | variables).items():
        monkeypatch.setenv(name, value)
    files = await client_for(emulator, **beyond(emulator), **arguments, retry=NO_RETRIES)
    with pytest.raises(TransportError, match=r"cannot connect to files\.test"):
        await files.list_page()
    assert proxy.connections == 0


async def test_a_session_of_the_caller_decides_about_proxies(emulator, client_for, proxy, session, monkeypatch):
    """A given session that does not trust the environment goes straight to the server."""
    monkeypatch.setenv("http_proxy", proxy.origin)
    await (await client_for(emulator, session=session)).list_page()
    assert proxy.connections == 0


@pytest.mark.parametrize("tls", [True, False])
async def test_a_proxy_that_is_not_there_is_a_transport_error(client_for, unreachable, trusted, monkeypatch, tls):
    """An unreachable proxy is tried again, even for an upload, and named without its login."""
    url = unreachable.base_url.removesuffix("/api/v1").replace("//", "//me:hidden@")
    for name in ("all_proxy", "https_proxy"):
        monkeypatch.setenv(name, url)
    async with RawServer(reply(body=FILE), ssl=trusted[0] if tls else None) as server:
        policy = RetryPolicy(attempts=2, first_delay=0.01, ambiguous="raise")
        base = f"http{'s' if tls else ''}://files.test:1/api/v1"
        files = await client_for(server, retry=policy, base_url=base, allow_plain_http=True)
        with pytest.raises(TransportError, match="cannot reach the proxy") as caught:
            await files.upload(b"hello", filename="a.txt")
    assert shown_of(caught.value, "hidden", aiohttp.encode_basic_auth("me", "hidden")) == []
    assert (caught.value.attempts, caught.value.maybe_processed) == (2, False)
    assert "hidden" not in f"{caught.value!r} {caught.value.__cause__!r} {vars(caught.value)}"


async def test_a_proxy_that_refuses_the_tunnel_is_a_transport_error(client_for, trusted, monkeypatch):
    """A 407 to CONNECT is the proxy's answer, not the server's; nothing was uploaded."""
    async with RawServer(reply(407)) as proxy, RawServer(reply(body=FILE), ssl=trusted[0]) as server:
        monkeypatch.setenv("https_proxy", proxy.origin.replace("//", "//me:hidden@"))
        files = await client_for(server, ssl=trusted[1], retry=NO_RETRIES, base_url="https://files.test:1/api/v1")
        with pytest.raises(TransportError, match="the proxy answered 407") as caught:
            await files.upload(b"hello", filename="a.txt")
        assert shown_of(caught.value, "hidden", aiohttp.encode_basic_auth("me", "hidden")) == []
        assert not caught.value.maybe_processed
        assert server.connections == 0


SERVER = """
import asyncio, sys
from openrouter_files.emulator import Emulator

async def main():
    async with Emulator() as emulator:
        file = await emulator.put("x.bin", bytes(700_000))
        print(emulator.base_url, emulator.api_key, file.id, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def elsewhere():
    """An emulator in a process of its own: what is open here is the client's. Base URL, key, id of a file."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process.stdout.readline().decode().split()
        process.stdin.close()


def opened():
    """What this process has open: the sockets, and everything else."""
    paths = []
    for descriptor in DESCRIPTORS.iterdir():
        with suppress(FileNotFoundError):  # that of the folder itself
            paths.append(str(descriptor.readlink()))
    sockets = [path for path in paths if path.startswith("socket:")]
    return sockets, sorted(set(paths) - set(sockets) - {f"/proc/{os.getpid()}/fd"})


async def pieces():
    for start in range(0, len(LARGE), 200_000):
        await asyncio.sleep(0)
        yield LARGE[start : start + 200_000]


async def of_aiofiles(files, path):
    with path.open("rb") as handle:  # aiofiles.open leaks what it opens when it is cancelled
        await files.upload(wrap(handle), filename="a.txt")


async def of_a_handle(files, path):
    with path.open("rb") as handle:
        await files.upload(handle, filename="a.txt")


async def bare_loop(files, file_id):
    async for _ in files.download(file_id):
        pass


async def context(files, file_id):
    async with files.download(file_id) as chunks:
        async for _ in chunks:
            pass


async def whole_list(files):
    return [file async for file in files.list(page_size=2)]


CALLS = {
    "list": lambda files, *_: whole_list(files),
    "list_page": lambda files, *_: files.list_page(limit=3),
    "retrieve": lambda files, file_id, _: files.retrieve(file_id),
    "delete": lambda files, *_: files.delete("or_file_0", missing_ok=True),
    "upload bytes": lambda files, *_: files.upload(b"hello\n", filename="a.txt"),
    "upload a path": lambda files, _, folder: files.upload(folder.parent / "large.txt"),
    "upload a handle": lambda files, _, folder: of_a_handle(files, folder.parent / "large.txt"),
    "upload an aiofiles handle": lambda files, _, folder: of_aiofiles(files, folder.parent / "large.txt"),
    "upload an iterator": lambda files, *_: files.upload(pieces(), filename="a.txt"),
    "upload an iterator of known size": lambda files, *_: files.upload(pieces(), filename="a.txt", size=len(LARGE)),
    "download in a context": lambda files, file_id, _: context(files, file_id),
    "download in a loop": lambda files, file_id, _: bare_loop(files, file_id),
    "download to a path": lambda files, file_id, folder: files.download_to(file_id, folder / "x"),
    "download to a folder": lambda files, file_id, folder: files.download_to(file_id, folder, overwrite="rename"),
}


def instants():
    """After how many steps of the loop to cancel: each of the first, then ever more sparsely."""
    steps = 0
    while True:
        yield steps
        steps += 1 + steps // 4


async def settled(condition):
    """Wait for what the loop does in its next rounds, such as closing a socket."""
    for _ in range(50):
        if condition():
            return True
        await asyncio.sleep(0.001)
    return condition()


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="needs to see what is open")
@pytest.mark.parametrize("name", CALLS)
async def test_a_call_that_is_cancelled_at_any_await_leaves_nothing(elsewhere, tmp_path, name):
    """Cancelled after any number of loop steps, a call leaves no task, socket or file, and the client still works."""
    base_url, key, file_id = elsewhere
    folder = tmp_path / "downloads"
    folder.mkdir()
    (tmp_path / "large.txt").write_bytes(LARGE)
    outcomes = []
    async with FilesClient(key, base_url=base_url, max_connections=1, options=Options(retry=NO_RETRIES)) as files:
        await files.upload(tmp_path / "large.txt")
        await files.aclose()
        sockets, others = opened()
        for steps in instants():
            call = asyncio.ensure_future(CALLS[name](files, file_id, folder))
            for _ in range(steps):
                await asyncio.sleep(0)
            asked = call.cancel()
            await asyncio.wait([call])
            assert call.cancelled() == asked, call
            gc.collect() if steps < 8 else None
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert await settled(lambda: opened()[1] == others), opened()[1]
            assert await settled(lambda: len(opened()[0]) <= len(sockets) + 1)
            left = {path.name: path.stat().st_size for path in folder.iterdir()}
            assert not any(".part" in name for name in left), left
            assert set(left.values()) <= {700_000}, left
            for path in folder.iterdir():
                path.unlink()
            async with asyncio.timeout(5):
                assert (await files.retrieve(file_id)).id == file_id
            outcomes.append(asked)
            if outcomes.count(False) == 3:
                break
    assert await settled(lambda: opened() == (sockets, others)), opened()
    assert outcomes[:3] == [True] * 3


async def test_a_cancelled_wait_for_an_attempt_leaves_nothing(unreachable):
    """Cancelled while it waits for its next attempt, a call ends at once."""
    policy = RetryPolicy(first_delay=30)
    async with FilesClient("k", base_url=unreachable.base_url, options=Options(retry=policy)) as files:
        call = asyncio.ensure_future(files.list_page())
        await asyncio.sleep(0.05)
        call.cancel()
        await asyncio.wait([call], timeout=1)
        assert call.cancelled()
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_cancelled_turn_is_passed_on(client_for):
    """A call that is cancelled while it waits for a connection does not take the turn of others."""
    free = asyncio.Event()

    async def slow(connection):
        await connection.request()
        await free.wait()
        await connection.send(reply(body=FILE))

    async with RawServer(slow) as server:
        files = await client_for(server, max_connections=1)
        calls = [asyncio.ensure_future(files.retrieve("or_file_raw")) for _ in range(5)]
        await asyncio.sleep(0.02)
        for call in calls[1:4]:
            call.cancel()
        free.set()
        async with asyncio.timeout(2):
            await asyncio.gather(calls[0], calls[4])


async def test_a_cancelled_upload_that_was_refused_early_stays_cancelled(client_for):
    """Cancelled while the rest of a refused body is called off, an upload is cancelled and nothing else."""
    refused = asyncio.Event()

    async def refusing(connection):
        await connection.head()
        await connection.send(reply(413))
        await asyncio.sleep(5)

    async def stubborn():
        yield LARGE
        try:
            await asyncio.sleep(5)
        finally:
            refused.set()
            await asyncio.sleep(0.05)

    async with RawServer(refusing) as server:
        files = await client_for(server, retry=NO_RETRIES)
        call = asyncio.ensure_future(files.upload(stubborn(), filename="a.txt", size=2 * len(LARGE)))
        await refused.wait()
        call.cancel()
        await asyncio.wait([call])
        assert call.cancelled() or call.exception() is None, call.exception()
        assert call.cancelled()


async def test_no_thread_is_left_by_a_client_that_was_not_used():
    """Making clients costs no thread, no socket and no task."""
    before = threading.active_count()
    clients = [FilesClient("k") for _ in range(100)]
    assert threading.active_count() == before
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert "k" not in repr(clients[0]).replace("FilesClient(base_url='https://openrouter.ai/api/v1')", "")


async def test_downloads_whose_end_only_the_metadata_prove_need_one_place(client_for):
    """With no length and no chunks, the size is asked for; the place of the download is free by then."""

    async def without_length(connection):
        request = await connection.request()
        content = "/content" in request["line"]
        await connection.send(reply(body=b"hello", content_length=None) if content else reply(body=FILE))

    async with RawServer(without_length) as server, asyncio.timeout(20):
        files = await client_for(server, max_connections=1)
        assert await files.download("or_file_raw").read() == b"hello"


async def test_cancelled_uploads_to_a_server_that_does_not_read_leave_no_socket():
    """Their connections are broken: to close them would be to wait until the server has read what was written."""
    held = []

    def never_reads(_, writer):
        writer.transport.pause_reading()
        held.append(writer)

    server = await asyncio.start_server(never_reads, "127.0.0.1", 0)
    before = len(list(DESCRIPTORS.iterdir()))
    files = FilesClient("k", base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v1")
    for number in range(3):
        task = asyncio.create_task(files.upload(bytes(30_000_000), filename="a.txt"))
        while len(held) <= number:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])
    await files.aclose()
    await asyncio.sleep(0.1)
    assert len(list(DESCRIPTORS.iterdir())) - len(held) <= before
    for writer in held:
        writer.transport.abort()
    server.close()
    await asyncio.sleep(0.1)


LOOPS = """
import asyncio, gc, os, sys, weakref
from openrouter_files import FilesClient
from openrouter_files.emulator import Emulator

loops = []

async def use(files):
    loops.append(weakref.ref(asyncio.get_running_loop()))
    await files.upload(b"x", filename="a.txt")
    if sys.argv[1] == "closed":
        await files.aclose()

with Emulator() as emulator:
    files = FilesClient(emulator.api_key, base_url=emulator.base_url)
    descriptors = []
    for _ in range(30):
        if sys.argv[1] == "by hand":
            loop = asyncio.new_event_loop()
            loop.run_until_complete(use(files))
            loop.close()
        else:
            asyncio.run(use(files))
        gc.collect()
        descriptors.append(len(os.listdir("/proc/self/fd")))
    assert max(descriptors) <= descriptors[0] + 6, descriptors
    assert sum(loop() is not None for loop in loops) <= 2
"""


@pytest.mark.parametrize("how", ["closed", "never closed", "by hand"])
def test_loops_that_ended_leave_nothing_with_their_client(how):
    """However they were closed: no loop and no descriptor of any but the last stays with a client that is used on."""
    subprocess.run([sys.executable, "-W", "ignore::ResourceWarning", "-c", LOOPS, how], check=True, timeout=120)
