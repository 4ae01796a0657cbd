"""Uploads over loopback: what may be uploaded, what goes over the wire, what happens when something breaks."""

# ruff: noqa: PLR0917 - fixtures and the columns of a table are many

import asyncio
import errno
import io
import os
import tempfile
import time
import tracemalloc
from datetime import UTC, datetime, timedelta

import aiofiles
import pytest
from raw_server import FILE, RawServer, reply

from openrouter_files import (
    NO_RETRIES,
    AmbiguousUploadError,
    BadRequestError,
    File,
    FilesError,
    InvalidResponseError,
    PayloadTooLargeError,
    PermissionDeniedError,
    Progress,
    RetryPolicy,
    SourceError,
    Timeouts,
    TransportError,
    TransportTimeoutError,
)
from openrouter_files.emulator import Drop, Emulator, Stall, Status

MIB = 1024 * 1024
SMALL = b"hello\n"
LARGE = b"0123456789 abcde\n" * 180_000
REPEATING = RetryPolicy(first_delay=0.01, ambiguous="repeat")


@pytest.fixture
def large(tmp_path):
    """A file of some megabytes on disk."""
    path = tmp_path / "large.txt"
    path.write_bytes(LARGE)
    return path


async def pieces_of(data, step=100_000):
    for start in range(0, len(data), step):
        yield data[start : start + step]


class Uploaded:
    """What web frameworks hand to their users: no seek, no tell, but a file inside."""

    def __init__(self, data, filename):
        self.file, self.filename = io.BytesIO(data), filename

    async def read(self, size=-1):
        return self.file.read(size)


class Bare:
    """The least that can be read."""

    def __init__(self, data):
        self._file = io.BytesIO(data)

    def read(self, size=-1):
        return self._file.read(size)


async def a_str_path(tmp_path, data):
    (tmp_path / "x.txt").write_bytes(data)
    return str(tmp_path / "x.txt"), {}


async def a_path(tmp_path, data):
    (tmp_path / "x.txt").write_bytes(data)
    return tmp_path / "x.txt", {}


async def bytes_(_, data):
    return data, {"filename": "x.txt"}


async def a_bytearray(_, data):
    return bytearray(data), {"filename": "x.txt"}


async def a_memoryview(_, data):
    return memoryview(data), {"filename": "x.txt"}


async def a_binary_handle(tmp_path, data):
    (tmp_path / "x.txt").write_bytes(data)
    return (tmp_path / "x.txt").open("rb"), {}


async def an_aiofiles_handle(tmp_path, data):
    (tmp_path / "x.txt").write_bytes(data)
    return await aiofiles.open(tmp_path / "x.txt", "rb"), {}


async def a_bytes_io(_, data):
    return io.BytesIO(data), {"filename": "x.txt"}


async def a_spooled_file(_, data):
    file = tempfile.SpooledTemporaryFile(max_size=1000)  # noqa: SIM115 - the fixture closes it
    file.write(data)
    file.seek(0)
    return file, {"filename": "x.txt"}


async def a_frameworks_upload(_, data):
    return Uploaded(data, "x.txt"), {}


async def a_bare_reader(_, data):
    return Bare(data), {"filename": "x.txt"}


async def an_iterator(_, data):
    return pieces_of(data), {"filename": "x.txt"}


async def an_iterator_of_known_size(_, data):
    return pieces_of(data), {"filename": "x.txt", "size": len(data)}


AGAIN = [
    a_str_path,
    a_path,
    bytes_,
    a_bytearray,
    a_memoryview,
    a_binary_handle,
    an_aiofiles_handle,
    a_bytes_io,
    a_spooled_file,
    a_frameworks_upload,
    a_bare_reader,
    an_iterator,
]
SOURCES = [*AGAIN, an_iterator_of_known_size]


@pytest.fixture
async def source_of(tmp_path):
    """Make a source of a kind; handles are closed at the end, and must still have been open."""
    made = []

    async def make(kind, data):
        source, arguments = await kind(tmp_path, data)
        made.append(source)
        return source, arguments

    yield make
    for source in made:
        if hasattr(source, "close") and hasattr(source, "closed"):
            assert not source.closed
            closing = source.close()
            await closing if asyncio.iscoroutine(closing) else None


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("kind", SOURCES)
async def test_any_source_is_stored_whole_and_sent_with_its_length(emulator, files, source_of, kind, data):
    """Whatever is uploaded arrives byte by byte, in one POST with a Content-Length and never chunked."""
    source, arguments = await source_of(kind, data)
    file = await files.upload(source, **arguments)
    assert (file.filename, file.size_bytes) == ("x.txt", len(data))
    assert await emulator.content(file.id) == data
    (request,) = emulator.requests
    assert int(request.headers["content-length"]) == request.body_bytes > len(data)
    assert "transfer-encoding" not in request.headers


async def test_the_answer_becomes_a_file(emulator, files):
    """The returned File holds what the server made of it: id, sniffed type, time; it is not downloadable."""
    file = await files.upload(b"a,b\n1,2\n", filename="t.bin", content_type="application/x-whatever")
    (stored,) = emulator.files()
    assert isinstance(file, File)
    assert (file.id, file.mime_type, file.downloadable) == (stored.id, "text/csv", False)
    assert abs(file.created_at - datetime.now(UTC)) < timedelta(seconds=30)


async def test_a_pipe_is_uploaded(emulator, files):
    """A handle that cannot seek is read to its end first, for its size has to be known."""
    reading, writing = os.pipe()
    os.write(writing, SMALL)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        file = await files.upload(pipe, filename="p.txt")
        assert not pipe.closed
    assert await emulator.content(file.id) == SMALL


@pytest.mark.parametrize("kind", [a_binary_handle, an_aiofiles_handle, a_bytes_io])
async def test_a_handle_is_read_from_where_it_stands(emulator, files, source_of, kind):
    """What lies before the position of a handle is not uploaded, in no attempt; the handle stays open."""
    emulator.queue("upload", Status(429))
    source, arguments = await source_of(kind, LARGE)
    moving = source.seek(12)
    await moving if asyncio.iscoroutine(moving) else None
    file = await files.upload(source, **arguments)
    assert await emulator.content(file.id) == LARGE[12:]


async def test_the_form_has_one_part_named_file(client_for):
    """On the wire are exactly one part, its disposition and type, the bytes, and the closing boundary."""
    async with RawServer(reply(body=FILE)) as server:
        files = await client_for(server)
        await files.upload(SMALL, filename='da ta/é"\r\nx.txt', content_type="text/plain; charset=utf-8")
    (request,) = server.requests
    media, _, boundary = request["headers"]["content-type"].partition("; boundary=")
    assert (request["line"], media) == ("POST /api/v1/files HTTP/1.1", "multipart/form-data")
    assert request["headers"]["accept"] == "application/json"
    assert (
        request["body"]
        == (
            f"--{boundary}\r\n"
            'Content-Disposition: form-data; name="file"; filename="da ta/é%22%0D%0Ax.txt"\r\n'
            "Content-Type: text/plain; charset=utf-8\r\n\r\n"
            f"hello\n\r\n--{boundary}--\r\n"
        ).encode()
    )


async def test_boundaries_are_drawn_anew_for_each_upload(client_for):
    """Two uploads do not share a boundary, or a file could be made to hold it."""
    async with RawServer(reply(body=FILE)) as server:
        files = await client_for(server)
        for _ in range(2):
            await files.upload(SMALL, filename="a.txt")
    one, two = (request["headers"]["content-type"] for request in server.requests)
    assert one != two


@pytest.mark.parametrize("name", ["résumé.txt", "data/2026/r.txt", "日本語 😀.txt", "a b;c='d',e%20.txt"])
async def test_names_arrive_as_they_are(files, name):
    """Spaces, folders, percent signs and any script survive the way to the server and back."""
    assert (await files.upload(SMALL, filename=name)).filename == name
    assert [file.filename async for file in files.list()] == [name]


async def test_the_name_of_a_path_can_be_replaced(files, large):
    """Without filename= a path gives its last component, with it the caller's word counts."""
    assert (await files.upload(large)).filename == "large.txt"
    assert (await files.upload(large, filename="folder/other.txt")).filename == "folder/other.txt"


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("kind", AGAIN)
async def test_each_attempt_sends_the_same_bytes(client_for, source_of, kind, data):
    """A repeated upload starts over with a fresh body, identical to the last byte."""
    source, arguments = await source_of(kind, data)
    async with RawServer(reply(429), reply(408), reply(body=FILE)) as server:
        await (await client_for(server)).upload(source, **arguments)
    first, second, third = (request["body"] for request in server.requests)
    assert first == second == third
    assert data in first


async def test_an_iterator_of_known_size_is_sent_only_once(emulator, files):
    """What was sent as it came cannot be sent again: the first failure is raised, none is repeated."""
    emulator.queue("upload", Status(429))
    with pytest.raises(FilesError) as caught:
        await files.upload(pieces_of(LARGE), filename="x.txt", size=len(LARGE))
    assert caught.value.attempts == 1
    assert len(emulator.requests) == 1


def grow(path):
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path):
    os.truncate(path, len(LARGE) - 5)


def vanish(path):
    os.truncate(path, 0)


async def as_path(path):
    return path


async def as_handle(path):
    return path.open("rb")


async def as_aiofiles_handle(path):
    return await aiofiles.open(path, "rb")


@pytest.mark.parametrize("given", [as_path, as_handle, as_aiofiles_handle])
@pytest.mark.parametrize(("change", "words"), [(grow, "grew while"), (shrink, "ended at"), (vanish, "ended at")])
async def test_a_file_that_changes_while_it_is_sent_is_not_stored(emulator, files, large, change, words, given):
    """A source that grows or shrinks under way is a SourceError, asked about once, and nothing is stored."""
    changes = [change]
    source = await given(large)
    try:
        with pytest.raises(SourceError, match=words):
            await files.upload(source, filename="x", on_progress=lambda _: changes and changes.pop()(large))
    finally:
        closing = source.close() if hasattr(source, "close") else None
        await closing if closing else None
    assert len(emulator.requests) <= 1  # none if the connection is closed before the server has looked
    assert emulator.files() == ()


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("surplus", [-3, -1, 1, 3])
async def test_an_iterator_that_breaks_its_promise_is_not_stored(emulator, files, data, surplus):
    """An iterator with fewer or more bytes than its size is a SourceError, and nothing is stored."""
    with pytest.raises(SourceError, match="grew while" if surplus > 0 else "ended at"):
        await files.upload(pieces_of(data), filename="x.txt", size=len(data) - surplus)
    assert emulator.files() == ()


class Breaking(io.BytesIO):
    """A disk that fails after some bytes."""

    def read(self, size=-1):
        if self.tell() >= len(self.getvalue()) // 2:
            raise OSError(errno.EIO, "the disk is broken")
        return super().read(min(size, len(self.getvalue()) // 2 or 1))


async def breaking(data):
    yield data[: len(data) // 2]
    raise OSError(errno.EIO, "the disk is broken")


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize(
    "given",
    [lambda d: (Breaking(d), None), lambda d: (breaking(d), None), lambda d: (breaking(d), len(d))],
    ids=["handle", "iterator", "iterator of known size"],
)
async def test_a_broken_disk_is_its_own_error(emulator, files, data, given):
    """What the disk raises comes through as itself, is not repeated, and nothing is stored."""
    source, size = given(data)
    with pytest.raises(OSError, match="the disk is broken") as caught:
        await files.upload(source, filename="x.txt", size=size)
    assert caught.type is OSError
    assert caught.value.errno == errno.EIO
    assert len(emulator.requests) <= 1
    assert emulator.files() == ()


@pytest.mark.parametrize("size", [None, len(LARGE)])
async def test_what_an_iterator_raises_comes_through(emulator, files, size):
    """An exception of the caller's own iterator is raised as it is, not as a network error."""

    async def failing():
        yield LARGE[: len(LARGE) // 2]
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await files.upload(failing(), filename="x.txt", size=size)
    assert emulator.files() == ()


async def test_progress_is_absolute_and_starts_over_with_the_upload(emulator, files, large):
    """Each attempt counts the bytes of the file from the start to the end, and knows how many there are."""
    emulator.queue("upload", Status(429))
    seen = []
    await files.upload(large, on_progress=seen.append)
    assert all(isinstance(each, Progress) and each.total == len(LARGE) for each in seen)
    counts = [each.done for each in seen]
    end = counts.index(len(LARGE)) + 1
    first, second = counts[:end], counts[end:]
    assert first == sorted(set(first))
    assert second == sorted(set(second))
    assert len(first) > 5
    assert first[-1] == second[-1] == len(LARGE)


@pytest.mark.parametrize("kind", SOURCES)
async def test_small_files_report_progress_too(files, source_of, kind):
    """The last report of every upload says that all bytes are done."""
    seen = []
    source, arguments = await source_of(kind, SMALL)
    await files.upload(source, on_progress=seen.append, **arguments)
    assert seen == [Progress(done=len(SMALL), total=len(SMALL))]


@pytest.mark.parametrize(
    "kind",
    [bytes_, a_path, a_binary_handle, an_aiofiles_handle, an_iterator, an_iterator_of_known_size],
)
async def test_what_a_progress_callback_raises_ends_the_upload(emulator, files, source_of, kind):
    """An error of the callback is raised as it is, the file is not stored, and it is not sent again."""

    def stop(_):
        raise LookupError("enough")

    source, arguments = await source_of(kind, LARGE)
    with pytest.raises(LookupError, match="enough"):
        await files.upload(source, on_progress=stop, **arguments)
    assert emulator.files() == ()
    assert len(emulator.requests) <= 1


async def test_a_hundred_mebibytes_cost_neither_memory_nor_the_loop(emulator, files, tmp_path):
    """The largest file there may be is sent with less than 16 MiB, while other tasks run within 0.25 s."""
    path = tmp_path / "largest.pdf"
    path.write_bytes(b"%PDF-1.7\n")
    os.truncate(path, 100 * MIB)
    delays = []

    async def tick():
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            delays.append(time.monotonic() - before - 0.005)

    await files.list_page()
    ticking = asyncio.create_task(tick())
    tracemalloc.start()
    try:
        file = await files.upload(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        ticking.cancel()
    assert file.size_bytes == 100 * MIB
    assert peak < 16 * MIB
    assert max(delays) < 0.25


AMBIGUOUS = [
    Drop(after_work=True),
    Drop(after_work=True, reset=True),
    Stall(5, after_work=True),
    *(Status(status, after_work=True) for status in (500, 502, 504, 524, 529)),
]


def patience(fault):
    """Long enough for a busy machine to store the file, and for the silence that is waited for, shorter than it."""
    return Timeouts(answer=1.0 if isinstance(fault, Stall) else 30)


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("fault", AMBIGUOUS, ids=repr)
@pytest.mark.parametrize("retry", [RetryPolicy(first_delay=0.01, ambiguous="raise"), NO_RETRIES], ids=["raise", "none"])
async def test_an_upload_that_may_have_been_stored_is_not_sent_again(emulator, files, retry, fault, data):
    """A whole body without a good answer is an AmbiguousUploadError after one POST, and one file is stored."""
    emulator.queue("upload", fault)
    careful = files.with_options(retry=retry, timeouts=patience(fault))
    with pytest.raises(AmbiguousUploadError, match="may have been stored") as caught:
        await careful.upload(data, filename="x.txt")
    assert [request.method for request in emulator.requests] == ["POST"]
    assert len(emulator.files()) == 1
    error = caught.value
    assert (error.maybe_processed, error.request, error.attempts) == (True, ("POST", "/files"), 1)
    assert isinstance(error.__cause__, FilesError)


@pytest.mark.parametrize("fault", AMBIGUOUS, ids=repr)
async def test_repeating_ambiguous_uploads_is_the_callers_choice(emulator, files, fault):
    """With ambiguous="repeat" the upload is sent again, and may be stored twice."""
    emulator.queue("upload", fault)
    careless = files.with_options(retry=REPEATING, timeouts=patience(fault))
    file = await careless.upload(SMALL, filename="x.txt")
    assert len(emulator.requests) == 2
    assert len(emulator.files()) == 2
    assert file.id == emulator.files()[1].id


async def test_repeating_ambiguous_uploads_ends(emulator, files):
    """With ambiguous="repeat" the last error is raised when the attempts are used up."""
    emulator.queue("upload", *[Status(502)] * 3)
    with pytest.raises(FilesError) as caught:
        await files.with_options(retry=RetryPolicy(attempts=3, first_delay=0.01, ambiguous="repeat")).upload(
            SMALL, filename="x.txt"
        )
    assert (caught.value.attempts, caught.value.maybe_processed) == (3, True)


@pytest.mark.parametrize("reset", [True, False])
async def test_an_upload_that_never_was_complete_is_sent_again(emulator, files, reset):
    """A connection that breaks in the middle of the body left nothing behind: the upload is repeated."""
    emulator.queue("upload", Drop(after=100_000, reset=reset), Drop(after=100_000, reset=reset))
    seen = []
    data = LARGE * 4
    file = await files.upload(data, filename="x.txt", on_progress=lambda p: seen.append(p.done))
    assert await emulator.content(file.id) == data
    assert len(emulator.requests) == 3
    assert len(emulator.files()) == 1


@pytest.mark.parametrize("status", [408, 429])
async def test_a_declined_upload_is_sent_again(emulator, files, status):
    """408 and 429 say that nothing was done: the upload is repeated, and stored once."""
    emulator.queue("upload", Status(status), Status(status))
    await files.upload(SMALL, filename="x.txt")
    assert len(emulator.requests) == 3
    assert len(emulator.files()) == 1


async def test_an_unreachable_server_is_tried_again(client_for):
    """A refused connection has sent nothing: the upload is repeated, and succeeds when the server is there."""
    server = Emulator()
    await server.start()
    await server.stop()
    asked = []

    async def key():
        asked.append(1)
        if len(asked) == 3:
            await server.start()
        return server.api_key

    files = await client_for(server, api_key=key)
    try:
        await files.upload(SMALL, filename="x.txt")
        assert len(server.files()) == len(server.requests) == 1
    finally:
        await server.stop()


async def test_a_server_that_stays_unreachable_is_a_transport_error(client_for, unreachable):
    """When the attempts are used up, the refused connection is raised: nothing was processed."""
    files = await client_for(unreachable, retry=RetryPolicy(attempts=3, first_delay=0.01, ambiguous="raise"))
    with pytest.raises(TransportError, match="cannot connect") as caught:
        await files.upload(SMALL, filename="x.txt")
    error = caught.value
    assert (error.attempts, error.maybe_processed, error.request) == (3, False, ("POST", "/files"))


async def test_a_server_that_stops_reading_is_a_timeout_and_not_ambiguous(client_for):
    """A body that does not get out in time never was complete: TransportTimeoutError, maybe_processed False."""

    async def deaf(connection):
        await connection.head()
        await asyncio.sleep(10)

    async with RawServer(deaf) as server:
        careful = (await client_for(server)).with_options(retry=NO_RETRIES, timeouts=Timeouts(idle=0.15))
        with pytest.raises(TransportTimeoutError) as caught:
            await careful.upload(b"x" * 20 * MIB, filename="x.txt")
    assert not caught.value.maybe_processed


async def test_a_good_status_with_an_unreadable_answer_keeps_the_answer(client_for, eager):
    """The id of a stored file is not lost with a body that cannot be read, and the upload is not repeated."""
    broken = FILE | {"id": "or_file_kept", "size_bytes": "lots"}
    async with RawServer(reply(body=broken)) as server:
        with pytest.raises(FilesError) as caught:
            await (await client_for(server)).upload(SMALL, filename="x.txt")
    unreadable = caught.value if isinstance(caught.value, InvalidResponseError) else caught.value.__cause__
    assert isinstance(unreadable, InvalidResponseError)
    assert b"or_file_kept" in unreadable.body
    assert any("$.size_bytes" in problem for problem in unreadable.problems)
    assert caught.value.maybe_processed
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("data", "name", "error"),
    [
        (b"", "empty.txt", BadRequestError),
        (b"\x7fELF\x00\x00\x01", "program", BadRequestError),
        (SMALL, "what?.txt", BadRequestError),
        (SMALL, "../up.txt", BadRequestError),
        (b"x" * 2000, "big.txt", PayloadTooLargeError),
        (b"x" * 900, "quota.txt", PermissionDeniedError),
    ],
)
async def test_refusals_are_raised_at_once(client_for, data, name, error):
    """What the server refuses is not sent again, and its reason is the message."""
    async with Emulator(max_file_bytes=1000, quota_bytes=500) as emulator:
        with pytest.raises(error) as caught:
            await (await client_for(emulator)).upload(data, filename=name)
        assert len(emulator.requests) == 1
        assert caught.value.attempts == 1
        assert not caught.value.maybe_processed
        assert emulator.files() == ()


@pytest.mark.parametrize(("status", "error"), [(413, PayloadTooLargeError), (403, PermissionDeniedError)])
async def test_a_refusal_in_the_middle_of_a_large_body_reaches_the_caller(client_for, status, error):
    """A server that answers early and closes is heard, although the body could not be written to its end."""

    async def refusing(connection):
        await connection.head()
        await connection.reader.readexactly(50_000)
        await connection.send(reply(status, {"error": {"code": status, "message": "too much"}}))

    async with RawServer(refusing) as server:
        with pytest.raises(error, match="too much"):
            await (await client_for(server)).upload(LARGE * 4, filename="x.txt")
        assert server.connections == 1


@pytest.mark.parametrize(
    ("source", "arguments", "error"),
    [
        (SMALL, {}, ValueError),
        (SMALL, {"filename": ""}, ValueError),
        (SMALL, {"filename": "a\0b"}, ValueError),
        (SMALL, {"filename": "half \ud800"}, ValueError),
        (SMALL, {"filename": "a", "content_type": "text"}, ValueError),
        (SMALL, {"filename": "a", "content_type": "text/plain\r\nX: y"}, ValueError),
        (SMALL, {"filename": "a", "size": 6}, ValueError),
        (io.StringIO("text"), {"filename": "a"}, TypeError),
        (42, {"filename": "a"}, TypeError),
        (None, {"filename": "a"}, TypeError),
        ([b"x"], {"filename": "a"}, TypeError),
        ("no such file", {}, FileNotFoundError),
        ("/dev/null", {}, ValueError),
        (".", {"filename": "a"}, OSError),
    ],
    ids=lambda v: repr(v).partition(" at 0x")[0],
)
async def test_a_callers_mistake_sends_nothing(emulator, files, source, arguments, error):
    """A missing name, a wrong type, a text handle, a missing path: an error before any request."""
    with pytest.raises(error):
        await files.upload(source, **arguments)
    assert emulator.requests == ()


async def test_a_negative_size_sends_nothing(emulator, files):
    """The size of an iterator is zero or more."""
    with pytest.raises(ValueError, match="negative"):
        await files.upload(pieces_of(SMALL), filename="a", size=-1)
    assert emulator.requests == ()


async def test_a_handle_that_reads_text_sends_nothing(emulator, files, large):
    """A text-mode handle is refused with advice, be it sync or of aiofiles."""
    with large.open() as handle, pytest.raises(TypeError, match="binary mode"):
        await files.upload(handle)
    async with aiofiles.open(large) as handle:
        with pytest.raises(TypeError, match="binary mode"):
            await files.upload(handle)
    assert emulator.requests == ()


async def test_many_uploads_run_at_once(emulator, files):
    """One client carries many uploads at the same time, each with its own bytes."""
    bodies = {f"{n}.txt": f"number {n}\n".encode() * n for n in range(1, 31)}
    uploaded = await asyncio.gather(*(files.upload(data, filename=name) for name, data in bodies.items()))
    assert {file.filename: await emulator.content(file.id) for file in uploaded} == bodies
