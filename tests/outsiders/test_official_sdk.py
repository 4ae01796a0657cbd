"""The official Python SDK of today, driven against the emulator: does it behave like the service?"""

import asyncio
import io

import httpx
import pytest
from openrouter import OpenRouter, components, errors

from openrouter_files.emulator import Drop, Emulator, Pass, Status

# The SDK's jsonpath-python uses a name that Python 3.12 deprecated; nothing of ours can help it.
pytestmark = pytest.mark.filterwarnings(r"ignore:ast\.:DeprecationWarning")

STATUSES = {
    400: errors.BadRequestResponseError,
    401: errors.UnauthorizedResponseError,
    403: errors.ForbiddenResponseError,
    404: errors.NotFoundResponseError,
    413: errors.PayloadTooLargeResponseError,
    429: errors.TooManyRequestsResponseError,
    499: errors.ClientClosedRequestResponseError,
    500: errors.InternalServerResponseError,
    502: errors.BadGatewayResponseError,
    503: errors.ServiceUnavailableResponseError,
}
"""The classes of the errors that the SDK knows."""

DECLARED = {
    "list": (400, 401, 403, 429, 500, 502, 503),
    "upload": (400, 401, 403, 413, 429, 499, 500, 502, 503),
    "retrieve": (401, 403, 404, 429, 500, 502, 503),
    "delete": (401, 403, 404, 429, 500, 502, 503),
    "download": (400, 401, 403, 404, 429, 500, 502, 503),
}
"""The statuses that the SDK declares for each operation."""


@pytest.fixture
async def files(emulator):
    """The SDK's files, without its retries, which go on for an hour."""
    async with OpenRouter(api_key=emulator.api_key, server_url=emulator.base_url, retry_config=None) as sdk:
        yield sdk.files


async def call(files, operation, file_id="or_file_x"):
    match operation:
        case "list":
            return await files.list_async(retries=None)
        case "upload":
            return await files.upload_async(file={"file_name": "a.txt", "content": b"hello\n"}, retries=None)
        case "retrieve":
            return await files.retrieve_async(file_id=file_id, retries=None)
        case "delete":
            return await files.delete_async(file_id=file_id, retries=None)
        case _:
            return await files.download_async(file_id=file_id, retries=None)


async def test_a_file_lives_its_life(emulator, files):
    """Uploaded, retrieved, listed and deleted: each answer is a typed object of the SDK."""
    uploaded = await files.upload_async(file={"file_name": "data/é x.csv", "content": io.BytesIO(b"a,b\n1,2\n")})
    assert isinstance(uploaded, components.OpenRouterFile)
    assert (uploaded.filename, uploaded.mime_type, uploaded.size_bytes) == ("data/é x.csv", "text/csv", 8)
    assert uploaded.downloadable is False
    assert await files.retrieve_async(file_id=uploaded.id) == uploaded
    listed = await files.list_async()
    assert listed.result.data == [uploaded]
    receipt = await files.delete_async(file_id=uploaded.id)
    assert (type(receipt), receipt.id) == (components.OpenRouterFileDeleted, uploaded.id)
    assert emulator.files() == ()


async def test_pages_are_followed(emulator, files):
    """The SDK's own paging sees every file once, and stops."""
    made = [(await emulator.put(f"{n}.txt", b"x")).id for n in range(7)]
    seen, page = [], await files.list_async(limit=3)
    while page is not None:
        seen.append([file.id for file in page.result.data])
        page = await page.next()
    assert seen == [made[:3], made[3:6], made[6:]]
    assert len(emulator.requests) == 3


async def test_content_is_streamed(emulator, files):
    """A downloadable file comes as a stream of the right bytes; an upload is a typed 400."""
    content = bytes(range(256)) * 8000
    made = await emulator.put("a.bin", content)
    answer = await files.download_async(file_id=made.id)
    assert await answer.aread() == content
    uploaded = await call(files, "upload")
    with pytest.raises(errors.BadRequestResponseError, match="not downloadable"):
        await files.download_async(file_id=uploaded.id)


@pytest.mark.parametrize(
    ("version", "user_agent", "kind"),
    [
        ("2023-06-01", None, components.AnthropicFile),
        (None, "OpenAI/Python 3.52.0", components.OpenAIFile),
    ],
)
async def test_other_shapes_are_typed_objects(emulator, files, version, user_agent, kind):
    """In the other two shapes, too, the SDK recognises what it gets."""
    asked = {"anthropic-version": version, "user-agent": user_agent}
    asked = {name: value for name, value in asked.items() if value is not None}
    uploaded = await files.upload_async(file={"file_name": "a.txt", "content": b"x"}, http_headers=asked)
    listed = await files.list_async(http_headers=asked)
    receipt = await files.delete_async(file_id=uploaded.id, http_headers=asked)
    assert isinstance(uploaded, kind)
    assert listed.result.data == [uploaded]
    assert receipt.id == uploaded.id
    assert "UNKNOWN" not in {uploaded.shape, listed.result.shape, receipt.shape}


@pytest.mark.parametrize("operation", DECLARED)
async def test_each_declared_status_is_its_typed_error(emulator, files, operation):
    """Every error that an operation declares arrives as its class, with the envelope's code and message."""
    for status in DECLARED[operation]:
        emulator.queue(operation, Status(status, retry_after=1))
        with pytest.raises(STATUSES[status]) as raised:
            await call(files, operation)
        assert (raised.value.status_code, raised.value.data.error.code) == (status, status)
        assert str(raised.value) == raised.value.data.error.message
        assert raised.value.headers["retry-after"] == "1"


async def test_refusals_of_the_emulator_are_typed_errors(emulator, files):
    """What the emulator refuses by itself is what the SDK expects: 400, 401, 403, 404."""
    with pytest.raises(errors.BadRequestResponseError, match="empty"):
        await files.upload_async(file={"file_name": "a.txt", "content": b""})
    with pytest.raises(errors.BadRequestResponseError, match="type is not allowed"):
        await files.upload_async(file={"file_name": "a.mp4", "content": b"\x00\x00\x00\x18ftypmp42"})
    with pytest.raises(errors.BadRequestResponseError, match="Filename"):
        await files.upload_async(file={"file_name": 'a"b.txt', "content": b"x"})
    with pytest.raises(errors.BadRequestResponseError, match="provider key"):
        await files.list_async(provider="openai")
    with pytest.raises(errors.NotFoundResponseError):
        await files.retrieve_async(file_id="or_file_none")
    emulator.add_key("bound")
    with pytest.raises(errors.ForbiddenResponseError):
        await files.list_async(workspace_id=emulator.workspace_id, http_headers={"Authorization": "Bearer bound"})
    async with OpenRouter(api_key="wrong", server_url=emulator.base_url) as stranger:
        with pytest.raises(errors.UnauthorizedResponseError):
            await stranger.files.list_async()


async def test_too_much_is_413():
    """A file over the limit is a typed 413, although the SDK sends all of it before it listens."""
    async with (
        Emulator(max_file_bytes=1 << 20) as emulator,
        OpenRouter(api_key=emulator.api_key, server_url=emulator.base_url) as sdk,
    ):
        with pytest.raises(errors.PayloadTooLargeResponseError):
            await sdk.files.upload_async(file={"file_name": "a.txt", "content": b"x" * (1 << 23)})


async def test_the_sdk_retries_as_told(emulator):
    """A 503 with Retry-After in milliseconds is waited for and repeated: the emulator's header is understood."""
    emulator.queue("list", Status(503, retry_after_ms=10), Status(500, retry_after_ms=10), Pass())
    async with OpenRouter(api_key=emulator.api_key, server_url=emulator.base_url) as sdk:
        assert (await sdk.files.list_async()).result.data == []


async def test_a_dropped_connection_is_a_protocol_error(emulator, files):
    """A connection that ends without an answer is the SDK's transport error, raised at once."""
    emulator.queue("delete", Drop())
    with pytest.raises(httpx.RemoteProtocolError):
        await call(files, "delete")


async def test_an_unknown_route_is_the_default_error(emulator):
    """The HTML page of an unknown path ends in the SDK's default error."""
    async with OpenRouter(api_key=emulator.api_key, server_url=emulator.base_url + "/v2") as sdk:
        with pytest.raises(errors.OpenRouterDefaultError, match="text/html"):
            await sdk.files.list_async()


async def test_the_blocking_client_works_too(emulator):
    """The SDK's synchronous client uploads a chunked stream, lists and deletes."""

    def life():
        with OpenRouter(api_key=emulator.api_key, server_url=emulator.base_url) as sdk:
            made = sdk.files.upload(file={"file_name": "a.md", "content": io.BytesIO(b"# Title\n")})
            listed = sdk.files.list()
            sdk.files.delete(file_id=made.id)
            return made, listed.result.data, listed.next()

    made, listed, following = await asyncio.to_thread(life)
    assert (listed, following, made.mime_type) == ([made], None, "text/markdown")
