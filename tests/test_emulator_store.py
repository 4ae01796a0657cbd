"""An emulator that keeps its files in a folder."""

import asyncio
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from openrouter_files.emulator import Emulator
from openrouter_files.emulator.store import Store

ROOT = str(Path(__file__).parent.parent)


async def test_a_folder_keeps_its_files(tmp_path):
    """A folder that is opened again has its files, small and large, their order, times and workspaces."""
    async with Emulator(store=tmp_path / "new" / "store") as emulator:
        other = emulator.add_workspace()
        made = [await emulator.put("small", b"s"), await emulator.put("large", b"l" * 1_000_000, workspace_id=other)]
    async with Emulator(store=str(tmp_path / "new" / "store")) as emulator:
        assert list(emulator.files()) == made
        assert await emulator.content(made[0].id) == b"s"
        assert await emulator.content(made[1].id) == b"l" * 1_000_000
        assert emulator.add_workspace(other) == other
        made.append(await emulator.put("third", b"t"))
        assert list(emulator.files()) == made


async def test_a_folder_belongs_to_one_emulator(tmp_path):
    """A second emulator cannot open the same folder, and the first goes on."""
    async with Emulator(store=tmp_path) as first:
        second = Emulator(store=tmp_path)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await second.start()
        assert (await first.put("a", b"a")).id == first.files()[0].id
    async with second:
        assert len(second.files()) == 1


async def test_a_killed_emulator_keeps_what_it_answered(tmp_path):
    """A process that is killed loses no file whose answer was out."""
    script = (
        "import asyncio, os, signal, sys; from openrouter_files.emulator import Emulator\n"
        "async def main():\n"
        "    async with Emulator(store=sys.argv[1]) as emulator:\n"
        "        for size in (1, 1_000_000): await emulator.put(str(size), b'x' * size)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())"
    )
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", script, tmp_path, env={"PYTHONPATH": ROOT})
    assert await killed.wait() == -signal.SIGKILL
    async with Emulator(store=tmp_path) as emulator:
        assert [len(await emulator.content(file.id)) for file in emulator.files()] == [1, 1_000_000]


async def test_leftovers_of_a_killed_emulator_are_swept(tmp_path):
    """Drafts that a killed process left behind are gone after the next start."""
    async with Emulator(store=tmp_path):
        pass
    (tmp_path / "incoming" / "draft").write_bytes(b"x")
    async with Emulator(store=tmp_path):
        assert list((tmp_path / "incoming").iterdir()) == []


def everything_in(folder):
    return {str(path.relative_to(folder)): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


@pytest.mark.parametrize("name", ["incoming/draft", "blobs/x", "notes.md", ".hidden", "files.sqlite3"])
async def test_a_folder_that_is_not_a_store_is_left_alone(tmp_path, name):
    """A folder with anything else in it is refused in words, and nothing in it is written, moved or removed."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"precious")
    before = everything_in(tmp_path)
    with pytest.raises(OSError, match="not empty, and no store of the emulator: choose an empty folder") as caught:
        await Emulator(store=tmp_path).start()
    assert caught.value.filename == str(tmp_path)
    assert everything_in(tmp_path) == before


async def test_a_database_of_somebody_else_is_left_alone(tmp_path):
    """A database that happens to have the name of ours is refused, and not touched, even if it is in use."""
    theirs = sqlite3.connect(tmp_path / "files.sqlite3")
    theirs.executescript("PRAGMA journal_mode = WAL; CREATE TABLE files (id); INSERT INTO files VALUES (1)")
    before = everything_in(tmp_path)
    with pytest.raises(OSError, match="no store of the emulator"):
        await Emulator(store=tmp_path).start()
    assert everything_in(tmp_path) == before
    theirs.close()


async def test_a_store_of_a_newer_version_is_left_alone(tmp_path):
    """What this version does not understand is refused, and not touched; it can be used again by the newer one."""
    async with Emulator(store=tmp_path) as emulator:
        made = await emulator.put("a", b"a")
    with sqlite3.connect(tmp_path / "files.sqlite3") as newer:
        (version,) = newer.execute("PRAGMA user_version").fetchone()
        newer.execute(f"PRAGMA user_version = {version + 1}")
    newer.close()
    before = everything_in(tmp_path)
    with pytest.raises(OSError, match="newer version: update openrouter-files"):
        await Emulator(store=tmp_path).start()
    assert everything_in(tmp_path) == before
    with sqlite3.connect(tmp_path / "files.sqlite3") as newer:
        newer.execute(f"PRAGMA user_version = {version}")
    newer.close()
    async with Emulator(store=tmp_path) as emulator:
        assert emulator.files() == (made,)


async def test_stores_of_before_they_were_marked(tmp_path):
    """A store that does not yet say whose it is, or that was only just begun when its maker was killed, is taken."""
    async with Emulator(store=tmp_path / "old") as emulator:
        made = await emulator.put("a", b"a")
    with sqlite3.connect(tmp_path / "old" / "files.sqlite3") as old:
        old.executescript("PRAGMA application_id = 0; PRAGMA user_version = 0")
    old.close()
    async with Emulator(store=tmp_path / "old") as emulator:
        assert emulator.files() == (made,)
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "files.sqlite3").touch()
    async with Emulator(store=tmp_path / "begun") as emulator:
        assert emulator.files() == ()


async def test_a_file_may_be_put_from_a_path(tmp_path):
    """A path is copied in pieces, and stays as it is."""
    path = tmp_path / "content"
    path.write_bytes(b"0123456789abcdef" * 100_000)
    async with Emulator(store=tmp_path / "store") as emulator:
        file = await emulator.put("a.txt", path, downloadable=False)
        assert (file.size_bytes, file.mime_type, file.downloadable) == (1_600_000, "text/plain", False)
        assert await emulator.content(file.id) == path.read_bytes()
        assert [blob.name for blob in (tmp_path / "store" / "blobs").iterdir()] == [file.id]


async def test_a_server_made_file_obeys_no_rule():
    """Any name, any content, none at all, whatever the quota: as models and strangers make them."""
    async with Emulator(quota_bytes=0) as emulator:
        file = await emulator.put("../../etc/\x00passwd", b"\x7fELF\x00")
        assert (file.filename, file.mime_type) == ("../../etc/\x00passwd", "application/octet-stream")
        assert (await emulator.put("", b"")).size_bytes == 0


async def test_content_of_an_unknown_id_is_a_key_error():
    """Asking a test's question about a file that is not there is a mistake of the test."""
    async with Emulator() as emulator:
        with pytest.raises(KeyError):
            await emulator.content("none")


async def test_without_a_folder_nothing_is_left():
    """Without a folder the files go with the emulator, and so does what it had on disk."""
    store = await Store.opened(None, quota_bytes=1)
    assert store.folder.is_dir()
    await store.close()
    assert not store.folder.exists()
    async with Emulator() as emulator:
        await emulator.put("a", b"a")
    async with emulator:
        assert emulator.files() == ()


async def test_a_folder_that_cannot_be_made_is_an_os_error(tmp_path):
    """A path that is a file is the disk's own error."""
    path = Path(tmp_path / "file")
    path.write_text("")
    with pytest.raises(OSError, match="file"):
        await Emulator(store=path).start()
