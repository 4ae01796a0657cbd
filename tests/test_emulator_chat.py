"""The emulator's chat endpoint: requests judged, the scripted model played, answers whole and streamed."""

import json

import aiohttp
import pytest

from openrouter_files.emulator import Call, Drop, Emulator, Fail, Say, ScriptsNotPlayed, Status, Trickle, Truncate

TOOLS = [{"type": "openrouter:files"}]
HEADER = {"x-openrouter-file-ids": "openrouter"}
PROCESSING = ": OPENROUTER PROCESSING"


def body(content="hi", **more):
    return {"model": "openai/gpt-5.2", "messages": [{"role": "user", "content": content}], **more}


def file_part(file_id):
    return [{"type": "text", "text": "look"}, {"type": "file", "file": {"file_id": file_id}}]


async def ask(emulator, asked, *, key=None, headers=None):
    """Send a chat request (a value, or bytes): the status and the JSON of the answer."""
    async with post(emulator, asked, key=key, headers=headers) as answer:
        return answer.status, await answer.json()


def post(emulator, asked, *, key=None, headers=None):
    headers = {"Authorization": f"Bearer {key or emulator.api_key}"} | (headers or {})
    data = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    return aiohttp.request("POST", f"{emulator.base_url}/chat/completions", data=data, headers=headers)


async def stream(emulator, asked, **options):
    """Send a chat request for a stream: its blocks, as they are on the wire."""
    async with post(emulator, {**asked, "stream": True}, **options) as answer:
        assert (answer.status, answer.content_type, answer.content_length) == (200, "text/event-stream", None)
        text = (await answer.read()).decode()
    assert text.endswith("\n\n")
    return text.removesuffix("\n\n").split("\n\n")


def chunks(blocks):
    return [json.loads(block.removeprefix("data: ")) for block in blocks if block.startswith("data: {")]


async def test_the_answer_is_what_the_script_says(emulator):
    """The text of the script is the message, with the model's name and a usage that counts no tools."""
    emulator.script(Say("Hello "), Say("world.", finish_reason="length"))
    status, answer = await ask(emulator, body())
    choice = {"index": 0, "finish_reason": "length"}
    message = {"role": "assistant", "content": "Hello world.", "refusal": None}
    assert (status, answer["choices"]) == (200, [choice | {"message": message}])
    assert (answer["object"], answer["model"]) == ("chat.completion", "openai/gpt-5.2")
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["server_tool_use_details"] is None


async def test_each_request_plays_one_script(emulator):
    """Scripts are played in the order in which they were given; without one the model says so."""
    emulator.script(Say("one"))
    emulator.script(Say("two"))
    said = [(await ask(emulator, body()))[1]["choices"][0]["message"]["content"] for _ in range(3)]
    assert said == ["one", "two", "The model has no script for this request."]


async def test_a_script_has_to_be_played():
    """A script that no request met fails the test."""
    with pytest.raises(ScriptsNotPlayed, match="never asked"):
        async with Emulator() as emulator:
            emulator.script(Say("never asked"))


async def test_a_test_that_fails_fails_for_its_own_reason():
    """An error inside the context is not hidden by scripts that were therefore not played."""
    emulator = Emulator()
    emulator.script(Say("never asked"))
    with pytest.raises(ZeroDivisionError):
        async with emulator:
            raise ZeroDivisionError


async def test_a_test_sees_what_was_asked(emulator):
    """The model's requests are kept with model, messages, tools and the files that they refer to."""
    file = await emulator.put("a.pdf", b"%PDF-1.7\n")
    await ask(emulator, body(file_part(file.id), tools=TOOLS, temperature=0.5))
    (chat,) = emulator.chats
    assert (chat.model, chat.stream, chat.tools, chat.files) == ("openai/gpt-5.2", False, TOOLS, (file,))
    assert (chat.messages, chat.body["temperature"]) == (body(file_part(file.id))["messages"], 0.5)
    emulator.clear()
    assert emulator.chats == ()


async def test_tool_calls_are_counted_and_kept(emulator):
    """Requested are all calls, executed those with a result; a test sees both, until it clears them."""
    emulator.script(Call("write", filename="a.txt", content="x"), Call("read", filename="b.txt"), Say("done"))
    _, answer = await ask(emulator, body(tools=TOOLS))
    assert answer["usage"]["server_tool_use_details"] == {"tool_calls_requested": 2, "tool_calls_executed": 1}
    assert [call.error for call in emulator.tool_calls] == [None, "File not found: b.txt"]
    emulator.clear()
    assert emulator.tool_calls == ()


@pytest.mark.parametrize("more", [{}, {"tools": []}, {"tools": TOOLS, "tool_choice": "none"}, {"tools": None}])
async def test_without_the_tool_the_model_cannot_call_it(emulator, more):
    """A request that does not offer the tool changes nothing in the store."""
    emulator.script(Call("write", filename="a.txt", content="x"), Say("done"))
    _, answer = await ask(emulator, body(**more))
    assert (emulator.files(), emulator.tool_calls) == ((), ())
    assert answer["usage"]["server_tool_use_details"] is None


@pytest.mark.parametrize(
    ("more", "limit"),
    [
        ({}, 30),
        ({"max_tool_calls": 3}, 3),
        ({"max_tool_calls": 3, "stop_server_tools_when": [{"type": "step_count_is", "step_count": 5}]}, 5),
        ({"stop_server_tools_when": [{"type": "max_cost", "max_cost_in_dollars": 1}]}, 30),
    ],
)
async def test_the_loop_has_a_limit(emulator, more, limit):
    """Beyond 30 calls, or the limit of the request, calls are told so and change nothing."""
    emulator.script(*[Call("write", filename="a.txt", content="x")] * (limit + 2), Say("done"))
    _, answer = await ask(emulator, body(tools=TOOLS, **more))
    details = answer["usage"]["server_tool_use_details"]
    assert details == {"tool_calls_requested": limit + 2, "tool_calls_executed": limit}
    assert len(emulator.files()) == limit
    assert all(f"limit of {limit}" in call.error for call in emulator.tool_calls[limit:])


@pytest.mark.parametrize("headers", [{}, {"x-openrouter-file-ids": "provider"}])
async def test_in_the_seed_era_the_tool_needs_its_header(headers):
    """Without the header the tool is inert, and file ids are somebody else's; with it both work."""
    asked = body(file_part("file_unknown"), tools=TOOLS)
    async with Emulator(seed_era=True) as emulator:
        for _ in range(2):
            emulator.script(Call("write", filename="a.txt", content="x"))
        status, answer = await ask(emulator, asked, headers=headers)
        details = answer["usage"]["server_tool_use_details"]
        assert (status, details) == (200, {"tool_calls_requested": 1, "tool_calls_executed": 0})
        assert (emulator.files(), "not available" in emulator.tool_calls[0].error) == ((), True)
        assert (await ask(emulator, asked, headers=HEADER))[0] == 404
        assert (await ask(emulator, body(tools=TOOLS), headers=HEADER))[0] == 200
        assert len(emulator.files()) == 1


@pytest.mark.parametrize("headers", [{}, {"x-openrouter-file-ids": "provider"}, HEADER])
async def test_today_the_header_does_not_matter(emulator, headers):
    """With the header or without, the tool works and ids are resolved."""
    emulator.script(Call("write", filename="a.txt", content="x"))
    await ask(emulator, body(tools=TOOLS), headers=headers)
    assert len(emulator.files()) == 1
    assert (await ask(emulator, body(file_part("or_file_x")), headers=headers))[0] == 404


async def test_strangers_are_401_before_anything_else(emulator):
    """A caller without a good key is refused, whatever the body, and plays no script."""
    for asked in (body(), b"nonsense"):
        status, answer = await ask(emulator, asked, key="wrong")
        assert (status, answer["error"]["code"]) == (401, 401)
    url = f"{emulator.base_url}/chat/completions"
    async with aiohttp.request("POST", url, json=body()) as answer:
        assert (await answer.json())["error"]["message"] == "Missing Authentication header"
    assert emulator.chats == ()


async def test_an_in_region_host_is_403():
    """An in-region host refuses."""
    async with Emulator(region=True) as emulator:
        assert (await ask(emulator, body()))[0] == 403


@pytest.mark.parametrize(("file_id", "status"), [("or_file_x", 404), ("a b", 400), ("", 400), ("x" * 257, 400)])
async def test_unknown_files_are_refused(emulator, file_id, status):
    """A part that refers to a file that does not exist is 404, to what cannot be an id 400."""
    assert (await ask(emulator, body(file_part(file_id))))[0] == status
    assert emulator.chats == ()


async def test_a_file_of_another_workspace_is_unknown(emulator):
    """A part cannot reach into another workspace."""
    theirs = await emulator.put("a.txt", b"x", workspace_id=emulator.add_workspace())
    assert (await ask(emulator, body(file_part(theirs.id))))[0] == 404


@pytest.mark.parametrize(
    "asked",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff",
        b"[" * 100_000,
        b'{"messages": NaN}',
        {},
        {"messages": []},
        {"messages": None},
        {"messages": {}},
        {"messages": ["hi"]},
        {"messages": [{}]},
        {"messages": [{"role": "robot", "content": "hi"}]},
        {"messages": [{"role": ["user"], "content": "hi"}]},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "content": None}]},
        {"messages": [{"role": "user", "content": 7}]},
        {"messages": [{"role": "user", "content": ["hi"]}]},
        {"messages": [{"role": "user", "content": [{}]}]},
        {"messages": [{"role": "user", "content": [{"type": 7}]}]},
        {"messages": [{"role": "user", "content": [{"type": "file"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "file", "file": []}]}]},
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": 7}}]}]},
        {"messages": [{"role": "tool", "content": "x"}]},
        body(stream="yes"),
        body(model=7),
        body(model="\ud800"),
        body(tools={}),
        body(tools=["openrouter:files"]),
        body(tools=[{}]),
        body(max_tool_calls=0),
        body(max_tool_calls=31),
        body(max_tool_calls=True),
        body(max_tool_calls="3"),
        body(stop_server_tools_when=[7]),
        body(stop_server_tools_when=[{"type": "step_count_is"}]),
    ],
)
async def test_what_is_no_chat_request_is_400(emulator, asked):
    """A body that the schema does not allow is refused, and plays no script."""
    status, answer = await ask(emulator, asked)
    assert (status, answer["error"]["code"], emulator.chats) == (400, 400, ())


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": "be brief"}, {"role": "developer", "content": []}],
        [{"role": "assistant", "content": None}, {"role": "tool", "content": "x", "tool_call_id": "1"}],
        [{"role": "assistant"}, {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}],
        [{"role": "user", "content": [{"type": "file", "file": {"file_data": "data:,x", "filename": "x"}}]}],
    ],
)
async def test_all_kinds_of_messages_are_taken(emulator, messages):
    """Every role, and parts without a file id, are accepted; so are fields that nobody knows, and no model."""
    assert (await ask(emulator, {"messages": messages, "unheard_of": {}}))[0] == 200


async def test_a_request_has_a_limit():
    """A body larger than a file may be is 413."""
    async with Emulator(max_file_bytes=200) as emulator:
        assert (await ask(emulator, body("x" * 50)))[0] == 200
        assert (await ask(emulator, body("x" * 200)))[0] == 413


async def test_a_stream_is_server_sent_events(emulator):
    """Comments while there is nothing to say, deltas that add up, the finish, the usage, and `[DONE]`."""
    text = "Two files,\n\n  é \u2028done. "
    emulator.script(Call("list"), Say(text))
    blocks = await stream(emulator, body(tools=TOOLS))
    assert (blocks[0], blocks[2], blocks[-1]) == (PROCESSING, PROCESSING, "data: [DONE]")
    assert all(block == PROCESSING or block.startswith("data: ") for block in blocks)
    *said, finish, usage = chunks(blocks)
    assert any("é" in block for block in blocks), "text is sent as it is, not escaped"
    assert any("\u2028" in block for block in blocks), "and so is what some take for the end of a line"
    deltas = [chunk["choices"][0]["delta"]["content"] for chunk in said]
    assert (len(deltas) > 3, "".join(deltas)) == (True, text)
    assert said[0]["choices"][0]["delta"]["role"] == "assistant"
    assert {chunk["choices"][0]["finish_reason"] for chunk in said} == {None}
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert (usage["choices"], usage["usage"]["server_tool_use_details"]["tool_calls_executed"]) == ([], 1)
    assert len({(c["id"], c["object"], c["model"], c["created"]) for c in chunks(blocks)}) == 1


async def test_a_stream_may_break_off_with_an_error(emulator):
    """A failing model ends its stream with an error chunk: no usage, no `[DONE]`, nothing of what was to follow."""
    emulator.script(
        Say("Half "), Fail(code=502, message="gone"), Call("write", filename="a", content="x"), Say("never")
    )
    blocks = await stream(emulator, body(tools=TOOLS))
    last = chunks(blocks)[-1]
    assert last["error"] == {"code": 502, "message": "gone"}
    assert last["choices"] == [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]
    assert (blocks[-1], "never" in "".join(blocks)) == ("data: " + json.dumps(last, separators=(",", ":")), False)
    assert emulator.files() == ()


async def test_without_a_stream_a_failing_model_is_a_status(emulator):
    """The same script without a stream is an error answer with the code as its status."""
    emulator.script(Say("Half "), Fail(code=502, message="gone"))
    assert await ask(emulator, body()) == (502, {"error": {"code": 502, "message": "gone"}})


@pytest.mark.parametrize(
    ("place", "where"),
    [
        ("beside", lambda answer: answer),
        ("choice", lambda answer: answer["choices"][0]),
        ("alone", lambda answer: answer),
    ],
)
async def test_an_error_in_an_answer_of_200(emulator, place, where):
    """A script says where in an answer of 200 the error stands, with a stream and without."""
    for _ in range(2):
        emulator.script(Say("Half"), Fail(code=429, message="busy", place=place))
    error = {"code": 429, "message": "busy"}
    status, answer = await ask(emulator, body())
    last = chunks(await stream(emulator, body()))[-1]
    assert (status, where(answer)["error"], where(last)["error"]) == (200, error, error)
    assert ("choices" in answer, "choices" in last) == (place != "alone",) * 2
    if place != "alone":
        assert answer["choices"][0]["finish_reason"] == last["choices"][0]["finish_reason"] == "error"
        assert answer["choices"][0]["message"]["content"] == "Half"


@pytest.mark.parametrize("kind", ["openrouter:shell", "openrouter:bash", "shell", "bash_20250124"])
async def test_a_shell_is_not_for_chat(emulator, kind):
    """A tool that runs commands is answered with 400, and the model is not asked."""
    status, answer = await ask(emulator, body(tools=[*TOOLS, {"type": kind}]))
    assert (status, kind in answer["error"]["message"], emulator.chats) == (400, True, ())


async def test_a_tool_may_be_blocked(emulator):
    """A tool that the workspace blocks is answered with 403, which names it; other tools are not."""
    emulator.block_tool("openrouter:web_search")
    status, answer = await ask(emulator, body(tools=[{"type": "openrouter:web_search"}]))
    assert (status, "openrouter:web_search" in answer["error"]["message"]) == (403, True)
    assert (await ask(emulator, body(tools=TOOLS)))[0] == 200


async def test_a_stream_is_refused_like_any_request(emulator):
    """What is wrong with a request for a stream is told as JSON with a status, not in the stream."""
    assert (await ask(emulator, body(file_part("or_file_x"), stream=True)))[0] == 404


async def test_faults_reach_the_chat(emulator):
    """The queue of "chat" works as for other operations, before the work and after it."""
    asked = body(tools=TOOLS)
    emulator.queue("chat", Status(402), Drop(after_work=True), Status(529))
    emulator.script(Call("write", filename="a.txt", content="x"))
    assert (await ask(emulator, asked))[1]["error"]["message"].startswith("Insufficient credits")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await ask(emulator, asked)
    assert (await ask(emulator, asked))[0] == 529
    assert len(emulator.files()) == 1
    assert [received.operation for received in emulator.requests] == ["chat"] * 3


async def test_a_stream_can_be_cut(emulator):
    """A truncated stream ends in mid-event without the end that chunked bodies have."""
    emulator.queue("chat", Truncate(40))
    async with post(emulator, body(stream=True)) as answer:
        assert (await answer.content.readexactly(40)).startswith(f'{PROCESSING}\n\ndata: {{"id":"'.encode())
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.content.readany()


async def test_a_stream_can_trickle(emulator):
    """A slow stream comes piece by piece: its beginning is there before its end is sent."""
    emulator.queue("chat", Trickle(pause=0.01, piece=200))
    async with post(emulator, body(stream=True)) as answer:
        pieces = [piece async for piece in answer.content.iter_any()]
    assert len(pieces) > 3
    assert b"".join(pieces).endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "", 405), ("POST", "/x", 404)])
async def test_there_is_one_path_and_one_method(emulator, method, path, status):
    """Only a POST to that path is the operation."""
    async with aiohttp.request(method, f"{emulator.base_url}/chat/completions{path}") as answer:
        assert answer.status == status
