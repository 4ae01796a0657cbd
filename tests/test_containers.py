"""The files inside a sandbox container."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from openrouter_files import (
    AmbiguousUploadError,
    ContainerFile,
    File,
    FilesClient,
    InternalServerError,
    NotFoundError,
    Options,
    RetryPolicy,
    Timeouts,
)
from openrouter_files.emulator import Drop, Emulator, Stall, Status, Truncate

FAST = Options(retry=RetryPolicy(first_delay=0.01), timeouts=Timeouts(connect=5, idle=1, answer=1))


def client(emulator: Emulator, options: Options = FAST) -> FilesClient:
    return FilesClient(emulator.api_key, base_url=emulator.base_url, options=options)


@pytest.fixture
async def box():
    """A container with three files, and the emulator it is in."""
    async with Emulator() as emulator, client(emulator) as files:
        for path, content in (
            ("out/report.csv", b"a,b\n1,2\n"),
            ("notes.txt", b"hello\n"),
            ("raw.bin", bytes(500_000)),
        ):
            await emulator.put_in_container("sess_abc", path, content)
        yield emulator, files, files.container("sess_abc")


async def test_files_are_listed_by_path(box):
    """A container lists its files by path, over as many pages as it takes."""
    _, _, container = box
    found = [file async for file in container.list(page_size=1)]
    assert [file.path for file in found] == ["notes.txt", "out/report.csv", "raw.bin"]
    assert isinstance(found[0], ContainerFile)
    assert (found[0].size_bytes, found[0].container_id, found[0].source) == (6, "sess_abc", "assistant")
    assert found[0].created_at.tzinfo is not None


async def test_an_unknown_container_is_empty(box):
    """A container that nobody knows has no files."""
    _, files, _ = box
    assert [file async for file in files.container("sess_other").list()] == []


async def test_one_file_is_retrieved(box):
    """A file is found by its id; one that is not there is a NotFoundError."""
    _, _, container = box
    first = (await container.list_page(limit=1)).data[0]
    assert await container.retrieve(first.id) == first
    with pytest.raises(NotFoundError):
        await container.retrieve("cfile_bm9uZQ")


async def test_a_file_is_downloaded(box, tmp_path):
    """All the ways of downloading work for containers, with folders if asked for."""
    _, _, container = box
    report = [file async for file in container.list()][1]
    assert await container.download(report).read() == b"a,b\n1,2\n"
    async with container.download(report.id) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == b"a,b\n1,2\n"
    assert await container.download_to(report, tmp_path) == tmp_path / "report.csv"
    assert await container.download_to(report.id, tmp_path, keep_folders=True) == tmp_path / "out" / "report.csv"


async def test_a_broken_download_goes_on(box, tmp_path):
    """A transfer that breaks ends whole, as for workspace files."""
    emulator, _, container = box
    raw = [file async for file in container.list()][2]
    emulator.queue("download_container", Truncate(100_000), Truncate(300_000))
    path = await container.download_to(raw, tmp_path / "raw.bin")
    assert path.read_bytes() == bytes(500_000)


async def test_promotion_makes_a_workspace_file(box):
    """A promoted file is in the workspace under a new id, named by its path, and can be downloaded."""
    emulator, files, container = box
    report = [file async for file in container.list()][1]
    file = await container.promote(report)
    assert isinstance(file, File)
    assert (file.filename, file.downloadable) == ("out/report.csv", True)
    assert await files.download(file).read() == b"a,b\n1,2\n"
    assert (await container.promote(report.id)).id != file.id
    assert len(emulator.files()) == 2


@pytest.mark.parametrize(
    "fault",
    [Drop(after_work=True), Status(500, after_work=True), Status(502), Drop(), Stall(2, after_work=True)],
    ids=repr,
)
async def test_a_lost_answer_does_not_promote_twice(box, fault):
    """Whatever becomes of the answer, one copy is in the workspace."""
    emulator, _, container = box
    report = [file async for file in container.list()][1]
    emulator.queue("promote", fault)
    file = await container.promote(report)
    assert [f.id for f in emulator.files()] == [file.id]


async def test_promotions_under_faults_are_as_many_copies(box):
    """Ten promotions of one file, half of them losing their answers, become ten copies, each claimed once."""
    emulator, _, container = box
    report = [file async for file in container.list()][1]
    emulator.queue("promote", *[Drop(after_work=True), Status(502)] * 5)
    done = await asyncio.gather(*(container.promote(report) for _ in range(10)))
    assert sorted(f.id for f in done) == sorted(f.id for f in emulator.files())


async def test_a_promotion_in_doubt_is_raised_if_asked_for(box):
    """``ambiguous="raise"`` holds for promotions, too."""
    emulator, files, _ = box
    container = files.with_options(retry=RetryPolicy(ambiguous="raise")).container("sess_abc")
    emulator.queue("promote", Drop(after_work=True), Status(500))
    report = [file async for file in container.list()][1]
    for _ in range(2):
        with pytest.raises(AmbiguousUploadError):
            await container.promote(report)
    assert Counter(r.operation for r in emulator.requests)["promote"] == 2


async def test_other_options_do_not_leak_in(box):
    """Containers know neither workspace_id nor provider: they are not sent."""
    emulator, files, _ = box
    await files.with_options(workspace_id=emulator.workspace_id, provider="openai").container("sess_abc").list_page()
    assert dict(emulator.requests[-1].query) == {}


@pytest.mark.parametrize("container_id", ["", ".", "..", "a\n"])
async def test_ids_that_are_none(box, container_id):
    """An id that would be another endpoint is refused before anything is sent."""
    emulator, files, _ = box
    with pytest.raises(ValueError, match="container id"):
        files.container(container_id)
    assert not emulator.requests


async def test_errors_have_their_classes(box):
    """Statuses mean the same as elsewhere."""
    emulator, files, _ = box
    container = files.with_options(retry=RetryPolicy(attempts=1)).container("sess_abc")
    emulator.queue("list_container", Status(500))
    with pytest.raises(InternalServerError):
        await container.list_page()
