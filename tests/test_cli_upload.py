"""`upload`, as a process against a server."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import sys

import pytest
from test_cli_process import MODULE, called, cli, ended, eventually, piped, started, within

from openrouter_files.emulator import Stall, Status


def names(emulator):
    return sorted(file.filename for file in emulator.files())


@pytest.fixture
def folder(tmp_path):
    """A folder with files of several kinds, some of them hidden."""
    for name in ("a.csv", "b.txt", "deep/c.csv", "deep/er/d.csv", ".env", ".git/config"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "data"


async def test_a_file(emulator, tmp_path):
    """A file is stored under its own name; its id is the only result."""
    (tmp_path / "report.md").write_text("# report\n")
    done = await cli("upload", tmp_path / "report.md", server=emulator)
    (stored,) = emulator.files()
    assert (done.status, done.results) == (0, f"{stored.id}\n")
    assert stored.filename == "report.md"
    assert "1 file uploaded, 9 B in" in done.messages
    assert await emulator.content(stored.id) == b"# report\n"


async def test_a_folder_keeps_its_folders(emulator, folder):
    """A folder is uploaded with what is inside, under the paths inside of it, hidden files left out."""
    done = await called("upload", folder, server=emulator)
    assert done.status == 0
    assert names(emulator) == ["a.csv", "b.txt", "deep/c.csv", "deep/er/d.csv"]


# Root may read everything, so it gives that right away first. Source: linux/prctl.h, linux/capability.h.
WITHOUT_RIGHTS = """
import ctypes, os, sys
for right in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    ctypes.CDLL(None).prctl(24, right, 0, 0, 0)  # PR_CAPBSET_DROP
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="rights as Linux has them")
@pytest.mark.parametrize("given", ["data", "data/**/*.csv"])
async def test_a_folder_that_may_not_be_read_is_told(emulator, folder, given):
    """A folder without permission is an outcome with its reason, and a status; the rest is stored."""
    (folder / "deep/er").chmod(0)
    program = (sys.executable, "-c", WITHOUT_RIGHTS, *MODULE[1:])
    done = await cli("upload", given, server=emulator, cwd=folder.parent, program=program)
    (folder / "deep/er").chmod(0o700)
    assert done.status == 5
    assert {"a.csv", "deep/c.csv"} <= set(names(emulator)) <= {"a.csv", "b.txt", "deep/c.csv"}
    assert re.search(r"deep/er  Permission denied$", done.messages, re.MULTILINE)


async def test_what_is_no_file_is_told(emulator, folder):
    """Links in a circle and to nowhere, pipes and sockets of a folder: a line each and a status; the rest is stored."""
    (folder / "circle").symlink_to("circle")
    (folder / "nowhere").symlink_to("/not/mounted")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(folder / "socket"))
        done = await cli("upload", folder, server=emulator)
    assert done.status == 5
    assert names(emulator) == ["a.csv", "b.txt", "deep/c.csv", "deep/er/d.csv"]
    for name in ("circle", "nowhere", "pipe", "socket"):
        assert done.messages.count(str(folder / name)) == 1, done.messages


async def test_a_dry_run_leaves_the_journal_out_by_any_name(folder):
    """What a link calls otherwise is still a file of the journal."""
    (folder / "job.db").write_bytes(b"")
    (folder / "job.db.lock").write_text("")
    (folder / "soft.txt").symlink_to("job.db.lock")
    os.link(folder / "job.db.lock", folder / "hard.txt")
    done = await called("upload", ".", "--dry-run", "--journal", "job.db", cwd=folder)
    assert (done.status, len(done.lines)) == (0, 4), done


async def test_patterns(emulator, folder):
    """--include and --exclude choose among what was found."""
    done = await called("upload", folder, "--include", "*.csv", "--exclude", "deep/er", server=emulator)
    assert done.status == 0
    assert names(emulator) == ["a.csv", "deep/c.csv"]


def test_a_dry_run_sends_nothing(folder, monkeypatch):
    """--dry-run shows source, bytes and name of each file, also of a pattern; it needs no key."""
    monkeypatch.chdir(folder)
    done = within("upload", "a.csv", "**/d*.csv", "--dry-run")
    assert (done.status, done.results) == (0, "a.csv\t5\ta.csv\ndeep/er/d.csv\t13\tdeep/er/d.csv\n")


async def test_standard_input(emulator):
    """'-' uploads standard input under the name that is given."""
    done = await cli("upload", "-", "--name", "d/in.txt", server=emulator, stdin=b"piped\n")
    (stored,) = emulator.files()
    assert (done.status, stored.filename) == (0, "d/in.txt")
    assert await emulator.content(stored.id) == b"piped\n"


async def test_a_pipe_with_a_name(emulator, tmp_path):
    """What a shell substitutes for a file is read to its end."""
    done = await piped("$CLI upload <(echo substituted) --name s.txt", emulator, tmp_path)
    assert done.status == 0
    assert await emulator.content(emulator.files()[0].id) == b"substituted\n"


async def test_a_list_of_files_is_taken_as_it_comes(emulator, folder):
    """--files-from uploads a path as soon as it is read, and keeps its folders in the name."""
    async with started("upload", "--files-from", "-", server=emulator, cwd=folder) as process:
        process.stdin.write(b"deep/c.csv\n")
        await process.stdin.drain()
        await eventually(lambda: names(emulator) == ["deep/c.csv"])
        done = await ended(process, b"a.csv\n")
    assert done.status == 0
    assert names(emulator) == ["a.csv", "deep/c.csv"]


@pytest.mark.parametrize("how", ["file", "-"])
async def test_a_list_from_elsewhere(emulator, tmp_path, how):
    """A list may have been written on Windows, and hold names that are no text: only the end of a line ends a name."""
    paths = (b"a.txt", b"", "line\u2028separator.txt".encode(), b"odd\xff.txt")
    for path in filter(None, paths):
        (tmp_path / os.fsdecode(path)).write_text("content")
    listed = b"\r\n".join(paths)
    (tmp_path / "list").write_bytes((b"\xef\xbb\xbf" if how == "file" else b"") + listed)
    source = str(tmp_path / "list") if how == "file" else "-"
    done = await cli("upload", "--files-from", source, server=emulator, cwd=tmp_path, stdin=listed)
    assert names(emulator) == ["a.txt", "line\u2028separator.txt"]
    assert done.status == 5
    assert "is not Unicode text" in done.messages


async def test_json_lines(emulator, folder):
    """With --json each stored file is an object that names its source."""
    done = await called("upload", "a.csv", "--name", "x/y.csv", "--json", server=emulator, cwd=folder)
    told = json.loads(done.results)
    assert told["id"] == emulator.files()[0].id
    assert (told["filename"], told["size_bytes"], told["source"]) == ("x/y.csv", 5, "a.csv")


async def test_every_kind_of_outcome_is_a_line_for_programs(emulator, tmp_path):
    """What was stored, given twice, refused before a byte was sent, or failed: one object each, by its outcome."""
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "x.exe").write_bytes(b"MZ\x90\x00\xff\xfe" * 50)
    emulator.queue("upload", Status(400, message="no"))
    given = ["a.txt", "a.txt", "b.txt", "empty.txt", "x.exe", "nix", "--concurrency", "1", "--json"]
    done = await called("upload", *given, server=emulator, cwd=tmp_path)
    told = {(o["source"], o["outcome"], o.get("reason")) for o in map(json.loads, done.lines)}
    assert done.status == 5
    assert told == {
        *[("a.txt", "failed", None), ("a.txt", "skipped", "duplicate"), ("b.txt", "uploaded", None)],
        *[("empty.txt", "refused", "empty"), ("x.exe", "refused", "type"), ("nix", "failed", None)],
    }
    assert "1 file uploaded" in done.messages
    assert "1 given twice" in done.messages
    assert "error: 4 files of 5 failed:" in done.messages


async def test_no_preflight_leaves_the_judgement_to_the_service(emulator, tmp_path):
    """--no-preflight sends what would be refused; the service's words are the reason then."""
    (tmp_path / "empty.txt").touch()
    done = await called("upload", tmp_path / "empty.txt", "--no-preflight", server=emulator)
    assert done.status == 1
    assert "400" in done.messages
    assert len(emulator.requests) == 1


async def test_one_of_several_fails(emulator, folder):
    """A file that cannot be uploaded does not stop the others; the status is 5."""
    done = await called("upload", "nix", "a.csv", "x*y", server=emulator, cwd=folder)
    assert done.status == 5
    assert names(emulator) == ["a.csv"]
    assert "1 file uploaded" in done.messages
    assert "error: 2 files of 3 failed:" in done.messages
    assert "    nix  No such file or directory\n    x*y  no file matches\n" in done.messages


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Status(429), 6),
        (Status(403, message="Workspace storage is full"), 1),
    ],
)
async def test_the_only_file_decides_the_status(emulator, folder, fault, status):
    """What happened to the only file is what the exit status says."""
    emulator.queue("upload", fault)
    done = await called("upload", folder / "a.csv", "--retries", "0", server=emulator)
    assert done.status == status
    assert len(done.messages.splitlines()) == 1


async def test_an_ambiguous_upload_is_7(emulator, folder):
    """An upload that may have been stored, while nobody can tell, ends with 7 and says where to look."""
    emulator.queue("upload", Status(502, after_work=True))
    emulator.queue("list", Status(400))
    done = await called("upload", folder / "a.csv", "--retries", "0", server=emulator)
    assert done.status == 7
    assert "openrouter-files list" in done.messages


async def test_a_refused_key_stops_everything(emulator, tmp_path):
    """With a wrong key the rest is not tried: one error, status 4."""
    for number in range(60):
        (tmp_path / f"{number}.txt").write_text("x")
    done = await called("upload", tmp_path, "--concurrency", "2", server=emulator, OPENROUTER_API_KEY="wrong")
    assert done.status == 4
    assert done.messages.count("error:") == 1
    assert len(emulator.requests) < 10


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_an_interrupted_upload_says_what_was_stored(emulator, tmp_path, number, status):
    """A signal stops what is under way and starts nothing new; the summary tells what was stored."""
    for index in range(20):
        (tmp_path / f"{index:02}.txt").write_text("x")
    emulator.queue("upload", *[Stall(0)] * 2, *[Stall(60)] * 3)
    async with started("upload", tmp_path, "--concurrency", "3", server=emulator) as process:
        await eventually(lambda: len(emulator.requests) == 5)
        await eventually(lambda: len(emulator.files()) == 2)
        await asyncio.sleep(0.1)
        process.send_signal(number)
        done = await ended(process)
    assert done.status == status
    assert len(done.lines) == len(emulator.files()) == 2
    assert "2 files uploaded" in done.messages
    assert "3 files cut off" in done.messages


async def test_an_upload_that_waits_for_input_can_be_interrupted(emulator):
    """Ctrl-C ends an upload of standard input that nobody types."""
    async with started("upload", "-", "--name", "x.txt", server=emulator) as process:
        await asyncio.sleep(0.9)  # to be waiting for input, not still starting
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 10) == 130


async def test_an_empty_folder_is_no_failure(emulator, tmp_path):
    """Where there is nothing to upload, that is said and is no error."""
    done = await called("upload", tmp_path, server=emulator)
    assert done == (0, "", "nothing to upload\n")


@pytest.fixture
async def mortal():
    """The command line of somebody who may not read everything, as the superuser may."""
    if os.geteuid() != 0:
        return MODULE
    without = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    if shutil.which("setpriv") is None or (await cli("true", program=without)).status:
        pytest.skip("the superuser may read everything, and nobody here can take that away")
    return (*without, *MODULE)


async def test_an_unreadable_folder_is_one_failure(emulator, tmp_path, mortal):
    """A folder that may not be read fails by itself; what lies beside it is uploaded."""
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "private").mkdir(mode=0)
    done = await cli("upload", tmp_path, server=emulator, program=mortal)
    assert done.status == 5
    assert f"{tmp_path}/private  Permission denied" in done.messages
    assert names(emulator) == ["a.txt"]
