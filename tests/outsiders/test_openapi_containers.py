"""Every answer about container files and of providers, held against the OpenAPI document of the API."""

import aiohttp
import pytest
from attrs import define
from document import complaints, declared, pointer

from openrouter_files.emulator import Emulator, Status

HOME = "/containers/{container_id}/files"
OPERATIONS = {
    "list_container": ("GET", HOME),
    "retrieve_container": ("GET", HOME + "/{file_id}"),
    "download_container": ("GET", HOME + "/{file_id}/content"),
    "promote": ("POST", HOME + "/{file_id}/promote"),
}
FILES = {
    "list": ("GET", "/files"),
    "upload": ("POST", "/files"),
    "retrieve": ("GET", "/files/{file_id}"),
    "delete": ("DELETE", "/files/{file_id}"),
    "download": ("GET", "/files/{file_id}/content"),
}


@define
class Recorder:
    """A client that checks each answer against the document."""

    emulator: Emulator
    session: aiohttp.ClientSession

    async def ask(self, operation, *, file_id="cfile_YQ", data=None, headers=None, **query):
        method, path = (OPERATIONS | FILES)[operation]
        url = self.emulator.base_url + path.format(container_id="sess_abc", file_id=file_id)
        headers = {"Authorization": f"Bearer {self.emulator.api_key}"} | (headers or {})
        async with self.session.request(method, url, params=query, data=data, headers=headers) as answer:
            assert answer.content_type in declared(method, path)[str(answer.status)]["content"]
            if answer.content_type != "application/json":
                return answer.status, await answer.read()
            value = await answer.json()
        assert complaints(pointer(method, path, answer.status), value) == []
        assert value.get("error", {}).get("code", 200) == answer.status
        return answer.status, value


@pytest.fixture
async def recorder():
    async with (
        aiohttp.ClientSession() as session,
        Emulator(quota_bytes=10, max_file_bytes=9, scan_limit=2, providers=("openai", "anthropic")) as emulator,
    ):
        yield Recorder(emulator, session)


async def test_good_answers_fit_the_document(recorder):
    """Pages, empty ones and those that end at a marker included, metadata, content, and promotions in each shape."""
    assert (await recorder.ask("list_container"))[1]["data"] == []
    put = [await recorder.emulator.put_in_container("sess_abc", path, b"x") for path in ("out/deep/a", "out/b", "c")]
    page, seen = (await recorder.ask("list_container", limit=1))[1], set()
    while page["has_more"]:
        assert page["last_id"] not in seen
        seen.add(page["last_id"])
        page = (await recorder.ask("list_container", limit=1, after=page["last_id"]))[1]
    assert (await recorder.ask("retrieve_container", file_id=put[0].id))[1]["path"] == "out/deep/a"
    assert (await recorder.ask("download_container", file_id=put[0].id)) == (200, b"x")
    for headers in ({}, {"anthropic-version": "2023-06-01"}, {"User-Agent": "OpenAI/Python 3.52.0"}):
        assert (await recorder.ask("promote", file_id=put[0].id, headers=headers))[0] == 200


async def test_refusals_fit_the_document(recorder):
    """Each refusal that the emulator comes to by itself is one that the document has for the operation."""
    small, large = [await recorder.emulator.put_in_container("sess_abc", f"{n}", b"x" * n) for n in (8, 10)]
    for operation in OPERATIONS:
        assert (await recorder.ask(operation, headers={"Authorization": "Bearer stranger"}))[0] == 401
        if operation != "list_container":
            assert (await recorder.ask(operation))[0] == 404
    for query in ({"limit": 0}, {"after": "x"}):
        assert (await recorder.ask("list_container", **query))[0] == 400
    assert (await recorder.ask("promote", file_id=large.id))[0] == 413
    assert [(await recorder.ask("promote", file_id=small.id))[0] for _ in range(2)] == [200, 403]


async def test_every_declared_error_fits_the_document(recorder):
    """Each error that the document declares can be had from the emulator, and looks as declared."""
    for operation, (method, path) in OPERATIONS.items():
        statuses = {int(status) for status in declared(method, path)} - {200}
        recorder.emulator.queue(operation, *map(Status, sorted(statuses)))
        assert {(await recorder.ask(operation))[0] for _ in statuses} == statuses


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_providers_answers_fit_the_document(recorder, provider):
    """All five operations at a provider, good and bad, answer what the document has for them."""
    form = aiohttp.FormData()
    form.add_field("file", b"\x00\x01", filename="a.bin")
    _, made = await recorder.ask("upload", data=form, provider=provider)
    assert made["_shape"] == provider
    await recorder.emulator.put("b.bin", b"\x00", provider=provider)
    _, page = await recorder.ask("list", provider=provider, limit=1)
    assert (page["data"], page["has_more"]) == ([made], True)
    assert (await recorder.ask("retrieve", file_id=made["id"], provider=provider))[1] == made
    assert (await recorder.ask("download", file_id=made["id"], provider=provider))[0] == 400
    assert (await recorder.ask("delete", file_id=made["id"], provider=provider))[0] == 200
    recorder.emulator.fail_provider(provider)
    assert {(await recorder.ask(operation, provider=provider))[0] for operation in FILES} == {502}
