"""Which version of a file an answer holds, read from answers that came over a socket."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest

from openrouter_files.transfers.download import Version, packed
from openrouter_files.transport.http import Answer
from openrouter_files.transport.session import Watch

RANGED = Version(size=9, has_ranges=True)
TAGGED = Version(size=9, etag='"a"', has_ranges=True)
OTHER = "the server sent another part: {!r}".format


@asynccontextmanager
async def answered(*lines):
    """One answer with these header lines, not yet read."""
    head = "\r\n".join(["HTTP/1.1 200 OK", *lines, "Connection: close", "", ""])

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head.encode("latin-1"))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1")
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, aiohttp.ClientSession() as session:
        found = Answer(await session.get(url), idle=5, watch=Watch(), done=lambda: None)
        try:
            yield found
        finally:
            found.close()


@pytest.mark.parametrize(
    ("lines", "validator", "has_ranges"),
    [
        ([], None, False),
        (["Accept-Ranges: bytes"], None, True),
        (["Accept-Ranges: BYTES"], None, True),
        (["Accept-Ranges: none"], None, False),
        (["Accept-Ranges: lines"], None, False),
        (['ETag: "a"'], '"a"', True),
        (['ETag: "a"', "Accept-Ranges: none"], '"a"', True),
        (['ETag: W/"a"'], None, False),
        (['ETag: w/"a"', "Accept-Ranges: bytes"], None, True),
        (["ETag: a"], None, False),
        (["ETag:"], None, False),
    ],
)
async def test_what_the_first_answer_says(lines, validator, has_ranges):
    """A strong ETag names the bytes; it or Accept-Ranges lets the rest be asked for."""
    async with answered("Content-Length: 0", *lines) as answer:
        version = Version.of(answer, 7)
        assert (version.size, version.validator, version.has_ranges) == (7, validator, has_ranges)


@pytest.mark.parametrize(
    ("lines", "how"),
    [
        ([], None),
        (["Content-Encoding:"], None),
        (["Content-Encoding: Identity"], None),
        (["Content-Encoding: gzip"], "gzip"),
        (["Content-Encoding: deflate"], "deflate"),
        (["Content-Encoding: gzip, identity"], "gzip, identity"),
        (["Content-Encoding: identity", "Content-Encoding: gzip"], "identity,gzip"),
    ],
)
async def test_a_compressed_answer(lines, how):
    """Whatever compression is told, in one header or in more, is named."""
    async with answered("Content-Length: 0", *lines) as answer:
        assert packed(answer) == (how and f"the server sends the file compressed ({how}), although it was asked not to")


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        (Version(size=9), (("Range", "bytes=5-"),)),
        (Version(size=None, has_ranges=True), (("Range", "bytes=5-"),)),
        (TAGGED, (("Range", "bytes=5-"), ("If-Range", '"a"'))),
    ],
)
def test_asking_for_the_rest(version, headers):
    """From where it stopped, and of this version only if it has a name."""
    assert version.range_from(5) == headers


@pytest.mark.parametrize(
    ("version", "lines", "problem"),
    [
        (Version(size=9), ["Content-Length: 9"], None),
        (Version(size=9), [], None),
        (Version(size=None), ["Content-Length: 9"], None),
        (Version(size=9), ["Content-Length: 8"], "the file has now 8 bytes, not 9"),
        (Version(size=0), ["Content-Length: 8"], "the file has now 8 bytes, not 0"),
        (Version(size=9), ["Content-Length: 0"], "the file has now 0 bytes, not 9"),
        (TAGGED, ["Content-Length: 9", 'ETag: "a"'], None),
        (TAGGED, ["Content-Length: 9"], None),
        (TAGGED, ["Content-Length: 9", 'ETag: W/"a"'], None),
        (TAGGED, ["Content-Length: 9", 'ETag: W/"b"'], "the file changed while it was downloaded"),
        (Version(size=9, modified="then"), ["Content-Length: 9", "Last-Modified: then"], None),
        (Version(size=9, modified="then"), ["Content-Length: 9", "Last-Modified: now"],
         "the file changed while it was downloaded"),
        (Version(size=9), ["Content-Length: 9", 'ETag: "b"'], None),
        (TAGGED, ["Content-Length: 9", 'ETag: "b"'], "the file changed while it was downloaded"),
        (Version(size=None, etag='"a"'), ['ETag: "b"'], "the file changed while it was downloaded"),
    ],
)  # fmt: skip
async def test_an_answer_that_starts_over(version, lines, problem):
    """It is another file if its length or its name is another; what is not said is not held against it."""
    async with answered(*lines) as answer:
        assert version.problem(answer) == problem


@pytest.mark.parametrize(
    ("version", "lines", "problem"),
    [
        (RANGED, ["Content-Range: bytes 5-8/9"], None),
        (RANGED, ["Content-Range: bytes 5-8/*"], None),
        (RANGED, ["Content-Range: bytes 5-6/9"], None),
        (Version(size=None, has_ranges=True), ["Content-Range: bytes 5-8/9"], None),
        (RANGED, ["Content-Range: bytes 5-9/10"], "the file has now 10 bytes, not 9"),
        (RANGED, ["Content-Range: bytes 4-8/9"], OTHER("bytes 4-8/9")),
        (RANGED, ["Content-Range: bytes 0-8/9"], OTHER("bytes 0-8/9")),
        (RANGED, ["Content-Range: bytes */9"], OTHER("bytes */9")),
        (RANGED, ["Content-Range: lines 5-8/9"], OTHER("lines 5-8/9")),
        (RANGED, ["Content-Range: bytes 5-8"], OTHER("bytes 5-8")),
        (RANGED, ["Content-Range: bytes -5-8/9"], OTHER("bytes -5-8/9")),
        (RANGED, ["Content-Range: bytes 5-8/9, bytes 5-8/9"], OTHER("bytes 5-8/9, bytes 5-8/9")),
        (RANGED, ["Content-Range:"], OTHER("")),
        (RANGED, [], OTHER("")),
        (Version(size=9), ["Content-Range: bytes 5-8/9"], OTHER("bytes 5-8/9")),
        (
            TAGGED,
            ["Content-Range: bytes 5-8/9", 'ETag: "b"'],
            "the file changed while it was downloaded",
        ),
        (TAGGED, ["Content-Range: bytes 5-8/9", 'ETag: "a"'], None),
        (TAGGED, ["Content-Range: bytes 5-8/9"], None),
    ],
)  # fmt: skip
async def test_an_answer_that_goes_on(version, lines, problem):
    """A part is the rest of the file if it begins where we stopped, of the same whole; all else is said."""
    async with answered("Content-Length: 0", *lines) as answer:
        assert version.part_problem(answer, 5) == problem


async def test_a_part_that_begins_beyond_all_bounds():
    """A Content-Range of thousands of digits is another part, not an exception."""
    async with answered("Content-Length: 0", f"Content-Range: bytes {'9' * 5_000}-8/9") as answer:
        assert "another part" in RANGED.part_problem(answer, 5)
