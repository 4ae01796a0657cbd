"""The emulator's five operations, driven by a bare HTTP client."""

import io
import re
import uuid

import aiohttp
import pytest

from openrouter_files.emulator import Emulator, Shape

PDF = b"%PDF-1.7\n%stub\n"


@pytest.fixture
async def session(emulator):
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {emulator.api_key}"}) as opened:
        yield opened


def form(content=b"hello\n", filename="a.txt", **fields):
    data = aiohttp.FormData(quote_fields=False)
    for name, value in fields.items():
        data.add_field(name, value)
    data.add_field("file", content, filename=filename)
    return data


async def upload(session, emulator, *args, headers=None, **fields):
    async with session.post(f"{emulator.base_url}/files", data=form(*args, **fields), headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def ask(session, emulator, method, path, **options):
    async with session.request(method, f"{emulator.base_url}{path}", **options) as answer:
        return answer.status, await answer.json()


async def test_upload_answers_the_stored_file(emulator, session):
    """An upload answers every field of the default shape, typed by content and not downloadable."""
    answer = await upload(session, emulator, PDF, "data/report é.txt")
    assert re.fullmatch(r"or_file_[0-9A-Za-z]{24}", answer.pop("id"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", answer.pop("created_at"))
    assert answer == {
        "_shape": "openrouter",
        "type": "file",
        "filename": "data/report é.txt",
        "mime_type": "application/pdf",
        "size_bytes": len(PDF),
        "downloadable": False,
    }


async def test_metadata_is_what_the_upload_answered(emulator, session):
    """Retrieving a file answers the same object as its upload did."""
    uploaded = await upload(session, emulator)
    assert await ask(session, emulator, "GET", f"/files/{uploaded['id']}") == (200, uploaded)


@pytest.mark.parametrize("size", [6, 600_000])
async def test_a_deleted_file_is_gone(tmp_path, size):
    """A deletion answers a receipt with 200, the second one 404; no byte of the content is left on disk."""
    async with Emulator(store=tmp_path) as emulator, aiohttp.ClientSession() as session:
        session.headers["Authorization"] = f"Bearer {emulator.api_key}"
        await delete_twice(emulator, session, io.BytesIO(b"hello\n" * (size // 6)))
        assert list((tmp_path / "blobs").iterdir()) == []


async def delete_twice(emulator, session, content):
    file_id = (await upload(session, emulator, content))["id"]
    receipt = {"_shape": "openrouter", "id": file_id, "type": "file_deleted"}
    assert await ask(session, emulator, "DELETE", f"/files/{file_id}") == (200, receipt)
    status, answer = await ask(session, emulator, "DELETE", f"/files/{file_id}")
    assert (status, answer["error"]["code"]) == (404, 404)
    assert emulator.files() == ()


@pytest.mark.parametrize("size", [0, 5, 600_000])
async def test_a_server_made_file_can_be_downloaded(emulator, session, size):
    """The content of a downloadable file comes whole, as octets, with its length, wherever it is kept."""
    file = await emulator.put("made/by a model.bin", b"\x00" * size)
    async with session.get(f"{emulator.base_url}/files/{file.id}/content") as answer:
        assert (answer.status, answer.content_type) == (200, "application/octet-stream")
        assert answer.content_length == size
        assert await answer.read() == b"\x00" * size == await emulator.content(file.id)


async def test_an_upload_cannot_be_downloaded(emulator, session):
    """Content that a caller uploaded is refused with 400; a test can still see it."""
    file_id = (await upload(session, emulator, b"mine\n"))["id"]
    status, answer = await ask(session, emulator, "GET", f"/files/{file_id}/content")
    assert (status, answer["error"]["code"]) == (400, 400)
    assert await emulator.content(file_id) == b"mine\n"


@pytest.mark.parametrize(
    ("headers", "shape"),
    [
        ({}, "openrouter"),
        ({"anthropic-version": "2023-06-01"}, "anthropic"),
        ({"User-Agent": "OpenAI/Python 3.52.0"}, "openai"),
        ({"User-Agent": "AsyncOpenAI/Python 3.52.0"}, "openai"),
        ({"X-Stainless-Lang": "python"}, "openai"),
        ({"X-Stainless-Lang": "python", "anthropic-version": "2023-06-01"}, "anthropic"),
    ],
)
async def test_headers_choose_the_shape(emulator, session, headers, shape):
    """The request's headers choose the shape of every JSON answer, list entries included."""
    file = await upload(session, emulator, headers=headers)
    _, page = await ask(session, emulator, "GET", "/files", headers=headers)
    _, receipt = await ask(session, emulator, "DELETE", f"/files/{file['id']}", headers=headers)
    assert {file["_shape"], page["_shape"], page["data"][0]["_shape"], receipt["_shape"]} == {shape}
    assert ("cursor" in page) == (shape == "openrouter")


async def test_the_openai_shape_has_its_own_words(emulator, session):
    """The openai shape speaks of bytes, Unix seconds, a purpose and a status, and of objects."""
    headers = {"User-Agent": "OpenAI/Python 3.52.0"}
    file = await upload(session, emulator, headers=headers, purpose="batch")
    stored = emulator.files()[0]
    assert file == {
        "_shape": "openai",
        "id": stored.id,
        "object": "file",
        "bytes": 6,
        "created_at": int(stored.created_at.timestamp()),
        "filename": "a.txt",
        "purpose": "batch",
        "status": "processed",
    }
    _, page = await ask(session, emulator, "GET", "/files", headers=headers)
    assert (page["object"], page["data"]) == ("list", [file])
    _, receipt = await ask(session, emulator, "DELETE", f"/files/{stored.id}", headers=headers)
    assert receipt == {"_shape": "openai", "id": stored.id, "object": "file", "deleted": True}


@pytest.mark.parametrize("shape", ["openrouter", "openai", "anthropic"])
async def test_the_shape_can_be_fixed(shape: Shape):
    """An emulator made with a shape gives it to every request, whatever its headers."""
    async with Emulator(shape=shape) as emulator, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {emulator.api_key}"}
        assert (await ask(session, emulator, "GET", "/files", headers=headers))[1]["_shape"] == shape


async def test_the_seed_era_has_no_shape():
    """The seed-era server leaves `_shape` out everywhere, issues `file_` ids and knows no `provider`."""
    async with Emulator(seed_era=True) as emulator, aiohttp.ClientSession() as session:
        session.headers["Authorization"] = f"Bearer {emulator.api_key}"
        file = await upload(session, emulator, headers={"anthropic-version": "2023-06-01"})
        assert re.fullmatch(r"file_[0-9A-Za-z]{24}", file["id"])
        _, page = await ask(session, emulator, "GET", "/files?provider=openai&order=desc&before_id=x")
        _, receipt = await ask(session, emulator, "DELETE", f"/files/{file['id']}")
    assert set(page) == {"data", "has_more", "first_id", "last_id", "cursor"}
    assert page["data"] == [file]
    assert receipt == {"id": file["id"], "type": "file_deleted"}


async def test_every_answer_has_a_request_id(emulator, session):
    """Answers, refusals, and pages for unknown paths carry an `x-request-id` of their own."""
    seen = set()
    for path in ("/files", "/files/none", "/nowhere", "/files?limit=0"):
        async with session.get(emulator.base_url + path) as answer:
            seen.add(answer.headers["x-request-id"])
    assert len(seen) == 4


@pytest.mark.parametrize("path", ["/nowhere", "/files/", "/files/a/b", "/files/a/content/", "/file", "/files/a%2Fb/c"])
async def test_an_unknown_path_is_an_html_page(emulator, session, path):
    """A path that is no operation answers 404 with HTML instead of the envelope."""
    async with session.get(aiohttp.client.URL(emulator.base_url + path, encoded=True)) as answer:
        assert (answer.status, answer.content_type) == (404, "text/html")


async def test_an_id_is_decoded_once(emulator, session):
    """A percent-encoded slash stays inside the id, which is simply not found."""
    url = aiohttp.client.URL(f"{emulator.base_url}/files/a%2Fb%3Fc", encoded=True)
    async with session.get(url) as answer:
        assert (answer.status, answer.content_type) == (404, "application/json")
    assert emulator.requests[-1].path == "/api/v1/files/a%2Fb%3Fc"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("PUT", "/files", "GET, POST"), ("POST", "/files/x", "GET, DELETE"), ("DELETE", "/files/x/content", "GET")],
)
async def test_a_wrong_method_names_the_right_ones(emulator, session, method, path, allowed):
    """A method that a path does not have answers 405 with Allow."""
    async with session.request(method, emulator.base_url + path) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("provider", ["openai", "anthropic", "nobody"])
async def test_no_provider_key_is_configured(emulator, session, method, provider):
    """`provider=` answers 400 on every operation: there is no key to call it with."""
    path = "/files/x" if method == "DELETE" else "/files"
    status, answer = await ask(session, emulator, method, f"{path}?provider={provider}")
    assert status == 400
    assert "provider" in answer["error"]["message"]


async def test_workspace_id_has_to_be_a_uuid(emulator, session):
    """A workspace id that is no UUID answers 400, an unknown one 403."""
    assert (await ask(session, emulator, "GET", "/files?workspace_id=mine"))[0] == 400
    assert (await ask(session, emulator, "GET", f"/files?workspace_id={uuid.uuid4()}"))[0] == 403


async def test_the_clock_is_the_emulators():
    """`created_at` and `Date` follow the clock that the emulator was made with."""
    async with Emulator(clock=lambda: 1_735_689_600.5) as emulator, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {emulator.api_key}"}
        async with session.post(f"{emulator.base_url}/files", data=form(), headers=headers) as answer:
            assert answer.headers["Date"] == "Wed, 01 Jan 2025 00:00:00 GMT"
            assert (await answer.json())["created_at"] == "2025-01-01T00:00:00Z"
        assert emulator.files()[0].created_at.microsecond == 500_000
