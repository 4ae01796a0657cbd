"""`delete`, as a process against a server."""

import json

from test_cli_process import called, cli, piped


async def two(emulator):
    return (await emulator.put("a.txt", b"a")).id, (await emulator.put("b.txt", b"b")).id


async def test_one_file(emulator):
    """One file is deleted without a question; its id is the result."""
    first, second = await two(emulator)
    done = await cli("delete", first, server=emulator)
    assert (done.status, done.results) == (0, f"{first}\n")
    assert [file.id for file in emulator.files()] == [second]


async def test_several_files(emulator):
    """Several files are deleted with --yes; the same id twice is one file."""
    first, second = await two(emulator)
    done = await called("delete", first, second, first, "--yes", "--json", server=emulator)
    assert done.status == 0
    assert {json.loads(line)["id"] for line in done.lines} == {first, second}
    assert emulator.files() == ()


async def test_what_is_not_there(emulator):
    """A missing file is 3, or as good as deleted with --missing-ok."""
    assert (await called("delete", "x", server=emulator)).status == 3
    assert (await called("delete", "x", "--missing-ok", server=emulator)).status == 0


async def test_a_dry_run(emulator):
    """--dry-run shows the files and leaves them."""
    first, second = await two(emulator)
    done = await called("delete", first, second, "--dry-run", server=emulator)
    assert (done.status, done.lines) == (0, [first, second])
    assert len(emulator.files()) == 2


async def test_what_list_tells_delete_takes(emulator, tmp_path):
    """`list | xargs delete --yes` empties a workspace."""
    await two(emulator)
    done = await piped("$CLI list | xargs $CLI delete --yes --quiet", emulator, tmp_path)
    assert done.status == 0
    assert emulator.files() == ()


async def test_by_name_and_age(emulator):
    """--pattern and --older-than delete what both mean; a dry run only shows it."""
    for name in ("a.tmp", "deep/b.tmp", "c.txt"):
        await emulator.put(name, b"x")
    dry = await called("delete", "--pattern", "*.tmp", "--dry-run", "--json", server=emulator)
    assert [json.loads(line)["filename"] for line in dry.lines] == ["a.tmp", "deep/b.tmp"]
    young = await called("delete", "--pattern", "*.tmp", "--older-than", "1d", "--yes", server=emulator)
    assert young == (0, "", "no file is meant\n")
    assert len(emulator.files()) == 3
    done = await called("delete", "--pattern", "*.tmp", "--older-than", "0m", "--yes", "--json", server=emulator)
    assert (done.status, [json.loads(line)["outcome"] for line in done.lines]) == (0, ["deleted"] * 2)
    assert "2 files deleted" in done.messages
    assert [file.filename for file in emulator.files()] == ["c.txt"]
