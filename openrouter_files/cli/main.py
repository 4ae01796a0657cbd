"""The command line program."""

from __future__ import annotations

import sys
from importlib import import_module
from io import BufferedWriter, TextIOWrapper
from typing import Any, cast

import click
from click.exceptions import NoArgsIsHelpError
from click.shell_completion import CompletionItem

from . import process as stdout
from .formatting import plain
from .help_command import ENVIRONMENT
from .options import Commands, usage
from .process import LEGEND, Exit

_NAME = "openrouter-files"

_COMMANDS = {
    "upload": "Upload files, folders or standard input.",
    "list": "List the files of the workspace.",
    "show": "Show all that is known about files.",
    "download": "Save what a model wrote, or write it to stdout.",
    "pull": "Mirror into a folder what models wrote.",
    "delete": "Delete files for good, by id, or by name and age.",
    "ask": "Ask a model that works with the files.",
    "containers": "List, save and promote the files of sandbox containers.",
    "doctor": "Check key, network, proxy, clock and versions.",
    "serve": "Run an emulator of the Files API to test against.",
    "demo": "See it all work: upload, list, download, delete.",
    "completion": "Print the completion script of bash, zsh or fish.",
    "help": "Of a command, or of json, exit-status, environment.",
}

_EPILOG = f"""\b
Examples:
  openrouter-files demo                         no key, no network
  openrouter-files upload report.pdf data/
  openrouter-files list --long
  openrouter-files upload data/ --journal data.db    thousands of files, killed and resumed
  openrouter-files download FILE_ID --to out/
  openrouter-files ask -m MODEL --upload notes.md 'Correct the spelling.' --save out/
  openrouter-files doctor                       if anything goes wrong
  eval "$(openrouter-files completion bash)"    or zsh; fish: see `completion --help`

{ENVIRONMENT}

{LEGEND}
"""


class _Program(Commands):
    """Commands by name: to show the help, none of them has to be loaded."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"openrouter_files.cli.{cmd_name}_command").command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        """Complete a command, or an option; no command is loaded for it."""
        names = [CompletionItem(name, help=words) for name, words in _COMMANDS.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([*_COMMANDS.items()])


program = _Program(
    name=_NAME,
    help="The files of an OpenRouter workspace: no duplicate uploads, no half downloads.",
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
program = click.version_option(package_name="openrouter-files", prog_name=_NAME)(program)


def _complain(words: str) -> None:
    sys.stderr.write(f"{_NAME}: error: {words}\n")


def _unexpected(error: Exception) -> str:
    return f"internal error, unexpected {type(error).__name__}: {error}"


def _status() -> int:
    """Run a command; whatever its result is, its words have left the buffer."""
    status: int | None = program.main(prog_name=_NAME, standalone_mode=False)
    sys.stdout.flush()
    return status or Exit.DONE


def run() -> int:
    """Run the program on the arguments of the process and return its exit status."""
    stdout.mend()
    # A name that the locale lacks is no reason to fail.
    cast("TextIOWrapper[BufferedWriter]", sys.stdout).reconfigure(errors="backslashreplace")
    try:
        return _status()
    except NoArgsIsHelpError as error:
        error.show()
        return Exit.USAGE
    except click.UsageError as error:
        _complain(usage(error))
        return Exit.USAGE
    except (KeyboardInterrupt, click.Abort):
        return Exit.INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the promise is: never a traceback
        stdout.abandon()
        _complain(plain(str(error) if isinstance(error, OSError) else _unexpected(error)))
        return Exit.ERROR
