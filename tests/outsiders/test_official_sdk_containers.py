"""The official Python SDK of today, driven against the emulator's containers and its providers."""

import pytest
from openrouter import OpenRouter, components, errors
from test_official_sdk import STATUSES

from openrouter_files.emulator import Emulator, Status

# The SDK's jsonpath-python uses a name that Python 3.12 deprecated; nothing of ours can help it.
pytestmark = pytest.mark.filterwarnings(r"ignore:ast\.:DeprecationWarning")

DECLARED = {
    "list_container": (400, 401, 403, 429, 500, 503),
    "retrieve_container": (400, 401, 403, 404, 429, 500, 503),
    "download_container": (400, 401, 403, 404, 429, 500, 503),
    "promote": (400, 401, 403, 404, 413, 429, 499, 500, 503),
}
"""The statuses that the SDK declares for each operation."""


@pytest.fixture
async def sdk(emulator):
    """The SDK without its retries, which go on for an hour."""
    async with OpenRouter(api_key=emulator.api_key, server_url=emulator.base_url, retry_config=None) as opened:
        yield opened


async def call(containers, operation, file_id="cfile_YQ"):
    match operation:
        case "list_container":
            return await containers.list_container_files_async(container_id="sess_abc", retries=None)
        case "retrieve_container":
            return await containers.get_container_file_async(container_id="sess_abc", file_id=file_id, retries=None)
        case "download_container":
            return await containers.download_container_file_content_async(
                container_id="sess_abc", file_id=file_id, retries=None
            )
        case _:
            return await containers.promote_container_file_async(container_id="sess_abc", file_id=file_id, retries=None)


async def test_a_container_file_is_listed_retrieved_and_downloaded(emulator, sdk):
    """Each answer is a typed object of the SDK with what the test put there."""
    put = await emulator.put_in_container("sess_abc", "out/é report.csv", b"a,b\n" * 200_000)
    listed = await call(sdk.containers, "list_container")
    (file,) = listed.data
    assert isinstance(file, components.ContainerFile)
    assert (file.id, file.path, file.bytes_) == (put.id, "out/é report.csv", 800_000)
    assert (listed.first_id, listed.last_id, listed.has_more) == (put.id, put.id, False)
    assert await call(sdk.containers, "retrieve_container", file.id) == file
    answer = await call(sdk.containers, "download_container", file.id)
    assert await answer.aread() == b"a,b\n" * 200_000


async def test_a_promoted_file_is_a_file_of_the_workspace(emulator, sdk):
    """A promotion answers a typed file, which the SDK can retrieve, download and promote once more."""
    put = await emulator.put_in_container("sess_abc", "out/a.bin", b"\x00\x01")
    file = await call(sdk.containers, "promote", put.id)
    assert (type(file), file.filename, file.downloadable) == (components.OpenRouterFile, "out/a.bin", True)
    assert await sdk.files.retrieve_async(file_id=file.id) == file
    assert await (await sdk.files.download_async(file_id=file.id)).aread() == b"\x00\x01"
    assert (await call(sdk.containers, "promote", put.id)).id != file.id


async def test_pages_are_followed_over_empty_ones():
    """By the documented rule, go on while `has_more`, the SDK sees every file, over pages that are empty."""
    async with (
        Emulator(scan_limit=1) as emulator,
        OpenRouter(api_key=emulator.api_key, server_url=emulator.base_url) as sdk,
    ):
        for path in ("a", "x/y/b", "x/z"):
            await emulator.put_in_container("c", path, b"x")
        pages = [await sdk.containers.list_container_files_async(container_id="c")]
        while pages[-1].has_more and len(pages) < 9:
            pages.append(await sdk.containers.list_container_files_async(container_id="c", after=pages[-1].last_id))
    assert [[file.path for file in page.data] for page in pages] == [["a"], [], [], ["x/y/b"], ["x/z"]]


@pytest.mark.parametrize("operation", DECLARED)
async def test_each_declared_status_is_its_typed_error(emulator, sdk, operation):
    """Every error that an operation declares arrives as its class, with the envelope's code and message."""
    for status in DECLARED[operation]:
        emulator.queue(operation, Status(status))
        with pytest.raises(STATUSES[status]) as raised:
            await call(sdk.containers, operation)
        assert (raised.value.status_code, raised.value.data.error.code) == (status, status)
        assert str(raised.value) == raised.value.data.error.message


async def test_refusals_of_the_emulator_are_typed_errors(sdk):
    """What the emulator refuses by itself is what the SDK expects."""
    for operation in ("retrieve_container", "download_container", "promote"):
        with pytest.raises(errors.NotFoundResponseError):
            await call(sdk.containers, operation)
    with pytest.raises(errors.BadRequestResponseError, match="after"):
        await sdk.containers.list_container_files_async(container_id="c", after="nonsense")


@pytest.mark.parametrize(
    ("provider", "kind"), [("openai", components.OpenAIFile), ("anthropic", components.AnthropicFile)]
)
async def test_files_at_a_provider_live_their_life(emulator, sdk, provider, kind):
    """With `provider=` all five operations give typed objects of that provider's shape, and its failure a 502."""
    emulator.configure_provider(provider)
    file = await sdk.files.upload_async(file={"file_name": "a.txt", "content": b"x"}, provider=provider)
    assert isinstance(file, kind)
    assert await sdk.files.retrieve_async(file_id=file.id, provider=provider) == file
    assert (await sdk.files.list_async(provider=provider)).result.data == [file]
    made = await emulator.put("b.bin", b"\x00", provider=provider)
    assert await (await sdk.files.download_async(file_id=made.id, provider=provider)).aread() == b"\x00"
    assert (await sdk.files.delete_async(file_id=file.id, provider=provider)).id == file.id
    emulator.fail_provider(provider)
    with pytest.raises(errors.BadGatewayResponseError):
        await sdk.files.list_async(provider=provider, retries=None)
