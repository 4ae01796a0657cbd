"""What goes over the wire, request by request."""

import asyncio

import pytest
from raw_server import FILE, RawServer, reply

from openrouter_files import RetryPolicy

SAID = {"list": {"data": []}, "delete": {"id": "or_file_raw"}}


@pytest.mark.parametrize("operation", ["list", "retrieve", "upload"])
async def test_headers_are_those_of_the_call_and_of_the_key_of_the_moment(operation, perform, client_for):
    """What is kept of the headers from call to call is never another call's, and never an old key's."""
    keys = iter(["sk-or-v1-one", "sk-or-v1-two", "sk-or-v1-three", "sk-or-v1-four"])
    async with RawServer(reply(body=SAID.get(operation, FILE))) as server:
        files = await client_for(server, api_key=lambda: next(keys))
        for each in ({}, {"X-Mine": "1"}, {"X-Mine": "2"}, {}):
            await perform(operation, files.with_options(headers=each), "or_file_raw")
    heard = [(request["headers"]["authorization"], request["headers"].get("x-mine")) for request in server.requests]
    wanted = [("one", None), ("two", "1"), ("three", "2"), ("four", None)]
    assert heard == [(f"Bearer sk-or-v1-{key}", mine) for key, mine in wanted]


@pytest.mark.parametrize("length", [0, 1, 63 * 1024, 65 * 1024, 255 * 1024, 257 * 1024])
async def test_files_of_any_length_arrive(length, emulator, files):
    """Whether they go out with the head of the request, in one write or in pieces."""
    content = b"0123456789abcde\n" * (length // 16) + b"x"
    stored = await files.upload(content, filename="a.txt", content_type="text/plain")
    assert await emulator.content(stored.id) == content


async def test_an_answer_that_is_left_leaves_the_next_one_alone(emulator, files):
    """Who stops in the middle of a download cannot read on, and what is asked next is answered rightly."""
    made = await emulator.put("made.bin", bytes(3_000_000))
    async with files.download(made.id) as chunks:
        async for _ in chunks:
            break
    assert (await files.retrieve(made.id)).size_bytes == 3_000_000
    assert await files.download(made.id).read() == bytes(3_000_000)


class Keeping(RawServer):
    """Keeps its connections, three from the start; that of the first upload is closed when all of it was read."""

    def __init__(self):
        super().__init__(self.keep)
        self.heard = []  # methods, each with the number of its connection
        self.three = asyncio.Barrier(3)

    async def keep(self, connection):
        number = self.connections
        while True:
            method = (await connection.request())["line"].partition(" ")[0]
            self.heard.append((method, number))
            if len(self.heard) <= 3:
                await self.three.wait()
            if method == "POST" and [each for each, _ in self.heard].count("POST") == 1:
                return
            await connection.send(reply(body=FILE if method == "POST" else {"data": []}, connection="keep-alive"))


@pytest.mark.parametrize("ambiguous", ["repeat", "reconcile"])
@pytest.mark.parametrize("content", [b"hello\n", b"0123456789abcde\n" * 50_000])
async def test_an_upload_whose_answer_was_lost_is_repeated_on_a_new_connection(client_for, content, ambiguous):
    """What broke one kept connection may have broken all of them: none of those that idle is taken."""
    async with Keeping() as server:
        policy = RetryPolicy(first_delay=0.01, ambiguous=ambiguous)
        files = await client_for(server, retry=policy)
        await asyncio.gather(*(files.list_page() for _ in range(3)))
        await files.upload(content, filename="a.txt")
        (_, lost), (_, again) = [each for each in server.heard if each[0] == "POST"]
        assert lost <= 3 < again
        await files.list_page()
        assert server.heard[-1][1] <= 3  # those that were kept are still used by others
