"""`list` and `show`, as processes against a server."""

import json
import re

from test_cli_process import called, piped, within


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


def test_an_impossible_id_is_wrong_usage():
    """What cannot be an id is refused before anything is sent."""
    done = within("show", "", "--emulator")
    assert done.status == 2
