"""Downloads over loopback: three ways to read them, and never a byte twice, missing or unproven."""

# ruff: noqa: PT012 - what a loop raises is raised in a loop

import asyncio
import gzip
from contextlib import aclosing

import pytest
from attrs import evolve
from raw_server import FILE, RawServer, reply

from openrouter_files import (
    NO_RETRIES,
    BadRequestError,
    FilesError,
    IncompleteDownloadError,
    NotFoundError,
    RetryPolicy,
    ServiceUnavailableError,
    TransportError,
)
from openrouter_files.emulator import Drop, Emulator, Status, Truncate

DATA = bytes(n % 251 for n in range(500_000))
BYTES = {"content_type": "application/octet-stream"}


async def with_context(files, file_id):
    async with files.download(file_id) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def bare(files, file_id):
    return b"".join([chunk async for chunk in files.download(file_id)])


async def read(files, file_id):
    return await files.download(file_id).read()


async def read_inside(files, file_id):
    async with files.download(file_id) as download:
        return await download.read()


WAYS = [with_context, bare, read, read_inside]


@pytest.fixture
def stored(emulator):
    """Let the emulator hold a file that a model wrote."""

    async def store(data=DATA):
        return await emulator.put("out/report.bin", data)

    return store


@pytest.mark.parametrize("data", [b"", b"x", DATA], ids=["empty", "tiny", "large"])
@pytest.mark.parametrize("way", WAYS)
async def test_all_bytes_arrive_in_order(emulator, files, stored, way, data):
    """However it is read, a download gives the bytes of the file, in one request without compression."""
    file = await stored(data)
    assert await way(files, file.id) == data
    (request,) = emulator.requests
    assert request.path == f"/api/v1/files/{file.id}/content"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["accept"] == "application/octet-stream"


async def test_size_and_type_are_known_inside_the_context(files, stored):
    """Inside `async with` the download knows its size and content type, as the server said them."""
    file = await stored()
    async with files.download(file.id) as chunks:
        assert (chunks.size, chunks.content_type) == (len(DATA), "application/octet-stream")
        assert all([isinstance(chunk, bytes) and chunk async for chunk in chunks])


@pytest.mark.parametrize("name", ["size", "content_type"])
async def test_outside_of_the_context_nothing_is_known(files, name):
    """To ask a download that is not open is a mistake of the caller, and says what to do."""
    with pytest.raises(RuntimeError, match="async with"):
        getattr(files.download("or_file_1"), name)


async def test_nothing_is_asked_before_it_is_needed(emulator, files):
    """A download that is made and forgotten sends no request."""
    files.download("or_file_1")
    await asyncio.sleep(0.01)
    assert emulator.requests == ()


async def test_a_refusal_is_raised_where_the_context_begins(emulator, files):
    """What may not be downloaded raises before the body of `async with` runs: no half loop."""
    file = await files.upload(b"hello\n", filename="a.txt")
    entered = []
    with pytest.raises(BadRequestError, match="not downloadable") as caught:
        async with files.download(file.id):
            entered.append(1)
    assert not entered
    assert caught.value.request == ("GET", f"/files/{file.id}/content")


@pytest.mark.parametrize("way", WAYS)
async def test_an_unknown_file_is_not_found(emulator, files, way):
    """A file that is not there raises NotFoundError, after one request."""
    with pytest.raises(NotFoundError):
        await way(files, "or_file_0")
    assert len(emulator.requests) == 1


async def test_leaving_in_the_middle_frees_the_connection(emulator, client_for, stored):
    """A `break` gives the only connection back at once inside a context, and soon after a bare loop."""
    file = await stored()
    files = await client_for(emulator, max_connections=1)
    for _ in range(3):
        async with files.download(file.id) as chunks:
            async for _chunk in chunks:
                break
        async with asyncio.timeout(1):
            assert (await files.retrieve(file.id)).id == file.id
    for _ in range(3):
        async for _chunk in files.download(file.id):
            break
        async with asyncio.timeout(1):
            assert (await files.retrieve(file.id)).id == file.id


async def test_a_large_file_is_not_read_to_its_end_by_leaving(client_for):
    """A `break` breaks the connection off: what is left of a large file is not read just to be thrown away."""
    sent = []

    async def endless(connection):
        await connection.request()
        await connection.send(reply(body=b"", **(BYTES | {"content_length": str(1 << 40)})))
        while True:
            await connection.send(bytes(65536))
            sent.append(1)

    async with RawServer(endless) as server:
        files = await client_for(server)
        async with asyncio.timeout(2):
            async with files.download("or_file_1") as chunks:
                async for _chunk in chunks:
                    break
            async for _chunk in files.download("or_file_1"):
                break
        await asyncio.sleep(0.05)
        before = len(sent)
        await asyncio.sleep(0.05)
        assert len(sent) == before


async def test_a_bare_iterator_can_be_closed(emulator, client_for, stored):
    """The iterator of a bare download is a generator: `aclosing` frees the connection at once."""
    file = await stored()
    files = await client_for(emulator, max_connections=1)
    async with aclosing(aiter(files.download(file.id))) as chunks:
        assert DATA.startswith(await anext(chunks))
    async with asyncio.timeout(1):
        await files.list_page()


async def test_an_error_in_the_loop_frees_the_connection(emulator, client_for, stored):
    """An exception of the caller's passes through the context unchanged, and the connection is free."""
    file = await stored()
    files = await client_for(emulator, max_connections=1)
    with pytest.raises(LookupError):
        async with files.download(file.id) as chunks:
            async for _chunk in chunks:
                raise LookupError
    async with asyncio.timeout(1):
        await files.list_page()


async def test_a_download_can_be_opened_again(files, stored):
    """Each `async with` and each loop over one Download asks for the file anew."""
    file = await stored()
    download = files.download(file.id)
    for _ in range(2):
        assert await download.read() == DATA
        async with download as chunks:
            assert b"".join([chunk async for chunk in chunks]) == DATA


async def test_many_downloads_run_at_once(emulator, files):
    """One client carries many downloads at the same time, each with its own bytes."""
    stored = [await emulator.put(f"{n}", bytes([n]) * 50_000) for n in range(20)]
    read = await asyncio.gather(*(files.download(file.id).read() for file in stored))
    assert read == [bytes([n]) * 50_000 for n in range(20)]


@pytest.mark.parametrize("off", [-1, 1])
@pytest.mark.parametrize("way", WAYS)
async def test_a_length_that_is_not_the_files_is_an_error(files, stored, way, off):
    """Given a File, its size is proven: a server that sends another length is not believed."""
    file = await files.retrieve((await stored()).id)
    with pytest.raises(IncompleteDownloadError) as caught:
        await way(files, evolve(file, size_bytes=file.size_bytes + off))
    assert caught.value.request == ("GET", f"/files/{file.id}/content")


@pytest.mark.parametrize("ranges", [False, True])
@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("way", WAYS)
async def test_a_transfer_that_breaks_goes_on_where_it_stopped(client_for, way, ranges, reset):
    """After two broken transfers the bytes are whole, each once: by ranges if the server has them, else by skipping."""
    async with Emulator(ranges=ranges) as emulator:
        files = await client_for(emulator)
        file = await emulator.put("x", DATA)
        emulator.queue("download", *(Truncate(n, reset=reset) for n in (200_000, 100_000 if ranges else 350_000)))
        assert await way(files, file.id) == DATA
        asked = [request.headers.get("range") for request in emulator.requests]
        assert len(asked) == 3
        assert asked[0] is None
        assert all((each is not None) == ranges for each in asked[1:])
        if ranges:
            conditions = [request.headers.get("if-range") for request in emulator.requests]
            assert conditions == [None, f'"{file.sha256}"', f'"{file.sha256}"']
            if not reset:  # a reset may eat what was on its way
                assert asked[1] == "bytes=200000-"


@pytest.mark.parametrize("fault", [Status(503), Status(429), Status(500), Drop(), Drop(reset=True), Truncate(0)])
async def test_a_failure_before_the_first_byte_is_repeated(emulator, files, stored, fault):
    """As long as no byte was handed out, a download is repeated like any other GET."""
    file = await stored(b"data")
    emulator.queue("download", fault, fault)
    assert await files.download(file.id).read() == b"data"
    assert len(emulator.requests) == 3


async def test_failures_while_going_on_are_repeated_too(emulator, files, stored):
    """A broken transfer survives a busy server: 503 answers in between count as attempts, not as the end."""
    file = await stored()
    emulator.queue("download", Truncate(150_000), Status(503), Drop(), Truncate(300_000), Status(429))
    assert await files.download(file.id).read() == DATA


async def test_a_server_that_never_gets_further_is_given_up(emulator, files, stored):
    """Transfers that break again and again at the same byte end in the error, not in an endless loop."""
    file = await stored()
    emulator.queue("download", *[Truncate(1000)] * 5)
    with pytest.raises(TransportError, match="cut short"):
        await files.download(file.id).read()
    assert len(emulator.requests) <= 6


async def test_a_refusal_while_going_on_is_raised(emulator, files, stored):
    """A file that is deleted under way raises NotFoundError after the bytes that were handed out."""
    file = await stored()
    emulator.queue("download", Truncate(150_000))
    got = []
    with pytest.raises(NotFoundError):
        async for chunk in files.download(file.id):
            if not got:
                await files.delete(file.id)
            got.append(chunk)
    assert DATA.startswith(b"".join(got))


async def test_attempts_end(emulator, files, stored):
    """The last error comes through with its attempts and a note."""
    file = await stored()
    emulator.queue("download", *[Status(503)] * 3)
    with pytest.raises(ServiceUnavailableError) as caught:
        await files.with_options(retry=RetryPolicy(attempts=3, first_delay=0.01)).download(file.id).read()
    assert caught.value.attempts == 3
    assert "gave up after 3 attempts" in caught.value.__notes__[0]


def cut(body, *, promised, **headers):
    """An answer that ends early."""
    return reply(body=body, content_length=str(promised), **(BYTES | headers))


async def test_a_file_that_changed_under_way_is_an_error(client_for):
    """An answer of another length or with another tag is not glued to the bytes of the first."""
    for second in (
        reply(body=b"0123456", **BYTES),
        reply(body=b"9876543210", **BYTES, etag='"b"'),
        reply(206, b"56789", **BYTES, etag='"b"', content_range="bytes 5-9/10"),
        reply(206, b"56789a", **BYTES, etag='"a"', content_range="bytes 5-10/11"),
        reply(206, b"6789", **BYTES, etag='"a"', content_range="bytes 6-9/10"),
        reply(206, b"56789", **BYTES, etag='"a"'),
    ):
        async with RawServer(cut(b"01234", promised=10, etag='"a"'), second) as server:
            got = []
            with pytest.raises(IncompleteDownloadError) as caught:
                async for chunk in (await client_for(server)).download("or_file_1"):
                    got.append(chunk)  # noqa: PERF401 - what arrives before the error counts, too
            assert b"".join(got) == b"01234"
            assert (caught.value.received, caught.value.expected) == (5, 10)
            assert server.requests[1]["headers"]["range"] == "bytes=5-"


async def test_a_server_that_takes_its_ranges_back_is_asked_for_the_whole(client_for):
    """A 416 on the way is answered by starting over and skipping what was handed out already."""
    scripts = [
        cut(b"01234", promised=10, accept_ranges="bytes"),
        reply(416, b"", content_range="bytes */10"),
        reply(body=b"0123456789", **BYTES),
    ]
    async with RawServer(*scripts) as server:
        assert await (await client_for(server)).download("or_file_1").read() == b"0123456789"
        assert [("range" in request["headers"]) for request in server.requests] == [False, True, False]


async def test_a_weak_tag_promises_nothing(client_for):
    """Without a strong validator or Accept-Ranges no range is asked for."""
    async with RawServer(cut(b"01234", promised=10, etag='W/"a"'), reply(body=b"0123456789", **BYTES)) as server:
        assert await (await client_for(server)).download("or_file_1").read() == b"0123456789"
        assert "range" not in server.requests[1]["headers"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_part_that_nobody_asked_for_is_an_error(client_for, way):
    """A 206 to a plain request is not taken for the whole file."""
    async with RawServer(reply(206, b"01234", **BYTES, content_range="bytes 0-4/10")) as server:
        with pytest.raises(IncompleteDownloadError):
            await way(await client_for(server), "or_file_1")


async def test_an_answer_without_a_length_is_proven_by_the_metadata(client_for):
    """When only the end of the connection ends the body, the size is asked for before it counts as whole."""
    endless = reply(body=b"01234", **BYTES, content_length=None)
    async with RawServer(endless, reply(body=FILE)) as server:
        assert await (await client_for(server)).download("or_file_raw").read() == b"01234"
        assert [request["line"] for request in server.requests] == [
            "GET /api/v1/files/or_file_raw/content HTTP/1.1",
            "GET /api/v1/files/or_file_raw HTTP/1.1",
        ]
    async with RawServer(endless, reply(body=FILE | {"size_bytes": 6})) as server:
        with pytest.raises(IncompleteDownloadError) as caught:
            await (await client_for(server)).download("or_file_raw").read()
        assert (caught.value.received, caught.value.expected) == (5, 6)


@pytest.mark.parametrize("end", [b"0\r\n\r\n", b""])
async def test_a_chunked_answer_ends_with_its_last_chunk(client_for, end):
    """Chunked bodies prove their end themselves; one that stops without it is a broken transfer."""
    head = reply(body=b"", **BYTES, content_length=None, transfer_encoding="chunked")
    async with RawServer(head + b"5\r\n01234\r\n" + end) as server:
        files = await client_for(server, retry=RetryPolicy(attempts=2, first_delay=0.01))
        if end:
            assert await files.download("or_file_1").read() == b"01234"
            assert server.connections == 1
        else:
            with pytest.raises(TransportError):
                await files.download("or_file_1").read()


async def test_the_end_of_a_chunk_is_not_the_end_of_the_file(client_for):
    """Wherever the network cuts: a chunk's bytes, what ends it, and the next chunk may all come by themselves."""

    async def cut_anywhere(connection):
        await connection.request()
        await connection.send(reply(body=b"", **BYTES, content_length=None, transfer_encoding="chunked"))
        for part in (b"5\r\n01", b"234", b"\r\n", b"3\r\n567", b"\r\n2\r\n", b"89\r\n0\r\n", b"\r\n"):
            await asyncio.sleep(0.02)
            await connection.send(part)

    async with RawServer(cut_anywhere) as server:
        assert await (await client_for(server)).download("or_file_1").read() == b"0123456789"


async def test_a_body_that_is_compressed_unasked_is_refused_at_its_head(client_for, tmp_path):
    """Nothing of it is unpacked, which might fill a disk: what was sent of it does not matter."""
    async with RawServer(reply(body=gzip.compress(DATA)[:9], **BYTES, content_encoding="gzip")) as server:
        files = await client_for(server)
        with pytest.raises(IncompleteDownloadError, match=r"compressed \(gzip\), although it was asked not to"):
            await files.download("or_file_1").read()
        with pytest.raises(IncompleteDownloadError, match="compressed"):
            await files.download_to("or_file_1", tmp_path / "x.bin")
        assert len(server.requests) == 2
    assert list(tmp_path.iterdir()) == []


async def test_a_body_that_nobody_promised_is_read_up_to_the_largest_file(client_for):
    """A server that does not say how much it sends cannot fill the memory of whoever reads."""

    async def endless(connection):
        await connection.request()
        await connection.send(reply(body=b"", **BYTES, content_length=None))
        while True:
            await connection.send(bytes(1_000_000))

    async with RawServer(endless) as server:
        with pytest.raises(IncompleteDownloadError, match="more than 104857600 bytes arrived") as caught:
            await (await client_for(server)).download("or_file_1").read()
    assert 104_857_600 < caught.value.received < 106_000_000


async def test_more_bytes_than_promised_are_an_error(client_for):
    """What a server sends beyond its Content-Length does not become part of the file."""
    async with RawServer(reply(body=b"0123456789", **(BYTES | {"content_length": "5"}))) as server:
        files = await client_for(server, retry=NO_RETRIES)
        with pytest.raises(TransportError, match="not readable HTTP"):
            await files.download("or_file_1").read()


async def test_a_failed_download_pickles_and_tells_its_bytes(client_for):
    """IncompleteDownloadError says how much arrived and how much was promised."""
    import pickle  # noqa: PLC0415

    async with RawServer(reply(206, b"", **BYTES)) as server:
        with pytest.raises(FilesError) as caught:
            await (await client_for(server)).download("or_file_1").read()
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.received, again.expected, str(again)) == (0, None, str(caught.value))
