"""`delete`, as a process against a server."""

import json
from asyncio import gather

from test_cli_process import cli, piped


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
    done = await cli("delete", first, second, first, "--yes", "--json", server=emulator)
    assert done.status == 0
    assert {json.loads(line)["id"] for line in done.lines} == {first, second}
    assert emulator.files() == ()


async def test_what_is_not_there(emulator):
    """A missing file is 3, or as good as deleted with --missing-ok."""
    missing, fine = await gather(
        cli("delete", "x", server=emulator), cli("delete", "x", "--missing-ok", server=emulator)
    )
    assert (missing.status, fine.status) == (3, 0)


async def test_a_dry_run(emulator):
    """--dry-run shows the files and leaves them."""
    first, second = await two(emulator)
    done = await cli("delete", first, second, "--dry-run", server=emulator)
    assert (done.status, done.lines) == (0, [first, second])
    assert len(emulator.files()) == 2


async def test_what_list_tells_delete_takes(emulator, tmp_path):
    """`list | xargs delete --yes` empties a workspace."""
    await two(emulator)
    done = await piped("$CLI list | xargs $CLI delete --yes --quiet", emulator, tmp_path)
    assert done.status == 0
    assert emulator.files() == ()
