"""What is to be uploaded: files, folders, and streams of them, taken as they are needed."""

import asyncio
import os
import shutil
import threading
import time
import tracemalloc
from contextlib import aclosing
from contextvars import ContextVar
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_files.bulk.outcomes import LocalFile
from openrouter_files.bulk.preflight import inspected
from openrouter_files.bulk.sources import local_files

TREE = ("b.txt", ".hidden/x", "a/z.txt", "a/b/c.txt", "a.txt", "c/.gitignore")
WALKED = ["a.txt", "a/b/c.txt", "a/z.txt", "b.txt"]


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    for name in TREE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


async def found(sources, **wanted):
    return [file async for file in local_files(sources, **wanted)]


async def names(sources, **wanted):
    return [file.filename for file in await found(sources, **wanted)]


async def given_later(*sources):
    for source in sources:
        await asyncio.sleep(0)
        yield source


async def test_one_source_need_not_be_a_list(tree):
    """A path, as text or not, and a LocalFile are sources by themselves."""
    local = LocalFile("/x", "y")
    assert await found(str(tree / "b.txt")) == [LocalFile(str(tree / "b.txt"), "b.txt")]
    assert await found(tree / "a" / "z.txt") == [LocalFile(str(tree / "a" / "z.txt"), "z.txt")]
    assert await found(local) == [local]


async def test_every_kind_of_source(tree):
    """Files, folders, pairs and LocalFiles may be mixed, in a list, a tuple, a generator or an async one."""
    sources = (str(tree / "b.txt"), tree / "a", (tree / "a.txt", "renamed/a.txt"), LocalFile("/x", "y"))
    expected = ["b.txt", "b/c.txt", "z.txt", "renamed/a.txt", "y"]
    for given_ in (sources, [*sources], (s for s in sources), given_later(*sources)):
        assert await names(given_) == expected


async def test_a_folder_is_walked_in_order(tree):
    """The files of a folder, named by their way from it, in the order of these names; hidden ones only if asked for."""
    for folder in (tree, f"{tree}/"):
        files = await found(folder)
        assert [file.filename for file in files] == WALKED
        assert [Path(file.path).read_text() for file in files] == WALKED


async def test_hidden_files(tree):
    """Hidden files and folders inside a folder are taken if they are asked for, or named themselves."""
    assert await names(tree, hidden=True) == sorted(TREE)
    assert await names([tree / ".hidden", tree / "c/.gitignore"]) == ["x", ".gitignore"]


@pytest.mark.parametrize(
    ("name", "include", "exclude", "wanted"),
    [
        ("a.csv", (), (), True),
        ("a.csv", ("*.csv",), (), True),
        ("deep/a.csv", ("*.csv",), (), True),
        ("a.txt", ("*.csv", "*.md"), (), False),
        ("deep/a.csv", ("deep/*",), (), True),
        ("deep/er/a.csv", ("deep/*.csv",), (), True),
        ("a/deep/b.csv", ("deep/*",), (), False),
        ("docs/a.md", ("docs",), (), True),
        ("docs/a.md", ("docs/",), (), True),
        ("a.csv", (), ("*.csv",), False),
        ("tmp/a.csv", (), ("tmp",), False),
        ("x/tmp/a.csv", (), ("tmp",), False),
        ("x/tmp/a.csv", (), ("x/tmp",), False),
        ("tmp.csv", (), ("tmp",), True),
        ("a.csv", ("*.csv",), ("a.*",), False),
        ("A.CSV", ("*.csv",), (), False),
    ],
)
async def test_patterns(name, include, exclude, wanted):
    """A pattern means files of that name or path, and all below a folder of it; exclusion is stronger."""
    found = [file async for file in local_files(LocalFile("/x", name), include=include, exclude=exclude)]
    assert bool(found) is wanted


@pytest.mark.parametrize("how", [{"include": "*.txt"}, {"include": ["?.txt", "a"]}, {"exclude": ["c", ".hidden"]}])
async def test_patterns_in_a_folder(tree, how):
    """Patterns choose among the files of a folder; one may be given by itself."""
    assert await names(tree, hidden=True, **how) == WALKED


async def test_a_pattern_is_text():
    """A pattern that is no str is told before anything is sent."""
    with pytest.raises(TypeError, match="include takes patterns as str, not 7"):
        local_files("a", include=[7])


async def test_a_link_in_a_circle_does_not_end_the_walk(tree):
    """A link that leads to itself is yielded, so that it is told, and the rest goes on."""
    (tree / "a" / "m").symlink_to("m")
    assert await names(tree) == ["a.txt", "a/b/c.txt", "a/m", "a/z.txt", "b.txt"]


async def test_a_relative_folder_is_named_from_itself(tree, monkeypatch):
    """The names do not depend on where a folder is seen from; the path is as it was given."""
    monkeypatch.chdir(tree.parent)
    assert await found("tree/a") == [LocalFile("tree/a/b/c.txt", "b/c.txt"), LocalFile("tree/a/z.txt", "z.txt")]
    monkeypatch.chdir(tree)
    assert await names(".") == WALKED


async def test_links(tree, tmp_path):
    """A link to a file is that file; a link to a folder within a folder is not followed; one that is given is."""
    (tree / "a" / "up").symlink_to(tree)
    (tree / "a" / "link.txt").symlink_to(tree / "b.txt")
    (tmp_path / "way").symlink_to(tree / "a")
    assert await names(tmp_path / "way") == ["b/c.txt", "link.txt", "z.txt"]


async def test_what_is_no_file_is_not_lost(tmp_path):
    """A pipe, a link that leads nowhere and a file that is missing are yielded, for somebody to complain."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    files = await found([tmp_path, tmp_path / "missing"])
    assert [file.filename for file in files] == ["nowhere", "pipe", "missing"]
    complaints = [str((await inspected([file.path]))[0]) for file in files]
    assert all(complaint.startswith(("[Errno 2] No such", "[Errno 22] not a regular file")) for complaint in complaints)


async def test_a_folder_that_cannot_be_read_is_not_lost(tmp_path):
    """A folder that vanishes before it is reached is yielded itself, and inspecting it tells why; the rest goes on."""
    for name in [*(f"a{n:03}" for n in range(200)), "b/x", "c"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    async with aclosing(local_files(tmp_path)) as files:
        await anext(files)
        shutil.rmtree(tmp_path / "b")
        rest = [file async for file in files]
    assert rest[-2:] == [LocalFile(str(tmp_path / "b"), "b"), LocalFile(str(tmp_path / "c"), "c")]
    assert isinstance((await inspected([rest[-2].path]))[0], FileNotFoundError)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_forbidden_folder_is_not_lost(tree):
    """A folder that may not be listed is yielded itself, and inspecting it says that it is forbidden."""
    (tree / "a").chmod(0)
    try:
        files = {file.filename: file for file in await found(tree)}
        assert isinstance((await inspected([files["a"].path]))[0], PermissionError)
    finally:
        (tree / "a").chmod(0o700)


@pytest.mark.parametrize("wrong", [None, 7, b"a.txt", bytearray(b"a"), object()])
async def test_what_is_no_source_is_a_mistake(wrong):
    """What is neither a path nor holds paths is a TypeError, at once or in its turn."""
    with pytest.raises(TypeError, match="no path"):
        local_files(wrong)
    for sources in (["a.txt", wrong], given_later("a.txt", wrong)):
        files = local_files(sources)
        assert (await anext(files)).filename == "a.txt"
        with pytest.raises(TypeError, match="no path"):
            await anext(files)


@pytest.mark.parametrize("pair", [("a",), ("a", b"b"), ("a", None), (None, "a"), ("a", "b", "c"), (b"a", "b")])
async def test_a_pair_is_a_path_and_a_name(pair):
    """A tuple inside the sources is a path and a name, nothing else."""
    with pytest.raises(TypeError, match="no "):
        await found([pair])


async def test_sources_are_taken_as_needed():
    """An endless source is fine: no more is taken than is asked for, but for a handful."""
    taken = count()
    async with aclosing(local_files(f"/{n}" for n in taken)) as files:
        for _ in range(100):
            await anext(files)
    await asyncio.sleep(0.1)
    assert next(taken) < 300


async def test_a_blocking_source_leaves_the_loop_free():
    """A generator that blocks is advanced beside the loop, by one thread; the first file need not wait for the rest."""
    threads = set()

    def slow():
        for n in range(4):
            threads.add(threading.get_ident())
            yield f"/{n}"
            time.sleep(0.3)

    began = time.monotonic()
    turns, done = 0, asyncio.Event()

    async def turn():
        nonlocal turns
        while not done.is_set():
            turns += 1
            await asyncio.sleep(0.01)

    turning = asyncio.create_task(turn())
    first = None
    async for _ in local_files(slow()):
        first = first or time.monotonic() - began
    done.set()
    await turning
    assert first < 1.0
    assert turns > 20
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_what_a_source_raises_comes_after_what_it_gave():
    """An error of the caller's generator comes through in its turn."""

    def broken():
        yield from ("/1", "/2")
        raise LookupError("no more")

    files = local_files(broken())
    assert [(await anext(files)).filename, (await anext(files)).filename] == ["1", "2"]
    with pytest.raises(LookupError, match="no more"):
        await anext(files)


async def test_a_source_sees_the_callers_context():
    """A generator that looks into a context variable sees what its caller set."""
    variable = ContextVar("variable", default="unset")
    variable.set("set")
    assert await names(f"/{variable.get()}" for _ in range(1)) == ["set"]


async def test_an_end_before_the_end_closes_the_source():
    """A job that stops early closes the generator it took, in the thread that advanced it."""
    closed, threads = threading.Event(), set()

    def source():
        try:
            for n in count():
                threads.add(threading.get_ident())
                yield f"/{n}"
        finally:
            threads.add(threading.get_ident())
            closed.set()

    async with aclosing(local_files(source())) as files:
        await anext(files)
    assert await asyncio.to_thread(closed.wait, 5)
    assert len(threads) == 1


async def test_the_tree_is_never_in_memory(tmp_path):
    """A hundred folders of a hundred files cost the memory of a few folders."""
    for folder in range(100):
        (tmp_path / f"folder-with-a-longer-name-{folder:03}").mkdir()
        for file in range(100):
            (tmp_path / f"folder-with-a-longer-name-{folder:03}" / f"file-with-a-longer-name-{file:03}").touch()
    tracemalloc.start()
    try:
        amount = 0
        async for _ in local_files(tmp_path):
            amount += 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert amount == 10_000
    assert peak < 500_000  # the names alone are far more than a megabyte


SEGMENT = st.binary(min_size=1, max_size=12).filter(lambda b: not {0, 47} & {*b} and b not in {b".", b".."})


@settings(max_examples=40, deadline=None)
@given(paths=st.sets(st.lists(SEGMENT, min_size=1, max_size=4).map(tuple), max_size=12))
def test_any_tree_is_found_as_a_whole(paths, tmp_path_factory):
    """Whatever bytes its names are made of: each file of a tree is found once, named by its way from the root."""
    root = os.fsencode(tmp_path_factory.mktemp("tree"))
    made = set()
    for path in paths:
        if not any(path[:n] in made or path == m[: len(path)] for m in made for n in range(1, len(path) + 1)):
            place = Path(os.fsdecode(b"/".join((root, *path))))
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
            made.add(path)
    files = asyncio.run(found(os.fsdecode(root), hidden=True))
    assert sorted(os.fsencode(file.filename) for file in files) == sorted(b"/".join(path) for path in made)
    assert all(Path(file.path).is_file() for file in files)
