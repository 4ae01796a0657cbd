"""The command line as a person sees it: in a pseudo-terminal, and in tmux."""

import asyncio
import fcntl
import os
import pty
import re
import shutil
import struct
import termios
from contextlib import asynccontextmanager

import pytest
from test_cli_process import MODULE, cli, environment, eventually

from openrouter_files.emulator import Stall

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A process on a terminal of 24 lines."""

    def __init__(self, arguments, server, cwd, columns=120, program=MODULE, **more):
        self.seen = ""
        self._loop = asyncio.get_running_loop()
        self._own, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._starting = asyncio.create_subprocess_exec(
            *(*program, *map(str, arguments)),
            **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),
            env=environment(server, **{"TERM": "xterm-256color", "COLUMNS": str(columns)} | more),
            cwd=cwd,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        self._theirs = theirs

    async def __aenter__(self):
        self.process = await self._starting
        os.close(self._theirs)
        os.set_blocking(self._own, False)
        self._loop.add_reader(self._own, self._read)
        return self

    async def __aexit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        self._loop.remove_reader(self._own)
        os.close(self._own)

    def _read(self):
        try:
            self.seen += os.read(self._own, 65536).decode(errors="replace")
        except OSError:  # EIO is how a terminal says that the other end is gone
            self._loop.remove_reader(self._own)

    @property
    def text(self):
        return ESCAPE.sub("", self.seen)

    def type(self, keys):
        os.write(self._own, keys.encode())

    async def ended(self):
        status = await asyncio.wait_for(self.process.wait(), 20)
        await asyncio.sleep(0.05)
        assert "Traceback" not in self.text
        return status


async def test_a_bar_and_a_table(emulator, tmp_path):
    """An upload shows a bar for the job and for each big file, then a table of what was stored."""
    (tmp_path / "big.txt").write_text("big line of text\n" * 600_000)
    (tmp_path / "small.txt").write_text("small")
    emulator.queue("upload", Stall(0.8), Stall(0.8))
    async with Terminal(["upload", "big.txt", "small.txt"], emulator, tmp_path) as terminal:
        assert await terminal.ended() == 0
    assert re.search(r"uploading 2/2 ━+ 10\.2/10\.2 MB", terminal.text)
    assert re.search(r"  big\.txt +[━╸╺]", terminal.text)
    assert re.search(r"id +size +created +name", terminal.text)
    for file in emulator.files():
        assert re.search(rf"{file.id} +\S+ (k|M)?B +[-\d]+ [:\d]+ +{file.filename}", terminal.text)


async def test_colours_are_left_out_if_they_are_not_wanted(emulator, tmp_path):
    """NO_COLOR leaves the words and takes the colours."""
    await emulator.put("a.txt", b"a")
    async with (
        Terminal(["list"], emulator, tmp_path) as plain,
        Terminal(["list"], emulator, tmp_path, NO_COLOR="1") as grey,
    ):
        assert (await plain.ended(), await grey.ended()) == (0, 0)
    assert plain.text.split() == grey.text.split()
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", grey.seen)


async def test_nothing_is_lost_on_a_narrow_terminal(emulator, tmp_path):
    """Ids are whole and no column is left out, however narrow it is; what would act on the terminal is written out."""
    stored = await emulator.put("\x1b[2J.txt", b"a")
    async with Terminal(["list", "--long"], emulator, tmp_path, columns=60) as terminal:
        assert await terminal.ended() == 0
    unwrapped = "".join(terminal.text.split())
    assert stored.id in unwrapped
    assert "tex…lain" in unwrapped
    assert r"\x1b[2J" in "".join(re.sub(r"\s", "", line) for line in terminal.text.splitlines())


async def test_interrupted_by_a_key(emulator, tmp_path):
    """Ctrl-C on the terminal stops an upload and gives the terminal back as it was."""
    for number in range(6):
        (tmp_path / f"{number}.txt").write_text("x")
    emulator.queue("upload", Stall(0), *[Stall(60)] * 2)
    async with Terminal(["upload", ".", "--concurrency", "2"], emulator, tmp_path) as terminal:
        await eventually(lambda: len(emulator.requests) == 3 and "uploading 1/6" in terminal.text)
        terminal.type("\x03")
        assert await terminal.ended() == 130
    assert "1 file uploaded" in terminal.text
    assert "2 files cut off" in terminal.text
    assert "?25l" not in terminal.seen


async def test_the_question_before_several_are_deleted(emulator, tmp_path):
    """On a terminal several files are deleted after a yes, and not after a no."""
    ids = [(await emulator.put(f"{name}.txt", b"x")).id for name in "ab"]
    async with (
        Terminal(["delete", *ids], emulator, tmp_path) as doubtful,
        Terminal(["delete", *ids], emulator, tmp_path) as decided,
    ):
        await eventually(lambda: all("for good? [y/N]" in terminal.text for terminal in (doubtful, decided)))
        doubtful.type("n\n")
        assert await doubtful.ended() == 1
        assert len(emulator.files()) == 2
        decided.type("y\n")
        assert await decided.ended() == 0
        assert emulator.files() == ()


async def test_the_question_after_a_listing(emulator, tmp_path):
    """What --pattern and --older-than mean is shown before the question; both have to hold."""
    ids = {name: (await emulator.put(name, b"x")).id for name in ("old/a.tmp", "old/b.txt", "c.tmp")}
    async with Terminal(["delete", "--pattern", "*.tmp", "--older-than", "0m"], emulator, tmp_path) as terminal:
        await eventually(lambda: "Delete 2 files for good? [y/N]" in terminal.text)
        assert len(emulator.files()) == 3
        assert ids["old/a.tmp"] in terminal.text
        assert ids["old/b.txt"] not in terminal.text
        terminal.type("y\n")
        assert await terminal.ended() == 0
    assert [file.id for file in emulator.files()] == [ids["old/b.txt"]]


async def test_serve_speaks_to_people_on_a_terminal(tmp_path):
    """On a terminal `serve` says how to stop it, and Ctrl-C does."""
    async with Terminal(["serve"], None, tmp_path) as terminal:
        await eventually(lambda: "Ctrl-C stops it" in terminal.text)
        terminal.type("\x03")
        assert await terminal.ended() == 0


@asynccontextmanager
async def tmux(folder, command, columns):
    """A command in a real terminal; what is given away asks tmux."""

    async def ask(*arguments):
        socket = str(folder / "tmux")
        return (await cli("-S", socket, "-f", "/dev/null", *arguments, program=("tmux",))).results

    await ask("new-session", "-d", "-x", columns, "-y", 40, f"{command}; echo status $?; sleep 60")
    try:
        yield ask
    finally:
        await ask("kill-server")


async def shown(ask, words):
    """Return the screen as soon as it shows some words."""
    async with asyncio.timeout(20):
        while words not in (screen := await ask("capture-pane", "-p")):
            await asyncio.sleep(0.1)
    return screen


needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


@needs_tmux
async def test_the_demo_in_tmux(tmp_path):
    """In a real terminal the demo leaves full bars, a table and a summary on the screen."""
    async with tmux(tmp_path, f"{' '.join(MODULE)} demo", 120) as ask:
        screen = await shown(ask, "status")
    assert "status 0" in screen
    assert re.search(r"uploading 60/60 ━{40} ", screen)
    assert re.search(r"downloading 1/1 ━{40} 16\.8/16\.8 MB", screen)
    assert "by-the-server.txt" in screen
    assert re.search(r"in all +60 uploaded, 1 downloaded, 1 deleted; \d+\.\d MB in", screen)


@needs_tmux
async def test_bars_survive_other_sizes(emulator, tmp_path):
    """A terminal that gets narrower and wider while bars are drawn shows them whole, once, and no torn pieces."""
    for number in range(4):
        (tmp_path / f"file-{number}.txt").write_text("x" * 1000)
    emulator.queue("upload", *[Stall(60)] * 4)
    spoken = f"OPENROUTER_BASE_URL={emulator.base_url} OPENROUTER_API_KEY={emulator.api_key}"
    async with tmux(tmp_path, f"cd {tmp_path}; {spoken} {' '.join(MODULE)} upload *.txt", 100) as ask:
        await shown(ask, "file-3.txt")
        for columns in (40, 12, 70, 100):
            await ask("resize-window", "-x", columns, "-y", 40)
            await asyncio.sleep(0.3)
            lines = (await ask("capture-pane", "-p")).split("\n")
            told = [line for line in lines if line]
            assert told[0].startswith("uploading 0"), (columns, told)
            assert [line[:6].strip() for line in told[1:]] == ["file"] * 4, (columns, told)
        await ask("send-keys", "C-c")
        assert "status 130" in await shown(ask, "status")
