"""Starting and stopping the emulator, and its log."""

import asyncio
import gc
import io
import logging
import socket
import ssl
import struct
import threading
import time
from contextlib import suppress

import aiohttp
import pytest
import trustme

from openrouter_files.emulator import Drop, Emulator, Stall, Trickle, Truncate


async def listing(emulator, **options):
    headers = {"Authorization": f"Bearer {emulator.api_key}"}
    async with aiohttp.request("GET", f"{emulator.base_url}/files", headers=headers, **options) as answer:
        return answer.status


async def test_it_listens_on_a_free_port_of_the_loopback():
    """Port 0 takes a free port; the base URL ends where the API begins."""
    async with Emulator() as one, Emulator() as other:
        assert one.base_url == f"http://127.0.0.1:{one.port}/api/v1"
        assert one.port != other.port != 0


def test_an_ipv6_address_is_in_brackets():
    """The base URL of an IPv6 address can be used as it is."""
    assert Emulator(host="::1", port=8080).base_url == "http://[::1]:8080/api/v1"


@pytest.mark.parametrize(("host", "found"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])
async def test_who_listens_everywhere_is_found_on_the_loopback(host, found):
    """The address of all addresses is none that a client can turn to."""
    async with Emulator(host=host, api_key="sk-of-its-own") as emulator:
        assert emulator.base_url == f"http://{found}:{emulator.port}/api/v1"
        assert await listing(emulator) == 200


async def test_it_can_be_started_and_stopped_by_hand():
    """`start` and `stop` do what the context does; the port stays the same, so a restart is a server's restart."""
    emulator = Emulator()
    await emulator.start()
    before = emulator.base_url
    assert await listing(emulator) == 200
    await emulator.stop()
    await emulator.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await listing(emulator)
    async with emulator:
        assert emulator.base_url == before
        assert await listing(emulator) == 200


async def test_a_port_that_is_taken_is_an_os_error():
    """A taken port fails the start, and leaves nothing open."""
    async with Emulator() as emulator:
        with pytest.raises(OSError, match="address"):
            await Emulator(port=emulator.port).start()


async def test_it_stops_quickly_and_leaves_no_task_or_thread():
    """Stalled requests, idle connections and busy threads do not hold up the stop."""
    before = threading.active_count()
    async with aiohttp.ClientSession() as session, Emulator() as emulator:
        headers = {"Authorization": f"Bearer {emulator.api_key}"}
        async with session.get(f"{emulator.base_url}/files", headers=headers):
            pass
        emulator.queue("list", *[Stall(60)] * 3)
        stalled = [asyncio.create_task(listing(emulator)) for _ in range(3)]
        while len(emulator.requests) < 4:
            await asyncio.sleep(0.01)
        begun = time.monotonic()
        await emulator.stop()
        assert time.monotonic() - begun < 0.5
        assert all(
            isinstance(error, aiohttp.ClientError) for error in await asyncio.gather(*stalled, return_exceptions=True)
        )
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    # The default executor's thread, in which closing is waited for, belongs to the loop.
    assert threading.active_count() <= before + 1
    gc.collect()


async def test_it_serves_https():
    """With an SSL context the base URL is https, TLS is spoken, and faults work there, too."""
    server, client = certified()
    async with Emulator(ssl=server) as emulator:
        assert emulator.base_url.startswith("https://127.0.0.1:")
        assert await listing(emulator, ssl=client) == 200
        emulator.queue("upload", Drop(), Drop(after=10, reset=True), Drop(after_work=True), Stall(60))
        for _ in range(3):
            with pytest.raises(aiohttp.ClientError):
                await upload(emulator, client)
        assert len(emulator.files()) == 1
        stalled = asyncio.create_task(upload(emulator, client))
        while len(emulator.requests) < 5:
            await asyncio.sleep(0.01)
    with pytest.raises(aiohttp.ClientError):
        await stalled


def certified():
    """Two SSL contexts, a server's and that of a client that trusts it."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client


async def upload(emulator, client):
    form = aiohttp.FormData()
    form.add_field("file", io.BytesIO(b"hello\n" * 100_000), filename="a.txt")
    headers = {"Authorization": f"Bearer {emulator.api_key}"}
    url = f"{emulator.base_url}/files"
    async with aiohttp.request("POST", url, data=form, headers=headers, ssl=client) as answer:
        return answer.status


async def test_the_log_tells_what_arrived():
    """Every request is noted in order, with what came and what was answered, but never the key."""
    async with Emulator() as emulator:
        assert await listing(emulator, params={"limit": "2"}) == 200
        async with aiohttp.request("POST", f"{emulator.base_url}/files/a%2Fb", data=b"xyz"):
            pass
        first, second = emulator.requests
        assert (first.operation, first.method, first.path, first.query) == (
            "list",
            "GET",
            "/api/v1/files",
            {"limit": "2"},
        )
        assert (first.authorized, first.status, first.body_bytes) == (True, 200, 0)
        assert (second.operation, second.path, second.status) == (None, "/api/v1/files/a%2Fb", 405)
        assert not second.authorized
        assert first.at <= second.at <= time.monotonic()
        assert emulator.api_key not in repr(emulator.requests)
        assert emulator.api_key not in repr(emulator)
        emulator.clear()
        assert emulator.requests == ()


async def test_the_log_is_bounded():
    """Of many requests the last 10,000 are remembered, however long an emulator serves."""
    async with Emulator() as emulator, aiohttp.ClientSession() as session:
        for _ in range(20):
            await asyncio.gather(*(missing(session, emulator) for _ in range(505)))
        async with session.get(f"{emulator.base_url}/the-last"):
            pass
        assert len(emulator.requests) == 10_000
        assert emulator.requests[-1].path == "/api/v1/the-last"


async def missing(session, emulator):
    async with session.get(f"{emulator.base_url}/nowhere"):
        pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_the_well_known_key_beyond_this_machine(host):
    """Who lets other machines in with the key that everybody knows is warned; with a key of its own, or here, not."""
    with pytest.warns(UserWarning, match="choose an api_key"):
        async with Emulator(host=host):
            pass
    async with Emulator(host=host, api_key="sk-of-its-own"), Emulator(host="127.0.0.1"), Emulator(host="localhost"):
        pass


async def test_a_warning_that_is_an_error_leaves_nothing_open():
    """Who has warnings raised gets this one, and no server that listens all the same."""
    emulator = Emulator(host="0.0.0.0")
    with pytest.raises(UserWarning, match="choose an api_key"):
        await emulator.start()
    with pytest.raises(aiohttp.ClientConnectorError):
        await listing(emulator)
    with pytest.raises(RuntimeError, match="not running"):
        emulator.files()


async def asked_as(emulator, *hosts):
    """Send a listing with these Host headers; return the status and the body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    lines = [f"Host: {host}".rstrip() for host in hosts]
    head = ["GET /api/v1/files HTTP/1.1", *lines, f"Authorization: Bearer {emulator.api_key}", "Connection: close"]
    writer.write("\r\n".join([*head, "", ""]).encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(answer.split()[1]), answer.partition(b"\r\n\r\n")[2]


FOREIGN = ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.1", "[::2]"]
FOREIGN += ["[", "127.0.0.1@evil.example", "", "a b"]


@pytest.mark.parametrize("host", FOREIGN)
async def test_a_foreign_host_is_refused(host):
    """A web page whose name leads to this machine (DNS rebinding) gets nothing, and uses up no fault."""
    async with Emulator() as emulator:
        await emulator.put("secret.txt", b"secret")
        status, body = await asked_as(emulator, host)
        assert (status, b"secret" in body) == (421, False)
        assert [(request.operation, request.status) for request in emulator.requests] == [("list", 421)]


async def test_a_second_host_is_refused():
    """A foreign name beside ours is one."""
    async with Emulator() as emulator:
        assert (await asked_as(emulator, "localhost", "evil.example"))[0] in {400, 421}


OWN = ["localhost", "LOCALHOST:1", "files.localhost", "127.0.0.1", "127.8.9.10:8080", "[::1]:80", "localhost."]


@pytest.mark.parametrize("host", [*OWN, "emulator", "Emulator:8080", "192.0.2.7", "[2001:db8::1]:80"])
async def test_a_host_of_our_own(host):
    """The loopback under all its names, and the names and addresses that it was told, are answered."""
    async with Emulator(hostnames=["emulator", "192.0.2.7", "2001:db8::1"]) as emulator:
        assert (await asked_as(emulator, host))[0] == 200


async def test_the_address_that_was_reached_is_ours():
    """Who listens everywhere is called by each address that leads to it."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outward:  # no network: the loopback
        address = "127.0.0.1"
        outward.connect(("192.0.2.1", 9))  # sends nothing, but tells which address of ours would
        address = outward.getsockname()[0]
    async with Emulator(host="0.0.0.0", api_key="sk-of-its-own") as emulator:
        emulator_url = f"http://{address}:{emulator.port}/api/v1/files"
        headers = {"Authorization": f"Bearer {emulator.api_key}"}
        async with aiohttp.request("GET", emulator_url, headers=headers) as answer:
            assert answer.status == 200


LEAVING = {
    "in an upload": ("upload", None),
    "in an upload that stalls": ("upload", Stall(0.1)),
    "in a download": ("download", None),
    "before an answer": ("list", Stall(0.1, after_work=True)),
    "in an answer": ("list", Trickle(pause=0.005, piece=10)),
    "before a stream": ("chat", None),
    "in a stream that is cut": ("chat", Truncate(10)),
    "in a stream": ("chat", Trickle(pause=0.005, piece=10)),
}


def requests_of(emulator, file_id):
    """Each operation as bytes; that of an upload lacks its end."""
    auth = f"Host: localhost\r\nAuthorization: Bearer {emulator.api_key}\r\n"
    part = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello'
    chat = '{"model": "x", "stream": true, "messages": [{"role": "user", "content": "Hi."}]}'
    form = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n"
    return {
        "list": f"GET /api/v1/files HTTP/1.1\r\n{auth}\r\n",
        "download": f"GET /api/v1/files/{file_id}/content HTTP/1.1\r\n{auth}\r\n",
        "upload": f"POST /api/v1/files HTTP/1.1\r\n{auth}{form}\r\n{part}",
        "chat": f"POST /api/v1/chat/completions HTTP/1.1\r\n{auth}Content-Length: {len(chat)}\r\n\r\n{chat}",
    }


async def leave(port, request, *, wait, reset):
    """Send the bytes, wait a moment and go, with a FIN or with a reset."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    await asyncio.sleep(wait)
    if reset and not writer.is_closing():
        peer = writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    writer.close()


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("when", LEAVING)
async def test_a_client_that_leaves_early_is_no_error(when, reset, caplog):
    """Whenever a client leaves, nothing is logged, and others are served."""
    operation, fault = LEAVING[when]
    async with Emulator() as emulator:
        file = await emulator.put("large.txt", b"x" * 20_000_000)
        request = requests_of(emulator, file.id)[operation]
        for wait in (0.01, 0.02, 0.05, 0.1) if reset else (0, 0, 0, 0.01, 0.05):  # a reset may outrun the request
            if fault is not None:
                emulator.queue(operation, fault)
            arrived = len(emulator.requests)
            await leave(emulator.port, request, wait=wait, reset=reset)
            while len(emulator.requests) == arrived:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert await listing(emulator) == 200
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


async def test_a_stopped_emulator_says_so():
    """Looking into the store of an emulator that is not running is a mistake of the caller."""
    emulator = Emulator()
    with pytest.raises(RuntimeError, match="not running"):
        emulator.files()


@pytest.mark.parametrize("size", [100, 1_000_000])
@pytest.mark.parametrize(
    ("asked", "status", "span"),
    [
        ("bytes=10-", 206, (10, None)),
        ("bytes=10-19", 206, (10, 20)),
        ("bytes=-7", 206, (-7, None)),
        ("bytes=0-99999999", 206, (0, None)),
        ("bytes=0-1,5-6", 200, (0, None)),
        ("lines=1-2", 200, (0, None)),
        ("bytes=-", 200, (0, None)),
    ],
)
async def test_ranges_are_served_when_they_are_switched_on(size, asked, status, span):
    """With `ranges` a part may be asked for; what is no single range is answered whole."""
    content = bytes(n % 251 for n in range(size))
    async with Emulator(ranges=True) as emulator:
        file = await emulator.put("a", content)
        headers = {"Authorization": f"Bearer {emulator.api_key}", "Range": asked}
        url = f"{emulator.base_url}/files/{file.id}/content"
        async with aiohttp.request("GET", url, headers=headers) as answer:
            expected = content[slice(*span)]
            assert (answer.status, await answer.read()) == (status, expected)
            assert answer.headers["Accept-Ranges"] == "bytes"
            places = range(size)[slice(*span)]
            said = f"bytes {places[0]}-{places[-1]}/{size}" if status == 206 else None
            assert answer.headers.get("Content-Range") == said


async def test_a_range_is_bound_to_its_content():
    """If-Range with another tag answers the whole; a range behind the end is 416; without `ranges` there are none."""
    async with Emulator(ranges=True) as emulator, aiohttp.ClientSession() as session:
        file = await emulator.put("a", b"0123456789")
        session.headers["Authorization"] = f"Bearer {emulator.api_key}"
        url = f"{emulator.base_url}/files/{file.id}/content"
        etag = f'"{file.sha256}"'
        for tag, status in ((etag, 206), ('"other"', 200)):
            async with session.get(url, headers={"Range": "bytes=5-", "If-Range": tag}) as answer:
                assert (answer.status, answer.headers["ETag"]) == (status, etag)
        async with session.get(url, headers={"Range": "bytes=10-"}) as answer:
            assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */10")
        async with session.get(url, headers={"Range": "bytes=-0"}) as answer:
            assert answer.status == 416
    async with Emulator() as emulator:
        file = await emulator.put("a", b"0123456789")
        headers = {"Authorization": f"Bearer {emulator.api_key}", "Range": "bytes=5-"}
        async with aiohttp.request("GET", f"{emulator.base_url}/files/{file.id}/content", headers=headers) as answer:
            assert (answer.status, await answer.read()) == (200, b"0123456789")
            assert "Accept-Ranges" not in answer.headers
