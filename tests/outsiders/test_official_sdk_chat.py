"""The official Python SDK of today, driven against the emulator's chat endpoint with the files tool."""

import pytest
from openrouter import OpenRouter, components, errors
from test_official_sdk import STATUSES

from openrouter_files.emulator import Call, Fail, Say, Status

# The SDK's jsonpath-python uses a name that Python 3.12 deprecated; nothing of ours can help it.
pytestmark = pytest.mark.filterwarnings(r"ignore:ast\.:DeprecationWarning")

MORE = {
    402: errors.PaymentRequiredResponseError,
    408: errors.RequestTimeoutResponseError,
    422: errors.UnprocessableEntityResponseError,
    524: errors.EdgeNetworkTimeoutResponseError,
    529: errors.ProviderOverloadedResponseError,
}
DECLARED = (400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 524, 529)
"""The statuses that the SDK declares for the operation."""


@pytest.fixture
async def sdk(emulator):
    """The SDK without its retries, which go on for an hour."""
    async with OpenRouter(api_key=emulator.api_key, server_url=emulator.base_url, retry_config=None) as opened:
        yield opened


async def ask(sdk, content="Edit notes.txt", **more):
    messages = [{"role": "user", "content": content}]
    tools = [{"type": "openrouter:files"}]
    return await sdk.chat.send_async(model="openai/gpt-5.2", messages=messages, tools=tools, retries=None, **more)


async def test_the_model_edits_a_file(emulator, sdk):
    """Uploaded by the SDK, edited by the model, found and downloaded by the SDK."""
    source = await sdk.files.upload_async(file={"file_name": "notes.txt", "content": b"buy milk\n"})
    emulator.script(Call("edit", file_id=source.id, old_string="milk", new_string="tea"), Say("Done."))
    answer = await ask(sdk)
    assert isinstance(answer, components.ChatResult)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Done.", "stop")
    details = answer.usage.server_tool_use_details
    assert (details.tool_calls_requested, details.tool_calls_executed) == (1, 1)
    kept, made = (await sdk.files.list_async()).result.data
    assert (kept, made.filename, made.downloadable) == (source, "notes.txt", True)
    assert await (await sdk.files.download_async(file_id=made.id)).aread() == b"buy tea\n"


async def test_an_answer_is_streamed(emulator, sdk):
    """Comments are skipped, deltas add up, the usage comes at the end; each chunk is a typed object."""
    emulator.script(Call("list"), Say("Your workspace\n\nis é empty."))
    async with await ask(sdk, stream=True) as stream:
        chunks = [chunk async for chunk in stream]
    assert {type(chunk) for chunk in chunks} == {components.ChatStreamChunk}
    said = [choice.delta.content for chunk in chunks for choice in chunk.choices]
    assert "".join(said) == "Your workspace\n\nis é empty."
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"
    assert chunks[-1].usage.server_tool_use_details.tool_calls_executed == 1


async def test_an_error_in_mid_stream_is_a_chunk(emulator, sdk):
    """The SDK hands out an error in mid-stream as a typed field of the last chunk."""
    emulator.script(Say("Half"), Fail(code=502, message="gone"))
    async with await ask(sdk, stream=True) as stream:
        chunks = [chunk async for chunk in stream]
    assert (chunks[-1].error.code, chunks[-1].error.message) == (502, "gone")
    assert chunks[-1].choices[0].finish_reason == "error"


async def test_a_message_refers_to_a_file(emulator, sdk):
    """A file part with an id reaches the model as the stored file; an unknown id is a typed 404."""
    file = await emulator.put("a.pdf", b"%PDF-1.7\n")
    part = {"type": "file", "file": {"file_id": file.id}}
    await ask(sdk, [{"type": "text", "text": "Summarize"}, part])
    assert emulator.chats[0].files == (file,)
    with pytest.raises(errors.NotFoundResponseError):
        await ask(sdk, [{"type": "file", "file": {"file_id": "or_file_x"}}])


@pytest.mark.parametrize("stream", [False, True])
async def test_each_declared_status_is_its_typed_error(emulator, sdk, stream):
    """Every error that the operation declares arrives as its class, streamed or not."""
    for status in DECLARED:
        emulator.queue("chat", Status(status))
        with pytest.raises((STATUSES | MORE)[status]) as raised:
            await ask(sdk, stream=stream)
        assert (raised.value.status_code, raised.value.data.error.code) == (status, status)


async def test_a_stranger_is_a_typed_401(emulator):
    """Without a good key the SDK raises its 401, and the model is not asked."""
    async with OpenRouter(api_key="wrong", server_url=emulator.base_url) as stranger:
        with pytest.raises(errors.UnauthorizedResponseError):
            await ask(stranger)
    assert emulator.chats == ()
