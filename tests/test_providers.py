"""`provider=`: every file operation at a provider's own store, read into the same File."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from openrouter_files import (
    NO_RETRIES,
    AmbiguousUploadError,
    BadGatewayError,
    BadRequestError,
    DeletedFile,
    File,
    FilesClient,
    NotFoundError,
    Options,
    PageToken,
    RetryPolicy,
    delete_many,
    upload_many,
)
from openrouter_files.emulator import Drop, Emulator, Status, Truncate

PREFIXES = {"openai": "file-", "anthropic": "file_"}
NEXT = {"openai": "after", "anthropic": "after_id"}
OPERATIONS = ["list", "list_page", "upload", "retrieve", "delete", "download", "download_to"]
PATIENT = Options(retry=RetryPolicy(attempts=10, first_delay=0.005, max_delay=0.05))
QUICK = RetryPolicy(attempts=2, first_delay=0.001)
LOST = (Drop(after_work=True), Status(502, after_work=True), Truncate(7))
NEVER_STORED = (Drop(), Status(502), Status(503), Status(429, retry_after=0.01))

each_provider = pytest.mark.parametrize("provider", PREFIXES)


@pytest.fixture
async def emulator():
    """A server with keys for both providers."""
    async with Emulator(providers=("openai", "anthropic")) as running:
        yield running


@pytest.fixture
async def files(emulator):
    """A client that finds out about uploads in doubt."""
    async with FilesClient(emulator.api_key, base_url=emulator.base_url, options=PATIENT) as client:
        yield client


def asked(emulator, operation):
    """The queries of all requests for an operation."""
    return [dict(received.query) for received in emulator.requests if received.operation == operation]


async def ids(listing):
    return [file.id async for file in listing]


@each_provider
async def test_a_file_lives_its_life_at_a_provider(emulator, files, provider):
    """Upload, metadata, listing and deletion name the provider each time, and speak of one File."""
    there = files.with_options(provider=provider)
    file = await there.upload(b"hello\n", filename="folder/hello.txt")
    assert (type(file), file.id[:5]) == (File, PREFIXES[provider])
    assert (file.filename, file.size_bytes) == ("folder/hello.txt", 6)
    assert timedelta(0) <= datetime.now(UTC) - file.created_at < timedelta(seconds=10)
    assert await there.retrieve(file.id) == file
    assert [other async for other in there.list()] == [file]
    assert await there.delete(file.id) == DeletedFile(id=file.id)
    with pytest.raises(NotFoundError):
        await there.delete(file.id)
    assert await there.delete(file.id, missing_ok=True) == DeletedFile(id=file.id)
    assert {received.query.get("provider") for received in emulator.requests} == {provider}


async def test_what_a_shape_does_not_say_is_none(files):
    """The openai shape tells purpose and status, the anthropic shape type and whether it can be downloaded."""
    told = {}
    for provider in PREFIXES:
        file = await files.with_options(provider=provider).upload(b"hello\n", filename="a.txt")
        told[provider] = (file.purpose, file.status, file.mime_type, file.downloadable, dict(file.extra))
    assert told == {
        "openai": ("user_data", "processed", None, None, {}),
        "anthropic": (None, None, "text/plain", False, {}),
    }


@each_provider
async def test_content_is_downloaded_from_a_provider(emulator, files, tmp_path, provider):
    """What a provider lets go is read, streamed and saved, and goes on where it broke; an upload is refused."""
    content = bytes(range(256)) * 2500
    made = await emulator.put("out/data.bin", content, provider=provider)
    there = files.with_options(provider=provider)
    assert await there.download(made.id).read() == content
    assert b"".join([chunk async for chunk in there.download(await there.retrieve(made.id))]) == content
    emulator.queue("download", Truncate(100_000))
    path = await there.download_to(made.id, tmp_path)
    assert (path.name, path.read_bytes()) == ("data.bin", content)
    uploaded = await there.upload(b"hello\n", filename="a.txt")
    with pytest.raises(BadRequestError, match="downloadable"):
        await there.download(uploaded).read()


@each_provider
async def test_pages_are_followed_in_the_providers_way(emulator, files, provider):
    """A listing goes on after the last id, by the parameter of the shape, and asks the provider for each page."""
    made = [(await emulator.put(f"{n}.txt", b"x", provider=provider)).id for n in range(5)]
    there = files.with_options(provider=provider)
    assert await ids(there.list(page_size=2)) == made
    common = {"limit": "2", "provider": provider}
    starts = [{}, {NEXT[provider]: made[1]}, {NEXT[provider]: made[3]}]
    assert asked(emulator, "list") == [common | start for start in starts]
    page = await there.list_page(limit=3)
    assert page.next == PageToken(NEXT[provider], made[2])
    assert [file.id for file in (await there.list_page(cursor=page.next)).data] == made[3:]


@pytest.mark.parametrize("operation", OPERATIONS)
@each_provider
async def test_without_a_key_for_the_provider_it_is_a_bad_request(perform, operation, provider):
    """Every operation says, once and for all, that there is no key; nothing is stored anywhere."""
    async with Emulator() as emulator, FilesClient(emulator.api_key, base_url=emulator.base_url) as files:
        with pytest.raises(BadRequestError, match=f"No provider key configured for {provider}") as caught:
            await perform(operation, files.with_options(provider=provider), "file_abc")
        assert (caught.value.attempts, caught.value.maybe_processed, len(emulator.requests)) == (1, False, 1)
        assert emulator.files() == emulator.files(provider=provider) == ()


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "upload"])
@each_provider
async def test_a_failing_provider_is_a_bad_gateway(emulator, files, perform, operation, provider):
    """Every operation is tried as often as it may, then it is a 502; the workspace's own files are not concerned."""
    emulator.fail_provider(provider)
    with pytest.raises(BadGatewayError) as caught:
        await perform(operation, files.with_options(provider=provider, retry=QUICK), "file_abc")
    assert (caught.value.status, caught.value.attempts) == (502, 2)
    assert (await files.list_page()).data == ()


@each_provider
async def test_an_upload_to_a_failing_provider_stays_in_doubt(emulator, files, provider):
    """When neither the upload nor the listing gets through nobody can tell, and nothing is sent twice."""
    emulator.fail_provider(provider)
    for retry in (QUICK, NO_RETRIES):
        emulator.clear()
        with pytest.raises(AmbiguousUploadError, match="502"):
            await files.with_options(provider=provider, retry=retry).upload(b"hello\n", filename="a.txt")
        assert len(asked(emulator, "upload")) == 1
    emulator.fail_provider(provider, failing=False)
    file = await files.with_options(provider=provider).upload(b"hello\n", filename="a.txt")
    assert [stored.id for stored in emulator.files(provider=provider)] == [file.id]


async def test_stores_are_apart(files):
    """A file is in the store that it was uploaded to: not in the workspace's, not in the other provider's."""
    stores = {name: files.with_options(provider=name) for name in (None, *PREFIXES)}
    made = {name: await there.upload(b"hello\n", filename="a.txt") for name, there in stores.items()}
    for name, there in stores.items():
        assert await ids(there.list()) == [made[name].id]
        for stranger in (file for other, file in made.items() if other != name):
            for attempt in (there.retrieve, there.delete, lambda file_id, at=there: at.download(file_id).read()):
                with pytest.raises(NotFoundError):
                    await attempt(stranger.id)


async def test_no_provider_is_the_workspace_again(emulator, files):
    """``provider=None`` leaves the provider; options besides it stay."""
    there = files.with_options(provider="openai", workspace_id=emulator.workspace_id)
    await there.with_options(provider=None).list_page()
    assert asked(emulator, "list") == [{"workspace_id": emulator.workspace_id}]


@each_provider
async def test_workspaces_are_apart_at_a_provider(emulator, files, provider):
    """``workspace_id`` and ``provider`` go together."""
    other = emulator.add_workspace()
    there = files.with_options(provider=provider, workspace_id=other)
    emulator.queue("upload", Drop(after_work=True))
    file = await there.upload(b"hello\n", filename="a.txt")
    assert [stored.id for stored in emulator.files(other, provider=provider)] == [file.id]
    assert await ids(files.with_options(provider=provider).list()) == []
    assert await ids(there.list()) == [file.id]


@pytest.mark.parametrize("fault", LOST, ids=repr)
@pytest.mark.parametrize("known", [0, 2])
@each_provider
async def test_a_lost_answer_leaves_one_file(emulator, files, provider, known, fault):
    """An upload whose answer got lost is found at the provider, whether files of it are known already or not."""
    there = files.with_options(provider=provider)
    before = [await there.upload(b"hello\n", filename="a.txt") for _ in range(known)]
    emulator.clear()
    emulator.queue("upload", fault)
    file = await there.upload(b"hello\n", filename="a.txt")
    assert [stored.id for stored in emulator.files(provider=provider)] == [*(f.id for f in before), file.id]
    assert len(asked(emulator, "upload")) == 1
    assert {query["provider"] for query in asked(emulator, "list")} == {provider}


@pytest.mark.parametrize("fault", NEVER_STORED, ids=repr)
@each_provider
async def test_what_was_not_stored_is_sent_again(emulator, files, provider, fault):
    """An upload that the provider's listing does not hold is repeated, and stored once."""
    emulator.queue("upload", fault)
    file = await files.with_options(provider=provider).upload(b"hello\n", filename="a.txt")
    assert [stored.id for stored in emulator.files(provider=provider)] == [file.id]
    assert len(asked(emulator, "upload")) == 2


async def test_a_lost_answer_is_found_on_the_last_page(emulator, files):
    """The search for a lost upload goes through all pages, in the anthropic shape by ``after_id``."""
    made = [(await emulator.put("a.txt", b"x", provider="anthropic")).id for _ in range(1000)]
    emulator.queue("upload", Drop(after_work=True))
    file = await files.with_options(provider="anthropic").upload(b"hello\n", filename="b.txt")
    assert [stored.id for stored in emulator.files(provider="anthropic")] == [*made, file.id]
    assert [query.get("after_id") for query in asked(emulator, "list")] == [None, made[-1]]


async def test_doubts_of_different_stores_are_not_mixed_up(emulator, files):
    """One name and size, uploaded to three stores at once under lost answers: each claims the files of its store."""
    stores = {name: files.with_options(provider=name) for name in (None, *PREFIXES)}
    emulator.queue("upload", *[Drop(after_work=True), Status(502), Drop(after_work=True, reset=True)] * 4)
    uploads = [(name, there.upload(b"hello\n", filename="a.txt")) for name, there in stores.items() for _ in range(4)]
    claimed = await asyncio.gather(*(upload for _, upload in uploads))
    for store in stores:
        mine = sorted(file.id for (name, _), file in zip(uploads, claimed, strict=True) if name == store)
        assert mine == sorted(stored.id for stored in emulator.files(provider=store))
        assert len(mine) == 4


@each_provider
async def test_containers_hear_nothing_of_the_provider(emulator, files, tmp_path, provider):
    """No operation on a container says ``provider`` or ``workspace_id``; a promoted file is the workspace's."""
    inside = await emulator.put_in_container("sess_abc", "out/a.csv", b"a,b\n1,2\n")
    emulator.fail_provider(provider)
    container = files.with_options(provider=provider, workspace_id=emulator.add_workspace()).container("sess_abc")
    assert [file.id async for file in container.list()] == [inside.id]
    described = await container.retrieve(inside.id)
    assert await container.download(described).read() == b"a,b\n1,2\n"
    assert (await container.download_to(inside.id, tmp_path)).name == "a.csv"
    emulator.queue("promote", Drop(after_work=True))
    file = await container.promote(described)
    assert [stored.id for stored in emulator.files(emulator.workspace_id)] == [file.id]
    assert emulator.files(provider=provider) == ()
    named = Counter(name for received in emulator.requests for name in received.query)
    assert named.keys() <= {"limit", "after"}
    assert all(provider not in value for received in emulator.requests for value in received.headers.values())


async def test_a_promotion_and_a_providers_upload_are_told_apart(emulator, files):
    """A promotion and an upload of one name and size, both in doubt at once, each find their own file."""
    inside = await emulator.put_in_container("sess_abc", "a.txt", b"hello\n")
    there = files.with_options(provider="openai")
    described = await there.container("sess_abc").retrieve(inside.id)
    emulator.queue("promote", Drop(after_work=True))
    emulator.queue("upload", Drop(after_work=True))
    promoted, uploaded = await asyncio.gather(
        there.container("sess_abc").promote(described), there.upload(b"hello\n", filename="a.txt")
    )
    assert [stored.id for stored in emulator.files()] == [promoted.id]
    assert [stored.id for stored in emulator.files(provider="openai")] == [uploaded.id]


@each_provider
async def test_bulk_jobs_work_at_a_provider(emulator, files, tmp_path, provider):
    """Jobs upload to the provider, skip there what is done, and delete there; types are the provider's business."""
    there = files.with_options(provider=provider)
    for name, content in (("a.txt", b"hello\n"), ("film.mp4", b"\x00\x00\x00\x18ftypmp42")):
        (tmp_path / name).write_bytes(content)
    paths, journal = [tmp_path / "a.txt", tmp_path / "film.mp4"], tmp_path / "job.sqlite"
    emulator.queue("upload", Drop(after_work=True))
    assert len((await upload_many(there, paths, journal=journal)).uploaded) == 2
    assert len((await upload_many(there, paths, journal=journal)).skipped) == 2
    stored = [file.id for file in emulator.files(provider=provider)]
    assert (len(stored), emulator.files()) == (2, ())
    assert len((await delete_many(there, stored)).deleted) == 2
    assert emulator.files(provider=provider) == ()
