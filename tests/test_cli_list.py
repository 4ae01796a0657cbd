"""`list` and `show`, as processes against a server."""

import json
import re
import shlex

import pytest
from test_cli_process import called, cli, piped


async def several(emulator, count):
    return [(await emulator.put(f"{number}.txt", b"x" * (number + 1))).id for number in range(count)]


async def test_ids_for_pipes(emulator):
    """In a pipe there is one id per line, oldest first, and nothing else."""
    ids = await several(emulator, 3)
    done = await called("list", server=emulator)
    assert (done.status, done.lines, done.messages) == (0, ids, "")


async def test_long_lines_have_tabs(emulator):
    """--long puts tabs between id, bytes, time, type, downloadable and name."""
    stored = await emulator.put("a\tb\x1b[2J.txt", b"text\n", downloadable=False)
    done = await called("list", "--long", server=emulator)
    (line,) = done.lines
    told = line.split("\t")
    assert told[:2] == [stored.id, "5"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", told[2])
    assert told[3:] == ["text/plain", "no", r"a\tb\x1b[2J.txt"]


async def test_limit_and_after(emulator):
    """--limit is the number of files, --after skips what came before a file."""
    ids = await several(emulator, 5)
    done = await called("list", "--after", ids[1], "--limit", "2", "--json", server=emulator)
    assert [json.loads(line)["id"] for line in done.lines] == ids[2:4]
    assert [request.query.get("limit") for request in emulator.requests] == ["2"]


async def test_nothing_is_said_on_stderr(emulator):
    """An empty workspace is no error; --quiet says nothing about it."""
    loud, quiet = await called("list", server=emulator), await called("list", "-q", server=emulator)
    assert (loud.status, loud.results, loud.messages) == (0, "", "no files\n")
    assert quiet == (0, "", "")


async def test_a_reader_that_has_enough(emulator, tmp_path):
    """`list | head -1` is quiet, and the list ends as if SIGPIPE had ended it."""
    ids = await several(emulator, 700)
    done = await piped("$CLI list --json | head -1; echo ${PIPESTATUS[0]}", emulator, tmp_path)
    assert done.messages == ""
    assert ids[0] in done.lines[0]
    assert done.lines[1] == "141"


async def test_show_tells_everything(emulator):
    """`show` has one line per field, and an empty one between files."""
    first, second = await emulator.put("a.txt", b"a"), await emulator.put("b.txt", b"bb")
    done = await called("show", first.id, second.id, server=emulator)
    about_first, about_second = done.results.split("\n\n")
    assert f"id\t{first.id}\nfilename\ta.txt\nsize_bytes\t1\n" in about_first
    assert "downloadable\tyes" in about_first
    assert "filename\tb.txt" in about_second


async def test_show_of_what_is_not_there(emulator):
    """One missing file is 3; one of several is 5, and the others are shown."""
    stored = await emulator.put("a.txt", b"a")
    lone, several_ = await called("show", "x", server=emulator), await called("show", "x", stored.id, server=emulator)
    assert lone.status == 3
    assert several_.status == 5
    assert stored.id in several_.results


@pytest.mark.parametrize(
    "command",
    [
        "show {id} ''",
        "download ..",
        "download {id} '' --to .",
        "download '' --to -",
        "delete '' {id} --yes",
        "delete '' --dry-run",
        "containers list ''",
        "containers show c ..",
        "containers download c ''",
        "containers download c '' --to -",
        "containers promote c a ''",
        "ask -m x Hi --file ''",
        "list --base-url nix",
        "upload a.txt --dry-run --base-url nix",
    ],
)
async def test_what_the_client_refuses_is_wrong_usage(emulator, tmp_path, command):
    """What cannot be an id or a setting is refused in one line with status 2, before anything is sent or deleted."""
    stored = await emulator.put("a.txt", b"a")
    (tmp_path / "a.txt").write_text("a")
    done = await cli(*shlex.split(command.format(id=stored.id)), server=emulator, cwd=tmp_path)
    assert (done.status, done.results, len(done.messages.splitlines())) == (2, "", 1)
    assert done.messages.endswith("--help`\n")
    assert emulator.requests == ()


async def test_a_hostile_name_is_no_wrong_usage(emulator, tmp_path):
    """A name that leads out of the folder is the server's, not the user's: a failure like another."""
    stored = await emulator.put("../a.txt", b"a")
    await emulator.put_in_container("c", "../a.txt", b"a")
    for command in (f"download {stored.id} --keep-folders", "containers download c --all --keep-folders", "pull ."):
        done = await called(*command.split(), server=emulator, cwd=tmp_path)
        assert (done.status, done.results) == (1, "")
        assert "leads out of its folder" in done.messages
