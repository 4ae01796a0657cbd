"""The short way of small requests says and hears what the long one does, which whoever traces goes."""

import re

import aiohttp
import pytest
from raw_server import FILE, RawServer, reply

OPERATIONS = ["list", "upload", "retrieve", "delete", "download", "download_to"]
SAID = {"list": {"data": []}, "delete": {"id": "or_file_raw"}}


def traced():
    """What makes all requests go the long way, and how often it was told of one."""
    told = []
    config = aiohttp.TraceConfig()

    async def tell(_, __, parameters):
        told.append(parameters.url.path)

    config.on_request_start.append(tell)
    return config, told


def _without_boundary(request):
    """The same request with the boundary of its form, which is never the same, left out."""
    boundary = re.search("boundary=(.*)", request["headers"].get("content-type", ""))
    if boundary is None:
        return request["line"], request["headers"], request["body"]
    headers = {name: value.replace(boundary[1], "") for name, value in request["headers"].items()}
    return request["line"], headers, request["body"].replace(boundary[1].encode(), b"")


async def _said(operation, perform, client_for, *, headers, **arguments):
    answer = reply(body=SAID.get(operation, FILE))
    async with RawServer(answer) as server:
        files = await client_for(server, http_referer="https://example.org", app_title="Ähren", **arguments)
        await perform(operation, files.with_options(workspace_id="a b", headers=headers), "or_file_ü/1")
        return [(line, fields | {"host": ""}, body) for line, fields, body in map(_without_boundary, server.requests)]


@pytest.mark.parametrize("headers", [{}, {"X-Mine": "1", "x-other": "2"}])
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_both_ways_say_the_same(operation, perform, client_for, headers):
    """Request line, headers and body are the same to the last byte."""
    config, told = traced()
    long = await _said(operation, perform, client_for, headers=headers, trace_configs=[config])
    assert told
    assert await _said(operation, perform, client_for, headers=headers) == long


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
