"""How tests run the command line, as a process; and what holds for all of its commands."""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager, chdir
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from raw_server import RawServer, reply

from openrouter_files import __version__
from openrouter_files.cli.main import program
from openrouter_files.emulator import Drop, Stall, Status

MODULE = (sys.executable, "-W", "error", "-m", "openrouter_files")
COMMANDS = ("upload", "list", "show", "download", "pull", "delete", "ask", "containers", "doctor", "serve", "demo")


class Ended(NamedTuple):
    status: int
    results: str
    messages: str

    @property
    def lines(self):
        return self.results.splitlines()


def environment(server, **more):
    """What a process hears: of the server, if there is one."""
    spoken = {} if server is None else {"OPENROUTER_BASE_URL": server.base_url, "OPENROUTER_API_KEY": server.api_key}
    return {**os.environ, **spoken, **more}


@asynccontextmanager
async def started(*arguments, server=None, cwd=None, program=MODULE, **more):
    """Start the command line; it is gone at the end, whatever happens."""
    process = await asyncio.create_subprocess_exec(
        *(*program, *map(str, arguments)),
        env=environment(server, **more),
        cwd=cwd,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()  # not killed: an emulator leaves its folder behind then
        await process.communicate()


async def ended(process, stdin=b""):
    """Wait for the end of a process, and hold it to the promise of all commands: no traceback."""
    results, messages = await asyncio.wait_for(process.communicate(stdin), 30)
    messages = messages.decode()
    assert "Traceback" not in messages
    assert "Exception ignored" not in messages
    return Ended(process.returncode, (results or b"").decode(), messages)


async def cli(*arguments, stdin=b"", **how):
    """Run the command line."""
    async with started(*arguments, **how) as process:
        return await ended(process, stdin)


def within(*arguments, **environment):
    """Run a command in this process, where nothing depends on a process of its own."""
    done = CliRunner().invoke(program, arguments, env=environment, standalone_mode=False)
    assert done.exception is None
    return Ended(done.return_value, done.stdout, done.stderr)


async def called(*arguments, server=None, cwd=None, **environment):
    """Run a command in a thread of this process: for what depends on a server, but not on a process of its own."""
    spoken = {} if server is None else {"OPENROUTER_BASE_URL": server.base_url, "OPENROUTER_API_KEY": server.api_key}
    with chdir(cwd or Path.cwd()):
        return await asyncio.to_thread(within, *map(str, arguments), **spoken | environment)


async def piped(script, server, cwd):
    """Run a line of bash in which $CLI is the command line."""
    async with started("-c", script, server=server, cwd=cwd, program=("bash",), CLI=" ".join(MODULE)) as process:
        return await ended(process)


async def eventually(is_so):
    """Wait until something is so."""
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.02)


async def test_help_names_all_commands():
    """The help lists every command, teaches by examples and explains the exit statuses."""
    done = await cli("--help")
    assert done.status == 0
    assert all(f"  {name} " in done.results for name in COMMANDS)
    assert "Examples:" in done.results
    assert "Exit status:" in done.results


def test_every_command_teaches_by_examples():
    """The help of each command holds examples and the options that all take."""
    runner = CliRunner()
    for name in set(COMMANDS) - {"containers"}:
        done = runner.invoke(program, [name, "--help"])
        assert done.exit_code == 0, name
        assert f"  openrouter-files {name}" in done.output
        assert "--emulator" in done.output
        assert "--json" in done.output


async def test_version():
    """--version tells the version of the package."""
    done = await cli("--version")
    assert done.status == 0
    assert __version__ in done.results


@pytest.mark.parametrize("library", ["click", "rich"])
async def test_missing_libraries_are_named(library):
    """Without click or rich one line says what to install."""
    script = (
        f"import runpy, sys; sys.modules[{library!r}] = None; runpy.run_module('openrouter_files', run_name='__main__')"
    )
    done = await cli(program=(sys.executable, "-c", script))
    assert done == (1, "", "the command line needs: pip install 'openrouter-files[cli]'\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["uplod"], "uplod"),
        (["list", "--limit", "0"], "--limit"),
        (["show"], "FILE_ID"),
        (["upload"], "nothing to upload"),
        (["upload", "-"], "--name"),
        (["upload", "-", "--name", "x", "--files-from", "-"], "only once"),
        (["upload", "-", "--name", "x", "--api-key-file", "-"], "only once"),
        (["upload", "a", "b", "--name", "x"], "single file"),
        (["upload", "/", "--name", "x"], "single file"),
        (["download", "a", "b", "--to", "one.txt"], "folder"),
        (["download", "a", "--to", "-", "--json"], "--json"),
        (["download"], "--all"),
        (["download", "a", "--all"], "--all"),
        (["download", "--all", "--to", "-"], "folder"),
        (["upload", "a", "--verify"], "--journal"),
        (["upload", "-", "--name", "x", "--journal", "j"], "second time"),
        (["delete", "a", "b"], "--yes"),
        (["delete", "--pattern", "*"], "--yes"),
        (["delete"], "--pattern"),
        (["delete", "a", "--older-than", "1d"], "--pattern"),
        (["delete", "--older-than", "yesterday"], "30d"),
        (["demo", "-"], "standard input"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(arguments, words):
    """A wrong usage ends with 2 before anything is read or sent, and says what is wrong."""
    done = CliRunner().invoke(program, arguments)
    assert done.exit_code == 2
    assert words in done.stderr


async def test_wrong_usage_is_2():
    """The process ends with 2, too, prints nothing on stdout, and says in one line what may have been meant."""
    done = await cli("uplod")
    assert (done.status, done.results) == (2, "")
    assert done.messages.startswith("openrouter-files: error: no such command 'uplod': did you mean 'upload'?")
    assert len(done.messages.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["containers", "lis"], "'list'"),
        (["containers", "xyz"], "list, show, download, promote"),
        (["list", "--jsn"], "--json"),
        (["--json", "list"], "behind the command"),
        (["--nix"], "--nix"),
        (["list", "--header", "nix"], "NAME: VALUE"),
    ],
)
async def test_a_typo_is_one_helpful_line(arguments, words):
    """Whatever is mistyped, one line says what is meant or known, and where to read on; the status is 2."""
    done = await cli(*arguments)
    assert (done.status, done.results) == (2, "")
    (message,) = done.messages.splitlines()
    assert words in message
    assert "--help`" in message


async def test_options_of_the_connection_reach_the_client(emulator):
    """Headers, deadlines, pauses and the rest are those of the command line."""
    async with RawServer(reply(body={"data": []})) as server:
        sent = await called("list", "--header", "X-Trace: 7", "--header", "X-Other:8", "--no-proxy", server=server,
                            HTTP_PROXY="http://127.0.0.1:9", OPENROUTER_APP_TITLE="mine")  # fmt: skip
        assert sent.status == 0
        headers = server.requests[0]["headers"]
    assert (headers["x-trace"], headers["x-other"], headers["x-openrouter-title"]) == ("7", "8", "mine")
    emulator.queue("list", Status(429, retry_after=50))
    assert (await called("list", "--max-delay", "1", server=emulator)).status == 6
    emulator.queue("list", Status(429, retry_after=50))
    assert (await called("list", "--deadline", "2", "--max-delay", "90", server=emulator)).status == 6
    refused = await cli("list", "--header", "Authorization: Bearer sk-hush", server=emulator)
    assert refused.status == 2
    assert "hush" not in refused.messages


@pytest.mark.parametrize("how", ["repeat", "raise"])
async def test_what_to_do_about_uploads_in_doubt(how, emulator, tmp_path):
    """--ambiguous says whether an upload in doubt is sent again, or given up with 7, also among others."""
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    emulator.queue("upload", Drop(after_work=True))
    done = await called("upload", tmp_path, "--ambiguous", how, "--concurrency", "1", server=emulator)
    assert (done.status, len(emulator.files())) == ((0, 3) if how == "repeat" else (7, 2))


async def test_the_key_is_in_no_message(emulator):
    """--verbose tells about retries, and not about the key."""
    emulator.queue("list", Status(500), Status(401))
    done = await called("list", "--verbose", server=emulator)
    assert "attempt 2 of 5" in done.messages
    assert done.status == 4
    assert emulator.api_key not in done.messages + done.results


def test_no_key_is_4():
    """Without a key a command says what to set, and ends with 4."""
    done = within("list")
    assert done.status == 4
    assert "OPENROUTER_API_KEY" in done.messages
    assert "--api-key-file" in done.messages


async def test_a_refused_key_is_4(emulator):
    """A wrong key ends with 4 and is nowhere in the message."""
    done = await cli("list", server=emulator, OPENROUTER_API_KEY="sk-or-v1-wrong")
    assert done.status == 4
    assert "401" in done.messages
    assert "sk-or-v1-wrong" not in done.messages


async def test_the_key_comes_from_a_file_or_from_standard_input(emulator, tmp_path):
    """--api-key-file names a file or '-', and is stronger than the environment."""
    (tmp_path / "key").write_text(f"{emulator.api_key}\n")
    wrong = {"server": emulator, "OPENROUTER_API_KEY": "wrong"}
    from_file, from_stdin = await asyncio.gather(
        cli("list", "--api-key-file", tmp_path / "key", **wrong),
        cli("list", "--api-key-file", "-", stdin=f"{emulator.api_key}\n".encode(), **wrong),
    )
    assert from_file.status == from_stdin.status == 0


async def test_an_unreachable_server_is_one_line(unreachable):
    """A server that nobody runs ends with 1 and one line; --verbose tells about the attempts."""
    done = await cli("list", "--retries", "1", "--verbose", server=unreachable)
    assert done.status == 1
    attempt, error = done.messages.splitlines()
    assert "attempt 2 of 2" in attempt
    assert error.startswith("openrouter-files: error: ")
    assert "--base-url" in error


async def test_a_silent_server_is_given_up(emulator):
    """--timeout bounds how long a server may be silent."""
    emulator.queue("list", Stall(20))
    done = await called("list", "--retries", "0", "--timeout", "0.3", server=emulator)
    assert done.status == 1
    assert "error" in done.messages


async def test_plain_http_is_refused_before_the_key_leaves():
    """A base URL that would send the key in plain text is a wrong usage."""
    done = await cli("list", "--base-url", "http://example.org/api/v1", OPENROUTER_API_KEY="k")
    assert done.status == 2
    assert "plain text" in done.messages


async def test_a_full_disk_is_one_line(emulator, tmp_path):
    """A standard output that takes nothing ends with 1 and says so."""
    stored = await emulator.put("a.txt", b"a")
    cases = (f"show {stored.id}", f"download {stored.id} --to -", "list --json", "--help")
    for done in await asyncio.gather(*(piped(f"$CLI {case} > /dev/full", emulator, tmp_path) for case in cases)):
        assert done.status == 1
        assert len(done.messages.splitlines()) == 1
        assert "No space left on device" in done.messages


async def test_closed_streams(emulator, tmp_path):
    """A process that was started with closed streams fails where it needs them, in one line."""
    stored = await emulator.put("a.txt", b"a")
    cases = ("list >&-", "upload - --name x <&-", f"show {stored.id} 2>&- | head -1")
    ends = await asyncio.gather(*(piped(f"$CLI {case}; echo $?", emulator, tmp_path) for case in cases))
    assert [done.lines for done in ends] == [["1"], ["1"], [f"id\t{stored.id}", "0"]]
    assert ["Bad file descriptor" in done.messages for done in ends] == [True, True, False]


async def test_failures_are_lines_for_programs_too(emulator):
    """With --json a failure is an object on stdout, besides the line on stderr."""
    done = await cli("show", "nope", "--json", server=emulator)
    failure = json.loads(done.results)
    assert failure["source"] == "nope"
    assert failure["error"]["type"] == "NotFoundError"
    assert failure["error"]["status"] == 404
    assert done.messages.startswith("openrouter-files: error: nope: 404")
    assert done.status == 3


async def test_workspaces(emulator):
    """--workspace acts on another workspace, as OPENROUTER_WORKSPACE_ID does."""
    other = emulator.add_workspace()
    stored = await emulator.put("theirs.txt", b"theirs", workspace_id=other)
    option = await called("list", "--workspace", other, server=emulator)
    variable = await called("list", server=emulator, OPENROUTER_WORKSPACE_ID=other)
    assert option.lines == variable.lines == [stored.id]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [("upload a.txt", 0), ("list", 0), ("show x", 3), ("download x", 3), ("delete x", 3), ("pull out", 0)],
)
def test_every_command_runs_against_an_embedded_emulator(arguments, status, tmp_path, monkeypatch):
    """--emulator needs no key, no network and no server."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("a")
    assert within(*arguments.split(), "--emulator").status == status


# Ctrl-C when the work is done: while the process waits for its threads, and after what was left to its very end.
AT_THE_END = {
    "threads": "threading.Thread(target=lambda: (threading.main_thread().join(), time.sleep(0.2), press())).start()",
    "exit": "atexit.register(press)",
}


@pytest.mark.parametrize("moment", AT_THE_END)
@pytest.mark.parametrize(("argument", "status"), [("list", 0), ("nonsense", 2)])
async def test_an_interrupt_when_all_is_done_changes_nothing(emulator, moment, argument, status):
    """Ctrl-C after the end leaves the exit status of the work, and no traceback."""
    program = f"""
import atexit, os, signal, threading, time
def press():
    os.kill(os.getpid(), signal.SIGINT)
{AT_THE_END[moment]}
from openrouter_files.__main__ import main
main()
"""
    async with started(argument, server=emulator, program=(sys.executable, "-c", program)) as process:
        done = await ended(process)
    assert done.status == status
    assert "Interrupt" not in done.messages


# Ctrl-C in the N-th callback that the import system runs when a module is loaded: Python itself would go on.
PRESSED = (
    sys.executable,
    "-c",
    """
import os, signal, sys
from openrouter_files.__main__ import main
left = int(os.environ["LEFT"])
def press(frame, event, _):
    global left
    if event == "call" and frame.f_code.co_name == "cb" and "importlib" in frame.f_code.co_filename:
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGINT)
sys.setprofile(press)
main()
""",
)


@pytest.mark.parametrize("left", ["1", "30"])
async def test_an_interrupt_is_not_lost_while_the_program_is_loaded(emulator, left):
    """Ctrl-C at the very beginning ends the command as later: at once, and without a word."""
    async with started("upload", "-", "--name", "a.txt", server=emulator, program=PRESSED, LEFT=left) as process:
        assert await asyncio.wait_for(process.wait(), 30) == 130
        assert await process.stderr.read() == b""
