"""What a server may cost that answers more than anybody asked for: memory, time of the loop, words."""

import asyncio
import gzip
import json
import tracemalloc

import pytest
from raw_server import FILE, RawServer, reply

from openrouter_files import NO_RETRIES, FilesError, InternalServerError, InvalidResponseError

MIB = 1024 * 1024
STREAM = {"content_type": "text/event-stream", "content_length": None}


def endless(head, piece):
    """An answer that goes on for as long as somebody reads it."""

    async def script(connection):
        await connection.request()
        await connection.send(head)
        while True:
            await connection.send(piece)

    return script


def chunked(piece):
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def listing(files):
    return files.list_page()


def metadata(files):
    return files.retrieve("or_file_1")


def removal(files):
    return files.delete("or_file_1")


def inside(files):
    return files.container("c").list_page()


def question(files):
    return files.ask("hi", model="m")


async def streamed(files):
    return [text async for text in await files.ask("hi", model="m", stream=True)]


OPERATIONS = [listing, metadata, removal, inside, question, streamed]


async def cost(server, operation, client_for):
    """The error that an operation ends with, and the most memory that it took."""
    files = await client_for(server, retry=NO_RETRIES)
    tracemalloc.start()
    try:
        with pytest.raises(FilesError) as caught:
            await operation(files)
        return caught.value, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("framing", ["to the end", "in chunks", "in one event"])
async def test_an_answer_that_does_not_end(client_for, operation, framing):
    """An answer that is no file is read up to a bound, and takes no more than 32 MiB; the error is a line."""
    fields = STREAM if framing == "in one event" and operation is streamed else {"content_length": None}
    if framing == "in chunks":
        script = endless(reply(**fields, transfer_encoding="chunked"), chunked(b" " * 100_000))
    else:
        script = endless(reply(**fields), b" " * 100_000)
    async with RawServer(script) as server:
        error, most = await cost(server, operation, client_for)
    assert isinstance(error, InvalidResponseError)
    assert "more than" in str(error) or "longer than" in str(error)
    assert len(str(error)) < 200
    assert most < 32 * MIB


@pytest.mark.parametrize("operation", [listing, metadata, removal, inside, question])
async def test_an_answer_that_says_that_it_is_too_long(client_for, operation):
    """It is refused at its head: nothing of it need arrive."""
    async with RawServer(reply(content_length=60 * MIB)) as server:
        error, _ = await cost(server, operation, client_for)
    assert "longer than" in str(error)


@pytest.mark.parametrize("operation", OPERATIONS[:5])
async def test_a_little_that_unpacks_to_much(client_for, operation):
    """What is compressed counts as what it unpacks to."""
    bomb = gzip.compress(bytes(200 * MIB), 1)
    async with RawServer(reply(body=bomb, content_encoding="gzip")) as server:
        error, most = await cost(server, operation, client_for)
    assert "longer than" in str(error)
    assert most < 32 * MIB


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_error_that_does_not_end(client_for, operation):
    """Of what a bad answer says, a MiB is read: its status is enough."""
    async with RawServer(endless(reply(500, content_length=None), b"x" * 100_000)) as server:
        error, most = await cost(server, operation, client_for)
    assert isinstance(error, InternalServerError)
    assert str(error) == "500 Internal Server Error"
    assert most < 16 * MIB


async def test_an_error_of_many_words_is_a_line(client_for):
    """What a server says in an error is cut to a length that can be read."""
    told = {"error": {"message": "word\n" * 100_000, "code": 500}}
    async with RawServer(reply(500, told, x_request_id="r" * 6000)) as server:
        error, _ = await cost(server, metadata, client_for)
    assert str(error).startswith("500 word word")
    assert len(str(error)) < 6000
    assert len(error.message) < 600


async def test_a_picture_in_an_answer_is_no_excess(client_for):
    """A model may answer with some MiB, streamed or not."""
    text = "x" * (6 * MIB)
    whole = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    event = json.dumps({"choices": [{"delta": {"content": text}, "finish_reason": "stop"}]}).encode()
    async with RawServer(reply(body=whole), reply(body=b"data: %b\n\n" % event, **STREAM)) as server:
        files = await client_for(server)
        assert (await files.ask("hi", model="m")).text == text
        assert await streamed(files) == [text]


async def test_a_thousand_files_with_the_longest_names(client_for):
    """The largest page that there is comes nowhere near the bounds."""
    row = FILE | {"filename": "😀" * 255}  # twelve bytes each
    async with RawServer(reply(body={"data": [row] * 1000, "cursor": None})) as server:
        assert len((await (await client_for(server)).list_page()).data) == 1000


async def test_many_events_at_once_leave_turns_to_others(client_for):
    """While thousands of events are read that arrived together, other tasks go on."""
    event = b'data: {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]}\n\n'
    turns, done = 0, asyncio.Event()

    async def other():
        nonlocal turns
        while not done.is_set():
            await asyncio.sleep(0)
            turns += 1

    async with RawServer(reply(body=event * 5000, content_type="text/event-stream")) as server:
        files = await client_for(server)
        async with await files.ask("hi", model="m", stream=True) as stream:
            texts = aiter(stream)
            await anext(texts)
            task = asyncio.create_task(other())
            count = 1 + len([text async for text in texts])
            done.set()
            await task
    assert count == 5000
    assert turns >= 20
