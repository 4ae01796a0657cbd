"""Disks that are full, folders that may not be written: one helpful line, the right status, nothing half."""

import asyncio
import os
import shlex
import shutil
import subprocess

import pytest
from test_cli_process import piped

from openrouter_files.emulator import Call, Say


def works(*command):
    """Whether a tool is there and may do what is wanted of it here."""
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


SMALL_DISK = ("unshare", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs -o size=256k tmpfs /mnt")
needs_small_disk = pytest.mark.skipif(not works(*SMALL_DISK), reason="no tmpfs can be mounted here")

# Root may write everywhere, unless it has given that up.
NO_PRIVILEGE = ("setpriv", "--bounding-set=-all") if os.geteuid() == 0 else ()
needs_permissions = pytest.mark.skipif(
    bool(NO_PRIVILEGE) and not works(*NO_PRIVILEGE, "true"), reason="root cannot give up its privileges here"
)


async def on_a_small_disk(line, server, folder):
    """Run a line of bash in a folder on a disk of 256 kB; what is left there is in its results."""
    script = f"mount -t tmpfs -o size=256k tmpfs '{folder}' && cd '{folder}' && {{ {line}; echo status $?; ls -A; }}"
    return await piped(f"unshare --map-root-user --mount bash -c {shlex.quote(script)}", server, folder)


@needs_small_disk
@pytest.mark.parametrize("command", ["download {id} --to a.txt", "download --all", "pull ."])
async def test_a_full_disk(command, emulator, tmp_path):
    """A download that finds no room is one line that says what to do, and leaves nothing behind."""
    stored = await emulator.put("a.txt", b"x" * 1_000_000)
    done = await on_a_small_disk(f"$CLI {command.format(id=stored.id)}", emulator, tmp_path)
    assert done.lines == ["status 1"]
    (message,) = [line for line in done.messages.splitlines() if "error" in line]
    assert "No space left on device" in message
    assert "make room on the disk" in message


@needs_small_disk
async def test_a_full_disk_does_not_cost_the_answer(emulator, tmp_path):
    """What a model said is told although what it made finds no room here."""
    emulator.script(Call("write", filename="a.txt", content="x" * 1_000_000), Say("words"))
    done = await on_a_small_disk("$CLI ask -m x Hi --save .", emulator, tmp_path)
    assert done.lines == ["words", "status 1"]
    assert "make room on the disk" in done.messages


@needs_small_disk
async def test_a_journal_on_a_full_disk(emulator, tmp_path):
    """A journal that cannot be written stops the job before anything is sent that nobody would remember."""
    (tmp_path / "a").mkdir()
    for number in range(3):
        (tmp_path / "a" / f"{number}.txt").write_text("x")
    disk = tmp_path / "disk"
    disk.mkdir()
    fill = "head -c 1000000 /dev/zero > fill 2> /dev/null; "
    done = await on_a_small_disk(f"{fill} $CLI upload ../a --journal j.db", emulator, disk)
    assert "status 1" in done.lines
    assert "Traceback" not in done.messages
    assert emulator.files() == ()


@needs_permissions
async def test_a_folder_that_may_not_be_written(emulator, tmp_path):
    """Each command that saves says in one line that it may not, and what to do."""
    stored = await emulator.put("a.txt", b"a")
    await emulator.put_in_container("c", "a.txt", b"a")
    emulator.script(Call("write", filename="b.txt", content="b"), Say("words"))
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    commands = (f"download {stored.id}", "containers download c a.txt", "pull new", "ask -m x Hi --save .")
    prefix = " ".join(NO_PRIVILEGE)
    ends = await asyncio.gather(*(piped(f"{prefix} $CLI {command}", emulator, locked) for command in commands))
    for done in ends:
        (message,) = [line for line in done.messages.splitlines() if "error" in line]
        assert "Permission denied" in message
        assert "get the permission" in message
        assert done.status == 1
    assert list(locked.iterdir()) == []


@needs_permissions
async def test_a_file_that_may_not_be_read(emulator, tmp_path):
    """What may not be read is not sent, and is named."""
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "a.txt").chmod(0)
    done = await piped(f"{' '.join(NO_PRIVILEGE)} $CLI upload a.txt", emulator, tmp_path)
    assert (done.status, emulator.files()) == (1, ())
    assert "a.txt" in done.messages
    assert "Permission denied" in done.messages
