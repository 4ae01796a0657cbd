"""What was found by trying to break what the README promises: each of these was broken once."""

import asyncio
import gzip
import os
import stat
import time
from collections import Counter
from email.utils import formatdate

import pytest
from raw_server import FILE, RawServer, reply

from openrouter_files import (
    AmbiguousUploadError,
    AuthenticationError,
    File,
    FilesClient,
    IncompleteDownloadError,
    NotFoundError,
    Options,
    PayloadTooLargeError,
    RateLimitError,
    RetryPolicy,
    ServiceUnavailableError,
    Timeouts,
    TransportError,
    TransportTimeoutError,
)
from openrouter_files.emulator import Drop, Emulator, Stall, Status

DATA = bytes(range(256)) * 1000
HALF = 100_000
QUICK = RetryPolicy(attempts=4, first_delay=0.01, max_delay=5)
IMPATIENT = Timeouts(connect=0.3, idle=0.3, answer=0.3)


def client(server, **options):
    return FilesClient(server.api_key, base_url=server.base_url, options=Options(**{"retry": QUICK} | options))


def part_way(**fields):
    """Half of a file whose length is not told, and then a reset."""

    async def script(connection):
        await connection.request()
        answer = reply(200, transfer_encoding="chunked", content_length=None, **fields)
        await connection.send(answer + b"%x\r\n%b\r\n" % (HALF, DATA[:HALF]))
        await asyncio.sleep(0.05)
        connection.writer.transport.abort()

    return script


def cut_off(**fields):
    """Half of a file whose length is told, and then a reset."""

    async def script(connection):
        await connection.request()
        await connection.send(reply(200, content_length=len(DATA), **fields) + DATA[:HALF])
        await asyncio.sleep(0.05)
        connection.writer.transport.abort()

    return script


def silent_after(head):
    async def script(connection):
        await connection.request()
        await connection.send(head)
        await asyncio.sleep(60)

    return script


METADATA = reply(200, FILE | {"size_bytes": len(DATA)})
REFUSAL = b"HTTP/1.1 %d Said\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"


async def test_a_refused_download_does_not_wait_for_ever_for_the_reason():
    """The body of an error is as bounded as its head."""
    async with RawServer(silent_after(REFUSAL % 404)) as server, client(server, timeouts=IMPATIENT) as files:
        async with asyncio.timeout(5):
            with pytest.raises(NotFoundError):
                await files.download("x").read()


@pytest.mark.parametrize(("status", "error"), [(401, AuthenticationError), (413, PayloadTooLargeError)])
async def test_a_refusal_whose_reason_is_cut_off_is_itself(status, error):
    """The status is enough: an upload is not looked for, and not sent again."""

    async def script(connection):
        await connection.request()
        await connection.send(REFUSAL % status)
        connection.writer.transport.abort()

    async with RawServer(script) as server, client(server) as files:
        with pytest.raises(error):
            await files.upload(b"hello\n", filename="a.txt")
        assert len(server.requests) == 1


@pytest.mark.parametrize("total", [len(DATA), "*"])
async def test_a_part_that_ends_early_is_not_the_rest(total):
    """Of a file whose length nobody told, a shorter part than was asked for is no proof."""
    told = f"bytes {HALF}-{HALF + 9}/{total}"
    part = reply(206, DATA[HALF : HALF + 10], etag='"1"', content_range=told)
    async with RawServer(part_way(etag='"1"'), part, METADATA) as server, client(server) as files:
        with pytest.raises(IncompleteDownloadError):
            await files.download("x").read()


@pytest.mark.parametrize("encoding", ["x-gzip", "gzip, gzip", "gzip, identity", "compress"])
async def test_an_encoding_that_is_not_undone_is_an_error(encoding):
    """What stays compressed is not the file."""
    sent = reply(200, gzip.compress(DATA), content_encoding=encoding)
    async with RawServer(sent, METADATA) as server, client(server) as files:
        with pytest.raises(IncompleteDownloadError):
            await files.download("x").read()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"etag": 'W/"1"'}, {"etag": 'W/"2"'}),
        ({"etag": '"1"'}, {"etag": 'W/"2"'}),
        ({"last_modified": formatdate(1e9, usegmt=True)}, {"last_modified": formatdate(2e9, usegmt=True)}),
    ],
)
async def test_any_validator_that_changes_is_an_error(before, after):
    """Two halves of two versions are not joined, however weak the sign is."""
    other = reply(200, DATA[::-1], **after)
    async with RawServer(cut_off(**before), other) as server, client(server) as files:
        with pytest.raises(IncompleteDownloadError):
            await files.download("x").read()


async def test_an_iteration_that_was_interrupted_does_not_end_quietly():
    """Whoever asks on after a timeout of his own gets an error or the rest, never the end."""

    async def script(connection):
        await connection.request()
        await connection.send(reply(200, content_length=len(DATA)) + DATA[:HALF])
        await asyncio.sleep(60)

    async with RawServer(script) as server, client(server) as files, files.download("x") as chunks:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await chunks.read()
        with pytest.raises(RuntimeError):
            await chunks.read()


@pytest.mark.parametrize("victim", [0, 1])
async def test_an_upload_in_doubt_that_is_cancelled_breaks_no_other(victim):
    """The others are claimed or undecided; they do not fail with what the cancelled one let go of."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.queue("upload", *[Drop(after_work=True)] * 3)
        emulator.queue("list", Stall(0.2))
        tasks = [asyncio.create_task(files.upload(b"same\n", filename="a.txt")) for _ in range(3)]
        while not any(each.operation == "list" for each in emulator.requests):
            await asyncio.sleep(0.01)
        tasks[victim].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        done.pop(victim)
        assert all(isinstance(each, File | AmbiguousUploadError) for each in done)


async def _content_of(emulator, outcome):
    return await emulator.content(outcome.id) if isinstance(outcome, File) else None


async def test_the_file_of_a_cancelled_upload_is_not_taken_for_another():
    """A was stored after its caller had gone; B, of the same name and size, was not: B is not A."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.queue("upload", Stall(0.5, after_work=True), Status(502))
        first = asyncio.create_task(files.upload(b"AAAAA", filename="a.txt"))
        while not emulator.files():
            await asyncio.sleep(0.01)
        first.cancel()
        (second,) = await asyncio.gather(files.upload(b"BBBBB", filename="a.txt"), return_exceptions=True)
        assert await _content_of(emulator, second) in {None, b"BBBBB"}


async def test_the_file_of_an_undecided_upload_is_not_taken_for_another():
    """Nobody could tell about A; B, of the same name and size, was not stored: B is not A."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.queue("upload", Drop(after_work=True), Status(502))
        emulator.queue("list", Status(403))
        outcomes = [
            (await asyncio.gather(files.upload(data, filename="a.txt"), return_exceptions=True))[0]
            for data in (b"AAAAA", b"BBBBB")
        ]
        assert isinstance(outcomes[0], AmbiguousUploadError)
        assert await _content_of(emulator, outcomes[1]) in {None, b"BBBBB"}


def test_a_file_is_claimed_once_on_whichever_loop():
    """One client, one asyncio.run after another, the same file: two uploads are two files."""
    with Emulator() as emulator:
        files = client(emulator)
        first = asyncio.run(files.upload(b"same\n", filename="a.txt"))
        emulator.queue("upload", Status(502))
        second = asyncio.run(files.upload(b"same\n", filename="a.txt"))
        assert {first.id, second.id} == {file.id for file in emulator.files()}
        assert len(emulator.files()) == 2


async def test_a_file_is_claimed_once_however_its_workspace_is_named():
    """The key's own workspace, by its id and by nothing, is one workspace."""
    async with Emulator() as emulator:
        workspace = emulator.add_key("sk-another")
        async with FilesClient("sk-another", base_url=emulator.base_url, options=Options(retry=QUICK)) as files:
            first = await files.with_options(workspace_id=workspace).upload(b"same\n", filename="a.txt")
            emulator.queue("upload", Status(502))
            second = await files.upload(b"same\n", filename="a.txt")
            assert first.id != second.id


async def test_a_server_that_refuses_after_is_not_asked_for_each_known_file():
    """Two refusals are enough to read the whole listing, however many files the client knows."""
    async with Emulator() as emulator, client(emulator) as files:
        for number in range(20):
            await files.upload(b"x\n", filename=f"{number}.txt")
        emulator.clear()
        emulator.queue("upload", Drop(after_work=True))
        emulator.queue("list", Status(400), Status(400))
        await files.upload(b"hello\n", filename="a.txt")
        assert Counter(each.operation for each in emulator.requests) == {"upload": 1, "list": 3}
        assert "after" not in emulator.requests[-1].query


async def test_the_time_of_a_proxy_need_not_be_that_of_the_store():
    """Date may be two seconds ahead of created_at: the file is found all the same."""
    ahead = [0.0]
    async with Emulator(clock=lambda: time.time() + ahead[0]) as emulator, client(emulator) as files:
        await files.upload(b"x\n", filename="x.txt")
        emulator.queue("upload", Stall(0.1, after_work=True))
        upload = asyncio.create_task(
            files.with_options(timeouts=Timeouts(answer=0.05)).upload(b"hello\n", filename="a.txt")
        )
        while len(emulator.files()) < 2:
            await asyncio.sleep(0.001)
        ahead[0] = 2.0
        await upload
        assert len(emulator.files()) == 2


@pytest.mark.parametrize("skew", [3600, -3600])
async def test_a_date_to_wait_for_is_by_the_clock_of_the_server(skew):
    """Retry-After as a date is read with the Date that came with it."""
    async with Emulator(clock=lambda: time.time() + skew) as emulator, client(emulator) as files:
        emulator.queue("list", Status(429, retry_after=formatdate(time.time() + skew + 2, usegmt=True)))
        began = time.monotonic()
        await files.list_page()
        assert 0.9 < time.monotonic() - began < 4


async def test_a_pause_of_ten_digits_is_beyond_all_patience():
    """Source: RFC 9110, 10.2.3: delay-seconds is 1*DIGIT."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.queue("list", Status(429, retry_after="9999999999"))
        with pytest.raises(RateLimitError):
            await files.list_page()
        assert len(emulator.requests) == 1


HURRIED = RetryPolicy(attempts=9, first_delay=0.01, deadline=0.4)
LATE = 3.0


async def _ends_in_time(call, error):
    began = time.monotonic()
    async with asyncio.timeout(20):
        with pytest.raises(error) as caught:
            await call
    assert time.monotonic() - began < LATE
    return caught.value


async def test_waiting_for_a_connection_ends_at_the_deadline():
    """The only connection is taken by a download that nobody reads."""
    async with Emulator() as emulator:
        made = await emulator.put("made.bin", bytes(3_000_000))
        key, url, options = emulator.api_key, emulator.base_url, Options(retry=HURRIED)
        async with FilesClient(key, base_url=url, options=options, max_connections=1) as files:
            async with files.with_options(retry=QUICK).download(made.id):
                await _ends_in_time(files.retrieve(made.id), TransportTimeoutError)
                await _ends_in_time(files.download(made.id).read(), TransportTimeoutError)
            assert (await files.retrieve(made.id)).id == made.id


async def test_a_key_that_is_not_handed_out_ends_at_the_deadline():
    """Whoever is asked for the key never answers."""

    async def never():
        await asyncio.sleep(60)

    async with Emulator() as emulator:
        options = Options(retry=HURRIED)
        async with FilesClient(never, base_url=emulator.base_url, options=options) as files:
            await _ends_in_time(files.list_page(), TransportTimeoutError)


async def test_a_body_that_trickles_ends_at_the_deadline():
    """Each byte is a sign of life, and the deadline counts all the same."""

    async def trickle(connection):
        await connection.request()
        await connection.send(reply(200, content_length=len(DATA)))
        for _ in range(100):
            await connection.send(b"x")
            await asyncio.sleep(0.05)

    async with RawServer(trickle) as server, client(server, retry=HURRIED) as files:
        await _ends_in_time(files.download("x").read(), TransportTimeoutError)


async def test_a_download_that_breaks_again_and_again_ends_at_the_deadline():
    """It goes on each time, with what is left of the time."""

    async def slowly(connection):
        request = await connection.request()
        start = int(request["headers"].get("range", "bytes=0-")[6:-1])
        fields = {"content_range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"} if start else {}
        head = reply(206 if start else 200, content_length=len(DATA) - start, etag='"1"', **fields)
        await connection.send(head + DATA[start : start + 1000])
        await asyncio.sleep(0.5)  # nine times that, were each to have a deadline of its own
        connection.writer.transport.abort()

    async with RawServer(slowly) as server, client(server, retry=HURRIED) as files:
        began = time.monotonic()
        with pytest.raises(TransportError):
            await files.download("x").read()
        assert time.monotonic() - began < LATE


async def test_an_upload_in_doubt_ends_at_the_deadline():
    """The listing says nothing: nobody can tell, and that is said in time."""
    hurried, slow = RetryPolicy(attempts=9, first_delay=0.01, deadline=2.0), Timeouts(answer=1.5)
    async with Emulator() as emulator, client(emulator, retry=hurried, timeouts=slow) as files:
        emulator.queue("upload", Stall(30, after_work=True))  # 1.5 s; a deadline of the listing's own would add 2
        emulator.queue("list", Stall(30))
        await _ends_in_time(files.upload(b"hello\n", filename="a.txt"), AmbiguousUploadError)


async def test_an_upload_does_not_wait_for_a_twin_beyond_the_deadline():
    """Another of the same name and size is in doubt, and that takes long: this one was not sent."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.queue("upload", Drop(after_work=True))
        emulator.queue("list", Stall(2))
        first = asyncio.create_task(files.upload(b"same\n", filename="a.txt"))
        while not any(each.operation == "list" for each in emulator.requests):
            await asyncio.sleep(0.01)
        hurried = files.with_options(retry=HURRIED)
        error = await _ends_in_time(hurried.upload(b"same\n", filename="a.txt"), TransportTimeoutError)
        assert not error.maybe_processed
        assert (await first).id == emulator.files()[0].id
        assert len(emulator.files()) == 1


async def test_the_search_for_an_upload_waits_as_long_as_it_was_asked_to():
    """A 503 that says how long holds for the listing, and for every other call."""
    slow = RetryPolicy(attempts=4, first_delay=0.3, max_delay=5)
    async with Emulator() as emulator, client(emulator, retry=slow) as files:
        emulator.queue("upload", Status(503, retry_after=1))
        began = time.monotonic()
        upload = asyncio.create_task(files.upload(b"hello\n", filename="a.txt"))
        while not emulator.requests:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        await files.list_page()
        assert time.monotonic() - began > 0.9
        await upload
        assert len(emulator.files()) == 1


async def test_a_pause_beyond_all_patience_does_not_keep_from_the_search():
    """Nobody waits an hour, and whether the upload was stored is asked at once: it was not."""
    async with Emulator() as emulator, client(emulator) as files:
        emulator.queue("upload", Status(503, retry_after=3600))
        with pytest.raises(ServiceUnavailableError):
            await files.upload(b"hello\n", filename="a.txt")
        assert {each.operation for each in emulator.requests} == {"upload", "list"}


@pytest.mark.parametrize("later", [0.0, 0.05])
async def test_an_answer_that_nobody_asked_for_answers_nothing(later):
    """What a server sends on an idle connection is not taken for the answer to the next request."""
    told = asyncio.Event()

    async def talkative(connection):
        await connection.request()
        await connection.send(reply(200, FILE, connection="keep-alive"))
        await asyncio.sleep(later)
        await connection.send(reply(200, FILE | {"id": "or_file_unasked"}, connection="keep-alive"))
        told.set()
        await connection.request()

    async with RawServer(talkative, reply(200, FILE)) as server, client(server) as files:
        await files.retrieve("or_file_raw")
        await told.wait()
        await asyncio.sleep(0.05)
        assert (await files.retrieve("or_file_raw")).id == "or_file_raw"


async def test_a_pipe_is_not_replaced_by_a_file(tmp_path):
    """Nor would be a device: what is at the target stays there."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    async with Emulator() as emulator, client(emulator) as files:
        made = await emulator.put("made.bin", DATA)
        with pytest.raises(OSError, match="regular file"):
            await files.download_to(made.id, pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [each.name for each in tmp_path.iterdir()] == ["pipe"]
