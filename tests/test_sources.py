"""What is uploaded: every kind of source, whole, again and again, or not at all."""

import array
import asyncio
import gc
import io
import os
import socket
import tempfile
import threading
import warnings
import weakref
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import aiofiles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_files import SourceError
from openrouter_files.local import sources as pieces
from openrouter_files.local.sources import Handle, Measure, read_ahead, relay, share, sharing, source_of, spooled
from openrouter_files.local.threads import errand, hop, settled
from openrouter_files.transport.body import slices

KIB, MIB = 1024, 1024 * 1024
# Around what is read at once, what is read ahead, and what is cut for the network.
BORDERS = [0, 1, 160 * KIB, 160 * KIB + 1, 256 * KIB - 1, 256 * KIB, 256 * KIB + 1, MIB - 1, MIB, MIB + 1, 2 * MIB + 7]


def content(size):
    """Bytes that differ from place to place, so that a piece in the wrong place shows."""
    block = bytes(range(251)) * 1045
    return (block * (size // len(block) + 1))[:size]


DATA = content(300 * KIB)


def open_files(folder):
    """The files of a folder that this process holds open, deleted ones included."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists the others
            found.append(str(descriptor.readlink()))
    return sorted(path for path in found if path.startswith(str(folder)))


@pytest.fixture
def folder(tmp_path):
    """A folder for files and for temporary ones; in the end none of them may be open."""
    before, tempfile.tempdir = tempfile.tempdir, str(tmp_path)
    yield tmp_path
    tempfile.tempdir = before
    assert open_files(tmp_path) == []


@asynccontextmanager
async def opened(source):
    """What the source holds, opened; closed in the end as an upload does."""
    found = await source.open()
    try:
        async with aclosing(found.pieces):
            yield found
    finally:
        await found.close()


@asynccontextmanager
async def closing(source):
    """Let go of what the source made itself."""
    try:
        yield
    finally:
        await source.close()


async def read(source):
    """All bytes of one opening, exactly as many as it promised."""
    async with opened(source) as found:
        data = b"".join([bytes(piece) async for piece in found.pieces])
        assert len(data) == found.size
        return data


async def drained(found):
    """What is yielded before the error, and the error; None if there was none."""
    data = b""
    try:
        async for piece in found:
            data += piece
    except (SourceError, OSError) as error:
        return data, error
    return data, None


class UploadFile:
    """As FastAPI and Starlette have it: a spooled file inside, async methods outside, no ``tell``."""

    def __init__(self, data, filename):
        self.file = tempfile.SpooledTemporaryFile(max_size=KIB)  # noqa: SIM115  # closed with this object
        self.file.write(data)
        self.file.seek(0)
        self.filename = filename

    async def read(self, size=-1):
        return self.file.read(size)

    async def seek(self, offset):
        self.file.seek(offset)

    async def close(self):
        self.file.close()


def path_of(folder, data=DATA):
    path = folder / "data.bin"
    path.write_bytes(data)
    return path


@pytest.fixture(
    params=[
        *("str", "path", "bytes", "bytearray", "memoryview", "BytesIO", "spooled", "rolled over", "open", "unbuffered"),
        *("aiofiles", "UploadFile", "UploadFile rolled over", "iterator"),
    ]
)
async def whole(request, folder):
    """Every kind of source of which nothing was read, with what it is made of."""
    small = request.param in {"spooled", "UploadFile"}
    data = DATA[: KIB // 2] if small else DATA
    path = path_of(folder, data)

    async def chunks():
        for start in range(0, len(data), 100_000):
            yield data[start : start + 100_000]

    def spool():
        file = tempfile.SpooledTemporaryFile(max_size=KIB)  # noqa: SIM115  # closed by the caller
        file.write(data)
        file.seek(0)
        return file

    match request.param:
        case "str":
            yield str(path), data, "data.bin"
        case "path":
            yield path, data, "data.bin"
        case "bytes":
            yield data, data, None
        case "bytearray":
            yield bytearray(data), data, None
        case "memoryview":
            yield memoryview(data), data, None
        case "BytesIO":
            yield io.BytesIO(data), data, None
        case "spooled" | "rolled over":
            with spool() as file:
                yield file, data, None
        case "open":
            with path.open("rb") as file:
                yield file, data, "data.bin"
        case "unbuffered":
            with path.open("rb", buffering=0) as file:
                yield file, data, "data.bin"
        case "aiofiles":
            async with aiofiles.open(path, "rb") as file:
                yield file, data, "data.bin"
        case "iterator":
            yield chunks(), data, None
        case _:
            file = UploadFile(data, "C.csv")
            yield file, data, "C.csv"
            await file.close()


async def test_every_source_is_read_whole_and_again(whole):
    """Opened twice it gives the same bytes, under its name if it has one."""
    given, data, name = whole
    source = source_of(given)
    assert source.filename == name
    assert source.replayable
    assert await read(source) == data
    assert await read(source) == data
    await source.close()


async def test_an_opening_given_up_in_the_middle_leaves_the_next_one_whole(whole):
    """An attempt that broke after its first piece does not shorten the one that follows."""
    given, data, _ = whole
    source = source_of(given)
    async with opened(source) as found:
        assert data.startswith(await anext(found.pieces))
    assert await read(source) == data
    await source.close()


async def test_an_opening_that_is_never_read_is_closed(whole):
    """A body may be thrown away before a byte of it was asked for."""
    source = source_of(whole[0])
    async with opened(source) as found:
        assert found.size == len(whole[1])
    await source.close()


async def test_handles_stay_open(whole):
    """What the caller opened is the caller's: not closed, wherever it stands."""
    given, _data, _ = whole
    source = source_of(given)
    await read(source)
    await source.close()
    inner = getattr(given, "file", given)
    assert not getattr(inner, "closed", False)


@pytest.mark.parametrize("offset", [0, 7, 256 * KIB, len(DATA) - 1, len(DATA), len(DATA) + 5])
@pytest.mark.parametrize("kind", ["open", "BytesIO", "UploadFile"])
async def test_a_handle_is_read_from_where_it_stands(folder, kind, offset):
    """What was read before is not sent, in any of the attempts; beyond the end there is nothing."""
    with io.BytesIO(DATA) if kind == "BytesIO" else path_of(folder).open("rb") as file:
        file.seek(offset)
        source = source_of(SimpleNamespace(file=file, read=file.read, filename="a") if kind == "UploadFile" else file)
        assert [await read(source), await read(source)] == [DATA[offset:]] * 2
        assert not file.closed


async def test_a_handle_of_aiofiles_is_read_from_where_it_stands(folder):
    """Async ones, too."""
    async with aiofiles.open(path_of(folder), "rb") as file:
        await file.seek(7)
        source = source_of(file)
        assert [await read(source), await read(source)] == [DATA[7:]] * 2


@pytest.mark.parametrize("size", BORDERS)
@pytest.mark.parametrize("kind", ["path", "handle", "bytes", "iterator", "sized iterator"])
async def test_sizes_around_the_borders(folder, size, kind):
    """Exactly the bytes, whether they fit into one read, one write, or several."""
    data = content(size)

    async def chunks():
        yield data

    with path_of(folder, data).open("rb") as file:
        given = {"path": folder / "data.bin", "handle": file, "bytes": data}.get(kind) or chunks()
        given = data if kind == "bytes" else given
        source = source_of(given, size=size if kind == "sized iterator" else None)
        assert await read(source) == data
        await source.close()


@pytest.mark.parametrize(
    ("view", "data"),
    [
        (memoryview(b"abc"), b"abc"),
        (memoryview(b""), b""),
        (memoryview(array.array("i", [1, 2])), array.array("i", [1, 2]).tobytes()),
        (memoryview(array.array("d", [0.5] * 40_000)), array.array("d", [0.5] * 40_000).tobytes()),
        (memoryview(array.array("i")), b""),
        (memoryview(b"abcdef").cast("B", (2, 3)), b"abcdef"),
        (memoryview(b"abcdef")[2:4], b"cd"),
        (memoryview(bytearray(b"abc")), b"abc"),
    ],
    ids=lambda v: v.format if isinstance(v, memoryview) else repr(v)[:20],
)
async def test_memory_of_any_format(view, data):
    """What counts are the bytes, not the items."""
    assert await read(source_of(view)) == data


def test_memory_with_gaps_is_refused():
    """A view that skips bytes cannot be sent as it is."""
    with pytest.raises(TypeError):
        source_of(memoryview(b"abcdef")[::2])


@pytest.mark.parametrize(
    "given",
    [None, 5, 1.5, True, object(), ["a"], ("a",), {"a": 1}, iter([b"a"]), (b for b in [b"a"]), range(3), Path, print,
     io.StringIO("text")],
    ids=lambda given: type(given).__name__,
)  # fmt: skip
def test_what_cannot_be_uploaded(given):
    """It is the caller's mistake, seen before anything is sent."""
    with pytest.raises(TypeError, match=r"cannot upload a|text mode"):
        source_of(given)


def test_text_handles_are_refused(folder):
    """Text has no bytes until somebody encodes it."""
    with path_of(folder).open(encoding="latin-1") as file, pytest.raises(TypeError, match="text mode"):
        source_of(file)


async def test_text_handles_of_aiofiles_are_refused(folder):
    """Async ones, too."""
    async with aiofiles.open(path_of(folder), encoding="latin-1") as file:
        with pytest.raises(TypeError, match="text mode"):
            source_of(file)


class Reads:
    """A handle without a mode, that reads what it was told to."""

    def __init__(self, *answers):
        self._answers = list(answers)

    def read(self, _size):
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize("answer", ["text", None, 5, bytearray(b"a")])
async def test_handles_that_read_no_bytes(folder, answer):
    """One that does not say that it is in text mode is found out by what it reads."""
    with pytest.raises(TypeError, match="not bytes: open it in binary mode"):
        await source_of(Reads(answer)).open()


async def test_iterators_of_no_bytes(folder):
    """A chunk of text is the caller's mistake, whether or not the size is known."""

    async def chunks():
        yield "text"

    with pytest.raises(TypeError):
        await read(source_of(chunks()))
    with pytest.raises(TypeError):
        await read(source_of(chunks(), size=4))


@pytest.mark.parametrize("given", [b"a", "path", io.BytesIO(b"a")])
def test_a_size_is_for_iterators(given):
    """All others know their own."""
    with pytest.raises(ValueError, match="size= is for async iterators"):
        source_of(given, size=1)


@pytest.mark.parametrize("size", [-1, -100])
def test_a_size_is_not_negative(size):
    """Before anything is sent."""
    with pytest.raises(ValueError, match="size must not be negative"):
        source_of(aiter_of(b"a"), size=size)


async def aiter_of(*chunks):
    for chunk in chunks:
        yield chunk


async def test_a_sized_iterator_is_read_once():
    """It is sent as it comes, so a second opening is refused instead of being empty."""
    source = source_of(aiter_of(b"ab", b"", b"c"), size=3)
    assert not source.replayable
    assert await read(source) == b"abc"
    with pytest.raises(SourceError, match="only once"):
        await source.open()


@pytest.mark.parametrize(
    ("chunks", "size", "message"),
    [
        ([b"abc"], 4, "ended at 3 of 4 bytes"),
        ([], 1, "ended at 0 of 1 bytes"),
        ([b"ab", b"cd"], 3, "grew while it was sent"),
        ([b"abc", b"d"], 3, "grew while it was sent"),
        ([b"a"], 0, "grew while it was sent"),
        ([bytes(600 * KIB)], 600 * KIB + 1, "ended at 614400 of 614401 bytes"),
    ],
)
async def test_an_iterator_that_breaks_its_word(chunks, size, message):
    """Too few or too many bytes are an error, and the last promised byte is never handed out."""
    async with opened(source_of(aiter_of(*chunks), size=size)) as found:
        assert found.size == size
        data, error = await drained(found.pieces)
    assert isinstance(error, SourceError)
    assert message in str(error)
    assert len(data) < max(1, size)


async def test_an_empty_chunk_is_not_the_end():
    """The last promised byte waits for the end of the iterator, not for its next chunk."""
    data, error = await drained(relay(aiter_of(b"abc", b"", b"d"), Measure("x", 3)))
    assert isinstance(error, SourceError)
    assert len(data) < 3


async def test_an_iterator_that_fails():
    """Its own error comes through."""

    async def chunks():
        yield b"abc"
        raise OSError(5, "broken")

    with pytest.raises(OSError, match="broken"):
        await read(source_of(chunks(), size=3))
    source = source_of(chunks())
    with pytest.raises(OSError, match="broken"):
        await source.open()
    await source.close()


async def test_an_iterator_that_failed_is_not_empty_the_next_time(folder):
    """What could be read only once and broke is broken for good: a second attempt must not send the rest."""

    async def chunks():
        yield b"abc"
        raise SourceError("broken")

    source = source_of(chunks())
    async with closing(source):
        for _ in range(2):
            with pytest.raises(SourceError):
                await source.open()


async def test_a_pipe_is_spooled(folder):
    """What cannot seek is kept in a temporary file, which is gone in the end."""
    reading, writing = os.pipe()

    def write():
        with os.fdopen(writing, "wb") as file:
            file.write(DATA)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb") as pipe:
        source = source_of(pipe)
        assert source.filename is None
        assert [await read(source), await read(source)] == [DATA, DATA]
        assert len(open_files(folder)) == 1
        await source.close()
        assert open_files(folder) == []
        assert not pipe.closed
    writer.join()


async def test_a_stream_of_asyncio_is_spooled(folder):
    """An async reader that is an iterator, too, is read as a handle."""
    stream = asyncio.StreamReader()
    stream.feed_data(DATA)
    stream.feed_eof()
    source = source_of(stream)
    assert [await read(source), await read(source)] == [DATA, DATA]
    await source.close()


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda folder: folder, IsADirectoryError),
        (lambda folder: folder / "missing", FileNotFoundError),
        (lambda folder: folder / "data.bin" / "x", NotADirectoryError),
        (lambda folder: folder / ("x" * 300), OSError),
    ],
    ids=["directory", "missing", "below a file", "too long"],
)
async def test_paths_that_cannot_be_opened(folder, make, error):
    """The disk's own error, unchanged."""
    path_of(folder)
    with pytest.raises(error) as caught:
        await source_of(make(folder)).open()
    assert caught.value.filename == str(make(folder))


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero", "/dev/full"])
async def test_devices_are_refused(path):
    """What is no regular file has no size to promise; a handle of it can be passed."""
    with pytest.raises(ValueError, match="is not a regular file: open it and pass the handle"):
        await source_of(path).open()


async def test_a_link_is_followed(folder):
    """A link to a file is the file, under the name of the link."""
    (folder / "link").symlink_to(path_of(folder))
    source = source_of(folder / "link")
    assert source.filename == "link"
    assert await read(source) == DATA


async def test_a_named_pipe_is_refused(folder):
    """A FIFO is no regular file, and that is said at once, not when somebody writes to it."""
    path = folder / "fifo"
    os.mkfifo(path)
    opening = asyncio.create_task(source_of(path).open())
    done, _ = await asyncio.wait([opening], timeout=0.5)
    if not done:  # let the thread go that waits in open()
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    with pytest.raises(ValueError, match="is not a regular file"):
        await opening
    assert done


def grow(path):
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path):
    os.truncate(path, path.stat().st_size - 1)


def empty(path):
    os.truncate(path, 0)


@pytest.mark.parametrize("size", [256 * KIB + 1, MIB, MIB + 1, 3 * MIB])
@pytest.mark.parametrize("change", [grow, shrink, empty])
@pytest.mark.parametrize("kind", ["path", "handle"])
async def test_files_that_change_before_they_are_read(folder, kind, change, size):
    """More or less than promised is a SourceError, and the last promised byte is never handed out."""
    path = path_of(folder, content(size))
    async with given_as(kind, path) as given, opened(source_of(given)) as found:
        change(path)
        data, error = await drained(found.pieces)
    assert isinstance(error, SourceError)
    assert len(data) < size


@pytest.mark.parametrize("size", [1, 100, 256 * KIB])
@pytest.mark.parametrize("change", [grow, shrink, empty])
async def test_small_files_that_change_before_they_are_read(folder, change, size):
    """Of a path they were read whole when they were opened; of a handle it is noticed as of a large one."""
    path = path_of(folder, content(size))
    async with opened(source_of(path)) as found:
        change(path)
        assert await drained(found.pieces) == (content(size), None)
    path = path_of(folder, content(size))
    async with given_as("handle", path) as given, opened(source_of(given)) as found:
        change(path)
        data, error = await drained(found.pieces)
    assert isinstance(error, SourceError)
    assert len(data) < size


@pytest.mark.parametrize("change", [grow, shrink, empty])
async def test_files_that_change_while_they_are_read(folder, change):
    """Also after the first piece went out."""
    path = path_of(folder, content(5 * MIB))
    async with opened(source_of(path)) as found:
        first = bytes(await anext(found.pieces))
        change(path)
        rest, error = await drained(found.pieces)
    assert isinstance(error, SourceError)
    assert ("grew" if change is grow else "ended at") in str(error)
    assert path.name in str(error)
    assert len(first) + len(rest) < 5 * MIB


async def test_a_file_that_does_not_know_its_size():
    """What the system makes up while it is read says that it is empty; it is not sent as an empty file."""
    with pytest.raises(SourceError, match="grew while it was sent"):
        await source_of("/proc/self/status").open()


async def test_a_changed_file_is_measured_anew(folder):
    """The next attempt sends what the file is then."""
    path = path_of(folder, content(MIB))
    source = source_of(path)
    assert await read(source) == content(MIB)
    path.write_bytes(b"new")
    assert await read(source) == b"new"


def in_a_thread(read):
    """Begins reads as a handle of the caller's does."""
    return lambda size: asyncio.ensure_future(hop(read, size))


async def test_a_handle_that_fails_in_the_middle():
    """The error of the disk comes through as it is."""
    handle = Reads(b"a" * 10, OSError(5, "disk on fire"))

    found = read_ahead(in_a_thread(handle.read), Measure("x", 20))
    with pytest.raises(OSError, match="disk on fire"):
        b"".join([bytes(piece) async for piece in found])


def test_what_grew_or_shrank_is_named():
    """The message says which file and how much."""
    measure = Measure("report.pdf", 3)
    measure.take(2)
    with pytest.raises(SourceError, match=r"report\.pdf ended at 2 of 3 bytes while it was sent"):
        measure.end()
    with pytest.raises(SourceError, match=r"report\.pdf grew while it was sent \(it had 3 bytes\)"):
        measure.take(2)


CHUNKS = st.lists(st.binary(min_size=1, max_size=5) | st.integers(1, 300 * KIB).map(content), max_size=5)


@settings(max_examples=25, deadline=None)
@given(chunks=CHUNKS)
async def test_any_chunking_gives_the_same_bytes(chunks):
    """Spooled or sent as it comes: how an iterator cuts its bytes does not matter."""
    data = b"".join(chunks)
    for size in (None, len(data)):
        source = source_of(aiter_of(*chunks), size=size)
        assert await read(source) == data
        await source.close()


@settings(max_examples=40, deadline=None)
@given(chunks=CHUNKS, error=st.integers(-3, 3).filter(bool))
async def test_any_chunking_that_breaks_its_word_is_noticed(chunks, error):
    """However it is cut, a wrong size never lets the last byte out."""
    size = sum(map(len, chunks)) + error
    if size < 0:
        return
    data, broken = await drained(relay(aiter_of(*chunks), Measure("x", size)))
    assert isinstance(broken, SourceError)
    assert len(data) < max(1, size)


@settings(max_examples=30, deadline=None)
@given(reads=st.lists(st.integers(1, 70_000), max_size=6), error=st.integers(-2, 2))
async def test_any_reads_of_a_handle(reads, error):
    """Short reads are no end; only an empty one is, and then the size must be right."""
    data = content(sum(reads))
    size = max(0, len(data) + error)
    stream, lengths = io.BytesIO(data), list(reads)

    async def read_some(most):
        await asyncio.sleep(0)
        return stream.read(min(most, lengths.pop(0) if lengths else most))

    sent, wrong = await drained(read_ahead(lambda most: asyncio.ensure_future(read_some(most)), Measure("x", size)))
    assert isinstance(wrong, SourceError) == (size != len(data))
    assert len(sent) < max(1, size) if wrong else sent == data


def test_slices():
    """At most 160 KiB each, nothing lost, nothing copied."""
    for size in BORDERS:
        data = content(size)
        cut = list(slices(data))
        assert b"".join(cut) == data
        assert all(0 < len(piece) <= 160 * KIB for piece in cut)
        assert all(piece.obj is data for piece in cut)


def test_transfers_share_what_is_held():
    """One reads in pieces of a MiB; many share eight, down to a quarter each; all of it comes back."""
    assert share() == MIB
    with sharing():
        assert share() == MIB
        transfers = [sharing() for _ in range(15)]
        for transfer in transfers:
            transfer.__enter__()
        assert share() == 512 * KIB
        more = [sharing() for _ in range(100)]
        for transfer in more:
            transfer.__enter__()
        assert share() == 256 * KIB
        for transfer in transfers + more:
            transfer.__exit__(None, None, None)
    assert pieces._running == 0


async def test_cancelled_before_the_first_read(folder):
    """A read that was planned and never begun leaves no coroutine behind that was never awaited."""
    with warnings.catch_warnings(record=True) as met:
        warnings.simplefilter("always")
        async with opened(source_of(path_of(folder, content(MIB)))) as found:
            reading = asyncio.create_task(anext(found.pieces))
            await asyncio.sleep(0)
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading
        del found, reading
        gc.collect()
    assert [str(warning.message) for warning in met] == []


async def three_chunks():
    for _ in range(3):
        await asyncio.sleep(0)
        yield content(MIB)


@asynccontextmanager
async def given_as(kind, path):
    """The file as one of the kinds of source; whoever opens it closes it, cancelled or not."""
    match kind:
        case "path" | "small path":
            yield path
        case "handle" | "pipe":
            with path.open("rb") as file:
                yield file if kind == "handle" else Unseekable(file)
        case "aiofiles":
            async with aiofiles.open(path, "rb") as file:
                yield file
        case "iterator":
            async with aclosing(three_chunks()) as chunks:
                yield chunks


async def transfer(given):
    source = source_of(given)
    try:
        return await read(source)
    finally:
        await source.close()


async def cancelled_after(steps, work):
    """Start something, cancel it after some rounds of the loop, and wait for its end."""
    task = asyncio.create_task(work)
    for _ in range(steps):
        await asyncio.sleep(0 if steps < 20 else 0.0005)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")  # the test before tells about it
@pytest.mark.parametrize("kind", ["path", "small path", "handle", "aiofiles", "iterator", "pipe"])
async def test_cancelled_anywhere(folder, kind):
    """Whatever step of opening and reading is cancelled: it ends, no file stays open, nothing goes on running."""
    path = path_of(folder, content(100 if kind == "small path" else 3 * MIB))
    for steps in range(0, 40, 2):
        async with given_as(kind, path) as given:
            before = open_files(folder)
            await cancelled_after(steps, transfer(given))
            assert open_files(folder) == before, steps
    assert pieces._running == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


class Unseekable(io.RawIOBase):
    """A file that can be read only once, as a pipe."""

    def __init__(self, file):
        self._file = file

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._file.readinto(buffer)


async def test_a_thread_never_reads_a_closed_file(folder):
    """A cancelled reader ends only when its thread has, so that the file can be closed."""
    entered, leave = threading.Event(), threading.Event()

    def slow():
        entered.set()
        leave.wait(5)
        return "read"

    task = asyncio.create_task(hop(slow))
    await asyncio.to_thread(entered.wait, 5)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done()
    leave.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_reader_that_is_given_up_waits_for_its_thread():
    """The piece that is read ahead is waited for, so that the file may be closed afterwards."""
    leave, sizes = threading.Event(), []

    def read_slowly(size):
        sizes.append(size)
        if len(sizes) > 1:
            leave.wait(5)
        return bytes(size)

    found = read_ahead(in_a_thread(read_slowly), Measure("x", 9 * MIB))
    assert await anext(found)
    closing_it = asyncio.create_task(found.aclose())
    await asyncio.sleep(0.02)
    assert not closing_it.done()
    leave.set()
    await closing_it


async def test_what_was_needed_for_a_call_is_let_go_of():
    """A piece that is on the disk is not held until the next one is."""
    piece = Reads(b"")
    held = weakref.ref(piece)
    done = errand(id, piece)
    del piece
    await done
    assert held() is None


async def test_what_a_cancelled_caller_does_not_see_is_dropped():
    """A file that was opened for nobody is closed."""
    dropped, leave = [], threading.Event()

    def opens():
        leave.wait(5)
        return "file"

    task = asyncio.create_task(hop(opens, dropped=dropped.append))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.sleep(0)
    leave.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert dropped == ["file"]


async def test_the_error_of_a_cancelled_caller_is_not_lost_on_the_way():
    """What fails for nobody is silent: the caller is cancelled, and no warning says otherwise."""
    leave = threading.Event()

    def fails():
        leave.wait(5)
        raise OSError(5, "broken")

    task = asyncio.create_task(hop(fails, dropped=pytest.fail))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.sleep(0)
    leave.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    gc.collect()


async def test_what_is_awaited_to_its_end_gives_its_result():
    """Nobody cancelled: the result, or the error, as it is."""

    async def gives(value):
        await asyncio.sleep(0)
        return value

    async def fails():
        raise KeyError("x")

    assert await settled(gives(5)) == 5
    with pytest.raises(KeyError):
        await settled(fails())


async def test_threads_do_not_take_the_loops_own():
    """Blocking calls run in a few threads of ours, named so that one can tell."""
    names = await asyncio.gather(*(hop(lambda: threading.current_thread().name) for _ in range(50)))
    assert all(name.startswith("openrouter_files") for name in names)
    assert len(set(names)) <= 4


def test_a_second_loop_finds_the_threads_in_order(folder):
    """The threads outlive the loop that started them."""
    source = source_of(path_of(folder))
    assert [asyncio.run(read(source)) for _ in range(2)] == [DATA, DATA]


async def test_a_spool_that_fails_leaves_nothing(folder):
    """An iterator that breaks takes its temporary file with it."""

    async def chunks():
        yield b"abc"
        raise KeyError("x")

    with pytest.raises(KeyError):
        await spooled(chunks())
    assert open_files(folder) == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.txt", "a.txt"),
        ("/tmp/x/a.txt", "a.txt"),
        (b"/tmp/x/a.txt", "a.txt"),
        ("", None),
        (3, None),
        (None, None),
        ("<stdin>", "<stdin>"),
    ],
)
def test_the_name_of_a_handle(name, found):
    """The last component, if it is text at all: an opened descriptor is called by its number."""
    handle = io.BytesIO(b"")
    handle.name = name
    assert Handle(handle).filename == found


def test_the_name_of_an_upload(folder):
    """FastAPI's filename counts before anything else."""
    upload = UploadFile(b"", "r.csv")
    upload.name = "other.csv"
    assert Handle(upload).filename == "r.csv"
    upload.file.close()


async def test_a_bytearray_is_let_go(folder):
    """When the source is closed, the caller may go on filling it."""
    data = bytearray(b"abc")
    source = source_of(data)
    await read(source)
    await source.close()
    data.extend(b"d")


async def test_idle_pipes_and_sockets_hold_up_nobody():
    """More of them than there are threads: other reads go on, theirs can be cancelled, and what comes later is kept."""
    reading, writing = zip(*(os.pipe() for _ in range(6)), strict=True)
    here, there = socket.socketpair()
    with here, there, here.makefile("rb") as answers:
        pipes = [os.fdopen(each, "rb") for each in reading]
        opening = [asyncio.create_task(source_of(each).open()) for each in (*pipes, answers)]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(10):
            assert await read(source_of(__file__)) == Path(__file__).read_bytes()
            for task in opening:
                task.cancel()
            await asyncio.wait(opening)
        assert all(task.cancelled() for task in opening)
        os.write(writing[0], b"later")
        for each in writing:
            os.close(each)
        source = source_of(pipes[0])
        assert await read(source) == b"later"
        await source.close()
        there.close()  # the thread at the socket ends
        for each in pipes:
            each.close()
        await asyncio.sleep(0.3)
