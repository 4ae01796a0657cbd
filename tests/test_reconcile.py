"""Uploads that may have been stored: found, or sent again, and never twice."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_files import (
    AmbiguousUploadError,
    APIError,
    BadGatewayError,
    File,
    FilesClient,
    InternalServerError,
    Options,
    RetryPolicy,
    Timeouts,
)
from openrouter_files.emulator import Drop, Emulator, Pass, Stall, Status, Truncate

PATIENT = RetryPolicy(attempts=30, first_delay=0.005, max_delay=0.05)
HASTY = Timeouts(connect=5, idle=0.3, answer=0.3)

LOST = (
    Drop(after_work=True),
    Drop(after_work=True, reset=True),
    Status(500, after_work=True),
    Status(502, after_work=True),
    Status(503, after_work=True),
    Status(504, after_work=True),
    Status(502, after_work=True, body=b"<html>bad gateway</html>", content_type="text/html"),
    Status(200, after_work=True, body=b"<html>hello</html>", content_type="text/html"),
    Stall(2, after_work=True),
    Truncate(7),
    Truncate(7, reset=True),
)
NEVER_STORED = (
    Drop(),
    Drop(reset=True),
    Drop(after=3),
    Status(500),
    Status(502),
    Status(503),
    Status(504),
    Status(429, retry_after=0.01),
    Status(408),
    Stall(2),
)


def client(emulator: Emulator, *, retry: RetryPolicy = PATIENT) -> FilesClient:
    return FilesClient(emulator.api_key, base_url=emulator.base_url, options=Options(retry=retry, timeouts=HASTY))


def requests(emulator: Emulator) -> Counter[str | None]:
    return Counter(received.operation for received in emulator.requests)


@pytest.mark.parametrize("fault", LOST, ids=repr)
async def test_a_stored_upload_is_claimed(fault):
    """An upload whose answer got lost on the way is found in the listing, not sent again."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.queue("upload", fault)
        file = await files.upload(b"hello\n", filename="hello.txt")
        assert [f.id for f in emulator.files()] == [file.id]
        assert requests(emulator)["upload"] == 1


@pytest.mark.parametrize("fault", NEVER_STORED, ids=repr)
async def test_what_was_not_stored_is_sent_again(fault):
    """An upload that is not in the listing is repeated, and stored once."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.queue("upload", fault)
        file = await files.upload(b"hello\n", filename="hello.txt")
        assert [f.id for f in emulator.files()] == [file.id]
        assert requests(emulator)["upload"] == 2


NAMES = ("a.txt", "folder/b.txt")


@settings(max_examples=40, deadline=None)
@given(
    names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=8),
    faults=st.lists(st.sampled_from((*LOST, *NEVER_STORED, Pass(), Pass())), max_size=16),
    waits=st.lists(st.integers(0, 30), min_size=8, max_size=8),
    skew=st.sampled_from((0, 3600, -3600)),
)
def test_stored_files_are_successful_uploads(names, faults, waits, skew):
    """Whatever fails and whatever runs at once: as many files are stored as uploads succeeded, each claimed once."""

    async def scenario():
        emulator = Emulator(clock=lambda: time.time() + skew)
        await emulator.start()
        try:
            emulator.queue("upload", *faults)
            async with client(emulator) as files, asyncio.TaskGroup() as group:

                async def upload(name, wait):
                    await asyncio.sleep(wait / 1000)
                    return await files.upload(f"content of {name}\n".encode(), filename=name)

                tasks = [group.create_task(upload(*pair)) for pair in zip(names, waits, strict=False)]
            claimed = [(task.result().id, task.result().filename) for task in tasks]
            assert sorted(claimed) == sorted((f.id, f.filename) for f in emulator.files())
        finally:
            await emulator.stop()

    asyncio.run(scenario())


async def test_identical_uploads_keep_their_identities():
    """Thirty identical uploads, two thirds of them failing in some way, become thirty files, each claimed once."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.queue("upload", *(f for _ in range(10) for f in (Drop(after_work=True), Status(502), Pass())))
        done = await asyncio.gather(*(files.upload(b"same\n", filename="same.txt") for _ in range(30)))
        assert sorted(f.id for f in done) == sorted(f.id for f in emulator.files())
        assert len({f.id for f in done}) == 30


async def test_doubts_of_one_moment_share_a_listing():
    """Twenty uploads of different names that lose their answers together are found with one listing."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.queue("upload", *[Drop(after_work=True)] * 20)
        await asyncio.gather(*(files.upload(b"x\n", filename=f"{i}.txt") for i in range(20)))
        assert requests(emulator) == {"upload": 20, "list": 1}


async def test_one_page_in_a_large_workspace():
    """With a newest id known, the search takes one page, however many files there are."""
    async with Emulator() as emulator, client(emulator) as files:
        for number in range(1200):
            await emulator.put(f"old/{number}.txt", b"old\n")
        await files.upload(b"first\n", filename="first.txt")
        emulator.queue("upload", Drop(after_work=True))
        await files.upload(b"second\n", filename="second.txt")
        assert requests(emulator)["list"] == 1


async def test_without_a_known_id_all_pages_are_read():
    """A client that knows no file of the workspace yet reads the whole listing."""
    async with Emulator() as emulator, client(emulator) as files:
        for number in range(1200):
            await emulator.put(f"old/{number}.txt", b"old\n")
        emulator.queue("upload", Drop(after_work=True))
        file = await files.upload(b"first\n", filename="first.txt")
        assert requests(emulator)["list"] == 2
        assert emulator.files()[-1].id == file.id


@pytest.mark.parametrize("whole", [True, False])
async def test_the_end_of_a_listing_is_where_a_search_starts(whole):
    """Who listed all files knows the newest; one page that others follow says nothing about it."""
    async with Emulator() as emulator, client(emulator) as files:
        old = [await emulator.put(f"old/{number}.txt", b"old\n") for number in range(5)]
        listed = [file.id async for file in files.list(page_size=3)] if whole else await files.list_page(limit=3)
        emulator.queue("upload", Drop(after_work=True))
        await files.upload(b"new\n", filename="new.txt")
        search = [request.query for request in emulator.requests if request.operation == "list"][-1]
        assert search.get("after") == (old[-1].id if whole else None), listed


@pytest.mark.parametrize("status", [400, 404])
async def test_a_server_that_refuses_after(status):
    """Where ``after=`` is refused, the whole listing is read."""
    async with Emulator() as emulator, client(emulator) as files:
        await files.upload(b"first\n", filename="first.txt")
        emulator.queue("upload", Drop(after_work=True))
        emulator.queue("list", Status(status))
        file = await files.upload(b"second\n", filename="second.txt")
        assert requests(emulator) == {"upload": 2, "list": 2}
        assert emulator.files()[-1].id == file.id


async def test_a_deleted_anchor():
    """A file that is gone is no place to start from; the one before it is."""
    async with Emulator() as emulator, client(emulator) as files:
        await files.upload(b"first\n", filename="first.txt")
        last = await files.upload(b"last\n", filename="last.txt")
        await files.delete(last.id)
        emulator.queue("upload", Drop(after_work=True))
        await files.upload(b"second\n", filename="second.txt")
        assert requests(emulator)["list"] == 1


@pytest.mark.parametrize("skew", [3600, -3600])
async def test_clocks_need_not_agree(skew):
    """An older file of the same name and size is not taken for the upload, however wrong the server's clock is."""
    now = [time.time() + skew]
    async with Emulator(clock=lambda: now[0]) as emulator, client(emulator) as files:
        old = await emulator.put("a.txt", b"hello\n", downloadable=False)
        now[0] += 60
        emulator.queue("upload", Status(502))
        file = await files.upload(b"hello\n", filename="a.txt")
        assert [f.id for f in emulator.files()] == [old.id, file.id]


async def test_a_stranger_with_the_same_name_is_not_decided():
    """When more files than uploads in doubt could be it, the error names them and nothing is sent."""
    async with Emulator() as emulator, client(emulator) as files:
        await files.upload(b"first\n", filename="first.txt")
        await emulator.put("a.txt", b"hello\n", downloadable=False)
        emulator.queue("upload", Drop(after_work=True))
        with pytest.raises(AmbiguousUploadError) as caught:
            await files.upload(b"hello\n", filename="a.txt")
        assert {f.id for f in caught.value.candidates} == {f.id for f in emulator.files() if f.filename == "a.txt"}
        assert caught.value.maybe_processed
        assert requests(emulator)["upload"] == 2


async def test_a_listing_that_cannot_be_read():
    """Without a listing nobody can tell, and nothing is sent again."""
    async with Emulator() as emulator, client(emulator, retry=RetryPolicy(attempts=2, first_delay=0.01)) as files:
        emulator.queue("upload", Drop(after_work=True))
        emulator.queue("list", Status(500), Status(500))
        with pytest.raises(AmbiguousUploadError, match="listing could not be read"):
            await files.upload(b"hello\n", filename="a.txt")
        assert len(emulator.files()) == 1


async def test_same_name_and_size_but_other_content():
    """Two uploads that differ in their content only are not told apart by a listing, and nobody guesses."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.queue("upload", Drop(after_work=True), Drop(after_work=True))
        both = await asyncio.gather(
            *(files.upload(content, filename="a.txt") for content in (b"hello\n", b"world\n")), return_exceptions=True
        )
        assert [type(outcome) for outcome in both] == [AmbiguousUploadError] * 2
        assert len(emulator.files()) == 2


async def test_same_name_but_another_size_is_another_upload():
    """Uploads of one name and different sizes find their own files."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.queue("upload", *[Drop(after_work=True)] * 5)
        contents = [b"x" * (n + 1) for n in range(5)]
        done = await asyncio.gather(*(files.upload(content, filename="a.txt") for content in contents))
        stored = {f.id: f.sha256 for f in emulator.files()}
        assert [stored[f.id] for f in done] == [sha256(content).hexdigest() for content in contents]


async def test_raise_does_not_look():
    """``ambiguous="raise"``: one request, and the doubt is the caller's."""
    async with Emulator() as emulator, client(emulator, retry=RetryPolicy(ambiguous="raise")) as files:
        emulator.queue("upload", Drop(after_work=True))
        with pytest.raises(AmbiguousUploadError):
            await files.upload(b"hello\n", filename="a.txt")
        assert requests(emulator) == {"upload": 1}


@pytest.mark.parametrize("status", [500, 502, 503, 504, 524, 529])
async def test_raise_holds_for_every_status_that_leaves_a_doubt(status):
    """``ambiguous="raise"``: a status after the whole body is a doubt, 503 included, and told on the error."""
    async with Emulator() as emulator, client(emulator, retry=RetryPolicy(ambiguous="raise")) as files:
        emulator.queue("upload", Status(status, after_work=True))
        with pytest.raises(AmbiguousUploadError) as caught:
            await files.upload(b"hello\n", filename="a.txt")
        assert requests(emulator) == {"upload": 1}
        assert len(emulator.files()) == 1
        assert (caught.value.status, caught.value.attempts) == (status, 1)
        assert isinstance(caught.value.__cause__, APIError)


async def test_repeat_duplicates():
    """``ambiguous="repeat"``: the upload succeeds, and a second copy is the price."""
    retry = RetryPolicy(first_delay=0.01, ambiguous="repeat")
    async with Emulator() as emulator, client(emulator, retry=retry) as files:
        emulator.queue("upload", Drop(after_work=True))
        await files.upload(b"hello\n", filename="a.txt")
        assert requests(emulator) == {"upload": 2}
        assert len(emulator.files()) == 2


async def test_the_last_attempt_is_looked_for_too():
    """An upload that was stored by its last attempt is a success; one that was not fails as itself."""
    async with Emulator() as emulator, client(emulator, retry=RetryPolicy(attempts=1, first_delay=0.01)) as files:
        emulator.queue("upload", Status(500, after_work=True), Status(502))
        assert isinstance(await files.upload(b"hello\n", filename="a.txt"), File)
        with pytest.raises(BadGatewayError) as caught:
            await files.upload(b"hello\n", filename="b.txt")
        assert not caught.value.maybe_processed
        assert len(emulator.files()) == 1


async def test_an_iterator_of_known_size_is_sent_once():
    """What cannot be read again is looked for, and if it is not there, not repeated."""

    async def chunks():
        yield b"hello\n"

    async with Emulator() as emulator, client(emulator) as files:
        emulator.queue("upload", Drop(after_work=True), Status(500))
        assert (await files.upload(chunks(), size=6, filename="a.txt")).filename == "a.txt"
        with pytest.raises(InternalServerError):
            await files.upload(chunks(), size=6, filename="b.txt")
        assert requests(emulator)["upload"] == 2


async def test_cancelling_one_in_doubt_leaves_the_others():
    """Of three identical uploads in doubt one is cancelled: the others find a file each."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.queue("upload", *[Drop(after_work=True)] * 3)
        emulator.queue("list", Stall(0.2))
        tasks = [asyncio.create_task(files.upload(b"same\n", filename="a.txt")) for _ in range(3)]
        while not requests(emulator)["list"]:
            await asyncio.sleep(0.01)
        tasks[0].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(done[0], asyncio.CancelledError)
        outcomes = {f.id for f in done[1:] if isinstance(f, File)} | {
            type(f) for f in done[1:] if not isinstance(f, File)
        }
        assert len(emulator.files()) == 3
        assert outcomes == {AmbiguousUploadError} or len(outcomes) == 2
