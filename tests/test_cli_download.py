"""`download`, as a process against a server."""

import json
import signal

import pytest
from test_cli_process import called, cli, ended, eventually, piped, started

from openrouter_files.emulator import Trickle, Truncate


def inside(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def test_into_the_current_folder(emulator, tmp_path):
    """Without --to a file lands in the current folder, under the server's name made safe; its path is the result."""
    stored = await emulator.put("../../etc/out.md", b"written by a model")
    done = await cli("download", stored.id, server=emulator, cwd=tmp_path)
    assert (done.status, done.results) == (0, "out.md\n")
    assert inside(tmp_path) == {"out.md": b"written by a model"}
    assert "1 file downloaded, 18 B in" in done.messages


async def test_to_standard_output(emulator):
    """--to - writes the bytes and nothing else, of several files one after the other."""
    first, second = await emulator.put("a", b"first\n"), await emulator.put("b", b"second\n" * 100_000)
    done = await cli("download", first.id, second.id, "--to", "-", server=emulator)
    assert done == (0, "first\n" + "second\n" * 100_000, "")


async def test_several_into_a_new_folder(emulator, tmp_path):
    """Several files go into a folder, which is made if its name ends with a slash."""
    ids = [(await emulator.put(f"{number}.txt", b"x" * number)).id for number in range(1, 4)]
    done = await called("download", *ids, "--to", f"{tmp_path}/new/", "--json", server=emulator)
    told = [json.loads(line) for line in done.lines]
    assert done.status == 0
    assert {item["id"] for item in told} == set(ids)
    assert {item["path"] for item in told} == {f"{tmp_path}/new/{number}.txt" for number in (1, 2, 3)}
    assert inside(tmp_path / "new") == {"1.txt": b"x", "2.txt": b"xx", "3.txt": b"xxx"}


@pytest.mark.parametrize(
    ("policy", "status", "left"),
    [
        ([], 1, {"a.txt": b"old"}),
        (["--overwrite", "rename"], 0, {"a.txt": b"old", "a (2).txt": b"new"}),
    ],
)
async def test_a_name_that_is_taken(emulator, tmp_path, policy, status, left):
    """In a folder what exists is left alone, unless --overwrite says otherwise."""
    (tmp_path / "a.txt").write_bytes(b"old")
    stored = await emulator.put("a.txt", b"new")
    done = await called("download", stored.id, *policy, server=emulator, cwd=tmp_path)
    assert done.status == status
    assert inside(tmp_path) == left
    assert status == 0 or "--overwrite" in done.messages


async def test_an_upload_is_not_given_back(emulator, tmp_path):
    """What may not be downloaded is an error in the server's words."""
    stored = await emulator.put("mine.txt", b"mine", downloadable=False)
    done = await called("download", stored.id, server=emulator, cwd=tmp_path)
    assert done.status == 1
    assert "400" in done.messages
    assert inside(tmp_path) == {}


async def test_half_a_file_is_none(emulator, tmp_path):
    """A transfer that breaks and is not repeated leaves nothing behind."""
    stored = await emulator.put("a.txt", b"x" * 100_000)
    emulator.queue("download", Truncate(50_000))
    done = await called("download", stored.id, "--retries", "0", server=emulator, cwd=tmp_path)
    assert done.status == 1
    assert inside(tmp_path) == {}


async def test_an_interrupted_download_leaves_no_half_file(emulator, tmp_path):
    """Ctrl-C ends a download with 130, and what was written so far is gone."""
    stored = await emulator.put("a.txt", b"x" * 5_000_000)
    emulator.queue("download", Trickle(pause=0.05, piece=65_536))
    async with started("download", stored.id, "--to", "a.txt", server=emulator, cwd=tmp_path) as process:
        await eventually(lambda: any(path.stat().st_size for path in tmp_path.glob("*.part-*")))
        process.send_signal(signal.SIGINT)
        done = await ended(process)
    assert done.status == 130
    assert "1 file cut off" in done.messages
    assert inside(tmp_path) == {}


async def test_a_reader_that_has_enough(emulator, tmp_path):
    """A download into a pipe that is closed early ends quietly."""
    stored = await emulator.put("a.txt", b"line\n" * 1_000_000)
    done = await piped(f"$CLI download {stored.id} --to - | head -1; echo ${{PIPESTATUS[0]}}", emulator, tmp_path)
    assert (done.lines, done.messages) == (["line", "141"], "")
