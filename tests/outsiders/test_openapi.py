"""Every answer of the emulator, held against the OpenAPI document of the API."""

import io

import aiohttp
import pytest
from attrs import define, field
from document import DOCUMENT, complaints, component, declared, pointer

from openrouter_files.emulator import Emulator, Status

SEED = {
    "list": "SeedFileListResponse",
    "upload": "SeedFileMetadata",
    "retrieve": "SeedFileMetadata",
    "delete": "SeedFileDeleteResponse",
}
OPERATIONS = {
    "list": ("GET", "/files"),
    "upload": ("POST", "/files"),
    "retrieve": ("GET", "/files/{file_id}"),
    "delete": ("DELETE", "/files/{file_id}"),
    "download": ("GET", "/files/{file_id}/content"),
}
SHAPES = {
    "openrouter": {},
    "openai": {"User-Agent": "OpenAI/Python 3.52.0"},
    "anthropic": {"anthropic-version": "2023-06-01"},
    "seed": {},
}
CSV = b"a,b\n1,2\n"
FILM = b"\x00\x00\x00\x18ftypmp42"


def undocumented(value, shape):
    """Keys that the schema of an answer does not name: the emulator answers exactly what is documented."""
    names = {"openrouter": "OpenRouter", "openai": "OpenAI", "anthropic": "Anthropic", "seed": "Seed"}
    candidates = [s for name, s in DOCUMENT["components"]["schemas"].items() if name.startswith(names[shape])]
    known = {key for schema in candidates for key in schema.get("properties", {})}
    entries = [value, *value.get("data", [])]
    return {key for entry in entries for key in entry} - known


@define
class Recorder:
    """A client that checks each answer against the document, and notes which were seen."""

    emulator: Emulator
    session: aiohttp.ClientSession
    shape: str
    seen: set = field(factory=set)

    async def ask(self, operation, *, file_id="or_file_x", query=None, form=None, **headers):
        method, path = OPERATIONS[operation]
        url = self.emulator.base_url + path.format(file_id=file_id)
        headers = {"Authorization": f"Bearer {self.emulator.api_key}"} | SHAPES[self.shape] | headers
        async with self.session.request(method, url, params=query, data=form, headers=headers) as answer:
            self.seen.add((operation, answer.status))
            if answer.content_type != "application/json":
                await answer.read()
                assert answer.content_type in declared(method, path)[str(answer.status)]["content"]
                return answer.status, None
            value = await answer.json()
        self.check(operation, answer.status, value)
        return answer.status, value

    def check(self, operation, status, value):
        reference = pointer(*OPERATIONS[operation], status)
        if status == 200 and self.shape == "seed":
            reference = component(SEED[operation])
        assert complaints(reference, value) == []
        if status == 200:
            assert value.get("_shape", "seed") == self.shape
            assert undocumented(value, self.shape) == set()
        else:
            assert value["error"]["code"] == status

    async def upload(self, content=CSV, filename="data/é.csv"):
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("file", io.BytesIO(content), filename=filename)
        return await self.ask("upload", form=form)


@pytest.fixture(params=SHAPES)
async def recorder(request):
    seed = request.param == "seed"
    async with (
        aiohttp.ClientSession() as session,
        Emulator(seed_era=seed, quota_bytes=1000, max_file_bytes=900) as emulator,
    ):
        yield Recorder(emulator, session, request.param)


async def test_good_answers_fit_the_document(recorder):
    """Uploads of every kind of text, pages with and without more, metadata, receipts and content."""
    made = [(await recorder.upload(content))[1]["id"] for content in (CSV, b"# T\n", b"[1]", b"%PDF-1.4", b"x")]
    for query in ({}, {"limit": 2}, {"limit": 2, "order": "asc"}, {"workspace_id": recorder.emulator.workspace_id}):
        assert (await recorder.ask("list", query=query))[0] == 200
    for file_id in made:
        assert (await recorder.ask("retrieve", file_id=file_id))[0] == 200
        assert (await recorder.ask("delete", file_id=file_id))[0] == 200
    assert (await recorder.ask("list"))[1]["data"] == []
    server_made = await recorder.emulator.put("a.bin", b"\x00")
    assert (await recorder.ask("retrieve", file_id=server_made.id))[0] == 200
    assert (await recorder.ask("download", file_id=server_made.id))[0] == 200
    assert {status for _, status in recorder.seen} == {200}


async def test_refusals_fit_the_document(recorder):
    """Each refusal that the emulator comes to by itself is one that the document has for the operation."""
    stranger = {"Authorization": "Bearer stranger"}
    elsewhere = {"workspace_id": "a103d8b6-42f0-4e50-9a3c-bf41e2c3c1a7"}
    uploaded = (await recorder.upload())[1]["id"]
    for operation in OPERATIONS:
        assert (await recorder.ask(operation, **stranger))[0] == 401
        assert (await recorder.ask(operation, query=elsewhere))[0] == 403
    for operation in ("retrieve", "delete", "download"):
        assert (await recorder.ask(operation))[0] == 404
    for query in ({"limit": 0}, {"cursor": "x"}, {"workspace_id": "x"}):
        assert (await recorder.ask("list", query=query))[0] == 400
    for content, name in ((b"", "a"), (FILM, "a.mp4"), (CSV, "a|b")):
        assert (await recorder.upload(content, name))[0] == 400
    assert (await recorder.ask("download", file_id=uploaded))[0] == 400
    assert (await recorder.upload(b"x" * 901))[0] == 413
    assert (await recorder.upload(b"x" * 890))[0] == 200
    assert (await recorder.upload(b"x" * 200))[0] == 403


async def test_every_declared_error_fits_the_document(recorder):
    """Each error that the document declares can be had from the emulator, and looks as declared."""
    for operation, where in OPERATIONS.items():
        statuses = {int(status) for status in declared(*where)} - {200}
        recorder.emulator.queue(operation, *map(Status, sorted(statuses)))
        met = {(await recorder.ask(operation))[0] for _ in statuses}
        assert met == statuses


async def test_an_in_region_host_fits_the_document():
    """The 403 of an in-region host is the declared one, for all operations."""
    async with aiohttp.ClientSession() as session, Emulator(region=True) as emulator:
        recorder = Recorder(emulator, session, "openrouter")
        assert {(await recorder.ask(operation))[0] for operation in OPERATIONS} == {403}
