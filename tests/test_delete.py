"""Deletions over loopback."""

import pytest
from raw_server import RawServer, reply

from openrouter_files import (
    DeletedFile,
    InvalidResponseError,
    NotFoundError,
    PermissionDeniedError,
    RetryPolicy,
    ServiceUnavailableError,
)
from openrouter_files.emulator import Drop, Emulator, Status


@pytest.mark.parametrize("settings", [{}, {"shape": "openai"}, {"shape": "anthropic"}, {"seed_era": True}])
async def test_a_file_is_deleted(client_for, settings):
    """In every shape the receipt holds the id, and the file is gone; others stay."""
    async with Emulator(**settings) as emulator:
        gone, kept = await emulator.put("a", b"x"), await emulator.put("b", b"x")
        assert await (await client_for(emulator)).delete(gone.id) == DeletedFile(id=gone.id)
        assert [file.id for file in emulator.files()] == [kept.id]
        (request,) = emulator.requests
        assert (request.method, request.path) == ("DELETE", f"/api/v1/files/{gone.id}")


async def test_a_file_that_is_not_there_is_not_found(emulator, files):
    """To delete what is not there is a NotFoundError, after one request."""
    with pytest.raises(NotFoundError) as caught:
        await files.delete("or_file_0")
    assert caught.value.request == ("DELETE", "/files/or_file_0")
    assert len(emulator.requests) == 1


async def test_a_missing_file_may_be_fine(emulator, files):
    """With missing_ok a file that is not there counts as deleted, as in Path.unlink."""
    assert await files.delete("or_file_0", missing_ok=True) == DeletedFile(id="or_file_0")
    file = await emulator.put("a", b"x")
    for _ in range(2):
        assert (await files.delete(file.id, missing_ok=True)).id == file.id
    assert emulator.files() == ()


async def test_other_refusals_are_not_fine(emulator, files):
    """With missing_ok everything but the missing file is raised as ever."""
    emulator.queue("delete", Status(403), *[Status(503)] * 2)
    with pytest.raises(PermissionDeniedError):
        await files.delete("or_file_0", missing_ok=True)
    impatient = files.with_options(retry=RetryPolicy(attempts=2, first_delay=0.01))
    with pytest.raises(ServiceUnavailableError):
        await impatient.delete("or_file_0", missing_ok=True)


async def test_a_declined_deletion_is_repeated(emulator, files):
    """A deletion that the server declined is sent again, and succeeds."""
    file = await emulator.put("a", b"x")
    emulator.queue("delete", Status(503), Status(500), Status(408))
    assert (await files.delete(file.id)).id == file.id
    assert len(emulator.requests) == 4


@pytest.mark.parametrize("fault", [Drop(after_work=True), Status(502, after_work=True)], ids=repr)
async def test_a_deletion_whose_answer_was_lost_succeeds(emulator, files, fault):
    """Deleted, but the answer was lost: the 404 to the next attempt means that it worked."""
    file = await emulator.put("a", b"x")
    emulator.queue("delete", fault)
    assert await files.delete(file.id) == DeletedFile(id=file.id)
    assert emulator.files() == ()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"id": "x", "object": "file", "deleted": False}, r"did not delete @ \$\.deleted"),
        ({"type": "file_deleted"}, r"\$\.id"),
        ({"id": 7}, r"\$\.id"),
        ([], r"\$"),
    ],
)
async def test_a_receipt_that_is_none_is_an_error(client_for, body, problem):
    """A good status without a readable receipt is an InvalidResponseError, and may have been processed."""
    async with RawServer(reply(body=body)) as server:
        with pytest.raises(InvalidResponseError, match=problem) as caught:
            await (await client_for(server)).delete("x")
        assert server.connections == 1
    assert caught.value.maybe_processed
