"""Opened files of ``openrouter://``: how they are read with ranges and without, and when they are written."""

# ruff: noqa: PT012 - what a with block raises is raised in a with block

import asyncio
import gc
import gzip
import io
import pickle
import random
import threading
import zipfile

import pytest
from fsspec_room import Room
from raw_server import FILE, RawServer, reply

from openrouter_files import TransportError
from openrouter_files.emulator import Emulator, Truncate
from openrouter_files.fsspec import OpenRouterFileSystem
from openrouter_files.fsspec.content import Content

BLOCK = 10_000
DATA = random.Random(7).randbytes(300_000)
TEXT = b"".join(b"%d\n" % number for number in range(50_000))
# Not "mmap": fsspec leaves that cache's file for the collector to close, which is a ResourceWarning.
CACHES = ["readahead", "none", "bytes", "blockcache", "background", "all", "first"]


@pytest.fixture(params=[True, False], ids=["ranges", "no ranges"])
def room(request):
    """A workspace on a server with ranges, and on one without."""
    with Emulator(ranges=request.param) as emulator:
        yield Room(emulator)
        OpenRouterFileSystem.clear_instance_cache()


@pytest.fixture
def fs(room):
    """A file system for it, with a large file."""
    room.put("x.bin", DATA)
    fs = room.fs()
    fs.ls("")
    room.seen()
    return fs


def ranges(room):
    """The Range headers of the downloads since the last look, None for a whole file."""
    found = [r.headers.get("range") for r in room.emulator.requests if r.path.endswith("/content")]
    room.emulator.clear()
    return found


def test_reading_on_asks_for_blocks(room, fs):
    """A file that is read from its start to its end comes block by block, or once if the server has no ranges."""
    with fs.open("x.bin", block_size=BLOCK) as file:
        assert file.size == len(DATA)
        assert b"".join(iter(lambda: file.read(7_000), b"")) == DATA
    asked = ranges(room)
    assert None not in asked if room.emulator.ranges else asked[1:] == [None]


def test_a_file_in_one_block_is_one_request(room, fs):
    """What fits into a block is asked for as a whole."""
    with fs.open("x.bin", block_size=len(DATA)) as file:
        assert file.read() == DATA
    assert ranges(room) == [None]


def test_open_files_hold_no_connection(room):
    """A thousand files may be open at once, read to their ends or not, with two connections in all."""
    for number in range(20):
        room.put(f"parts/{number}.bin", DATA[: 20_000 + number])
    fs = room.fs(max_connections=2)
    opened = [fs.open(f"parts/{number % 20}.bin", block_size=BLOCK) for number in range(200)]
    try:
        for number, file in enumerate(opened):
            file.read(3) if number % 2 else file.read()
        assert [file.seek(5) and file.read(3) for file in opened] == [DATA[5:8]] * len(opened)
    finally:
        for file in opened:
            file.close()


def test_nothing_is_asked_for_what_is_not_read(room, fs):
    """Opening costs no download."""
    with fs.open("x.bin") as file:
        assert file.info()["size"] == len(DATA)
    assert ranges(room) == []


def test_seeking_asks_for_blocks_or_reads_the_copy(room, fs):
    """With ranges, a jump costs one block. Without, the file comes once, and what came stays at hand."""
    with fs.open("x.bin", block_size=BLOCK) as file:
        assert file.read(10) == DATA[:10]
        file.seek(200_000)
        assert file.read(10) == DATA[200_000:200_010]
        file.seek(100_000)
        assert file.read(10) == DATA[100_000:100_010]
        file.seek(5)
        assert file.read(10) == DATA[5:15]
    asked = ranges(room)
    if room.emulator.ranges:
        assert asked == ["bytes=0-10009", "bytes=200000-210009", "bytes=100000-110009", "bytes=5-10014"]
    else:
        assert asked == ["bytes=0-10009", None]


def test_the_end_first(room, fs):
    """Formats with an index at their end cost one block of it; without ranges, one request in vain."""
    with fs.open("x.bin", block_size=BLOCK) as file:
        file.seek(-10, 2)
        assert file.read() == DATA[-10:]
        file.seek(150_000)
        assert file.read(10) == DATA[150_000:150_010]
    last = f"bytes={len(DATA) - 10}-{len(DATA) - 1}"
    assert ranges(room) == ([last, "bytes=150000-160009"] if room.emulator.ranges else [last, None])


@pytest.mark.parametrize("cache", CACHES)
def test_any_order_gives_the_right_bytes(fs, cache):
    """Wherever a file is read, in whatever order and through whichever of fsspec's caches: it is the same file."""
    chance = random.Random(cache)
    with fs.open("x.bin", block_size=BLOCK, cache_type=cache) as file:
        for start, stop in [(0, 9), *(sorted(chance.sample(range(300_000), 2)) for _ in range(30))]:
            file.seek(start)
            assert file.read(stop - start) == DATA[start:stop]
        assert file.seek(0, 2) == 300_000
        assert file.read() == file.read(5) == b""


async def test_a_server_that_breaks_its_promise_of_ranges(client_for):
    """Ranges that are promised (here by an ETag) and not kept: the file is copied, and is right."""
    whole = reply(body=b"hello world", etag='"a"', content_type="application/octet-stream")
    async with RawServer(reply(body=FILE | {"size_bytes": 11}), whole) as server:
        files = await client_for(server)
        content = Content(files, await files.retrieve("or_file_raw"))
        try:
            assert await content.between(0, 5) == b"hello"
            assert await content.between(6, 11) == b"world"
            assert await content.between(2, 8) == b"llo wo"
        finally:
            await content.close()
        asked = [request["headers"].get("range") for request in server.requests[1:]]
        assert asked == ["bytes=0-4", None]


def test_formats_that_seek(room):
    """Zip archives, compression and text go through the file as through any other."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", "a" * 1000)
        archive.writestr("b.bin", DATA)
    room.put("both.zip", buffer.getvalue())
    room.put("t.csv.gz", gzip.compress(b"x,y\n1,2\n"))
    room.put("t.txt", "één\ntwee\n".encode())
    fs = room.fs()
    with fs.open("both.zip", block_size=BLOCK) as file, zipfile.ZipFile(file) as archive:
        assert archive.read("a.txt") == b"a" * 1000
        assert archive.read("b.bin") == DATA
    with fs.open("t.csv.gz", compression="infer") as file:
        assert file.read() == b"x,y\n1,2\n"
    with fs.open("t.txt", "r", encoding="utf-8") as file:
        assert list(file) == ["één\n", "twee\n"]


def test_a_file_is_the_one_that_was_opened(room, fs):
    """What is stored under the name meanwhile does not change what is read, in a pickle neither."""
    with fs.open("x.bin", block_size=BLOCK) as file:
        assert file.read(5) == DATA[:5]
        room.put("x.bin", b"newer")
        fs.invalidate_cache()
        assert file.read(20_000) == DATA[5:20_005]
        with pickle.loads(pickle.dumps(file)) as again:
            assert again.tell() == 20_005
            assert again.read(10) == DATA[20_005:20_015]
    assert fs.cat("x.bin") == b"newer"


def test_a_break_does_not_end_the_file(room, fs):
    """A read that fails can be repeated: the file is asked for again from there."""
    room.emulator.queue("download", *[Truncate(150_000)] * (1 if room.emulator.ranges else 2))
    with fs.open("x.bin", block_size=BLOCK) as file:
        with pytest.raises(OSError, match=r"x\.bin") as caught:
            file.read(200_000)
        assert isinstance(caught.value.__cause__, TransportError)
        assert file.read(200_000) == DATA[:200_000]


def test_closing_lets_go(room, fs):
    """A closed file holds no connection, and reads nothing more."""
    file = fs.open("x.bin")
    file.read(10)
    file.close()
    file.close()
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        file.read(1)


def test_a_forgotten_file_lets_go(room, fs):
    """A file that nobody closed is closed when nobody has it any more, on the loop's own thread as on any other."""
    fs.open("x.bin", block_size=BLOCK).read(10)
    gc.collect()
    held = [fs.open("x.bin", block_size=BLOCK)]
    held[0].read(10)
    done = threading.Event()
    fs.loop.call_soon_threadsafe(lambda: (held.clear(), done.set()))
    assert done.wait(10)
    assert fs.cat_file("x.bin", 0, 5) == DATA[:5]


def test_reading_by_coroutines(room):
    """open_async reads on the caller's loop: on, and from elsewhere."""
    room.put("x.bin", DATA)
    fs = room.fs(asynchronous=True)

    async def main():
        file = await fs.open_async("x.bin")
        assert await file.read(10) == DATA[:10]
        assert await file.read(100_000) == DATA[10:100_010]
        file.seek(200_000)
        assert await file.read() == DATA[200_000:]
        file.seek(5)
        assert await file.read(5) == DATA[5:10]
        await file.close()
        async with await fs.open_async("x.bin") as file:
            assert await file.read() == DATA
        with pytest.raises(NotImplementedError, match="_pipe_file"):
            await fs.open_async("x.bin", "wb")

    asyncio.run(main())


# --- writing


@pytest.fixture
def plain():
    """A workspace on a server without ranges."""
    with Emulator() as emulator:
        yield Room(emulator)
        OpenRouterFileSystem.clear_instance_cache()


def test_a_file_is_uploaded_when_it_is_closed(plain):
    """What is written is kept on disk, and uploaded once, whole, at the end."""
    fs = plain.fs()
    with fs.open("a/x.txt", "wb", block_size=BLOCK) as file:
        for start in range(0, len(TEXT), 7_000):
            file.write(TEXT[start : start + 7_000])
        assert file.tell() == len(TEXT)
        assert plain.seen() == []
    assert plain.seen() == [("POST", "/files")]
    assert plain.content("a/x.txt") == TEXT
    assert fs.size("a/x.txt") == len(TEXT)


def test_text_and_compression_are_written(plain):
    """Text modes work on top; compression, too, only that the service takes no such files."""
    with plain.open("t.txt", "wt", encoding="utf-8", newline="") as file:
        file.write("één\n")
    assert plain.content("t.txt") == "één\n".encode()
    with (
        pytest.raises(OSError, match="400 File type is not allowed"),
        plain.open("t.gz", "wb", compression="gzip") as file,
    ):
        file.write(b"hello\n" * 100)


WAYS = {
    "binary": lambda fs: fs.open("x.bin", "wb"),
    "text": lambda fs: fs.open("x.bin", "wt"),
    "gzip": lambda fs: fs.open("x.bin", "wb", compression="gzip"),
    "text in gzip": lambda fs: fs.open("x.bin", "wt", compression="gzip"),
    "text in gzip, wrapped by the caller": lambda fs: io.TextIOWrapper(fs.open("x.bin", "wb", compression="gzip")),
    "wrapped by the caller": lambda fs: io.TextIOWrapper(fs.open("x.bin", "wb")),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("handled", [False, True], ids=["", "while another error is handled"])
def test_a_failing_block_stores_nothing(plain, way, handled):
    """Whatever wraps the file: if its with block fails, half a file is not uploaded; if it ends well, the file is."""
    fs = plain.fs()

    def write(failure):
        with WAYS[way](fs) as file:
            file.write("half\n" if isinstance(file, io.TextIOBase) else b"half\n")
            if failure is not None:
                raise failure

    def attempts():
        with pytest.raises(LookupError, match="enough"):
            write(LookupError("enough"))
        assert plain.names() == []
        if "gzip" in way:
            with pytest.raises(OSError, match="type is not allowed"):  # so it was sent
                write(None)
        else:
            write(None)
            assert plain.names() == ["x.bin"]

    if not handled:
        attempts()
        return
    try:
        raise KeyError("before")
    except KeyError:
        attempts()


def test_a_failing_data_frame_stores_nothing(plain):
    """Pandas closes what it opened itself, whatever happened."""
    pandas = pytest.importorskip("pandas")

    class Unprintable:
        def __str__(self):
            raise LookupError("enough")

    frame = pandas.DataFrame({"a": [1, 2, Unprintable()]})
    with pytest.raises(LookupError, match="enough"):
        frame.to_csv("openrouter://x.csv", storage_options=plain.options)
    assert plain.names() == []


@pytest.mark.parametrize("way", list(WAYS)[:4])
def test_a_forgotten_writer_stores_nothing(plain, way):
    """Nobody said that the file was complete."""
    file = WAYS[way](plain.fs())
    file.write("half\n" * 10_000 if isinstance(file, io.TextIOBase) else b"half\n" * 10_000)
    del file
    gc.collect()
    assert plain.names() == []


def test_a_failing_writer_stores_nothing(plain):
    """If the with block fails, half a file is not uploaded."""
    with pytest.raises(KeyError), plain.fs().open("x.bin", "wb") as file:
        file.write(b"half")
        raise KeyError
    assert file.closed
    assert plain.seen() == []


@pytest.mark.parametrize("way", ["binary", "text"])
def test_a_file_opened_while_an_error_is_handled_is_stored_later(plain, way):
    """That the error is over when the file is closed is no failure of the file."""
    fs = plain.fs()
    try:
        raise KeyError("not cached yet")
    except KeyError:
        file = WAYS[way](fs)
    file.write("all\n" if way == "text" else b"all\n")
    file.close()
    assert plain.content("x.bin") == b"all\n"


def test_a_file_that_is_not_stored_is_logged(plain, caplog):
    """Who closes a file while an error is handled is told that it was not stored."""
    file = plain.fs().open("x.bin", "wb")
    file.write(b"some\n")
    try:
        raise KeyError("enough")
    except KeyError:
        file.close()
    assert plain.names() == []
    assert caplog.messages == ["x.bin is not stored: it was closed on account of KeyError"]


def test_a_failing_upload_is_told_by_close(plain):
    """What the server refuses is an error of close, and the file is closed."""
    file = plain.fs().open("a?.bin", "wb")
    file.write(b"x\n")
    with pytest.raises(OSError, match="400 Filename"):
        file.close()
    assert file.closed


def test_transactions(plain):
    """Inside a transaction, files are uploaded together at its end, or not at all."""
    fs = plain.fs()
    with fs.transaction:
        for name in ("a.txt", "b.txt"):
            with fs.open(name, "wb") as file:
                file.write(b"x\n")
        assert plain.seen() == []
    assert plain.names() == ["a.txt", "b.txt"]
    assert fs.exists("b.txt")
    with pytest.raises(KeyError), fs.transaction:
        with fs.open("c.txt", "wb") as file:
            file.write(b"x\n")
        raise KeyError
    assert plain.names() == ["a.txt", "b.txt"]


def test_a_file_being_written_is_not_pickled(plain):
    """Only files that are read can go to another process."""
    with plain.fs().open("x", "wb") as file:
        file.write(b"x\n")
        with pytest.raises(RuntimeError, match=r"[Pp]ickl"):
            pickle.dumps(file)
