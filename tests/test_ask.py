"""Asking a model that works with files."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_files import (
    AuthenticationError,
    BadGatewayError,
    BadRequestError,
    FilesClient,
    NotFoundError,
    Options,
    RateLimitError,
    RetryPolicy,
    ServerError,
    TransportError,
    files_tool_calls,
)
from openrouter_files.contract.chat import chat_body
from openrouter_files.contract.sse import EventReader
from openrouter_files.emulator import Call, Drop, Emulator, Fail, Say, Status

MODEL = "openai/gpt-5.2"


def client(emulator: Emulator, key: str | None = None) -> FilesClient:
    options = Options(retry=RetryPolicy(first_delay=0.01))
    return FilesClient(key or emulator.api_key, base_url=emulator.base_url, options=options)


@pytest.mark.parametrize("stream", [False, True])
async def test_the_round_trip(tmp_path, stream):
    """A text file is uploaded, edited by the model, found, saved to disk, and is what the model made of it."""
    async with Emulator() as emulator, client(emulator) as files:
        source = await files.upload(b"# Notes\n\nthe old line\n", filename="notes.md")
        emulator.script(
            Call("edit", filename="notes.md", old_string="old", new_string="new", new_filename="notes-2.md"),
            Say("I changed it."),
        )
        if stream:
            async with await files.ask("Change it.", model=MODEL, files=[source], stream=True) as answer:
                text = "".join([piece async for piece in answer])
        else:
            answer = await files.ask("Change it.", model=MODEL, files=[source])
            text = answer.text
        assert text == "I changed it."
        assert (answer.finish_reason, answer.usage.tool_calls_executed) == ("stop", 1)
        (made,) = [file async for file in files.list(after=source)]
        path = await files.download_to(made, tmp_path)
        assert path == tmp_path / "notes-2.md"
        assert path.read_bytes() == b"# Notes\n\nthe new line\n"


async def test_what_is_sent():
    """The tool, the files and the header of the first servers are in the request, and whatever else was asked for."""
    async with Emulator() as emulator, client(emulator) as files:
        file = await files.upload(b"hello\n", filename="a.txt")
        emulator.script(Say("hello"))
        emulator.script(Say("hello"))
        await files.ask("Read it.", model=MODEL, files=[file], extra={"max_tokens": 9})
        await files.ask([{"role": "user", "content": "Hi."}], model=MODEL, resolve_file_ids=False)
        first, second = [r for r in emulator.requests if r.operation == "chat"]
        assert first.headers["x-openrouter-file-ids"] == "openrouter"
        assert "x-openrouter-file-ids" not in second.headers
        assert first.headers["content-type"] == "application/json"


def test_files_beside_messages_bring_no_empty_text():
    """Files that are given with whole messages are a message of their own, without a text that says nothing."""
    asked = [{"role": "user", "content": "Read it."}]
    body = json.loads(chat_body(asked, model=MODEL, file_ids=["or_file_1"], stream=False, extra={}))
    file = {"type": "file", "file": {"file_id": "or_file_1"}}
    assert body["messages"] == [*asked, {"role": "user", "content": [file]}]


async def test_files_since():
    """A listing can be cut to what was made since a moment, or after a file."""
    async with Emulator() as emulator, client(emulator) as files:
        first = await files.upload(b"1", filename="1.txt")
        await files.upload(b"2", filename="2.txt")
        now = datetime.now(UTC)
        assert [f.filename async for f in files.list(after=first)] == ["2.txt"]
        assert len([f async for f in files.list(created_since=now - timedelta(minutes=1))]) == 2
        assert [f async for f in files.list(created_since=now + timedelta(minutes=1))] == []


async def test_errors_have_their_classes():
    """A wrong key, an unknown file and a failing provider mean what they mean elsewhere."""
    async with Emulator() as emulator, client(emulator) as files, client(emulator, "sk-wrong") as wrong:
        with pytest.raises(AuthenticationError):
            await wrong.ask("Hi.", model=MODEL)
        with pytest.raises((BadRequestError, NotFoundError)):
            await files.ask("Hi.", model=MODEL, files=["or_file_unknown"])
        emulator.script(Fail(code=502))
        with pytest.raises(BadGatewayError):
            await files.ask("Hi.", model=MODEL)


async def test_a_model_is_not_asked_twice():
    """A question that may have been worked on is not repeated; one that was declined is."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.script(Say("done"))
        emulator.queue("chat", Status(429, retry_after=0.01), Drop(after_work=True))
        with pytest.raises(TransportError) as caught:
            await files.ask("Write a file.", model=MODEL)
        assert caught.value.maybe_processed
        assert len([r for r in emulator.requests if r.operation == "chat"]) == 2


async def test_an_error_in_mid_stream():
    """What was said before comes through, then the error as its class."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.script(Say("I begin"), Fail(code=429, message="slow down"))
        heard = ""
        async with await files.ask("Hi.", model=MODEL, stream=True) as answer:
            with pytest.raises((RateLimitError, ServerError)):  # noqa: PT012  # what was said before counts, too
                async for text in answer:
                    heard += text
        assert heard == "I begin"


async def test_leaving_a_stream_early():
    """Breaking out of a stream leaves nothing behind, and the client works on."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.script(Say("one two three four five six"))
        async with await files.ask("Hi.", model=MODEL, stream=True) as answer:
            async for _ in answer:
                break
        assert (await files.list_page()).data == ()


@pytest.mark.parametrize(("prompt", "model"), [("", MODEL), ("Hi.", ""), ([], MODEL)])
async def test_nothing_to_ask(prompt, model):
    """Without a prompt or a model nothing is sent."""
    async with Emulator() as emulator, client(emulator) as files:
        with pytest.raises(ValueError, match="needed"):
            await files.ask(prompt, model=model)
        assert not emulator.requests


def test_tool_calls_of_the_responses_api():
    """The items of a Responses API answer that are calls of the tool are read, the others left out."""
    items = [
        {"type": "message", "content": []},
        {"type": "openrouter:files", "status": "completed", "operation": "read", "filename": "a.txt",
         "result": '{"id": "or_file_1", "content": "hello"}'},
        {"type": "openrouter:files", "status": "incomplete", "operation": "edit", "error": "not found"},
        {"type": "openrouter:files", "status": "completed", "result": "no JSON"},
    ]  # fmt: skip
    read, edit, odd = files_tool_calls(items)
    assert (read.operation, read.result) == ("read", {"id": "or_file_1", "content": "hello"})
    assert (edit.error, edit.result) == ("not found", None)
    assert odd.result == "no JSON"


EVENTS = ["hello", '{"a": 1}', "two\nlines", "é€", "[DONE]"]


@given(
    breaks=st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=1, max_size=4),
    cuts=st.lists(st.integers(1, 7), min_size=1, max_size=40),
)
def test_events_in_any_pieces(breaks, cuts):
    """However a stream is cut and whatever ends its lines, the events are the same; comments are left out."""
    end = breaks[0]
    lines = [": OPENROUTER PROCESSING", ""]
    for event in EVENTS:
        lines += ["event: x", *(f"data: {line}" for line in event.split("\n")), "id: 1", ""]
    stream = (end.join(lines) + end).encode()
    reader, found, at = EventReader(), [], 0
    for cut in cuts * (len(stream) // sum(cuts) + 1):
        found += reader.feed(stream[at : at + cut]) if at < len(stream) else []
        at += cut
    found += reader.feed(b"")
    assert found == EVENTS


@given(st.binary(max_size=200))
def test_any_bytes_are_a_stream(stream):
    """Nothing that a server sends makes the reader fail."""
    EventReader().feed(stream)
