"""Uploading many files: outcomes, reports, order of stopping, and what a journal saves."""

# ruff: noqa: PLR0917 - fixtures and the columns of a table are many

import asyncio
import os
import re
import sqlite3
import tracemalloc
from collections import Counter
from contextlib import closing, suppress
from itertools import count, pairwise
from pathlib import Path

import pytest

from openrouter_files import (
    AmbiguousUploadError,
    AttemptEnded,
    AuthenticationError,
    BadRequestError,
    FilesClient,
    InternalServerError,
    InvalidResponseError,
    JournalError,
    LocalFile,
    NotTried,
    Options,
    PermissionDeniedError,
    Refused,
    RetryPolicy,
    Skipped,
    Uploaded,
    upload_many,
    uploading,
)
from openrouter_files.bulk.journal import Entry, Journal
from openrouter_files.bulk.preflight import LARGEST, changed
from openrouter_files.emulator import Drop, Emulator, Pass, RateLimit, Stall, Status

ZIP = b"PK\x03\x04 nothing of an office"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sources").mkdir()
    return tmp_path / "sources"


@pytest.fixture
def write(folder):
    """Write small files; each has its name as its content, unless another is given."""

    def write(*names, content=None):
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode() if content is None else content)
        return [folder / name for name in names]

    return write


@pytest.fixture
def many(write):
    """Twenty files."""
    return write(*(f"{n:02}.txt" for n in range(20)))


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "job.sqlite"


def stored(emulator):
    return sorted(file.filename for file in emulator.files())


def sent(emulator, operation="upload"):
    return [request for request in emulator.requests if request.operation == operation]


def rows(journal):
    """What a journal holds, for whoever opens it with SQLite."""
    with closing(sqlite3.connect(journal)) as connection:
        return connection.execute("SELECT filename, file_id FROM upload ORDER BY number").fetchall()


def reasons(report):
    return {skipped.source.filename: skipped.reason for skipped in report.skipped}


async def later(*sources):
    for source in sources:
        await asyncio.sleep(0)
        yield source


# -- outcomes --------------------------------------------------------------------------------------


async def test_hidden_files_stay(emulator, files, write, folder):
    """What is hidden inside a folder is not uploaded, unless that is asked for; patterns choose among the rest."""
    write("a.txt", "b.csv", ".env", ".git/config")
    await upload_many(files, folder, include="*.txt")
    assert stored(emulator) == ["a.txt"]
    report = await upload_many(files, folder, hidden=True, exclude=["a.txt", ".git"])
    assert sorted(one.source.filename for one in report.uploaded) == [".env", "b.csv"]


async def test_what_cannot_be_read_is_told_and_the_rest_goes_on(emulator, files, write, folder):
    """A link in a circle, a link to nowhere and a pipe are outcomes of their own."""
    write("a.txt", "z.txt")
    (folder / "circle").symlink_to("circle")
    (folder / "nowhere").symlink_to("/not/mounted")
    os.mkfifo(folder / "pipe")
    report = await upload_many(files, folder)
    assert stored(emulator) == ["a.txt", "z.txt"]
    assert {one.source.filename: one.reason for one in report.refused} == dict.fromkeys(
        ["circle", "nowhere", "pipe"], "unreadable"
    )


async def test_the_files_of_the_journal_stay(emulator, files, write, folder, monkeypatch):
    """A journal inside the folder that is uploaded is not taken for a file of it, whatever the path is spelt like."""
    write("a.txt", "job.db.txt")
    monkeypatch.chdir(folder)
    for journal in ("job.db", folder / ".." / folder.name / "job.db"):
        report = await upload_many(files, [".", "job.db", "job.db.lock"], journal=journal)
        assert not report.refused
    assert stored(emulator) == ["a.txt", "job.db.txt"]


async def test_the_files_of_the_journal_stay_by_any_name(emulator, files, write, folder, tmp_path):
    """Links of other names, hard ones and soft ones, to a journal and from one lead to nothing that is sent."""
    write("a.txt")
    await upload_many(files, folder, journal=folder / "job.db")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.symlink_to(folder / "job.db")
    (folder / "soft.txt").symlink_to("job.db")
    (folder / "lock.txt").symlink_to("job.db.lock")
    os.link(folder / "job.db", folder / "hard.txt")
    report = await upload_many(files, [folder, elsewhere], journal=elsewhere, preflight=False)
    assert (stored(emulator), str(report).partition(";")[0]) == (["a.txt"], "1 skipped")
    assert len(sent(emulator)) == 1


async def test_unfinished_downloads_stay(emulator, files, write, folder):
    """What a download is writing to is hidden in its folder; a name that only looks a little like it is not."""
    write("a.txt.part-0123abcd", "b.part-1", "c.part-0123abcd.txt")
    await upload_many(files, folder)
    assert stored(emulator) == ["b.part-1", "c.part-0123abcd.txt"]
    await upload_many(files, folder / "a.txt.part-0123abcd")
    assert "a.txt.part-0123abcd" in stored(emulator)


async def test_a_report_is_a_line(files, many):
    """However many files there are, the report prints as one short line."""
    report = await upload_many(files, many)
    assert repr(report).startswith("<BulkReport: 20 uploaded; ")
    assert len(repr(report)) < 100


async def test_everything_is_stored_and_reported(emulator, files, write, folder):
    """A folder's files are stored under their way from it; the report has the source and the File of each."""
    write("a.txt", "sub/b.txt", "sub/deep/c.txt")
    report = await upload_many(files, folder)
    assert report.ok
    assert stored(emulator) == ["a.txt", "sub/b.txt", "sub/deep/c.txt"]
    for outcome in report.uploaded:
        assert isinstance(outcome, Uploaded)
        assert outcome.file.filename == outcome.source.filename
        assert await emulator.content(outcome.file.id) == Path(outcome.source.path).read_bytes()
    assert len(report.uploaded) == 3
    assert (report.statistics.bytes, report.statistics.retries) == (28, 0)
    assert report.statistics.seconds > 0


async def test_both_styles_tell_the_same(emulator, files, many):
    """A callback, a report and an iteration get each outcome once."""
    told = []
    report = await upload_many(files, many, on_outcome=told.append)
    async with uploading(files, many) as outcomes:
        iterated = [outcome async for outcome in outcomes]
        assert outcomes.statistics.bytes == 20 * 6
    assert sorted(one.source.filename for one in told) == [path.name for path in many]
    assert tuple(told) == report.uploaded
    assert {one.source for one in iterated} == {one.source for one in told}
    assert Counter(stored(emulator)) == {path.name: 2 for path in many}


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        (lambda a, b: [a, b], ["a.txt", "b.txt"]),
        (lambda a, b: (str(path) for path in (a, b)), ["a.txt", "b.txt"]),
        (lambda a, b: {a: 1, b: 2}.keys(), ["a.txt", "b.txt"]),
        (later, ["a.txt", "b.txt"]),
        (lambda a, b: later(a.parent, (b, "other.txt")), ["a.txt", "b.txt", "other.txt"]),
        (lambda a, b: a, ["a.txt"]),
        (lambda a, b: str(a.parent), ["a.txt", "b.txt"]),
        (lambda a, b: [(a, "x/y.txt"), LocalFile(str(b), "z.txt")], ["x/y.txt", "z.txt"]),
        (lambda a, b: [a.parent, (a, "again.txt")], ["a.txt", "again.txt", "b.txt"]),
        (lambda a, b: [], []),
    ],
)
@pytest.mark.parametrize("kept", [False, True])
async def test_sources_of_any_kind(emulator, files, write, journal, shape, names, kept):
    """Paths, folders, pairs and LocalFiles, alone or in any iterable or async iterable."""
    report = await upload_many(files, shape(*write("a.txt", "b.txt")), journal=journal if kept else None)
    assert report.ok
    assert stored(emulator) == names


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
async def test_what_sources_raise_comes_last(emulator, files, many, journal, kept, is_async):
    """Files that were given before the error have their outcomes; then the error itself comes through."""

    def broken():
        yield from many
        raise LookupError("no more paths")

    async def broken_later():
        for path in broken():
            yield path

    told = []
    sources = broken_later() if is_async else broken()
    with pytest.raises(LookupError, match="no more paths"):
        await upload_many(files, sources, on_outcome=told.append, journal=journal if kept else None)
    assert sorted(one.file.filename for one in told) == stored(emulator) == [path.name for path in many]


@pytest.mark.parametrize("kept", [False, True])
async def test_a_file_does_not_wait_for_those_to_come(files, many, journal, kept):
    """A source that gives the next file only when it knows the outcome of the last one gets on."""
    outcome_of_last = asyncio.Event()

    async def one_by_one():
        for path in many[:4]:
            yield path
            await outcome_of_last.wait()
            outcome_of_last.clear()

    job = upload_many(
        files, one_by_one(), on_outcome=lambda _: outcome_of_last.set(), journal=journal if kept else None
    )
    report = await asyncio.wait_for(job, 20)
    assert len(report.uploaded) == 4


async def test_failures_are_outcomes(emulator, files, many):
    """A file that the server refuses is Failed, with the error; the others go on."""
    emulator.queue("upload", Pass(), Status(400, message="not this one"), Pass(), Status(413))
    report = await upload_many(files, many, concurrency=1)
    assert (len(report.uploaded), len(report.failed), report.ok) == (18, 2, False)
    assert [str(failed.error).startswith(status) for failed, status in zip(report.failed, ("400", "413"), strict=True)]
    assert [failed.source.path for failed in report.failed] == [str(many[1]), str(many[3])]


async def test_retries_are_the_clients(emulator, files, many):
    """What the client gets through by itself is no failure; the statistics count it."""
    emulator.queue("upload", Status(408), Status(408), Status(429, retry_after_ms=10))
    report = await upload_many(files, many[:5], concurrency=1)
    assert len(report.uploaded) == 5
    assert (report.statistics.retries, report.statistics.rate_limited) == (3, 1)


async def test_a_report_is_told_in_a_line(files, write, folder):
    """``print(report)`` counts; nobody reads a repr of thousands of files."""
    write("a.txt", "b.txt")
    write("empty.txt", content=b"")
    assert re.fullmatch(r"2 uploaded, 1 refused; \d+ bytes moved in \d\.\d s", str(await upload_many(files, folder)))
    assert str(await upload_many(files, [], keep="problems")).startswith("no outcomes kept; 0 bytes moved in ")


async def test_only_problems_are_kept_if_asked_for(emulator, files, write, folder):
    """``keep="problems"`` leaves out what went well, and what it leaves out was told."""
    write("a.txt", "b.txt")
    write("empty.txt", content=b"")
    told = []
    report = await upload_many(files, folder, keep="problems", on_outcome=told.append)
    assert (report.uploaded, len(report.refused), len(told)) == ((), 1, 3)


async def test_who_listens_to_the_client_goes_on_listening(emulator, client_for, many):
    """A job's own ear for events does not take the place of the caller's."""
    heard = []
    files = await client_for(emulator, options=Options(on_event=heard.append))
    await upload_many(files, many[:3])
    assert [type(event) for event in heard] == [AttemptEnded] * 3


# -- preflight -------------------------------------------------------------------------------------


def sparse(path):
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)


REFUSALS = {
    "empty": lambda path: path.write_bytes(b""),
    "too large": sparse,
    "type": lambda path: path.write_bytes(ZIP),
    "name": lambda path: path.write_bytes(b"text"),
    "unreadable": lambda path: None,
}


@pytest.mark.parametrize("reason", REFUSALS)
@pytest.mark.parametrize("kept", [False, True])
async def test_what_is_refused_costs_no_request(emulator, files, write, folder, journal, reason, kept):
    """A file that cannot be accepted has an outcome that says why in a sentence, and nothing was sent or noted."""
    (good,) = write("good.txt")
    REFUSALS[reason](folder / "bad.txt")
    source = (folder / "bad.txt", "a:b.txt" if reason == "name" else "bad.txt")
    report = await upload_many(files, [source, good], journal=journal if kept else None)
    (refused,) = report.refused
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.source) == (reason, LocalFile(str(source[0]), source[1]))
    assert refused.detail
    assert not report.ok
    assert stored(emulator) == ["good.txt"]
    assert len(sent(emulator)) == 1
    if kept:
        assert [filename for filename, _ in rows(journal)] == ["good.txt"]


@pytest.mark.parametrize("reason", ["empty", "type", "name"])
async def test_without_preflight_the_server_decides(emulator, files, folder, reason):
    """``preflight=False`` sends what is there, and the server's refusal is the failure."""
    REFUSALS[reason](folder / "bad.txt")
    source = (folder / "bad.txt", "a:b.txt" if reason == "name" else "bad.txt")
    report = await upload_many(files, [source], preflight=False)
    assert isinstance(report.failed[0].error, BadRequestError)
    assert len(sent(emulator)) == 1


async def test_other_stores_have_other_rules(emulator, files, folder):
    """For the store of another provider nothing is refused in advance."""
    REFUSALS["type"](folder / "a.zip")
    await upload_many(files.with_options(provider="openai"), [folder / "a.zip"])
    assert len(sent(emulator)) == 1


@pytest.mark.parametrize("name", ["half \ud83d a character.txt", "\udcff.txt", "a\0b", ""])
async def test_a_strange_name_fails_alone(emulator, files, write, name):
    """A name that is no text at all is one outcome, not the end of the job."""
    (good,) = write("good.txt")
    report = await upload_many(files, [(good, name), good])
    assert [refused.reason for refused in report.refused] == ["name"]
    assert stored(emulator) == ["good.txt"]


@pytest.mark.parametrize("path", ["a\0b", "\ud83d", "", "/dev/null"])
async def test_a_strange_path_fails_alone(emulator, files, write, path):
    """A path that no disk has, or that is no file, is one outcome, not the end of the job."""
    (good,) = write("good.txt")
    report = await upload_many(files, [LocalFile(path, "bad.txt"), good])
    assert [refused.reason for refused in report.refused] == ["unreadable"]
    assert stored(emulator) == ["good.txt"]


async def test_a_path_that_is_too_long_fails_alone(emulator, files, write):
    """What the system cannot even look up is one outcome, which says why, and the others are stored."""
    (good,) = write("good.txt")
    report = await upload_many(files, ["a" * 5000, good])
    assert [(refused.reason, "too long" in refused.detail) for refused in report.refused] == [("unreadable", True)]
    assert stored(emulator) == ["good.txt"]


@pytest.mark.parametrize("kept", [False, True])
async def test_the_same_file_is_sent_once(emulator, files, write, folder, journal, monkeypatch, kept):
    """A path that is given again, however it is written, is a duplicate; under another name it is not."""
    (path,) = write("a.txt")
    monkeypatch.chdir(folder)
    sources = [path, str(path), "a.txt", "./a.txt", folder, f"{folder}/../sources/a.txt", (path, "b.txt")]
    report = await upload_many(files, sources, journal=journal if kept else None)
    assert stored(emulator) == ["a.txt", "b.txt"]
    assert [refused.reason for refused in report.refused] == ["duplicate"] * 5


# -- how many at once ------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_no_more_are_under_way_than_may(emulator, files, many, concurrency):
    """At no moment has the server more uploads under way than the caller allows; and it has that many."""
    emulator.queue("upload", *[Stall(0.1)] * 9)
    await upload_many(files, many[:9], concurrency=concurrency)
    began = [request.at for request in sent(emulator)]
    crowds = [sum(one <= other < one + 0.09 for other in began) for one in began]
    assert max(crowds) == concurrency


@pytest.mark.parametrize("concurrency", [0, -3])
async def test_nobody_at_work_is_a_mistake(files, many, concurrency):
    """A concurrency below one is a ValueError before anything begins."""
    with pytest.raises(ValueError, match="concurrency"):
        await upload_many(files, many, concurrency=concurrency)


async def test_a_rate_limit_lowers_it(emulator, files, many):
    """Answers 429 halve what runs at once, and nothing is lost."""
    emulator.limit(RateLimit(per_second=5, burst=2, retry_after=0.1), "upload")
    async with uploading(files, many) as outcomes:
        async for outcome in outcomes:
            assert isinstance(outcome, Uploaded)
            if outcomes.statistics.rate_limited:
                emulator.limit(None, "upload")
    assert outcomes.statistics.rate_limited > 0
    assert outcomes.statistics.lowest_concurrency <= 4
    assert outcomes.statistics.highest_concurrency == 8
    assert stored(emulator) == [path.name for path in many]


async def test_successes_raise_it_again(emulator, files, many):
    """After one 429 two of four run, and more again when the server takes them."""
    emulator.queue("upload", *[Stall(0.15)] * 4, Status(429, retry_after_ms=50), *[Stall(0.15)] * 16)
    concurrency = []
    report = await upload_many(files, many, concurrency=4, on_progress=lambda p: concurrency.append(p.concurrency))
    assert len(report.uploaded) == 20
    assert (report.statistics.rate_limited, report.statistics.retries) == (1, 1)
    assert report.statistics.lowest_concurrency == min(concurrency) == 2
    assert max(concurrency[concurrency.index(2) :]) > 2


async def test_a_slow_server_lowers_it(emulator, files, many):
    """Answers that take far longer than before are a queue that more uploads would only lengthen."""
    emulator.queue("upload", *[Stall(0.02)] * 12, *[Stall(1.5)] * 8)
    report = await upload_many(files, many, concurrency=4)
    assert report.statistics.lowest_concurrency in {2, 3}
    assert report.statistics.rate_limited == 0


# -- progress --------------------------------------------------------------------------------------


async def test_progress_ends_at_exactly_the_totals(files, write, folder):
    """Files and bytes are absolute, never beyond what was found, and in the end both are complete."""
    sizes = {f"{n}.txt": 1 + 40_000 * n for n in range(8)}
    for name, size in sizes.items():
        write(name, content=b"x" * size)
    told = []
    await upload_many(files, folder, concurrency=3, on_progress=told.append)
    last = told[-1]
    assert (last.files, last.found) == (8, 8)
    assert last.bytes_done == last.bytes_found == sum(sizes.values())
    for one in told:
        assert 0 <= one.files <= one.found
        assert 0 <= one.bytes_done <= one.bytes_found
        assert one.name_done <= one.name_total == sizes[one.name]
        assert 1 <= one.running <= one.concurrency <= 3
    assert all(before.files <= after.files for before, after in pairwise(told))
    assert {one.name for one in told if one.name_done == one.name_total} == sizes.keys()


@pytest.mark.parametrize("fault", [Drop(after=100_000), Status(503)])
async def test_progress_follows_the_attempts(emulator, client_for, write, fault):
    """A transfer that starts over takes its bytes back: the total is what has arrived, not what was sent."""
    files = await client_for(emulator, retry=RetryPolicy(first_delay=0.01))
    paths = write("a.txt", "b.txt", content=b"x" * 500_000)
    emulator.queue("upload", Pass(), fault)
    told = []
    await upload_many(files, paths, concurrency=1, on_progress=told.append)
    done = [one.bytes_done for one in told]
    assert any(after < before for before, after in pairwise(done))
    assert max(done) == done[-1] == 1_000_000
    assert (told[-1].files, told[-1].found) == (2, 2)


async def test_a_failed_file_moved_nothing(emulator, files, write):
    """The bytes of an upload that failed in the end do not count as done."""
    paths = write("a.txt", "b.txt", content=b"x" * 100)
    emulator.queue("upload", Status(400))
    told = []
    report = await upload_many(files, paths, concurrency=1, on_progress=told.append)
    assert (told[-1].files, told[-1].found) == (2, 2)
    assert told[-1].bytes_done == report.statistics.bytes == 100


# -- stopping --------------------------------------------------------------------------------------


async def test_a_refused_key_stops_the_job(emulator, files, many):
    """After a 401 nothing more is sent; what is left is NotTried, and says why."""
    emulator.queue("upload", Pass(), Pass(), Status(401))
    report = await upload_many(files, many, concurrency=1)
    assert (len(report.uploaded), len(report.failed), len(report.not_tried)) == (2, 1, 17)
    assert isinstance(report.failed[0].error, AuthenticationError)
    assert {type(one) for one in report.not_tried} == {NotTried}
    assert {one.why for one in report.not_tried} == {report.failed[0].error}
    assert len(sent(emulator)) == 3


async def test_what_runs_may_finish(emulator, files, many):
    """Uploads that were under way when another met the 401 come to their own end."""
    emulator.queue("upload", Stall(0.3), Status(401), Stall(0.3))
    report = await upload_many(files, many, concurrency=3)
    assert (len(report.uploaded), len(report.failed), len(report.not_tried)) == (2, 1, 17)


async def test_a_key_without_rights_stops_the_job(emulator, client_for, many):
    """A 403 for a key that may not even list is about the key."""
    emulator.add_key("sk-or-v1-bound")
    files = await client_for(emulator, api_key="sk-or-v1-bound")
    report = await upload_many(files.with_options(workspace_id=emulator.workspace_id), many, concurrency=1)
    assert (len(report.failed), len(report.not_tried)) == (1, 19)
    assert isinstance(report.not_tried[0].why, PermissionDeniedError)
    assert [request.operation for request in emulator.requests] == ["upload", "list"]


async def test_a_full_workspace_is_about_the_file(client_for, write):
    """A 403 for one that does not fit fails that file; a smaller one still goes in."""
    sources = [*write("a.txt", "b.txt", content=b"x" * 60), *write("c.txt", content=b"x" * 30)]
    async with Emulator(quota_bytes=100) as emulator:
        report = await upload_many(await client_for(emulator), sources, concurrency=1)
        assert stored(emulator) == ["a.txt", "c.txt"]
    (failed,) = report.failed
    assert isinstance(failed.error, PermissionDeniedError)
    assert (failed.source.filename, report.not_tried) == ("b.txt", ())


async def test_a_server_that_cannot_say_does_not_stop_the_job(emulator, files, many):
    """If a 403 is followed by a listing that fails for another reason, nobody knows: the job goes on."""
    emulator.queue("upload", Status(403))
    emulator.queue("list", Status(400))
    report = await upload_many(files, many, concurrency=1)
    assert (len(report.uploaded), len(report.failed)) == (19, 1)


# -- the journal -----------------------------------------------------------------------------------


async def test_what_is_done_costs_no_request(emulator, files, many, journal):
    """A second run finds everything in the journal: not one request, and the ids are those of the first."""
    first = await upload_many(files, many, journal=journal)
    emulator.clear()
    second = await upload_many(files, many, journal=journal)
    assert emulator.requests == ()
    assert {type(one) for one in second.skipped} == {Skipped}
    assert set(reasons(second).values()) == {"done"}
    assert second.ok
    assert {one.source: one.file_id for one in second.skipped} == {one.source: one.file.id for one in first.uploaded}
    assert sorted(rows(journal)) == sorted((file.filename, file.id) for file in emulator.files())


async def test_the_rest_goes_on(emulator, files, many, journal):
    """What failed, or was not given before, is sent by the next run; what was stored is not."""
    emulator.queue("upload", *[Pass()] * 3, Status(400))
    await upload_many(files, many[:10], journal=journal, concurrency=1)
    report = await upload_many(files, many, journal=journal)
    assert (len(report.skipped), len(report.uploaded)) == (9, 11)
    assert stored(emulator) == [path.name for path in many]


async def test_a_touched_file_is_known(emulator, files, write, journal):
    """Another time of writing and the same bytes: nothing is sent, now and in the run after."""
    (path,) = write("a.txt")
    await upload_many(files, [path], journal=journal)
    os.utime(path, (1, 1))
    emulator.clear()
    for _ in range(2):
        assert reasons(await upload_many(files, [path], journal=journal)) == {"a.txt": "done"}
    assert emulator.requests == ()


async def test_a_changed_file_is_sent_anew(emulator, files, write, journal):
    """Other bytes are another file, though path, name, size and even the time are the same."""
    (path,) = write("a.txt", content=b"old")
    await upload_many(files, [path], journal=journal)
    path.write_bytes(b"new")
    report = await upload_many(files, [path], journal=journal)
    assert [await emulator.content(file.id) for file in emulator.files()] == [b"old", b"new"]
    assert rows(journal)[-1] == ("a.txt", report.uploaded[0].file.id)
    assert reasons(await upload_many(files, [path], journal=journal)) == {"a.txt": "done"}


@pytest.mark.parametrize("skip_known", [False, True])
async def test_the_same_bytes_under_another_name(emulator, files, write, journal, skip_known):
    """With ``skip_known`` they are what is stored already, and its id is given; without, a file of their own."""
    first, second = write("a.txt", "b.txt", content=b"the same")
    report = await upload_many(files, [first], journal=journal)
    again = await upload_many(files, [second], journal=journal, skip_known=skip_known)
    assert stored(emulator) == (["a.txt"] if skip_known else ["a.txt", "b.txt"])
    if skip_known:
        assert (again.skipped[0].reason, again.skipped[0].file_id) == ("known", report.uploaded[0].file.id)
        assert reasons(await upload_many(files, [second], journal=journal)) == {"b.txt": "done"}


async def test_the_same_bytes_at_once(emulator, files, write, journal):
    """Of many files of one content in one job, one is sent; the others wait for its id, or for their turn."""
    paths = write(*(f"{n}.txt" for n in range(20)), content=b"the same")
    emulator.queue("upload", Status(400))
    report = await upload_many(files, paths, journal=journal, skip_known=True, concurrency=8)
    assert (len(report.failed), len(report.uploaded), len(report.skipped)) == (1, 1, 18)
    assert {one.file_id for one in report.skipped} == {report.uploaded[0].file.id}
    assert len(emulator.files()) == 1


async def test_what_changes_before_it_is_sent_is_not_known_by_its_old_content(emulator, files, write, journal):
    """If what was hashed is not what was sent, the journal does not say so: neither file nor content is done."""
    (path,) = write("a.txt", content=b"old")
    status = path.stat()
    emulator.queue("upload", Status(408))

    def change(event):
        path.write_bytes(b"new content")

    report = await upload_many(files.with_options(on_event=change), [path], journal=journal)
    assert report.uploaded[0].file.size_bytes == len(b"new content")
    path.write_bytes(b"old")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = await upload_many(files, [path], journal=journal, skip_known=True)
    assert [await emulator.content(one.file.id) for one in again.uploaded] == [b"old"]


async def test_what_is_done_can_be_verified(emulator, files, many, journal):
    """With ``verify`` the server is asked about each file; what is gone is sent again, and noted anew."""
    first = await upload_many(files, many[:4], journal=journal)
    gone = first.uploaded[1]
    await files.delete(gone.file.id)
    emulator.clear()
    report = await upload_many(files, many[:4], journal=journal, verify=True)
    assert len(sent(emulator, "retrieve")) == 4
    assert (len(report.skipped), [one.source for one in report.uploaded]) == (3, [gone.source])
    assert sorted(rows(journal)) == sorted((file.filename, file.id) for file in emulator.files())


@pytest.mark.parametrize("option", ["skip_known", "verify"])
async def test_options_of_a_journal_need_one(files, many, option):
    """Without a journal they would do nothing: a mistake, told before anything begins."""
    with pytest.raises(ValueError, match="need a journal"):
        await upload_many(files, many, **{option: True})


async def test_one_job_at_a_time(emulator, files, many, journal):
    """A second job on a journal is told who holds it, sends nothing, and the first is not disturbed."""
    async with uploading(files, many, journal=journal) as outcomes:
        await anext(outcomes)
        with pytest.raises(JournalError, match=f"in use by process {os.getpid()} "):
            await upload_many(files, many, journal=journal)
        assert len([outcome async for outcome in outcomes]) == 19
    assert (await upload_many(files, many, journal=journal)).ok
    assert stored(emulator) == [path.name for path in many]


async def test_a_journal_has_one_destination(emulator, files, many, journal):
    """A journal of one workspace is not used for another: its ids would be wrong there."""
    await upload_many(files, many[:1], journal=journal)
    other = files.with_options(workspace_id=emulator.add_workspace())
    with pytest.raises(JournalError, match="is about uploads to"):
        await upload_many(other, many, journal=journal)


@pytest.mark.parametrize(
    "fault", [Status(400), Status(429, retry_after=60), Status(401), Status(413), Drop(after=50_000, reset=True)]
)
async def test_a_failure_leaves_no_doubt(emulator, client_for, write, journal, fault):
    """An upload that surely was not stored is not in the journal any more."""
    (path,) = write("a.txt", content=b"x" * 20_000_000)
    files = await client_for(emulator, retry=RetryPolicy(attempts=1, ambiguous="raise"))
    emulator.queue("upload", fault)
    report = await upload_many(files, [path], journal=journal)
    assert (len(report.failed), rows(journal)) == (1, [])


LOST = [Status(502, after_work=True), Drop(after_work=True), Status(200, after_work=True, body=b"{")]


@pytest.mark.parametrize(
    ("fault", "was_stored"),
    [*((fault, True) for fault in LOST), (Status(502), False), (Status(503), False), (Drop(), False)],
)
async def test_a_doubt_is_kept_and_settled(emulator, client_for, write, journal, fault, was_stored):
    """An upload that may have been stored stays noted; the next run finds out, and nothing is stored twice."""
    (path,) = write("a.txt")
    files = await client_for(emulator, retry=RetryPolicy(attempts=1, first_delay=0.01, ambiguous="raise"))
    emulator.queue("upload", fault)
    (failed,) = (await upload_many(files, [path], journal=journal)).failed
    assert isinstance(failed.error, AmbiguousUploadError | InvalidResponseError)
    assert failed.error.maybe_processed
    assert rows(journal) == [("a.txt", None)]
    emulator.clear()
    report = await upload_many(files, [path], journal=journal)
    assert report.ok
    assert len(sent(emulator)) == (0 if was_stored else 1)
    assert rows(journal) == [(file.filename, file.id) for file in emulator.files()]
    assert len(rows(journal)) == 1


async def test_a_doubt_that_nobody_can_settle_fails_its_file(emulator, client_for, write, journal):
    """If two files may be it, the file is Failed with both as candidates, again and again; the others go on."""
    paths = write("a.txt", "b.txt")
    files = await client_for(emulator, retry=RetryPolicy(attempts=1, first_delay=0.01, ambiguous="raise"))
    emulator.queue("upload", Drop(after_work=True))
    await upload_many(files, paths[:1], journal=journal)
    await emulator.put("a.txt", b"a.txt")
    for uploaded in (1, 0):
        report = await upload_many(files, paths, journal=journal)
        assert len(report.uploaded) == uploaded
        assert len(report.failed[0].error.candidates) == 2
    assert stored(emulator) == ["a.txt", "a.txt", "b.txt"]


async def test_an_unreadable_listing_begins_nothing(emulator, client_for, write, journal):
    """If doubts cannot be looked into, the job does not begin, and the journal is free and as it was."""
    (path,) = write("a.txt")
    files = await client_for(emulator, retry=RetryPolicy(attempts=1, first_delay=0.01, ambiguous="raise"))
    emulator.queue("upload", Drop(after_work=True))
    await upload_many(files, [path], journal=journal)
    emulator.queue("list", Status(500))
    with pytest.raises(InternalServerError):
        await upload_many(files, [path], journal=journal)
    assert rows(journal) == [("a.txt", None)]
    assert (await upload_many(files, [path], journal=journal)).ok
    assert stored(emulator) == ["a.txt"]


async def test_what_a_callback_breaks_is_a_doubt(emulator, files, write, journal):
    """A callback that raises when the last byte is out says nothing about the server: no second copy is sent."""
    (path,) = write("a.txt")

    def tell(progress):
        raise LookupError("no")

    (failed,) = (await upload_many(files, [path], journal=journal, on_progress=tell)).failed
    assert isinstance(failed.error, LookupError)
    with suppress(TimeoutError):  # a server that notices first that the client has left does not store it
        async with asyncio.timeout(1):
            while not emulator.files():
                await asyncio.sleep(0.01)
    assert (await upload_many(files, [path], journal=journal)).ok
    assert stored(emulator) == ["a.txt"]


# -- ends before the end ---------------------------------------------------------------------------


def theirs(task):
    """Whether a task is the server's, which runs on the same loop."""
    return "Handler" in task.get_coro().__qualname__ or "emulator" in task.get_coro().cr_code.co_filename


def tasks():
    return {task for task in asyncio.all_tasks() if not theirs(task)} - {asyncio.current_task()}


def open_files(folder):
    """The files below a folder that this process holds open."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists the others
            found.append(str(descriptor.readlink()))
    return [path for path in found if path.startswith(str(folder))]


def descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def break_off(job):
    async with job as outcomes:
        async for _ in outcomes:
            break


async def raise_inside(job):
    with pytest.raises(LookupError):
        await raising(job)


async def raising(job):
    async with job as outcomes:
        async for _ in outcomes:
            raise LookupError


async def to_the_end(job):
    async with job as outcomes:
        async for _ in outcomes:
            pass


async def cancel(job):
    task = asyncio.create_task(to_the_end(job))
    await asyncio.sleep(0.15)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("leave", [break_off, raise_inside, cancel])
async def test_leaving_early_leaves_nothing_but_the_journal(emulator, write, tmp_path, journal, eager, leave):
    """No task, no socket, no open file, no lock is left; and the next run stores the rest, nothing twice."""
    paths = write(*(f"{n:02}.txt" for n in range(20)), content=b"x" * 300_000)
    before = descriptors()
    emulator.queue("upload", Pass(), *[Stall(0.2)] * 10)
    async with FilesClient(emulator.api_key, base_url=emulator.base_url, options=Options(retry=eager)) as files:
        await leave(uploading(files, paths, concurrency=4, journal=journal))
        assert tasks() == set()
        assert open_files(tmp_path) == []
    async with asyncio.timeout(5):
        while descriptors() > before:  # the server learns of it in its own time
            await asyncio.sleep(0.01)
    assert len(emulator.files()) < 20
    await asyncio.sleep(0.3)  # what the server had already goes on there
    async with FilesClient(emulator.api_key, base_url=emulator.base_url, options=Options(retry=eager)) as files:
        assert (await upload_many(files, paths, journal=journal, concurrency=11)).ok
    assert stored(emulator) == [path.name for path in paths]
    assert sorted(rows(journal)) == sorted((file.filename, file.id) for file in emulator.files())


async def test_what_on_outcome_raises_ends_the_job(emulator, files, many, journal):
    """A mistake in a callback comes through at once, and the journal is free."""

    def tell(outcome):
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        await upload_many(files, many, on_outcome=tell, journal=journal, concurrency=2)
    assert tasks() == set()
    assert (await upload_many(files, many, journal=journal)).ok
    assert stored(emulator) == [path.name for path in many]


# -- many ------------------------------------------------------------------------------------------


async def test_who_is_slow_slows_the_job(emulator, files, write):
    """Nothing is sent that nobody asks for, and sources are read ahead by no more than a handful."""
    (path,) = write("a.txt")
    taken = count()
    async with uploading(files, ((path, f"{n}.txt") for n in taken), concurrency=3) as outcomes:
        for turn in range(1, 6):
            await anext(outcomes)
            await asyncio.sleep(0.05)
            assert len(sent(emulator)) <= turn + 3
    assert next(taken) <= 200


async def test_memory_does_not_grow_with_the_number_of_files(emulator, files, folder, journal):
    """Of 6,000 files that an earlier run stored, nothing is kept in memory but the mark of each."""
    amount = 6000

    def entry(n):
        path = folder / f"{n}.txt"
        path.touch()
        source = LocalFile(str(path), path.name)
        status = path.stat()
        return Entry(source=source, size=0, mtime_ns=status.st_mtime_ns, sha256=bytes(32), changed=changed(status))

    async with await Journal.open(journal, destination=files.base_url) as book:
        await book.stored(await book.intend(entry("first"), anchor=None), "or_file_first")
        await asyncio.gather(*(book.adopt(entry(n), f"or_file_{n}") for n in range(amount)))
    told = Counter()
    tracemalloc.start()
    try:
        report = await upload_many(
            files,
            (folder / f"{n}.txt" for n in range(amount)),
            journal=journal,
            keep="problems",
            on_outcome=lambda outcome: told.update([outcome.reason]),
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (told, report.skipped, emulator.requests) == ({"done": amount}, (), ())
    assert peak < 2_700_000  # with the outcomes it would be another three
