"""`pull` and `download --all`, against a server."""

import json
import signal

from test_cli_process import called, ended, eventually, started

from openrouter_files.emulator import Status, Trickle


def inside(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_pull_mirrors_what_is_new(emulator, tmp_path):
    """The newest file of each name is saved with its folders; a second pull brings only what is new."""
    await emulator.put("out/a.md", b"older")
    await emulator.put("out/a.md", b"newer!")
    await emulator.put("mine.txt", b"mine", downloadable=False)
    first = await called("pull", tmp_path / "m", server=emulator)
    assert (first.status, inside(tmp_path / "m")) == (0, {"out/a.md": b"newer!"})
    assert "1 file pulled" in first.messages
    await emulator.put("b.md", b"b")
    second = await called("pull", tmp_path / "m", "--json", server=emulator)
    told = {o["filename"]: (o["outcome"], o.get("reason")) for o in map(json.loads, second.lines)}
    assert told == {"b.md": ("downloaded", None), "out/a.md": ("skipped", "done")}
    assert "1 file pulled" in second.messages
    third = await called("pull", tmp_path / "m", server=emulator)
    assert third == (0, "", "2 already there\n")


async def test_nothing_to_pull(emulator, tmp_path):
    """A workspace in which no model wrote anything is no failure; a path that is no folder is one."""
    done = await called("pull", "m", server=emulator, cwd=tmp_path)
    assert done == (0, "", "nothing to pull\n")
    (tmp_path / "file").touch()
    done = await called("pull", "file", server=emulator, cwd=tmp_path)
    assert (done.status, done.messages) == (1, "openrouter-files: error: file: Not a directory\n")


async def test_an_interrupted_pull_goes_on(emulator, tmp_path):
    """Ctrl-C leaves whole files only and says how to go on."""
    await emulator.put("a.txt", b"a")
    await emulator.put("b.txt", b"b" * 5_000_000)
    emulator.queue("download", Trickle(pause=0), Trickle(pause=0.05, piece=65_536))
    async with started("pull", ".", "--concurrency", "1", server=emulator, cwd=tmp_path) as process:
        await eventually(lambda: any(path.stat().st_size for path in tmp_path.glob("b.txt.part-*")))
        process.send_signal(signal.SIGINT)
        done = await ended(process)
    assert done.status == 130
    assert "1 file pulled, 1 B in" in done.messages
    assert "1 file cut off" in done.messages
    assert done.messages.endswith("run the same command again to go on\n")
    assert inside(tmp_path) == {"a.txt": b"a"}
    assert (await called("pull", ".", server=emulator, cwd=tmp_path)).status == 0
    assert inside(tmp_path)["b.txt"] == b"b" * 5_000_000


async def test_all_that_can_be_downloaded(emulator, tmp_path):
    """--all saves every file that can be; with --overwrite skip the same command line does only what is left."""
    for name in ("a/1.txt", "a/2.txt", "b/1.txt"):
        await emulator.put(name, name.encode())
    await emulator.put("mine.txt", b"mine", downloadable=False)
    emulator.queue("download", Status(400))
    job = ["download", "--all", "--to", f"{tmp_path}/", "--keep-folders", "--overwrite", "skip", "--json"]
    first, second = await called(*job, server=emulator), await called(*job, server=emulator)
    assert (first.status, second.status) == (5, 0)
    assert sorted(json.loads(line)["outcome"] for line in first.lines) == ["downloaded", "downloaded", "failed"]
    assert sorted(json.loads(line)["outcome"] for line in second.lines) == ["downloaded", "skipped", "skipped"]
    assert "2 already there" in second.messages
    assert inside(tmp_path) == {name: name.encode() for name in ("a/1.txt", "a/2.txt", "b/1.txt")}


async def test_nothing_to_download(emulator, tmp_path):
    """A workspace without a file that can be downloaded is no failure."""
    done = await called("download", "--all", server=emulator, cwd=tmp_path)
    assert done == (0, "", "nothing to download\n")
