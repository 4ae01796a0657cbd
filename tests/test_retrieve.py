"""Metadata of one file over loopback; and what ids may never do."""

from datetime import UTC, datetime, timedelta

import pytest
from raw_server import FILE, RawServer, reply

from openrouter_files import File, InvalidResponseError, NotFoundError
from openrouter_files.emulator import Emulator

ODD_IDS = [
    "a/b",
    "a?b=c",
    "a b",
    "a%2Fb",
    "../files",
    "a#b",
    "é",
    "a\\b",
    "..%2f",
    "...",
    "a&b;c=d",
    "~",
    "or_file_0//",
]


@pytest.mark.parametrize("settings", [{}, {"shape": "openai"}, {"shape": "anthropic"}, {"seed_era": True}])
async def test_the_metadata_of_a_file_are_read(client_for, settings):
    """In every shape an id gives the File that was stored."""
    async with Emulator(**settings) as emulator:
        stored = await emulator.put("dir/a.txt", b"hello\n")
        file = await (await client_for(emulator)).retrieve(stored.id)
        assert emulator.requests[0].path == f"/api/v1/files/{stored.id}"
    assert isinstance(file, File)
    assert (file.id, file.filename, file.size_bytes) == (stored.id, "dir/a.txt", 6)
    assert abs(file.created_at - datetime.now(UTC)) < timedelta(seconds=30)


async def test_an_unknown_file_is_not_found(emulator, files):
    """A file that is not there, or is another workspace's, is a NotFoundError after one request."""
    other = await emulator.put("a", b"x", workspace_id=emulator.add_workspace())
    for file_id in ("or_file_0", other.id):
        with pytest.raises(NotFoundError) as caught:
            await files.retrieve(file_id)
        assert (caught.value.status, caught.value.request) == (404, ("GET", f"/files/{file_id}"))
    assert len(emulator.requests) == 2


@pytest.mark.parametrize("operation", ["retrieve", "delete", "download", "download_to"])
@pytest.mark.parametrize("file_id", ["", ".", "..", "a\nb", "a\0", "\x7f", "\ud800", None, 7, b"or_file_1"])
async def test_what_is_no_id_sends_nothing(emulator, files, perform, operation, file_id):
    """An empty id, dot segments, control characters and other types are the caller's mistake."""
    with pytest.raises((ValueError, TypeError)):
        await perform(operation, files, file_id)
    assert emulator.requests == ()


@pytest.mark.parametrize("operation", ["retrieve", "delete", "download", "download_to"])
@pytest.mark.parametrize("file_id", ODD_IDS)
async def test_no_id_reaches_another_endpoint(emulator, files, perform, operation, file_id):
    """Whatever an id holds, it stays one segment of the path: encoded whole, with no query and no climbing."""
    with pytest.raises(NotFoundError):
        await perform(operation, files, file_id)
    (request,) = emulator.requests
    assert request.operation == operation.removesuffix("_to")
    segment, *rest = request.path.removeprefix("/api/v1/files/").split("/")
    assert rest == (["content"] if operation.startswith("download") else [])
    assert segment.strip("%0123456789ABCDEFabcdefghijklmnopqrstuvwxyz_.~-") == ""
    assert request.query == {}


async def test_an_unknown_route_is_survived(client_for, emulator):
    """The HTML page of a server that knows no such path is a NotFoundError that says it was HTML."""
    files = await client_for(emulator, base_url=f"{emulator.base_url}/elsewhere")
    with pytest.raises(NotFoundError, match="text/html, not JSON") as caught:
        await files.retrieve("or_file_1")
    assert "<" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"id": None}, "$.id"),
        ({"id": 7}, "$.id"),
        ({"filename": None}, "$.filename"),
        ({"size_bytes": "5"}, "$.size_bytes"),
        ({"size_bytes": 5.5}, "$.size_bytes"),
        ({"size_bytes": True}, "$.size_bytes"),
        ({"created_at": "yesterday"}, "$.created_at"),
        ({"downloadable": "no"}, "$.downloadable"),
        ({"mime_type": 5}, "$.mime_type"),
    ],
)
async def test_wrong_fields_are_named(client_for, change, path):
    """A value of the wrong type is an InvalidResponseError with its path: nothing is guessed."""
    async with RawServer(reply(body=FILE | change)) as server:
        with pytest.raises(InvalidResponseError) as caught:
            await (await client_for(server)).retrieve("or_file_raw")
    assert [problem for problem in caught.value.problems if problem.endswith(f"@ {path}")]
    assert caught.value.request == ("GET", "/files/or_file_raw")
    assert str(caught.value).count("\n") == 0


async def test_any_good_status_is_read(client_for):
    """A 201 or a 203 with a file is a file."""
    async with RawServer(reply(201, FILE), reply(203, FILE)) as server:
        files = await client_for(server)
        for _ in range(2):
            assert (await files.retrieve("or_file_raw")).id == "or_file_raw"
