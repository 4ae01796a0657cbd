"""Asking a model that works with files."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_files import (
    APIError,
    AuthenticationError,
    BadGatewayError,
    BadRequestError,
    FilesClient,
    InvalidResponseError,
    NotFoundError,
    Options,
    PermissionDeniedError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    ServiceUnavailableError,
    TransportError,
    files_tool_calls,
)
from openrouter_files.emulator import Call, Drop, Emulator, Fail, Say, Status
from openrouter_files.protocol.chat import EventReader, chat_body

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


BODIES = {
    "beside": {"choices": [{"message": {"content": None}}], "error": {"code": 429, "message": "busy"}},
    "choice": {"choices": [{"message": {"content": "half"}, "error": {"code": 429, "message": "busy"}}]},
    "alone": {"error": {"code": 429, "message": "busy"}},
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", BODIES)
async def test_a_good_status_with_an_error_in_the_body(name, stream):
    """An error in the body of a 200 is the error it names, streamed or not, and is not retried."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.queue("chat", Status(200, body=json.dumps(BODIES[name]).encode()))
        with pytest.raises(RateLimitError, match="429 busy") as caught:
            await said(files, stream=stream)
        assert (caught.value.status, caught.value.code) == (429, 429)
        assert caught.value.request == ("POST", "/chat/completions")
        assert caught.value.maybe_processed
        assert caught.value.request_id is not None
        assert len(emulator.requests) == 1
        assert (await files.list_page()).data == (), "a model that is busy does not pause the client"


async def said(files, *, stream):
    if not stream:
        return (await files.ask("Hi.", model=MODEL)).text
    async with await files.ask("Hi.", model=MODEL, stream=True) as answer:
        return "".join([text async for text in answer])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("place", ["beside", "choice", "alone"])
@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        (400, BadRequestError, 400),
        (402, APIError, 402),
        (502, BadGatewayError, 502),
        (524, ServerError, 524),
        ("server_error", BadGatewayError, 502),
    ],
)
async def test_a_model_that_fails_after_it_began(place, code, kind, status, stream):
    """Wherever in the answer its error stands, it has the class of its code; a code that is a word is a 502."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.script(Say("half"), Fail(code=code, message="gone", place=place))
        with pytest.raises(kind, match="gone") as caught:
            await said(files, stream=stream)
        assert caught.value.status == status


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": "the provider broke"}, "the provider broke"),
        ({"error": {"code": 502}}, "does not say why"),
        ({"choices": [{"finish_reason": "error", "message": {"content": "half"}}]}, "does not say why"),
    ],
)
async def test_an_error_that_says_little(body, words, stream):
    """An error without a code or without words, and a model that ended with "error", are a 502."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.queue("chat", Status(200, body=json.dumps(body).encode()))
        with pytest.raises(BadGatewayError, match=words):
            await said(files, stream=stream)


async def test_text_in_the_event_that_holds_the_error():
    """What the last event says is given before its error is raised, and so are the reason and the usage."""
    event = {"choices": [{"delta": {"content": "half"}, "finish_reason": "error"}], "error": {"code": 503}}
    stream = b"data: " + json.dumps({**event, "usage": {"total_tokens": 3}}).encode() + b"\n\n"
    async with Emulator() as emulator, client(emulator) as files:
        emulator.queue("chat", Status(200, body=stream, content_type="text/event-stream"))
        heard = ""
        async with await files.ask("Hi.", model=MODEL, stream=True) as answer:
            with pytest.raises(ServiceUnavailableError):  # noqa: PT012  # what was said before counts, too
                async for text in answer:
                    heard += text
        assert (heard, answer.finish_reason, answer.usage.total_tokens) == ("half", "error", 3)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_in_the_body_does_not_repeat_the_key(stream):
    """A server that quotes the key in its error does not bring it into the message."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.script(Fail(code=400, message=f"no {emulator.api_key}", place="choice"))
        with pytest.raises(BadRequestError) as caught:
            await said(files, stream=stream)
        assert emulator.api_key not in str(caught.value)


async def test_an_answer_that_is_not_streamed_although_it_was_asked_for():
    """A whole answer instead of a stream is given in one piece."""
    answer = {"choices": [{"message": {"content": "all of it"}, "finish_reason": "stop"}], "error": None}
    async with Emulator() as emulator, client(emulator) as files:
        emulator.queue("chat", Status(200, body=json.dumps(answer).encode()))
        assert await said(files, stream=True) == "all of it"


async def test_a_lost_answer_is_not_asked_for_again_whatever_uploads_do():
    """`ambiguous="repeat"` is about uploads: a model is not asked twice."""
    async with Emulator() as emulator:
        options = Options(retry=RetryPolicy(first_delay=0.01, ambiguous="repeat"))
        async with FilesClient(emulator.api_key, base_url=emulator.base_url, options=options) as files:
            emulator.queue("chat", Drop(after_work=True))
            with pytest.raises(TransportError):
                await files.ask("Hi.", model=MODEL)
        assert len(emulator.chats) == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("place", [{"workspace_id": "5f0b8a52-6f3e-4c1d-9a57-0d2f4f1c7e01"}, {"provider": "openai"}])
async def test_a_place_that_chat_cannot_be_told(place, stream):
    """A workspace or a provider of the client is refused before anything is sent, and the words say what to do."""
    async with Emulator(providers=["openai"]) as emulator, client(emulator) as files:
        elsewhere = files.with_options(**place)
        with pytest.raises(ValueError, match=rf"chat has no {next(iter(place))}.*with_options\(.*=None\)"):
            await elsewhere.ask("Hi.", model=MODEL, stream=stream)
        assert not emulator.requests
        assert await said(elsewhere.with_options(**dict.fromkeys(place)), stream=stream)


async def test_tools_that_are_not_to_be_had():
    """A shell on chat is a 400, a tool that the workspace blocks a 403 that names it."""
    async with Emulator() as emulator, client(emulator) as files:
        with pytest.raises(BadRequestError, match="openrouter:shell"):
            await files.ask("Hi.", model=MODEL, extra={"tools": [{"type": "openrouter:shell"}]})
        emulator.block_tool()
        with pytest.raises(PermissionDeniedError, match="openrouter:files"):
            await files.ask("Hi.", model=MODEL)
        emulator.block_tool(blocked=False)
        await files.ask("Hi.", model=MODEL)


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
    reader, found, at = EventReader(10_000), [], 0
    for cut in cuts * (len(stream) // sum(cuts) + 1):
        found += reader.feed(stream[at : at + cut]) if at < len(stream) else []
        at += cut
    found += reader.feed(b"")
    assert found == EVENTS


@given(st.binary(max_size=200))
def test_any_bytes_are_a_stream(stream):
    """Nothing that a server sends makes the reader fail."""
    EventReader(10_000).feed(stream)


@pytest.mark.parametrize("piece", [b"x", b"data: x\n", b": x\n", b"data: \xe2\x82\xac", b"x\r"])
def test_an_event_that_does_not_end(piece):
    """A line, or an event of many lines, that goes on for ever is an error before it fills the memory."""
    reader = EventReader(10_000)
    for _ in range(100):
        assert reader.feed(piece) == []
    with pytest.raises(InvalidResponseError, match="more than 10000 characters"):
        any(map(reader.feed, [piece] * 10_000))


def test_events_may_be_many():
    """What bounds an event does not bound the stream."""
    reader = EventReader(10_000)
    assert sum(len(reader.feed(b"data: %b\n\n" % (b"x" * 5_000))) for _ in range(10)) == 10
