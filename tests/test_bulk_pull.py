"""Mirroring what models wrote: the newest of each name, and only what is not there yet."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_files import BadRequestError, Downloaded, File, local_path, pull
from openrouter_files.bulk.download import as_saved, folded
from openrouter_files.emulator import Emulator, Status


class Clock:
    """The server's time, which passes as the test says."""

    def __init__(self):
        self.now = time.time() - 10_000

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def server(clock):
    async with Emulator(clock=clock) as running:
        yield running


@pytest.fixture
async def files(server, client_for):
    return await client_for(server)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mirror").mkdir()
    return tmp_path / "mirror"


@pytest.fixture
def put(server, clock):
    """Store files as a model writes them, a minute after the last."""

    async def put(name, content, **arguments):
        clock.now += 60
        return await server.put(name, content, **arguments)

    return put


def held(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def described(name):
    return File(id="or_file_1", filename=name, size_bytes=1, created_at=datetime.now(UTC))


def downloads(server):
    return [request for request in server.requests if request.operation == "download"]


async def test_the_newest_of_each_name(files, put, folder):
    """Names keep their folders; of each name there is what was made last, with its time; uploads are left out."""
    for name, content in [("a.txt", b"1"), ("x/b.txt", b"2"), ("a.txt", b"3"), ("x/y/c.txt", b"4")]:
        made = await put(name, content)
    await put("up.txt", b"uploaded", downloadable=False)
    report = await pull(files, folder)
    assert report.ok
    assert held(folder) == {"a.txt": b"3", "x/b.txt": b"2", "x/y/c.txt": b"4"}
    assert {type(one) for one in report.downloaded} == {Downloaded}
    assert {one.path: one.file.filename for one in report.downloaded} == {folder / name: name for name in held(folder)}
    assert (folder / "x/y/c.txt").stat().st_mtime == int(made.created_at.timestamp())


async def test_a_second_pull_downloads_nothing(server, files, put, folder):
    """What is there already costs a listing and no more."""
    for name in ("a.txt", "x/b.txt", "empty"):
        await put(name, b"" if name == "empty" else b"content")
    await pull(files, folder)
    server.clear()
    report = await pull(files, str(folder))
    assert (report.downloaded, report.ok) == ((), True)
    assert {(one.source.filename, one.reason) for one in report.skipped} == {
        ("a.txt", "done"), ("x/b.txt", "done"), ("empty", "done"),
    }  # fmt: skip
    assert [request.operation for request in server.requests] == ["list"]


RENAMED = [
    "ab:c.txt",
    "a?b.txt",
    "a*b.txt",
    "con.txt",
    "x//y.txt",
    "./z.txt",
    "a\\b.txt",
    "…" * 100 + ".txt",
    "end. ",
    ":",
]


async def test_names_that_are_not_safe_here(server, files, put, folder):
    """A name that has to be changed gets a mark, so that no two share a place; the next pull finds all of them."""
    for name in (*RENAMED, "a_b.txt", "x/y.txt", "a/b.txt"):
        await put(name, name.encode())
    report = await pull(files, folder)
    assert {one.file.filename: one.path.read_bytes() for one in report.downloaded} == {
        name: name.encode() for name in (*RENAMED, "a_b.txt", "x/y.txt", "a/b.txt")
    }
    assert all(held(folder)[name] == name.encode() for name in ("a_b.txt", "x/y.txt", "a/b.txt"))
    server.clear()
    again = await pull(files, folder)
    assert (len(again.skipped), again.downloaded) == (len(RENAMED) + 3, ())
    assert downloads(server) == []


async def test_a_place_is_one_files(files, put, folder):
    """A file whose place another one has gets a mark; it does not take turns with the other."""
    await put("ab:c.txt", b"one")
    (first,) = (await pull(files, folder)).downloaded
    await put(first.path.name, b"two")
    report = await pull(files, folder)
    (second,) = report.downloaded
    assert len(report.skipped) == 1
    assert held(folder) == {first.path.name: b"one", second.path.name: b"two"}


@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_the_name_in_a_mirror_is_known(name):
    """Whatever a file is called, its name in a mirror is safe as it is."""
    root = Path("mirror")
    try:
        here = as_saved(root, described(name))
    except ValueError:
        return
    assert local_path(here, root, keep_folders=True) == root / here.filename


async def test_a_new_version_replaces_the_old(server, files, put, folder):
    """An edit makes a new file of the same name: it replaces the old one, though the size is the same."""
    await put("a.txt", b"old")
    await put("b.txt", b"same")
    await pull(files, folder)
    newest = await put("a.txt", b"new")
    server.clear()
    report = await pull(files, folder)
    assert [one.file.id for one in report.downloaded] == [newest.id]
    assert len(downloads(server)) == 1
    assert held(folder) == {"a.txt": b"new", "b.txt": b"same"}


@pytest.mark.parametrize("change", ["content", "time", "gone"])
async def test_what_is_not_as_it_was_is_fetched_again(files, put, folder, change):
    """A file that was cut, touched or deleted here is what the server has, after the next pull."""
    await put("a.txt", b"content")
    await pull(files, folder)
    path = folder / "a.txt"
    status = path.stat()
    match change:
        case "content":
            path.write_bytes(b"cut")
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        case "time":
            os.utime(path)
        case "gone":
            path.unlink()
    assert len((await pull(files, folder)).downloaded) == 1
    assert held(folder) == {"a.txt": b"content"}


async def test_nothing_is_deleted(server, files, put, folder):
    """What is gone from the workspace, and what was never in it, stays here."""
    made = await put("a.txt", b"content")
    await pull(files, folder)
    (folder / "mine.txt").write_bytes(b"mine")
    await files.delete(made.id)
    assert (await pull(files, folder)).ok
    assert held(folder) == {"a.txt": b"content", "mine.txt": b"mine"}


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "x/../../evil.txt"])
async def test_a_hostile_name_fails_alone(files, put, folder, name):
    """A name that leads out of the folder is a failure; the others are saved, and nothing lies outside."""
    await put(name, b"evil")
    await put("good.txt", b"good")
    report = await pull(files, folder)
    assert (len(report.failed), report.ok) == (1, False)
    assert held(folder.parent) == {"mirror/good.txt": b"good"}


async def test_a_failure_is_made_good_by_the_next(server, files, put, folder):
    """What failed is fetched by the next pull; a version that was here stays until then."""
    await put("a.txt", b"old")
    await pull(files, folder)
    await put("a.txt", b"new")
    server.queue("download", Status(400))
    report = await pull(files, folder)
    assert isinstance(report.failed[0].error, BadRequestError)
    assert held(folder) == {"a.txt": b"old"}
    assert (await pull(files, folder)).ok
    assert held(folder) == {"a.txt": b"new"}


async def test_whoever_watches_is_told(files, put, folder):
    """Outcomes as they come; progress that ends at the totals."""
    for n in range(5):
        await put(f"{n}.txt", b"x" * 100)
    told, progress = [], []
    report = await pull(files, folder, concurrency=2, on_outcome=told.append, on_progress=progress.append)
    assert tuple(told) == report.downloaded
    assert (progress[-1].files, progress[-1].found, progress[-1].bytes_done) == (5, 5, 500)


async def test_the_folder_is_made(files, put, tmp_path):
    """A folder that is missing is made, with those above it."""
    await put("a.txt", b"content")
    assert (await pull(files, tmp_path / "new" / "mirror")).ok
    assert held(tmp_path) == {"new/mirror/a.txt": b"content"}


async def test_what_is_no_folder(files, put, tmp_path):
    """What is no folder is told; it is not taken for the name of each file."""
    await put("a.txt", b"content")
    (tmp_path / "taken").write_bytes(b"mine")
    for place in ("taken", "taken/below"):
        with pytest.raises(NotADirectoryError):
            await pull(files, tmp_path / place)
    assert held(tmp_path) == {"taken": b"mine"}


@pytest.mark.parametrize("names", [("README.md", "readme.md"), ("\u00e9.txt", "e\u0301.txt"), ("d/A.txt", "D/a.txt")])
async def test_names_that_some_disks_take_for_one(files, put, tmp_path, names):
    """Two names that differ only in case, or in how they are composed, are two files on any disk, and stay so."""
    for name in names:
        await put(name, name.encode())
    report = await pull(files, tmp_path / "m")
    assert report.ok
    assert sorted(path.read_text() for path in (tmp_path / "m").rglob("*") if path.is_file()) == sorted(names)
    assert len({folded(path) for path in (tmp_path / "m").rglob("*") if path.is_file()}) == 2
    again = await pull(files, tmp_path / "m")
    assert len(again.skipped) == 2
