"""Parts of a download: by a Range request where the server has ranges, by reading past the rest where not."""

import pytest
from raw_server import FILE, RawServer, reply

from openrouter_files import APIError, IncompleteDownloadError
from openrouter_files.emulator import Drop, Emulator, Status

DATA = bytes(n % 251 for n in range(500_000))
PARTS = [(0, 1), (0, 500_000), (1, None), (0, 100), (250_000, 250_001), (499_999, None), (400_000, 900_000)]


@pytest.fixture(params=[True, False], ids=["ranges", "no ranges"])
async def server(request):
    """A server with ranges, and one without."""
    async with Emulator(ranges=request.param) as running:
        yield running


@pytest.fixture
async def files(server, client_for):
    """A client for it."""
    return await client_for(server)


@pytest.mark.parametrize(("start", "stop"), PARTS)
async def test_a_part_is_a_slice(server, files, start, stop):
    """A part has the bytes that a slice has, in one request, whether the server has ranges or not."""
    stored = await server.put("a.bin", DATA)
    file = await files.retrieve(stored.id)
    server.clear()
    assert await files.download(file, start=start, stop=stop).read() == DATA[start:stop]
    (request,) = server.requests
    assert request.headers.get("range") == f"bytes={start}-{'' if stop is None else stop - 1}"


@pytest.mark.parametrize(("start", "stop"), PARTS)
async def test_a_part_of_a_file_in_a_container(server, files, start, stop):
    """The files of containers have parts as those of the workspace have."""
    stored = await server.put_in_container("c", "a.bin", DATA)
    box = files.container("c")
    assert await box.download(stored.id, start=start, stop=stop).read() == DATA[start:stop]
    with pytest.raises(ValueError, match="a part goes from a byte to a later one"):
        box.download(stored.id, start=2, stop=1)


async def test_what_is_known_of_a_part(server, files):
    """Inside `async with`, a part knows the size of the whole file and whether the server sends parts."""
    stored = await server.put("a.bin", DATA)
    async with files.download(stored.id, start=7, stop=9) as chunks:
        assert (chunks.size, chunks.has_ranges) == (len(DATA), server.ranges)
        assert await chunks.read() == DATA[7:9]
    async with files.download(stored.id) as chunks:
        assert chunks.has_ranges == server.ranges


async def test_a_whole_file_is_asked_for_as_ever(server, files):
    """Without bounds, no Range is sent."""
    stored = await server.put("a.bin", DATA)
    assert await files.download(stored.id, start=0, stop=None).read() == DATA
    assert "range" not in server.requests[-1].headers


async def test_a_part_that_breaks_goes_on(server, files):
    """A part whose transfer breaks goes on where it stopped, and ends where it should."""
    stored = await server.put("a.bin", DATA)
    server.queue("download", Drop(after=150_000))
    assert await files.download(stored.id, start=100_000, stop=400_000).read() == DATA[100_000:400_000]


async def test_a_part_that_begins_late_is_repeated(server, files):
    """A part is asked for again when the server declines for now."""
    stored = await server.put("a.bin", DATA)
    server.queue("download", Status(503))
    assert await files.download(stored.id, start=5, stop=10).read() == DATA[5:10]


@pytest.mark.parametrize(("start", "stop"), [(-1, None), (5, 5), (5, 4), (0, 0), (3, -1)])
async def test_a_part_without_a_byte_makes_no_sense(server, files, start, stop):
    """A part that cannot hold a byte is a ValueError before anything is sent."""
    with pytest.raises(ValueError, match="a part goes from a byte to a later one"):
        files.download("or_file_x", start=start, stop=stop)
    assert server.requests == ()


async def test_an_empty_file_has_an_empty_part(server, files):
    """The start of an empty file is empty, although no server has a range for it."""
    stored = await server.put("empty", b"")
    assert await files.download(stored.id, stop=10).read() == b""


async def test_a_part_beyond_the_end(server, files):
    """Bytes that the file does not have are an error, not silence."""
    stored = await server.put("a.bin", b"hello")
    with pytest.raises(IncompleteDownloadError, match="only 5 bytes"):
        await files.download(stored.id, start=6).read()


@pytest.mark.parametrize(
    ("content_range", "complaint"),
    [
        ("bytes 0-1/5", "another part"),
        ("bytes 2-4/9", "has now 9 bytes, not 5"),
        ("lines 2-4/5", "another part"),
        (None, "another part"),
    ],
)
async def test_another_part_is_refused(client_for, content_range, complaint):
    """A server that sends other bytes than it was asked for is an error."""
    body = reply(206, b"llo", content_range=content_range)
    async with RawServer(reply(body=FILE), body) as server:
        files = await client_for(server)
        file = await files.retrieve("or_file_raw")
        with pytest.raises(IncompleteDownloadError, match=complaint):
            await files.download(file, start=2).read()


async def test_a_part_of_a_file_of_unknown_size(client_for):
    """A part whose server does not know the size ends where it was to end."""
    async with RawServer(reply(206, b"ll", content_range="bytes 2-3/*")) as server:
        files = await client_for(server)
        assert await files.download("or_file_raw", start=2, stop=4).read() == b"ll"


async def test_a_part_that_is_too_short(client_for):
    """A part that ends before it should is an error: nobody gets half of it."""
    async with RawServer(reply(206, b"l", content_range="bytes 2-2/5")) as server:
        files = await client_for(server)
        with pytest.raises(IncompleteDownloadError, match="3 of 5 bytes"):
            await files.download("or_file_raw", start=2, stop=4).read()


async def test_other_refusals_come_through(server, files):
    """Whatever else the server refuses is its error, after one request."""
    server.queue("download", Status(418))
    with pytest.raises(APIError, match="418"):
        await files.download("or_file_unknown", start=1).read()
    assert len(server.requests) == 1
