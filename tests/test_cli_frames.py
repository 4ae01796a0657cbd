"""What is drawn of a job under way: pure tables, by a clock of our own."""

import re
from contextlib import suppress

import pytest
from rich.cells import cell_len

from openrouter_files import BulkProgress, Progress
from openrouter_files.cli.frames import frame
from openrouter_files.cli.progress import Gauge

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def job():
    """A job after ten seconds: 3 of 10 files are done, two are under way."""
    now = [100.0]
    gauge = Gauge("uploading", clock=lambda: now[0])
    for _ in range(10):
        gauge.expect(1_000_000)
    gauge.expect_no_more()
    frame(gauge, 80, 24, colour=False)
    gauge.done = 3
    gauge.watch(progress("done.txt", 1_000_000, files=3, bytes_done=3_000_000))
    for name, done in (("a/very/long/way/to/a/file/一二三四五六.txt", 250_000), ("b\x1b.txt", 500_000)):
        gauge.watch(progress(name, done, files=3, bytes_done=3_750_000))
    now[0] += 10
    return gauge


def progress(name, done, *, files, bytes_done):
    return BulkProgress(
        files=files, found=5, bytes_done=bytes_done, bytes_found=5_000_000, name=name, name_done=done,
        name_total=1_000_000, running=2, concurrency=8,
    )  # fmt: skip


def test_a_frame(job):
    """The job is a line with count, bar, bytes, rate and time left; each file under way has one below."""
    first, *files = frame(job, 100, 24, colour=False)
    assert first == "uploading 3/10 " + "━" * 15 + " " * 25 + " 3.8/10.0 MB 375.0 kB/s 0:16"
    assert re.fullmatch(r"  …\S*一二三四五六.txt +━{10} {30} 250.0 kB/1.0 MB", files[0])
    assert r"b\x1b.txt" in files[1]


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("columns", [1, 2, 10, 20, 33, 47, 60, 79, 200])
def test_every_width(job, columns, colour):
    """No line is as wide as the terminal, however narrow that is."""
    for line in frame(job, columns, 24, colour=colour):
        assert cell_len(ESCAPE.sub("", line)) <= max(1, columns - 1)


@pytest.mark.parametrize(("rows", "lines"), [(1, 1), (2, 1), (3, 2), (24, 3)])
def test_every_height(job, rows, lines):
    """The files under way have to fit on the screen."""
    assert len(frame(job, 80, rows, colour=False)) == lines


def test_what_has_just_begun_is_not_worth_a_line(job):
    """A file that may be done in a moment would only flicker; one that is done is gone."""
    job.watch(progress("new.txt", 1, files=3, bytes_done=3_750_001))
    job.watch(progress("b\x1b.txt", 1_000_000, files=4, bytes_done=4_250_001))
    assert len(frame(job, 80, 24, colour=False)) == 2


def test_an_unknown_whole():
    """While files are still being found, the count has a plus, and the bar is empty."""
    gauge = Gauge("uploading")
    gauge.expect(5)
    assert frame(gauge, 60, 24, colour=False)[0].split() == ["uploading", "0/1+", "0", "files/s"]


def test_a_transfer_of_its_own(job):
    """What comes through a pipe counts, too: its size once it is known, its bytes unless it fails."""
    job.expect(None)
    with job.follow("-") as hear:
        hear(Progress(done=10, total=20))
        assert (job.moved, job.total) == (3_750_010, 10_000_020)
        hear(Progress(done=20, total=20))
    with suppress(OSError), job.follow("-") as hear:
        hear(Progress(done=10, total=20))
        raise OSError("lost")
    assert job.moved == 3_750_020


def test_what_did_not_move_is_no_part_of_the_whole(job):
    """A file that was skipped or refused takes its bytes out of the total."""
    job.hand_over("a", 1_000_000)
    job.settle("a", moved=False)
    assert job.total == 9_000_000
