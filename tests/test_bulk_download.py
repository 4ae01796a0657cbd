"""Downloading many files into a folder: whole or not at all, each with its outcome."""

# ruff: noqa: PLR0917 - fixtures and the columns of a table are many

import asyncio
import sys
from itertools import count, pairwise

import pytest

from openrouter_files import (
    AuthenticationError,
    BadRequestError,
    Downloaded,
    Failed,
    NotFoundError,
    NotTried,
    RetryPolicy,
    Skipped,
    download_many,
    downloading,
)
from openrouter_files.emulator import Drop, Pass, Stall, Status, Trickle, Truncate


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "downloads").mkdir()
    return tmp_path / "downloads"


@pytest.fixture
async def put(emulator):
    """Store files as a model writes them; each has its name as its content."""

    async def put(*names, content=None):
        return [(await emulator.put(name, name.encode() if content is None else content)).id for name in names]

    return put


@pytest.fixture
async def ids(put):
    """Twelve files."""
    return await put(*(f"{n:02}.txt" for n in range(12)))


def held(folder):
    """What lies below a folder, hidden files included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def named(*names):
    return {name: name.encode() for name in names}


def sent(emulator, operation="download"):
    return [request for request in emulator.requests if request.operation == operation]


TWELVE = named(*(f"{n:02}.txt" for n in range(12)))


async def listed(files, ids):
    return [file async for file in files.list()]


async def generated(files, ids):
    return (file_id for file_id in ids)


async def listing(files, ids):
    return files.list()


async def mixed(files, ids):
    return [*ids[:6], *(await listed(files, ids))[6:]]


@pytest.mark.parametrize("wanted", [listed, generated, listing, mixed])
async def test_ids_and_files_of_any_iterable(files, ids, folder, wanted):
    """Ids, Files, both, in a list, a generator or straight from ``files.list()``: each is saved under its name."""
    report = await download_many(files, await wanted(files, ids), folder)
    assert report.ok
    assert held(folder) == TWELVE
    assert {type(one) for one in report.downloaded} == {Downloaded}
    assert {one.path: one.file.filename for one in report.downloaded} == {folder / name: name for name in TWELVE}
    assert report.statistics.bytes == 12 * 6


async def test_both_styles_tell_the_same(files, ids, folder):
    """A callback, a report and an iteration get each outcome once."""
    told = []
    report = await download_many(files, ids, folder, on_outcome=told.append)
    async with downloading(files, ids, folder, overwrite="replace") as outcomes:
        iterated = [outcome async for outcome in outcomes]
    assert tuple(told) == report.downloaded
    assert {one.path for one in iterated} == {one.path for one in told}
    assert len(iterated) == len(told) == 12


@pytest.mark.parametrize(
    ("overwrite", "content", "kind"),
    [
        ("replace", {"a.txt": b"new"}, Downloaded),
        ("skip", {"a.txt": b"old"}, Skipped),
        ("error", {"a.txt": b"old"}, Failed),
        ("rename", {"a.txt": b"old", "a (2).txt": b"new"}, Downloaded),
    ],
)
async def test_a_name_that_is_taken(emulator, files, put, folder, overwrite, content, kind):
    """``overwrite`` decides; a skipped or refused file is not asked for."""
    (file_id,) = await put("a.txt", content=b"new")
    (folder / "a.txt").write_bytes(b"old")
    told = []
    report = await download_many(files, [file_id], folder, overwrite=overwrite, on_outcome=told.append)
    assert held(folder) == content
    assert [type(one) for one in told] == [kind]
    assert len(sent(emulator)) == (kind is Downloaded)
    assert report.ok is (kind is not Failed)
    if kind is Skipped:
        assert (told[0].reason, told[0].file_id) == ("exists", file_id)
    if kind is Failed:
        assert isinstance(told[0].error, FileExistsError)


async def test_names_are_not_unique(files, put, folder):
    """Files of one name are numbered unless something else is said: none replaces another."""
    await put("a.txt", content=b"1")
    await put("a.txt", content=b"2")
    await put("x/a.txt", content=b"3")
    assert (await download_many(files, files.list(), folder, concurrency=3)).ok
    assert sorted(held(folder)) == ["a (2).txt", "a (3).txt", "a.txt"]
    assert sorted(held(folder).values()) == [b"1", b"2", b"3"]


@pytest.mark.parametrize("keep_folders", [False, True])
async def test_folders_are_kept_if_asked_for(files, put, folder, keep_folders):
    """``a/b.txt`` becomes ``b.txt`` in a folder ``a``, or just ``b.txt``."""
    ids = await put("a/b.txt", "a/c/d.txt", "e.txt")
    report = await download_many(files, ids, folder, keep_folders=keep_folders)
    assert report.ok
    assert sorted(held(folder)) == (["a/b.txt", "a/c/d.txt", "e.txt"] if keep_folders else ["b.txt", "d.txt", "e.txt"])


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil.txt", "a/../../evil.txt", "..\\evil.txt", "C:\\evil.txt"])
@pytest.mark.parametrize("keep_folders", [False, True])
async def test_a_hostile_name_harms_nobody(files, put, folder, name, keep_folders):
    """A name that leads out of the folder fails alone, or is a name inside it; nothing lies outside."""
    ids = await put(name, "good.txt")
    report = await download_many(files, ids, folder, keep_folders=keep_folders)
    assert len(report.failed) == keep_folders
    assert sorted(held(folder)) == (["good.txt"] if keep_folders else ["evil.txt", "good.txt"])
    assert [path.name for path in folder.parent.iterdir()] == ["downloads"]


async def test_a_link_leads_nowhere(files, put, folder, tmp_path):
    """A folder that is a link is not followed: its file fails alone."""
    (tmp_path / "outside").mkdir()
    (folder / "a").symlink_to(tmp_path / "outside")
    report = await download_many(files, await put("a/b.txt", "good.txt"), folder, keep_folders=True)
    assert isinstance(report.failed[0].error, NotADirectoryError)
    assert held(tmp_path / "outside") == {}
    assert held(folder) == named("good.txt")


async def test_failures_are_outcomes(emulator, files, put, folder, ids):
    """What cannot be downloaded is Failed with its error; the others go on."""
    uploaded = (await emulator.put("up.txt", b"uploaded", downloadable=False)).id
    report = await download_many(files, ["or_file_missing", uploaded, "", *ids], folder)
    assert held(folder) == TWELVE
    errors = {failed.source: type(failed.error) for failed in report.failed}
    assert errors == {"or_file_missing": NotFoundError, uploaded: BadRequestError, "": ValueError}


@pytest.mark.parametrize("fault", [Truncate(10), Drop(), Status(500)])
async def test_a_broken_download_leaves_no_half_file(emulator, client_for, put, folder, fault):
    """What breaks for good leaves nothing behind."""
    files = await client_for(emulator, retry=RetryPolicy(attempts=1))
    ids = await put("a.txt", "b.txt", content=b"x" * 1000)
    emulator.queue("download", fault)
    report = await download_many(files, ids, folder, concurrency=1)
    assert [failed.source for failed in report.failed] == ids[:1]
    assert sorted(held(folder)) == ["b.txt"]


@pytest.mark.parametrize("keep", ["all", "problems"])
async def test_a_report_keeps_what_it_is_told_to(files, ids, folder, keep):
    """``keep="problems"`` leaves out what went well."""
    report = await download_many(files, [*ids, "or_file_missing"], folder, keep=keep)
    assert (len(report.downloaded), len(report.failed)) == (12 if keep == "all" else 0, 1)


async def test_the_folder_is_made(files, ids, tmp_path):
    """A folder that is missing is made, with those above it, also for names with folders of their own."""
    for place, how in (("a/b", {}), ("c/d", {"keep_folders": True})):
        report = await download_many(files, ids, tmp_path / place, **how)
        assert report.ok
        assert (tmp_path / place).is_dir()


@pytest.mark.parametrize("ending", ["", "/"])
async def test_what_is_no_folder_is_told(emulator, files, ids, tmp_path, ending):
    """What is no folder is told when the job begins; it is not taken for the name of each file."""
    (tmp_path / "file").write_bytes(b"a file")
    with pytest.raises(NotADirectoryError):
        await download_many(files, ids, f"{tmp_path / 'file'}{ending}", overwrite="replace")
    assert held(tmp_path) == {"file": b"a file"}
    assert emulator.requests == ()


async def test_one_id_is_no_iterable(files, ids, folder):
    """An id on its own is a mistake, though Python would take it for its letters."""
    with pytest.raises(TypeError, match="one id"):
        await download_many(files, ids[0], folder)


async def test_what_the_iterable_raises_comes_last(files, ids, folder):
    """What was given before is saved; then the error comes through."""

    def broken():
        yield from ids
        raise LookupError("no more ids")

    with pytest.raises(LookupError, match="no more ids"):
        await download_many(files, broken(), folder)
    assert held(folder) == TWELVE


async def test_a_listing_that_breaks_ends_the_job(emulator, files, ids, folder):
    """An error of ``files.list()`` comes through as itself."""
    emulator.queue("list", Status(400))
    with pytest.raises(BadRequestError):
        await download_many(files, files.list(), folder)
    assert held(folder) == {}


async def test_a_refused_key_stops_the_job(emulator, files, ids, folder):
    """After a 401 nothing more is asked for; what is left is NotTried, and says why."""
    described = await listed(files, ids)
    emulator.queue("download", Pass(), Pass(), Status(401))
    report = await download_many(files, described, folder, concurrency=1)
    assert (len(report.downloaded), len(report.failed), len(report.not_tried)) == (2, 1, 9)
    assert {type(one) for one in report.not_tried} == {NotTried}
    assert isinstance(report.not_tried[0].why, AuthenticationError)
    assert len(sent(emulator)) == 3


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_no_more_are_under_way_than_may(emulator, files, ids, folder, concurrency):
    """At no moment has the server more downloads under way than the caller allows; and it has that many."""
    described = await listed(files, ids)
    emulator.queue("download", *[Stall(0.1)] * 12)
    await download_many(files, described, folder, concurrency=concurrency)
    began = [request.at for request in sent(emulator)]
    assert max(sum(one <= other < one + 0.09 for other in began) for one in began) == concurrency


async def test_progress_ends_at_exactly_the_totals(emulator, client_for, put, folder):
    """Files and bytes are absolute, follow the attempts, and in the end both are complete."""
    files = await client_for(emulator)
    ids = await put("a.bin", "b.bin", "c.bin", content=b"x" * 300_000)
    emulator.queue("download", Pass(), Truncate(100_000))
    told = []
    await download_many(files, ids, folder, concurrency=2, on_progress=told.append)
    assert (told[-1].files, told[-1].found) == (3, 3)
    assert told[-1].bytes_done == told[-1].bytes_found == 900_000
    assert all(0 <= one.bytes_done <= one.bytes_found for one in told)
    assert all(before.files <= after.files for before, after in pairwise(told))
    assert {one.name for one in told} == {"a.bin", "b.bin", "c.bin"}
    assert any(0 < one.name_done < one.name_total for one in told)  # on its way, not only at its end


async def test_an_id_that_nobody_knows_counts(files, put, folder):
    """A file that could not even be described has its outcome: it is found and done, with no bytes."""
    (known,) = await put("a.bin", content=b"x" * 300)
    told = []
    report = await download_many(files, ["or_file_1", known, "or_file_2"], folder, on_progress=told.append)
    assert (len(report.failed), told[-1].files, told[-1].found, told[-1].bytes_done) == (2, 3, 3, 300)


async def test_who_is_slow_slows_the_job(emulator, files, put, folder):
    """Nothing is asked for that nobody takes, and the iterable is read ahead by no more than a handful."""
    (file_id,) = await put("a.txt")
    taken = count()
    async with downloading(files, (file_id for _ in taken), folder, concurrency=3) as outcomes:
        for turn in range(1, 6):
            await anext(outcomes)
            await asyncio.sleep(0.05)
            assert len(sent(emulator)) <= turn + 3
    assert next(taken) <= 130


async def broken_off(job):
    async with job as outcomes:
        async for _ in outcomes:
            break


async def cancelled(job):
    task = asyncio.create_task(to_the_end(job))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def to_the_end(job):
    async with job as outcomes:
        async for _ in outcomes:
            pass


@pytest.mark.parametrize("leave", [broken_off, cancelled])
async def test_an_early_end_leaves_no_half_file(emulator, files, put, folder, leave):
    """Whatever is in the folder after a job was left or cancelled is whole."""
    ids = await put(*(f"{n}.txt" for n in range(8)), content=b"x" * 100_000)
    emulator.queue("download", Pass(), *[Trickle(0.05, piece=10_000)] * 2)
    await leave(downloading(files, ids, folder, concurrency=3))
    assert 0 < len(held(folder)) < 8
    assert set(held(folder).values()) == {b"x" * 100_000}
    assert not [task for task in asyncio.all_tasks() if "Outcomes" in task.get_coro().__qualname__]


@pytest.mark.parametrize("overwrite", ["replace", "skip"])
async def test_names_that_some_disks_take_for_one(emulator, files, tmp_path, overwrite):
    """Neither of two names that differ only in case replaces the other, or is skipped because of it."""
    for name in ("README.md", "readme.md"):
        await emulator.put(name, name.encode())
    for _ in range(2):
        report = await download_many(files, files.list(), tmp_path / "d", overwrite=overwrite, concurrency=1)
        assert report.ok
        saved = [*(tmp_path / "d").iterdir()]
        assert sorted(path.read_text() for path in saved) == ["README.md", "readme.md"]
        assert len({path.name.casefold() for path in saved}) == 2


DOWNLOAD = """
import asyncio, sys
from openrouter_files import FilesClient

async def main(key, base_url, file_id, folder):
    async with FilesClient(key, base_url=base_url) as files:
        await files.download_to(file_id, folder)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_what_killed_downloads_left_is_removed(emulator, files, put, tmp_path):
    """A part file whose writer was killed goes with the next job into the folder; one that is written stays."""
    mine = tmp_path / "a.txt.part-mine"
    mine.write_bytes(b"mine")
    (slow,) = await put("slow.bin", content=bytes(3_000_000))
    (small,) = await put("small.txt")
    emulator.queue("download", Trickle(0.2, piece=100_000))
    program = (sys.executable, "-c", DOWNLOAD, emulator.api_key, emulator.base_url, slow, f"{tmp_path}/deep/")
    writer = await asyncio.create_subprocess_exec(*program)
    async with asyncio.timeout(30):
        while not any(tmp_path.glob("deep/*.part-*")):
            await asyncio.sleep(0.02)
    assert (await download_many(files, [small], tmp_path)).ok
    assert len([*tmp_path.glob("deep/*.part-*")]) == 1
    writer.kill()
    await writer.wait()
    assert (await download_many(files, [small], tmp_path, overwrite="skip")).ok
    assert sorted(held(tmp_path)) == ["a.txt.part-mine", "small.txt"]
