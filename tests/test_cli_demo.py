"""`demo`: the main job on real files, with and without a server."""

import json
import re

from test_cli_process import called, cli


async def test_without_a_key_and_without_a_network(tmp_path):
    """The demo uploads real files, lists, streams a file to disk, compares it, deletes, and sums up."""
    done = await cli("demo", cwd=tmp_path)
    assert done.status == 0
    told = {line.split()[0]: line for line in done.lines if not line.startswith(" ")}
    assert "embedded emulator" in told["server"]
    assert re.search(r"60 files, \d+\.\d kB in \d+\.\d\d s \(.*/s, \d+ files/s\), 8 at once", told["uploaded"])
    assert "61 files" in told["listed"]
    assert told["downloaded"].endswith("the same bytes")
    assert "does not know it any more" in told["deleted"]
    assert re.search(r"60 uploaded, 1 downloaded, 1 deleted; \d+\.\d MB in \d+\.\d\d s", told["in"])
    assert list(tmp_path.iterdir()) == []


async def test_with_a_key_it_cleans_up(emulator, tmp_path):
    """Against a server it downloads the newest file that can be, and leaves what was there before."""
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    older, newer = await emulator.put("older.md", b"older"), await emulator.put("newer.md", b"newer")
    done = await called("demo", tmp_path, "--json", server=emulator)
    told = json.loads(done.results)
    assert done.status == 0
    assert told["server"] == {"emulator": False}
    assert told["uploaded"]["files"] == 2
    assert told["downloaded"]["name"] == "newer.md"
    assert [file.id for file in emulator.files()] == [older.id, newer.id]


async def test_with_a_key_and_nothing_to_download(emulator, tmp_path):
    """A workspace without a file that can be downloaded is told about, and is no error."""
    (tmp_path / "a.txt").write_text("a")
    done = await called("demo", tmp_path, server=emulator)
    assert done.status == 0
    assert "no file of this workspace can be downloaded" in done.results
    assert emulator.files() == ()


async def test_a_key_does_not_keep_the_emulator_away(tmp_path):
    """--emulator wins over a key."""
    (tmp_path / "a.txt").write_text("a")
    done = await called("demo", tmp_path, "--emulator", "--json", OPENROUTER_API_KEY="sk-or-v1-real")
    assert json.loads(done.results)["server"] == {"emulator": True}
