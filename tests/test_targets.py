"""Where a download goes: whole, under its name, or not at all."""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openrouter_files.local import sources as pieces
from openrouter_files.local.targets import PartFile, exists, folder_is, inside, write_all
from openrouter_files.options import OVERWRITE

KIB, MIB = 1024, 1024 * 1024


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def open_files(folder):
    """The files of a folder that this process holds open, deleted ones included."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists the others
            found.append(str(descriptor.readlink()))
    return [path for path in found if path.startswith(str(folder))]


@pytest.fixture
def folder(tmp_path):
    """A folder in which no file may be open in the end."""
    yield tmp_path
    assert open_files(tmp_path) == []


@asynccontextmanager
async def begun(target, *chunks):
    """A part file with some chunks in it; discarded in the end, as a download does when something failed."""
    part = await PartFile.beside(target)
    try:
        await part.write(chunks)
        yield part
    finally:
        await part.discard()


async def saved(target, *chunks, overwrite="replace", fsync=False):
    async with begun(target, *chunks) as part:
        return await part.appear(target, overwrite=overwrite, fsync=fsync)


@pytest.mark.parametrize("fsync", [False, True])
@pytest.mark.parametrize("overwrite", OVERWRITE)
async def test_a_file_appears_whole(folder, overwrite, fsync):
    """Until then only a part file stands beside its place, and afterwards nothing else."""
    target = folder / "report.pdf"
    async with begun(target, b"ab", b"", b"c") as part:
        (name,) = names(folder)
        assert name.startswith("report.pdf.part-")
        assert len(name) == len("report.pdf.part-12345678")
        assert (folder / name).read_bytes() == b"abc"
        assert await part.appear(target, overwrite=overwrite, fsync=fsync) == target
    assert names(folder) == ["report.pdf"]
    assert target.read_bytes() == b"abc"


async def test_an_empty_file_is_one(folder):
    """Nothing written is a file of no bytes."""
    await saved(folder / "x")
    assert (folder / "x").read_bytes() == b""


async def test_what_is_discarded_leaves_nothing(folder):
    """And what stood there before stays; a second time does no harm."""
    target = folder / "x"
    target.write_bytes(b"old")
    async with begun(target, b"new") as part:
        await part.discard()
        await part.discard()
    assert names(folder) == ["x"]
    assert target.read_bytes() == b"old"


async def test_discarding_what_somebody_else_removed(folder):
    """A part file that is gone already is as good as discarded."""
    async with begun(folder / "x", b"new"):
        (folder / names(folder)[0]).unlink()
    assert names(folder) == []


@pytest.mark.parametrize(
    ("overwrite", "stands", "old", "error"),
    [
        ("replace", "x", b"new", None),
        ("error", None, b"old", FileExistsError),
        ("skip", "x", b"old", None),
        ("rename", "x (2)", b"old", None),
    ],
)
async def test_when_the_name_is_taken(folder, overwrite, stands, old, error):
    """Replaced, an error, left alone, or stepped aside for; never two halves, never a part file left."""
    target = folder / "x"
    async with begun(target, b"new") as part:
        target.write_bytes(b"old")  # it appeared while the download was running
        found = None
        if error is None:
            found = await part.appear(target, overwrite=overwrite, fsync=False)
        else:
            with pytest.raises(error) as caught:
                await part.appear(target, overwrite=overwrite, fsync=False)
            assert caught.value.filename == str(target)
        assert names(folder) == sorted({"x", stands} - {None})
    assert found == (folder / stands if stands else None)
    assert target.read_bytes() == old


async def test_renaming_goes_on_until_a_name_is_free(folder):
    """Each name that is taken is left alone."""
    for name in ("a.txt", "a (2).txt", "a (3).txt"):
        (folder / name).write_bytes(b"old")
    assert await saved(folder / "a.txt", b"new", overwrite="rename") == folder / "a (4).txt"
    assert (folder / "a (4).txt").read_bytes() == b"new"
    assert len(names(folder)) == 4


@pytest.mark.parametrize("overwrite", ["error", "skip", "rename"])
async def test_a_race_for_one_name_has_one_winner(folder, overwrite):
    """Many downloads to one name at once: one gets it, and nobody's bytes are lost or mixed."""
    outcomes = await asyncio.gather(
        *(saved(folder / "x", b"%d" % i * 1000, overwrite=overwrite) for i in range(10)), return_exceptions=True
    )
    winners = [o for o in outcomes if isinstance(o, Path)]
    assert len(set(winners)) == len(names(folder)) == (10 if overwrite == "rename" else 1)
    assert sum(isinstance(o, FileExistsError) for o in outcomes) == (9 if overwrite == "error" else 0)
    for path in folder.iterdir():
        assert len(set(path.read_bytes())) == 1
        assert path.stat().st_size == 1000


async def test_a_file_is_replaced_in_one_step(folder):
    """Whoever looks at the name meanwhile finds the old file or the new one, and never none."""
    target = folder / "x"
    target.write_bytes(b"old")
    missed, over = [], threading.Event()

    def look():
        while not over.is_set():
            if not target.exists():
                missed.append(1)

    looking, interval = threading.Thread(target=look), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    looking.start()
    for _ in range(150):
        await saved(target, b"new")
    over.set()
    looking.join()
    sys.setswitchinterval(interval)
    assert missed == []


@pytest.mark.parametrize("overwrite", OVERWRITE)
async def test_a_folder_is_no_target(folder, overwrite):
    """Refused before anything is downloaded."""
    with pytest.raises(IsADirectoryError) as caught:
        await saved(folder, b"new", overwrite=overwrite)
    assert caught.value.filename == str(folder)
    assert names(folder) == []


@pytest.mark.parametrize("overwrite", OVERWRITE)
async def test_a_folder_that_appears_meanwhile(folder, overwrite):
    """It is never replaced, and nothing is left beside it."""
    target = folder / "x"
    async with begun(target, b"new") as part:
        target.mkdir()
        if overwrite in {"skip", "rename"}:
            await part.appear(target, overwrite=overwrite, fsync=False)
        else:
            with pytest.raises(OSError, match="x"):
                await part.appear(target, overwrite=overwrite, fsync=False)
    assert target.is_dir()
    assert names(folder) == (["x", "x (2)"] if overwrite == "rename" else ["x"])


async def test_a_missing_parent(folder):
    """It is made."""
    await saved(folder / "missing" / "x", b"new")
    assert (folder / "missing" / "x").read_bytes() == b"new"


async def test_a_parent_that_is_a_file(folder):
    """The disk's own error."""
    (folder / "f").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        await saved(folder / "f" / "x", b"new")


async def test_a_parent_that_vanishes(folder):
    """The disk's own error, and nothing to be cleaned up is none."""
    (folder / "d").mkdir()
    async with begun(folder / "d" / "x", b"new") as part:
        shutil.rmtree(folder / "d")
        with pytest.raises(FileNotFoundError):
            await part.appear(folder / "d" / "x", overwrite="replace", fsync=False)
    assert names(folder) == []


@pytest.mark.parametrize(
    "name", ["x" * 239, "x" * 240, "x" * 250, "x" * 255, "é" * 125, "🎉" * 63, "x" * 246 + ".pdf"], ids=ascii
)
@pytest.mark.parametrize("overwrite", ["replace", "error", "skip"])
async def test_long_names(folder, overwrite, name):
    """Any name that the system takes is one that can be downloaded to."""
    assert await saved(folder / name, b"new", overwrite=overwrite) == folder / name
    assert names(folder) == [name]


async def test_a_name_that_is_too_long(folder):
    """The disk's own error, in the end, and nothing is left."""
    with pytest.raises(OSError, match="too long"):
        await saved(folder / ("x" * 256), b"new")
    assert names(folder) == []


async def test_a_long_name_that_is_taken(folder):
    """There is room for a number in any name: it is cut."""
    (folder / ("x" * 253)).write_bytes(b"old")
    assert (await saved(folder / ("x" * 253), b"new", overwrite="rename")).read_bytes() == b"new"


async def test_a_name_that_is_no_text(folder):
    """A name from a disk that is not UTF-8 is a name."""
    target = folder / os.fsdecode(b"\xff\xfe")
    assert await saved(target, b"new") == target
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize(
    ("overwrite", "error"), [("replace", None), ("error", FileExistsError), ("skip", None), ("rename", None)]
)
@pytest.mark.parametrize("dangling", [False, True])
async def test_a_link_planted_at_the_target(folder, overwrite, error, dangling):
    """The link counts as what has the name; what it points to is never written."""
    victim, target = folder / "victim", folder / "x"
    if not dangling:
        victim.write_bytes(b"precious")
    target.symlink_to(victim)
    with pytest.raises(error) if error else nullcontext():
        await saved(target, b"new", overwrite=overwrite)
    assert victim.exists() is not dangling
    assert dangling or victim.read_bytes() == b"precious"
    assert target.is_symlink() is (overwrite != "replace")
    found = folder / {"replace": "x", "rename": "x (2)"}.get(overwrite, "none")
    assert not found.exists() or (found.read_bytes() == b"new" and not found.is_symlink())


async def test_a_link_planted_at_the_part_file_is_not_followed(folder):
    """The part file is made anew under a name that nobody can guess, and readable by whom the caller's umask says."""
    before = os.umask(0o027)
    try:
        async with begun(folder / "x", b"new"):
            (path,) = folder.iterdir()
            assert path.stat().st_mode & 0o777 == 0o640
            assert not path.is_symlink()
        async with begun(folder / "x"), begun(folder / "x"):
            assert len(names(folder)) == 2
    finally:
        os.umask(before)


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk with room for 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if os.getuid() or not sys.platform.startswith("linux") or mount is None:
        pytest.skip("needs root and mount")
    options = [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if subprocess.run(options, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield place
    subprocess.run([shutil.which("umount"), str(place)], check=True)


async def test_a_full_disk(tiny_disk):
    """The disk's own error, and the room is free again."""
    with pytest.raises(OSError, match="No space left") as caught:
        await saved(tiny_disk / "x", *[bytes(1000)] * 1000)
    assert caught.value.errno == 28
    assert names(tiny_disk) == []
    await saved(tiny_disk / "x", bytes(60_000))
    assert names(tiny_disk) == ["x"]


async def test_a_disk_that_fills_up_behind_the_network(tiny_disk):
    """Chunks that are still being written count, too: no short file gets a name."""
    target = tiny_disk / "x"
    async with begun(target) as part:
        with pytest.raises(OSError, match="No space left"):
            await write_all(aiter_of(*[bytes(10_000)] * 10), part, lambda _: None)
    assert names(tiny_disk) == []


@pytest.mark.parametrize("count", [0, 1, 1023, 1024, 1025, 5000])
async def test_many_small_chunks(folder, count):
    """More than one system call takes, and empty ones among them."""
    chunks = [b"%d," % i if i % 7 else b"" for i in range(count)]
    await saved(folder / "x", *chunks)
    assert (folder / "x").read_bytes() == b"".join(chunks)


@pytest.mark.parametrize("size", [256 * KIB, MIB + 1, 3 * MIB])
async def test_large_chunks(folder, size):
    """In one call or several, as bytes or views."""
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    await saved(folder / "x", memoryview(data)[: size // 2], data[size // 2 :])
    assert (folder / "x").read_bytes() == data


async def aiter_of(*chunks):
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunks=st.lists(st.binary(max_size=6) | st.integers(0, 600 * KIB).map(bytes), max_size=8))
async def test_any_chunks_are_written_in_their_order(tmp_path, chunks):
    """However the network cuts a file, it is the same, and progress is told for each chunk."""
    told = []
    async with begun(tmp_path / "x") as part:
        await write_all(aiter_of(*chunks), part, told.append)
        await part.appear(tmp_path / "x", overwrite="replace", fsync=False)
    assert (tmp_path / "x").read_bytes() == b"".join(chunks)
    assert told == [sum(map(len, chunks[: i + 1])) for i in range(len(chunks))]
    assert pieces._running == 0


class StopError(Exception):
    """What a caller's own code raises."""


@pytest.mark.parametrize("after", [0, 1, 3])
async def test_a_source_of_chunks_that_breaks(folder, after):
    """Its error comes through, after what was being written has been; nothing is left."""

    async def chunks():
        for _ in range(after):
            yield bytes(MIB)
        raise StopError

    async with begun(folder / "x") as part:
        with pytest.raises(StopError):
            await write_all(chunks(), part, lambda _: None)
    assert names(folder) == []


async def test_progress_that_raises_ends_it(folder):
    """What the caller's function raises comes through."""

    def tell(_):
        raise StopError

    async with begun(folder / "x") as part:
        with pytest.raises(StopError):
            await write_all(aiter_of(b"a"), part, tell)
    assert names(folder) == []


async def test_cancelled_anywhere(folder):
    """Whatever step is cancelled: the file is there whole, or nothing is; no descriptor and no thread stays."""
    target = folder / "x"

    async def download():
        async with begun(target) as part:
            await write_all(aiter_of(*[bytes(300 * KIB)] * 8), part, lambda _: None)
            await part.appear(target, overwrite="replace", fsync=True)

    for steps in range(0, 60, 2):
        task = asyncio.create_task(download())
        for _ in range(steps):
            await asyncio.sleep(0 if steps < 30 else 0.0005)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert names(folder) in ([], ["x"]), steps
        assert open_files(folder) == []
        if target.exists():
            assert target.stat().st_size == 8 * 300 * KIB
            target.unlink()
    assert pieces._running == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture
def clogged(folder):
    """A part file that takes no more than a pipe holds, and a way to let go of the rest."""
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    drain = threading.Thread(target=lambda: [blocking_read(reading) for _ in range(16)])
    yield PartFile(fifo, os.open(fifo, os.O_WRONLY)), drain.start
    if drain.ident is None:
        drain.start()
    drain.join()
    os.close(reading)
    assert names(folder) == []


async def test_a_write_under_way_is_waited_for(clogged):
    """A cancelled write ends before its file is closed: no thread writes into what was opened since."""
    part, unclog = clogged
    writing = asyncio.ensure_future(part.write([bytes(MIB)]))
    await asyncio.sleep(0.05)
    for _ in range(3):
        writing.cancel()
        await asyncio.sleep(0.01)
        assert not writing.done()
    unclog()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await part.discard()


async def test_what_is_being_written_is_waited_for(clogged):
    """Also when it is the network that broke while a piece was on its way to the disk."""
    part, unclog = clogged

    async def chunks():
        yield bytes(MIB)
        raise StopError

    writing = asyncio.create_task(write_all(chunks(), part, lambda _: None))
    await asyncio.sleep(0.05)
    assert not writing.done()
    unclog()
    with pytest.raises(StopError):
        await writing
    await part.discard()


def blocking_read(descriptor):
    """Take 64 KiB out of a pipe."""
    taken = 0
    while taken < 64 * KIB:
        try:
            taken += len(os.read(descriptor, 64 * KIB - taken))
        except BlockingIOError:
            time.sleep(0.001)
    return taken


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("{}", True),
        ("{}/", True),
        ("{}/new", False),
        ("{}/new/", True),
        ("{}/f", False),
        ("{}/link", True),
        ("{}/dangling", False),
    ],
)
async def test_what_a_name_is_chosen_in(folder, target, found):
    """An existing folder, or a path that ends like one."""
    (folder / "f").write_bytes(b"")
    (folder / "link").symlink_to(folder)
    (folder / "dangling").symlink_to(folder / "missing")
    assert await folder_is(target.format(folder)) is found
    assert await folder_is(Path(target.format(folder))) is (found and target != "{}/new/")


async def test_what_has_a_name(folder):
    """Files, folders and links, also those that lead nowhere."""
    (folder / "f").write_bytes(b"")
    (folder / "dangling").symlink_to(folder / "missing")
    assert [await exists(folder / n) for n in ("f", "dangling", "missing", ".")] == [True, True, False, True]


async def test_a_download_into_a_folder_stays_there(folder):
    """The name of a stranger never leads out of it."""
    for i, name in enumerate(["../up", "/etc/passwd", "..", "a\\..\\b", "x" * 300]):
        found = await saved(inside(folder, name, otherwise=f"id{i}"), b"new")
        assert found.parent == folder
        assert found.is_file()
