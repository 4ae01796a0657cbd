"""The help: quick, complete, and its examples are no inventions."""

import re
import shlex
import sys

import click
import pytest
from click.testing import CliRunner
from test_cli_process import cli, within

from openrouter_files.cli.main import program
from openrouter_files.cli.process import Exit


def commands(command=program, path=()):
    """All commands with the words that call them, those of groups included."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), (*path, name))


ALL = dict(commands())
LEAVES = {path: command for path, command in ALL.items() if not isinstance(command, click.Group)}


def test_there_are_as_many_as_there_should_be():
    """The walk over all commands finds the groups and what is in them."""
    assert {("upload",), ("containers",), ("containers", "promote"), ("help",)} <= ALL.keys()


async def test_the_help_is_quick():
    """No help, nor --version, needs what does HTTP or draws tables."""
    script = (
        "import sys\n"
        "from openrouter_files.__main__ import main\n"
        "sys.argv = ['x', *sys.argv[1:]]\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "print()\n"
        "print(sorted({'aiohttp', 'rich', 'cattrs', 'aiofiles', 'backoff'} & sys.modules.keys()))"
    )
    for arguments in (["--version"], ["--help"], ["help", "json"]):
        done = await cli(*arguments, program=(sys.executable, "-c", script))
        assert done.lines[-1] == "[]", arguments
    every = f"""
import sys
from click.testing import CliRunner
from openrouter_files.cli.main import program
for path in {list(ALL)}:
    assert CliRunner().invoke(program, [*path, "--help"]).exit_code == 0, path
print(sorted({{'aiohttp', 'rich', 'cattrs'}} & sys.modules.keys()))
"""
    assert (await cli(program=(sys.executable, "-c", every))).results == "[]\n"


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_help_teaches(path):
    """Each help has examples of its own command, no line that a terminal would wrap, and a word on every option."""
    told = CliRunner().invoke(program, [*path, "--help"]).output
    assert f"  {' '.join(['openrouter-files', *path])}" in told
    assert max(map(len, told.splitlines())) <= 110
    for option in ALL[path].params:
        assert not isinstance(option, click.Option) or option.help, option.name


def segments(line):
    """The commands of a line of shell, as words; three spaces begin a remark."""
    words = shlex.shlex(re.split(r"(?<=\S)   ", line)[0], posix=True, punctuation_chars="|&;<>")
    words.whitespace_split = True
    segment = []
    for word in [*words, "|"]:
        if set(word) <= set("|&;<>"):
            yield segment
            segment = []
        else:
            segment.append(word)


def examples():
    """The words of each call in the help, with the path of its command; what xargs adds is added."""
    lines = [line for command in ALL.values() for line in (command.epilog or "").splitlines()]
    for line in (line for line in lines if "  openrouter-files " in line or "| " in line):
        for segment in segments(line.replace('"$(', "").replace(')"', "")):
            if "openrouter-files" in segment:
                words = segment[segment.index("openrouter-files") + 1 :]
                yield words + ["FILE_ID"] * (segment[0] == "xargs")


EXAMPLES = list(examples())


def test_there_are_many_examples():
    """The search for examples finds them."""
    assert len(EXAMPLES) > 40
    assert ["list", "--long"] in EXAMPLES
    assert ["delete", "--yes", "FILE_ID"] in EXAMPLES


@pytest.mark.parametrize("words", EXAMPLES, ids=" ".join)
def test_every_example_is_understood(words, tmp_path, monkeypatch):
    """The examples of the help are command lines that the program understands."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edit.json").write_text('[{"say": "hi"}]')
    path = tuple(words[:2]) if tuple(words[:2]) in LEAVES else tuple(words[:1])
    ALL[path].make_context(path[-1], words[len(path) :])


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_help_of_a_command(path):
    """`help COMMAND` is `COMMAND --help`."""
    asked, told = within("help", *path), CliRunner().invoke(program, [*path, "--help"], prog_name="x")
    assert asked.status == 0
    assert asked.results.split("\n", 1)[1] == told.output.split("\n", 1)[1]


def test_help_of_what_all_have_in_common():
    """`help` alone lists the commands; topics tell about JSON lines, statuses and variables."""
    assert all(f"  {path[0]} " in within("help").results for path in ALL if len(path) == 1)
    statuses = within("help", "exit-status").results
    assert all(str(int(status)) in statuses for status in Exit)
    assert "NO_COLOR" in within("help", "environment").results
    assert '"outcome"' in within("help", "json").results


async def test_help_of_nothing():
    """What is no command has no help, and near ones are named."""
    done = await cli("help", "containers", "promot")
    assert done.status == 2
    assert "'promote'" in done.messages
    assert (await cli("help", "list", "x")).status == 2


async def test_without_a_command():
    """The program alone shows its help, and that is a wrong usage."""
    done = await cli()
    assert done.status == 2
    assert "Commands:" in done.messages + done.results
