"""`completion`: scripts for shells, in the shells themselves."""

import json
import os
import shutil
import sys

import pytest
from test_cli_process import cli, ended, eventually, started, within
from test_cli_terminal import Terminal

from openrouter_files.cli.main import program

SHELLS = ("bash", "zsh", "fish")


def needs(shell):
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


@pytest.fixture
def installed(tmp_path):
    """An environment in which the command is found by its name, and a folder to be in."""
    command = tmp_path / "bin" / "openrouter-files"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m openrouter_files "$@"\n')
    command.chmod(0o755)
    (tmp_path / "notes.md").write_text("")
    (tmp_path / "home").mkdir()
    paths = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": paths, "HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "home")}


async def asked(words, place):
    """What the command says to a shell that completes the word at a place."""
    spoken = {"COMP_WORDS": words, "COMP_CWORD": str(place), "_OPENROUTER_FILES_COMPLETE": "bash_complete"}
    async with started(**spoken) as process:
        done = await ended(process)
    assert (done.status, done.messages) == (0, "")
    return done.lines


@pytest.mark.parametrize(
    ("words", "place", "completed"),
    [
        ("openrouter-files do", 1, ["plain,download", "plain,doctor"]),
        ("openrouter-files --ver", 1, ["plain,--version"]),
        ("openrouter-files list --lo", 2, ["plain,--long"]),
        ("openrouter-files list --provider ", 3, ["plain,openai", "plain,anthropic"]),
        ("openrouter-files download --overwrite re", 3, ["plain,replace", "plain,rename"]),
        ("openrouter-files upload no", 2, ["file,no"]),
        ("openrouter-files upload --journal da", 3, ["file,da"]),
        ("openrouter-files pull o", 2, ["dir,o"]),
        ("openrouter-files containers pro", 2, ["plain,promote"]),
        ("openrouter-files completion ", 2, ["plain,bash", "plain,zsh", "plain,fish"]),
        ("openrouter-files help js", 2, ["plain,json"]),
    ],
)
async def test_what_is_completed(words, place, completed):
    """Commands, options, their values and paths are completed."""
    assert await asked(words, place) == completed


async def test_completing_is_quick():
    """To complete the name of a command, no command is loaded; for an option, nothing that does HTTP."""
    script = (
        "import json, sys\n"
        "from openrouter_files.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(json.dumps([name for name in sys.modules if name.endswith('_command') or name == 'aiohttp']))"
    )
    for words, place, loaded in (("x l", "1", ["help"]), ("x upload --js", "2", ["help", "upload"])):
        spoken = {"COMP_WORDS": words, "COMP_CWORD": place, "_OPENROUTER_FILES_COMPLETE": "bash_complete"}
        done = await cli(program=(sys.executable, "-c", script), **spoken)
        assert json.loads(done.lines[-1]) == [f"openrouter_files.cli.{name}_command" for name in loaded]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_for_each_shell(shell):
    """The script is printed, for the name that the command is installed under."""
    done = within("completion", shell)
    assert done.status == 0
    assert "_OPENROUTER_FILES_COMPLETE" in done.results
    assert done.messages == ""


def test_a_shell_that_is_not_known():
    """Another shell is a wrong usage."""
    with pytest.raises(Exception, match="tcsh"):
        program.main(["completion", "tcsh"], standalone_mode=False)


@pytest.mark.parametrize("shell", [pytest.param(shell, marks=needs(shell)) for shell in SHELLS])
async def test_the_script_is_accepted_by_its_shell(shell, tmp_path):
    """The shell finds nothing wrong with the script."""
    (tmp_path / "script").write_text(within("completion", shell).results)
    checked = await cli("-n", tmp_path / "script", program=(shell,))
    assert checked == (0, "", "")


@needs("bash")
async def test_in_bash(installed, tmp_path):
    """In a bash that was told so, the tabulator completes commands, options, choices and files."""
    start = ("bash", "--norc", "--noprofile", "-i")
    async with Terminal([], None, tmp_path, program=start, PS1="> ", **installed) as terminal:
        await eventually(lambda: terminal.text.endswith("> "))
        terminal.type('eval "$(openrouter-files completion bash)"; echo rea""dy\n')
        await eventually(lambda: "ready" in terminal.text)
        await completed(terminal, "openrouter-files uplo", "openrouter-files upload ")
        await completed(terminal, "openrouter-files list --provider an", "--provider anthropic ")
        await completed(terminal, "openrouter-files list --lo", "list --long ")
        await completed(terminal, "openrouter-files upload not", "upload notes.md ")


@needs("zsh")
async def test_in_zsh(installed, tmp_path):
    """In a zsh that was told so, the tabulator completes commands, options and choices."""
    start = ("zsh", "-f", "-i")
    async with Terminal([], None, tmp_path, program=start, PS1="> ", **installed) as terminal:
        await eventually(lambda: "> " in terminal.text)
        terminal.type('autoload -U compinit; compinit -u -D; eval "$(openrouter-files completion zsh)"; echo rea""dy\n')
        await eventually(lambda: "ready" in terminal.text)
        await completed(terminal, "openrouter-files uplo", "openrouter-files upload ")
        await completed(terminal, "openrouter-files list --provider an", "--provider anthropic ")
        await completed(terminal, "openrouter-files list --lo", "list --long ")


async def completed(terminal, typed, shown):
    """Type, press the tabulator, wait for what the line becomes, and take it back (Ctrl-U)."""
    terminal.seen = ""
    terminal.type(f"{typed}\t")
    await eventually(lambda: shown in terminal.text)
    terminal.type("\x15")


@needs("fish")
async def test_in_fish(installed, tmp_path):
    """Fish completes commands, options and choices, with a word about each."""
    (tmp_path / "script").write_text(within("completion", "fish").results)
    for line, found in (
        ("openrouter-files uplo", "upload\tUpload files"),
        ("openrouter-files list --provider an", "anthropic"),
        ("openrouter-files list --lo", "--long\tWith type and whether it can be downloaded."),
    ):  # fish is told of a word up to its first comma
        ask = f"source {tmp_path / 'script'}; complete --do-complete '{line}'"
        done = await cli("--no-config", "-c", ask, program=("fish",), **installed)
        assert done.lines == [found]
