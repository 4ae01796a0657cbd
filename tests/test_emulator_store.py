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
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "draft").write_bytes(b"x")
    async with Emulator(store=tmp_path):
        assert list((tmp_path / "incoming").iterdir()) == []


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
