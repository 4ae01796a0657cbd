"""Every answer of the chat endpoint, and every result of the files tool, held against the OpenAPI document."""

import json

import aiohttp
import pytest
from document import DOCUMENT, complaints, component, declared, pointer

from openrouter_files.emulator import Call, Emulator, Fail, Say, Status

CHAT = ("POST", "/chat/completions")
CALLS = (
    Call("write", filename="data/a.csv", content="a,b\n1,2\n"),
    Call("list", filename_filter="data"),
    Call("read", filename="data/a.csv"),
    Call("edit", filename="data/a.csv", old_string="1", new_string="3", new_filename="b.csv"),
    Call("edit", filename="data/a.csv", old_string="none", new_string="3"),
    Call("read", file_id="or_file_x"),
    Call("write", content="no name"),
)


def request(**more):
    example = DOCUMENT["components"]["schemas"]["ChatRequest"]["example"] | more
    assert complaints(component("ChatRequest"), example) == []
    return example


@pytest.fixture
def ask(emulator):
    async def ask(asked, *, key=emulator.api_key):
        url, headers = emulator.base_url + CHAT[1], {"Authorization": f"Bearer {key}"}
        async with aiohttp.request("POST", url, json=asked, headers=headers) as answer:
            assert answer.content_type in declared(*CHAT)[str(answer.status)]["content"]
            if answer.content_type == "text/event-stream":
                return answer.status, (await answer.read()).decode()
            value = await answer.json()
        assert complaints(pointer(*CHAT, answer.status), value) == []
        return answer.status, value

    return ask


def events(text):
    """The values of a stream's events, without comments and `[DONE]`."""
    blocks = [block for block in text.split("\n\n") if block.startswith("data: {")]
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


async def test_a_completion_fits_the_document(emulator, ask):
    """The document's own example of a request gets an answer that fits, with tool calls and without."""
    emulator.script(*CALLS, Say("Done."))
    details = (await ask(request()))[1]["usage"]["server_tool_use_details"]
    assert details == {"tool_calls_requested": 7, "tool_calls_executed": 4}
    assert (await ask(request(tools=[])))[0] == 200


async def test_each_event_of_a_stream_fits_the_document(emulator, ask):
    """Every chunk is a ChatStreamingResponse, those with usage and with an error included."""
    for script in ((*CALLS, Say("All is done.")), (Say("Half"), Fail())):
        emulator.script(*script)
        chunks = events((await ask(request(stream=True)))[1])
        assert len(chunks) >= 3
        for chunk in chunks:
            assert complaints(component("ChatStreamingResponse"), {"data": chunk}) == []
    assert "error" in chunks[-1]


async def test_tool_calls_fit_the_document(emulator, ask):
    """The model's arguments and what it is told are as documented; metadata in results is that of a file."""
    emulator.script(*CALLS)
    await ask(request())
    for made in emulator.tool_calls:
        assert complaints(component("FilesToolArguments"), made.call.arguments) == []
        assert complaints(component("FilesToolResult"), made.output) == []
    written, listed, _, edited, *_ = emulator.tool_calls
    for metadata in (written.result, *listed.result["files"], edited.result):
        assert complaints(component("OpenRouterFile"), metadata) == []


async def test_refusals_fit_the_document(emulator, ask):
    """Each refusal that the emulator comes to by itself is a declared one."""
    part = {"type": "file", "file": {"file_id": "or_file_x"}}
    assert (await ask(request(), key="wrong"))[0] == 401
    assert (await ask({"messages": []}))[0] == 400
    assert (await ask(request(messages=[{"role": "user", "content": [part]}])))[0] == 404
    emulator.script(Fail())
    assert (await ask(request()))[0] == 502


async def test_every_declared_error_fits_the_document(emulator, ask):
    """Each error that the document declares can be had from the emulator, with the documented message."""
    answers = {int(status): answer for status, answer in declared(*CHAT).items() if status != "200"}
    emulator.queue("chat", *map(Status, answers))
    for status, answer in answers.items():
        assert await ask(request()) == (status, answer["content"]["application/json"]["example"])


async def test_an_in_region_host_fits_the_document():
    """The 403 of an in-region host is a declared one."""
    async with Emulator(region=True) as emulator:
        headers = {"Authorization": f"Bearer {emulator.api_key}"}
        async with aiohttp.request("POST", emulator.base_url + CHAT[1], json=request(), headers=headers) as answer:
            value = await answer.json()
    assert (answer.status, complaints(pointer(*CHAT, 403), value)) == (403, [])
