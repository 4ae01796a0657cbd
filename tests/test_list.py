"""Listings over loopback: all files, each once, in every shape that the answers have had."""

# ruff: noqa: PT012 - what a loop raises is raised in a loop

import asyncio
import sys
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest
from raw_server import FILE, RawServer, reply

from openrouter_files import (
    FilePage,
    InvalidResponseError,
    PageToken,
    ServiceUnavailableError,
    Timeouts,
    TransportTimeoutError,
)
from openrouter_files.emulator import Drop, Emulator, Status

# What an emulator may be like, and what a client has to say for that shape.
SHAPES = {
    "openrouter": ({}, {}),
    "openai": ({"shape": "openai"}, {}),
    "anthropic": ({"shape": "anthropic"}, {}),
    "the first weeks": ({"seed_era": True}, {}),
    "anthropic, asked for": ({}, {"anthropic-version": "2023-06-01"}),
    "openai, asked for": ({}, {"User-Agent": "OpenAI/Python 3.52.0"}),
    "openai, asked for by another header": ({}, {"x-stainless-lang": "python"}),
}
CONTINUED_BY = {"openrouter": "cursor", "openai": "after", "anthropic": "after_id", "the first weeks": "cursor"}
# A process where nothing but the five packages can be imported reads what is usual by a pattern.
ALONE = """
import asyncio, sys
sys.modules["msgspec"] = None
from openrouter_files import FilesClient
async def main():
    async with FilesClient(sys.argv[2], base_url=sys.argv[1]) as files:
        print(ascii([file async for file in files.list(page_size=3)]))
asyncio.run(main())
"""


@pytest.fixture(params=SHAPES)
async def shaped(request, client_for):
    """An emulator of each shape with 25 files, and a client for it."""
    settings, headers = SHAPES[request.param]
    async with Emulator(**settings) as emulator:
        stored = [await emulator.put(f"dir/{n:02}.txt", b"x" * n) for n in range(25)]
        yield request.param, emulator, (await client_for(emulator)).with_options(headers=headers), stored


@pytest.mark.parametrize("page_size", [1, 7, 25, 1000, None])
async def test_all_files_are_yielded_once_and_in_order(shaped, page_size):
    """Whatever the shape and the page size, the listing has every file once, oldest first."""
    _, emulator, files, stored = shaped
    listed = [file async for file in files.list(page_size=page_size)]
    assert [file.id for file in listed] == [file.id for file in stored]
    assert len(emulator.requests) == (1 if page_size is None else -(-25 // page_size))


async def test_every_shape_reads_into_the_same_file(shaped):
    """Id, name, size and time are the same in every shape; what a shape does not say is None."""
    shape, _, files, stored = shaped
    listed = [file async for file in files.list()]
    for file, original in zip(listed, stored, strict=True):
        assert (file.filename, file.size_bytes) == (original.filename, original.size_bytes)
        assert abs(file.created_at - original.created_at) < timedelta(seconds=1)
        assert file.created_at.utcoffset() == timedelta(0)
        assert (file.mime_type is None, file.downloadable) == (
            (True, None) if shape.startswith("openai") else (False, True)
        )
        assert file.purpose == ("user_data" if shape.startswith("openai") else None)
        assert file.extra == {}


async def test_each_shape_goes_on_in_its_own_way(shaped):
    """The next page is asked for by cursor, after or after_id, and never by two of them."""
    shape, emulator, files, _ = shaped
    assert len([file async for file in files.list(page_size=10)]) == 25
    ways = [set(request.query) - {"limit"} for request in emulator.requests]
    expected = CONTINUED_BY[shape.partition(",")[0]]
    assert ways == [set(), {expected}, {expected}]


async def test_the_caller_may_keep_the_cursor(shaped):
    """list_page gives pages whose `next` leads to the one that follows; None after the last."""
    _, _, files, stored = shaped
    page = await files.list_page(limit=20)
    assert isinstance(page, FilePage)
    assert [file.id for file in page.data] == [file.id for file in stored[:20]]
    assert isinstance(page.next, PageToken)
    last = await files.list_page(limit=20, cursor=page.next)
    assert [file.id for file in last.data] == [file.id for file in stored[20:]]
    assert last.next is None


async def test_a_cursor_may_be_kept_as_text(files, emulator):
    """The value of a cursor token works as a str, in another run."""
    stored = [await emulator.put(f"{n}", b"x") for n in range(3)]
    page = await files.list_page(limit=2)
    rest = await files.list_page(limit=2, cursor=page.next.value)
    assert [file.id for file in rest.data] == [stored[2].id]


async def test_a_listing_may_start_after_a_file(files, emulator):
    """With after= only what came later is listed, over several pages."""
    stored = [await emulator.put(f"{n}", b"x") for n in range(10)]
    listed = [file.id async for file in files.list(after=stored[3].id, page_size=2)]
    assert listed == [file.id for file in stored[4:]]
    assert emulator.requests[0].query == {"limit": "2", "after": stored[3].id}


async def test_a_page_says_nothing_that_was_not_asked(files, emulator):
    """Without arguments the first page is asked for without a query: the server's default counts."""
    assert await files.list_page() == FilePage(data=())
    assert emulator.requests[0].query == {}


async def test_pages_are_asked_for_as_they_are_needed(files, emulator):
    """A caller who stops after the first files causes one request."""
    for n in range(5):
        await emulator.put(f"{n}", b"x")
    async with aclosing(files.list(page_size=2)) as listing:
        async for _ in listing:
            break
    assert len(emulator.requests) == 1


async def test_nothing_is_asked_before_it_is_needed(files, emulator):
    """A listing that is made and forgotten sends no request."""
    files.list()
    await asyncio.sleep(0.01)
    assert emulator.requests == ()


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_an_impossible_page_size_sends_nothing(files, emulator, limit):
    """Page sizes outside 1 to 1,000 are a ValueError, for list() at once and not when it is iterated."""
    with pytest.raises(ValueError, match="page_size must be between 1 and 1000"):
        files.list(page_size=limit)
    with pytest.raises(ValueError, match=r"^limit must be between 1 and 1000"):
        await files.list_page(limit=limit)
    assert emulator.requests == ()


async def test_a_page_that_fails_is_repeated_and_no_other(files, emulator):
    """A failure in the middle of a listing repeats that page only; no file is yielded twice or left out."""
    stored = [await emulator.put(f"{n}", b"x") for n in range(6)]
    first = await files.list_page(limit=2)
    emulator.queue("list", Status(503), Drop(), Status(500))
    listed = [*first.data]
    listed += [file async for file in files.list(page_size=2, after=first.data[-1].id)]
    assert [file.id for file in listed] == [file.id for file in stored]


async def test_an_error_ends_the_listing(files, emulator):
    """What cannot be repeated is raised by the loop, after the files of the pages before."""
    for n in range(3):
        await emulator.put(f"{n}", b"x")
    listed = []
    with pytest.raises(ServiceUnavailableError):
        async for file in files.list(page_size=2):
            if not listed:
                emulator.queue("list", *[Status(503)] * 5)
            listed.append(file)
    assert len(listed) == 2


def page(*ids, **fields):
    return reply(body={"_shape": "openrouter", "data": [FILE | {"id": each} for each in ids]} | fields)


async def listed(client_for, *answers):
    async with RawServer(*answers, reply(500)) as server:
        files = await client_for(server)
        ids = [file.id async for file in files.list()]
        assert server.connections == len(answers)
        return ids, [request["line"].split()[1].partition("?")[2] for request in server.requests]


async def test_an_empty_page_that_leads_on_is_not_the_end(client_for):
    """A page without files but with a cursor is followed."""
    ids, _ = await listed(client_for, page("a", cursor="1"), page(cursor="2"), page("b", cursor=None))
    assert ids == ["a", "b"]


@pytest.mark.parametrize("cursor", [None, "", "  ", 7, [], False])
async def test_what_is_no_cursor_ends_the_listing(client_for, cursor):
    """A cursor that is null, blank or no string leads nowhere."""
    assert (await listed(client_for, page("a", cursor=cursor)))[0] == ["a"]


@pytest.mark.parametrize("cursor", [None, "", "  ", 7, [], False])
async def test_more_without_a_cursor_goes_on_after_the_last_file(client_for, cursor):
    """A page that says that there is more is never taken for the last one."""
    ids, queries = await listed(client_for, page("a", cursor=cursor, has_more=True), page("b", cursor=None))
    assert ids == ["a", "b"]
    assert queries[1].endswith("after=a")


async def test_cursors_are_sent_as_they_came(client_for):
    """Whatever characters a cursor has, the server gets the same back."""
    cursor = "a+b/c==&limit=1#?%20é "
    _, queries = await listed(client_for, page("a", cursor=cursor), page("b", cursor=None))
    assert queries[1] == "limit=1000&cursor=a%2Bb%2Fc%3D%3D%26limit%3D1%23%3F%2520%C3%A9%20"


@pytest.mark.parametrize("round_trip", [["1", "1"], ["1", "2", "1"]])
async def test_a_listing_that_repeats_itself_is_an_error(client_for, round_trip):
    """A cursor that was there before would lead in circles for ever: it is an InvalidResponseError."""
    answers = [page(f"{n}", cursor=cursor) for n, cursor in enumerate(round_trip)]
    async with RawServer(*answers) as server:
        files = await client_for(server)
        with pytest.raises(InvalidResponseError, match="repeats itself"):
            async for _ in files.list():
                await asyncio.sleep(0.01)
        assert len(server.requests) == len(answers)


BROKEN = [
    (b"", "$"),
    (b"<html>", "$"),
    (b"[]", "$"),
    (b'{"data": {}}', "$.data"),
    (b'{"data": [7]}', "$.data[0]"),
    (reply(body={"data": [FILE | {"size_bytes": "lots"}]}).partition(b"\r\n\r\n")[2], "$.data[0].size_bytes"),
    (reply(body={"data": [FILE, {"id": "x"}]}).partition(b"\r\n\r\n")[2], "$.data[1].filename"),
    (reply(body={"data": [FILE | {"created_at": "soon"}]}).partition(b"\r\n\r\n")[2], "$.data[0].created_at"),
    (reply(body={"data": [FILE | {"downloadable": "no"}]}).partition(b"\r\n\r\n")[2], "$.data[0].downloadable"),
]


@pytest.mark.parametrize(("body", "path"), BROKEN)
async def test_an_unreadable_page_names_what_is_wrong(client_for, body, path):
    """A good status with a bad body is an InvalidResponseError with the JSON path, and is not repeated."""
    async with RawServer(reply(body=body)) as server:
        with pytest.raises(InvalidResponseError) as caught:
            await (await client_for(server)).list_page()
        assert server.connections == 1
    error = caught.value
    assert any(problem.endswith(f"@ {path}") for problem in error.problems), error.problems
    assert (error.body, error.request, error.maybe_processed) == (body, ("GET", "/files"), False)


@pytest.mark.parametrize("count", [1, 1000])
@pytest.mark.parametrize("wrong", [{"created_at": "soonZ"}, {"size_bytes": "lots"}, {"filename": None}])
async def test_an_unreadable_page_gives_none_of_its_files(client_for, count, wrong):
    """Files are made as they are taken, but that all of a page can be made is known before the first."""
    async with RawServer(page(cursor=None, data=[FILE] * count + [FILE | wrong])) as server:
        with pytest.raises(InvalidResponseError, match=next(iter(wrong))):
            async for _ in (await client_for(server)).list():
                pytest.fail("a file of an unreadable page was handed out")


async def test_an_unreadable_page_is_counted(client_for):
    """Also an error that is never repeated says how many requests were sent."""
    async with RawServer(reply(body=b"{")) as server:
        with pytest.raises(InvalidResponseError) as caught:
            await (await client_for(server)).list_page()
    assert caught.value.attempts == 1


async def test_unknown_fields_are_kept(client_for):
    """What this version does not know is found in `extra`, as it came."""
    async with RawServer(page(cursor=None, data=[FILE | {"sha256": "00", "tags": ["a"]}])) as server:
        (file,) = (await (await client_for(server)).list_page()).data
    assert file.extra == {"sha256": "00", "tags": ["a"]}
    assert file.created_at == datetime(2026, 11, 20, tzinfo=UTC)


async def test_a_listing_that_trickles_for_ever_ends(client_for):
    """An answer that comes byte by byte without an end is a timeout: metadata are due within `answer`."""

    async def trickle(connection):
        await connection.request()
        await connection.send(reply(content_length="1000000"))
        while True:
            await connection.send(b" ")
            await asyncio.sleep(0.01)

    async with RawServer(trickle) as server:
        files = (await client_for(server)).with_options(timeouts=Timeouts(connect=0.1, answer=0.1))
        async with asyncio.timeout(3):
            with pytest.raises(TransportTimeoutError):
                await files.list_page()


async def test_many_listings_run_at_once(files, emulator):
    """Listings of one client do not disturb each other."""
    stored = [(await emulator.put(f"{n}", b"x")).id for n in range(9)]
    listings = await asyncio.gather(*(_ids(files.list(page_size=size)) for size in range(1, 10)))
    assert listings == [stored] * 9


async def _ids(listing):
    return [file.id async for file in listing]


@pytest.mark.parametrize(
    "names", [["a.txt", "b/c.csv", "é 😀.txt"], ["a.txt", 'quo"ted', "b.txt"]], ids=["plain", "escaped"]
)
async def test_a_listing_is_the_same_without_extras(emulator, files, names):
    """msgspec, a pattern or json: the same files, over several pages."""
    for name in names * 2:
        await emulator.put(name, b"x")
    run = (sys.executable, "-c", ALONE, emulator.base_url, emulator.api_key)
    alone = await asyncio.create_subprocess_exec(*run, stdout=asyncio.subprocess.PIPE)
    output, _ = await alone.communicate()
    assert output.decode().strip() == ascii([file async for file in files.list(page_size=3)])
