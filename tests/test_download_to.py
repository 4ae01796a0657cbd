"""Saving downloads over loopback: a file appears under its name whole and at the end, or not at all."""

# ruff: noqa: PLR0917 - fixtures and the columns of a table are many

import asyncio
import os
import shutil
import stat
import time
import tracemalloc
from pathlib import Path

import pytest
from attrs import evolve
from raw_server import RawServer, reply

from openrouter_files import (
    BadGatewayError,
    BadRequestError,
    FilesError,
    IncompleteDownloadError,
    NotFoundError,
    Progress,
    RetryPolicy,
    ServiceUnavailableError,
    Timeouts,
    TransportError,
)
from openrouter_files.emulator import Emulator, Stall, Status, Truncate

MIB = 1024 * 1024
DATA = bytes(n % 251 for n in range(500_000))
OLD = b"was here before"


@pytest.fixture
async def stored(emulator):
    """A file that a model wrote."""
    return await emulator.put("out/report.bin", DATA)


@pytest.fixture
def folder(tmp_path):
    """An empty folder to download to."""
    (tmp_path / "downloads").mkdir()
    return tmp_path / "downloads"


def held(folder):
    """What lies in a folder, hidden files included."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize("fsync", [True, False])
async def test_a_path_holds_the_bytes_and_is_returned(files, stored, folder, as_text, fsync):
    """The file lies at the path that was given, which is returned, and nothing else lies beside it."""
    target = folder / "x.bin"
    path = await files.download_to(stored.id, str(target) if as_text else target, fsync=fsync)
    assert isinstance(path, Path)
    assert path == target
    assert held(folder) == {"x.bin": DATA}


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 3 * MIB])
async def test_any_size_is_saved(emulator, files, folder, size):
    """Empty, tiny and large files are saved alike."""
    data = os.urandom(size)
    file = await emulator.put("x", data)
    await files.download_to(file.id, folder / "x")
    assert held(folder) == {"x": data}


@pytest.mark.parametrize("make", [lambda p: p, str, lambda p: f"{p}/"], ids=["Path", "str", "slash"])
async def test_a_folder_takes_the_name_of_the_server(files, stored, folder, make):
    """Inside a folder the name is the last component of the server's."""
    path = await files.download_to(stored.id, make(folder))
    assert path == folder / "report.bin"
    assert held(folder) == {"report.bin": DATA}


async def test_a_file_that_is_known_is_not_asked_about(emulator, files, stored, folder):
    """Given a File instead of an id, a download into a folder costs one request."""
    file = await files.retrieve(stored.id)
    emulator.clear()
    assert await files.download_to(file, folder) == folder / "report.bin"
    assert [request.operation for request in emulator.requests] == ["download"]


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("/etc/shadow", "shadow"),
        ("C:\\boot.ini", "boot.ini"),
        ("a:b?.txt", "a_b_.txt"),
        ("con.txt", "_con.txt"),
        ("line\nbreak.txt", "linebreak.txt"),
        ("evil\u202egpj.exe", "evilgpj.exe"),
        (".bashrc", ".bashrc"),
        ("résumé.txt", "résumé.txt"),
    ],
)
async def test_names_of_strangers_stay_in_the_folder(emulator, files, folder, name, local):
    """Whatever a model called its file, it lies inside the folder under a name that systems take."""
    file = await emulator.put(name, b"x")
    assert await files.download_to(file.id, folder) == folder / local
    assert held(folder) == {local: b"x"}
    assert sorted(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("name", ["..", ".", "/", "...", " ", "a/.."])
async def test_a_name_of_which_nothing_is_left_becomes_the_id(emulator, files, folder, name):
    """A name that names nothing is replaced by the id of the file."""
    file = await emulator.put(name, b"x")
    assert await files.download_to(file.id, folder) == folder / file.id


async def test_a_long_name_is_cut(emulator, files, folder):
    """A name longer than file systems take keeps its ending."""
    file = await emulator.put("日" * 300 + ".csv", b"x")
    path = await files.download_to(file.id, folder)
    assert path.suffix == ".csv"
    assert held(folder) == {path.name: b"x"}


async def test_a_long_path_of_the_caller_is_taken_as_it_is(files, stored, folder):
    """A name of 255 bytes that the caller chose works, although the part file needs a name, too."""
    path = await files.download_to(stored.id, folder / ("x" * 255))
    assert path.read_bytes() == DATA


@pytest.mark.parametrize(
    ("overwrite", "by_name", "after", "returned"),
    [
        (None, True, {"x": DATA}, "x"),
        ("replace", True, {"x": DATA}, "x"),
        ("skip", True, {"x": OLD}, "x"),
        ("rename", True, {"x": OLD, "x (2)": DATA}, "x (2)"),
        ("replace", False, {"report.bin": DATA}, "report.bin"),
        ("skip", False, {"report.bin": OLD}, "report.bin"),
        ("rename", False, {"report.bin": OLD, "report (2).bin": DATA}, "report (2).bin"),
    ],
)
async def test_a_taken_name_is_treated_as_the_caller_says(
    emulator, files, stored, folder, overwrite, by_name, after, returned
):
    """Replaced, skipped without a download, or left alone beside a numbered one; a path is replaced by default."""
    target = folder / "x" if by_name else folder
    (folder / ("x" if by_name else "report.bin")).write_bytes(OLD)
    assert await files.download_to(stored.id, target, overwrite=overwrite) == folder / returned
    assert held(folder) == after
    assert ("download" in [request.operation for request in emulator.requests]) == (overwrite != "skip")


@pytest.mark.parametrize(("overwrite", "by_name"), [("error", True), ("error", False), (None, False)])
async def test_a_taken_name_can_be_an_error(emulator, files, stored, folder, overwrite, by_name):
    """With "error", and by default inside a folder, a taken name is a FileExistsError and no download is started."""
    name = "x" if by_name else "report.bin"
    (folder / name).write_bytes(OLD)
    with pytest.raises(FileExistsError) as caught:
        await files.download_to(stored.id, folder / "x" if by_name else folder, overwrite=overwrite)
    assert caught.value.filename == str(folder / name)
    assert held(folder) == {name: OLD}
    assert "download" not in [request.operation for request in emulator.requests]


@pytest.mark.parametrize(
    ("overwrite", "after"),
    [("replace", {"x": DATA}), ("skip", {"x": OLD}), ("rename", {"x": OLD, "x (2)": DATA}), ("error", {"x": OLD})],
)
async def test_a_name_that_is_taken_meanwhile_is_not_run_over(files, stored, folder, overwrite, after):
    """A file that appears under the name during the download is treated like one that was there before."""
    appear = [folder / "x"]
    saving = files.download_to(
        stored.id,
        folder / "x",
        overwrite=overwrite,
        on_progress=lambda _: appear and appear.pop().write_bytes(OLD),
    )
    if overwrite == "error":
        with pytest.raises(FileExistsError):
            await saving
    else:
        await saving
    assert held(folder) == after


async def test_downloads_of_one_name_do_not_meet(emulator, files, folder):
    """Ten downloads of the same name at once, with "rename", become ten whole files."""
    contents = [bytes([n]) * 100_000 for n in range(10)]
    stored = [await emulator.put("same.txt", content) for content in contents]
    paths = await asyncio.gather(*(files.download_to(f.id, folder, overwrite="rename") for f in stored))
    assert [path.read_bytes() for path in paths] == contents
    assert len(held(folder)) == 10


@pytest.mark.parametrize("overwrite", ["", "yes", "REPLACE", True])
async def test_an_unknown_policy_sends_nothing(emulator, files, folder, overwrite):
    """A policy that does not exist is a ValueError before any request."""
    with pytest.raises(ValueError, match="overwrite must be one of"):
        await files.download_to("or_file_1", folder / "x", overwrite=overwrite)
    assert emulator.requests == ()


async def test_the_old_file_is_there_until_the_end(files, stored, folder):
    """While a download runs, the path still holds the old bytes, whole; the new ones lie beside it."""
    target = folder / "x"
    target.write_bytes(OLD)
    seen = []
    await files.download_to(stored.id, target, on_progress=lambda _: seen.append(held(folder)))
    assert seen
    assert all(each["x"] == OLD for each in seen)
    assert all(name.startswith("x.part-") for each in seen for name in each.keys() - {"x"})
    assert target.read_bytes() == DATA


async def test_a_link_is_replaced_and_not_followed(files, stored, folder):
    """A symbolic link at the path makes way for the file; what it points at is not touched."""
    elsewhere = folder.parent / "precious"
    elsewhere.write_bytes(OLD)
    (folder / "x").symlink_to(elsewhere)
    await files.download_to(stored.id, folder / "x")
    assert not (folder / "x").is_symlink()
    assert (folder / "x").read_bytes() == DATA
    assert elsewhere.read_bytes() == OLD


async def test_a_dangling_link_counts_as_taken(files, stored, folder):
    """A link to nowhere has the name: "error" says so instead of writing through it."""
    (folder / "report.bin").symlink_to(folder.parent / "nowhere")
    with pytest.raises(FileExistsError):
        await files.download_to(stored.id, folder)
    assert not (folder.parent / "nowhere").exists()


async def test_files_get_the_usual_permissions(files, stored, folder):
    """A downloaded file may be read by whom the umask lets read, like any other new file."""
    (folder / "usual").touch()
    path = await files.download_to(stored.id, folder / "x")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((folder / "usual").stat().st_mode)


async def test_progress_counts_up_to_the_total(files, stored, folder):
    """Progress is absolute, grows, knows the total, and ends there."""
    seen = []
    await files.download_to(stored.id, folder / "x", on_progress=seen.append)
    counts = [each.done for each in seen]
    assert counts == sorted(counts)
    assert seen[-1] == Progress(done=len(DATA), total=len(DATA))
    assert {each.total for each in seen} == {len(DATA)}


async def test_progress_goes_on_with_the_transfer(emulator, files, stored, folder):
    """A transfer that breaks and goes on is one progress: no byte is counted twice."""
    emulator.queue("download", Truncate(200_000))
    seen = []
    await files.download_to(stored.id, folder / "x", on_progress=lambda p: seen.append(p.done))
    assert seen == sorted(seen)
    assert seen[-1] == len(DATA)
    assert held(folder) == {"x": DATA}


FAILURES = [
    ([Status(404)], NotFoundError),
    ([Status(400)], BadRequestError),
    ([Status(503)] * 3, ServiceUnavailableError),
    ([Truncate(100_000), Status(404)], NotFoundError),
    ([Truncate(100_000), Status(500), Status(502)], BadGatewayError),
    ([Truncate(0)] * 3, TransportError),
    ([Stall(5)] * 3, TransportError),
]


@pytest.mark.parametrize("before", [{}, {"x": OLD}], ids=["free", "taken"])
@pytest.mark.parametrize(("faults", "error"), FAILURES)
async def test_a_failure_leaves_nothing_behind(emulator, files, stored, folder, faults, error, before):
    """Whatever goes wrong, no part file is left, and what lay at the path before still does."""
    for name, data in before.items():
        (folder / name).write_bytes(data)
    emulator.queue("download", *faults)
    impatient = files.with_options(
        retry=RetryPolicy(attempts=3, first_delay=0.01), timeouts=Timeouts(connect=0.05, answer=0.05)
    )
    with pytest.raises(error):
        await impatient.download_to(stored.id, folder / "x")
    assert held(folder) == before


async def test_a_length_that_is_not_the_files_leaves_nothing(files, stored, folder):
    """Given a File of another size, the download is an IncompleteDownloadError before a file is made."""
    file = evolve(await files.retrieve(stored.id), size_bytes=7)
    with pytest.raises(IncompleteDownloadError):
        await files.download_to(file, folder / "x")
    assert held(folder) == {}


async def test_a_file_that_ends_early_for_good_leaves_nothing(client_for, folder):
    """A server that sends fewer bytes than the metadata say never makes a file appear."""
    short = reply(body=b"0123", content_type="application/octet-stream", content_length="9")
    async with RawServer(short) as server:
        files = await client_for(server, retry=RetryPolicy(attempts=2, first_delay=0.01))
        with pytest.raises(FilesError):
            await files.download_to("or_file_1", folder / "x")
    assert held(folder) == {}


async def test_what_a_progress_callback_raises_ends_the_download(files, stored, folder):
    """An error of the callback is raised as it is, and nothing is left behind."""

    def stop(_):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        await files.download_to(stored.id, folder / "x", on_progress=stop)
    assert held(folder) == {}


@pytest.mark.parametrize(
    ("target", "error"),
    [("a file/x", NotADirectoryError), ("a file/deep/x", NotADirectoryError), ("n" * 300, OSError)],
)
async def test_a_disk_that_cannot_take_it_is_its_own_error(files, stored, folder, target, error):
    """What the disk cannot take is its own OSError."""
    (folder / "a file").write_bytes(OLD)
    with pytest.raises(error) as caught:
        await files.download_to(stored.id, f"{folder}/{target}")
    assert not isinstance(caught.value, FilesError)
    assert held(folder) == {"a file": OLD}


@pytest.mark.parametrize("target", ["new/x", "new/deep/x"])
async def test_the_folder_is_made(files, stored, folder, target):
    """The folder of a path, and of a name that the server chooses, is made if it is missing."""
    assert await files.download_to(stored.id, f"{folder}/{target}") == folder / target
    path = await files.download_to(stored.id, f"{folder}/other/")
    assert path.parent == folder / "other"
    assert path.read_bytes() == (folder / target).read_bytes()


async def test_the_error_names_the_folder(files, stored, folder):
    """A folder that takes no file is named, and not the part file in it, which nobody asked for."""
    if not Path("/sys").exists():
        pytest.skip("no folder that takes no file")
    with pytest.raises(OSError, match=r"'/sys'$"):
        await files.download_to(stored.id, "/sys/x")


async def test_a_folder_that_goes_away_is_named(files, stored, folder):
    """A folder that is deleted while a file is saved in it is named by the error, and not the part file."""
    with pytest.raises(FileNotFoundError, match=r"/new'$"):
        await files.download_to(stored.id, folder / "new/x", on_progress=lambda _: shutil.rmtree(folder / "new", True))
    assert held(folder) == {}


async def test_a_full_disk_is_its_own_error(files, stored):
    """A device that takes nothing raises its own error; the connection is free afterwards."""
    if not Path("/dev/full").exists():
        pytest.skip("no device that is always full")
    with pytest.raises(OSError, match=r"/dev/"):
        await files.download_to(stored.id, "/dev/full/x")
    assert await files.download(stored.id).read() == DATA


async def test_a_folder_that_appears_at_the_path_is_not_replaced(files, stored, folder):
    """A folder that was made under the name meanwhile is an OSError, and nothing is left behind."""
    appear = [folder / "x"]
    with pytest.raises(OSError, match="x"):
        await files.download_to(stored.id, folder / "x", on_progress=lambda _: appear and appear.pop().mkdir())
    assert [path.name for path in folder.iterdir()] == ["x"]


@pytest.mark.parametrize("ranges", [False, True])
async def test_sixty_four_mebibytes_cost_neither_memory_nor_the_loop(client_for, folder, tmp_path, ranges):
    """A large file is saved with less than 16 MiB, while other tasks run within 0.25 s, even if the transfer breaks."""
    source = tmp_path / "source"
    source.write_bytes(b"x")
    os.truncate(source, 64 * MIB)
    delays = []

    async def tick():
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            delays.append(time.monotonic() - before - 0.005)

    async with Emulator(ranges=ranges) as emulator:
        files = await client_for(emulator)
        file = await emulator.put("x", source)
        emulator.queue("download", Truncate(40 * MIB))
        ticking = asyncio.create_task(tick())
        tracemalloc.start()
        try:
            path = await files.download_to(file.id, folder)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            ticking.cancel()
        assert path.stat().st_size == 64 * MIB
        assert len(emulator.requests) == 3
    assert peak < 16 * MIB
    assert max(delays) < 0.25
