"""`ask`: what may be asked, and how."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from .asking import Question, ask
from .made import Saving
from .running import run
from .scripts import read as read_scripts
from .settings import Settings, with_settings_at_home
from .teaching import Teaching, completed_as

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .saving import Overwrite
    from .scripts import Script

_HELP = """Ask a model that may list, read, write and edit the files of the workspace.

    Its text comes as it says it, on stdout. Afterwards the files that it made are listed on stderr
    and, with --save, are streamed to disk; each appears only when it is whole. An edit makes a new
    file, the old one stays. A question is never sent twice once the model may have begun.

    PROMPT '-', or a last word '-', is standard input. A model works in the key's own workspace,
    so OPENROUTER_WORKSPACE_ID has to be empty.

    With --emulator there is no model: --script says what it does. It is a JSON list of steps,
    {"call": "list|read|write|edit", "filename": ..., ...}, {"say": "..."}, {"fail": 502}.

    \b
    With --json one object:
      answered  text, finish_reason, usage, model, files (each with its path if it was saved)
      failed    error.type, error.message, ...; source: the id of a file that was not saved
    """

_EPILOG = """\b
Examples:
  openrouter-files ask -m openai/gpt-5.2 'Which files are about taxes?'
  openrouter-files ask -m openai/gpt-5.2 --upload notes.md 'Correct the spelling.' --save out/
  openrouter-files ask -m openai/gpt-5.2 --file notes.md --file FILE_ID 'Compare them.' --json
  git diff | openrouter-files ask -m openai/gpt-5.2 'Write a changelog into log.md:' - --save .

\b
Without a key:
  echo 'the old line' > notes.md
  echo '[{"call": "edit", "filename": "notes.md", "old_string": "old", "new_string": "new"},
         {"say": "Done."}]' > edit.json
  openrouter-files ask --emulator --script edit.json --upload notes.md 'Renew it.' -m any --save out/"""


def _object(_ctx: click.Context, _option: click.Parameter, text: str | None) -> Mapping[str, Any]:
    try:
        value: Any = json.loads(text or "{}")
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise click.BadParameter("not a JSON object")
    return {**value}


def _refused(ctx: click.Context, option: click.Parameter, given: str | None) -> None:
    """Refuse a place that chat cannot be told, wherever it was said."""
    own = "chat has no such parameter: a model works in the key's own workspace, with OpenRouter's storage"
    if given and ctx.get_parameter_source(option.name or "") is click.core.ParameterSource.ENVIRONMENT:
        raise click.UsageError(
            f"OPENROUTER_WORKSPACE_ID is set, but {own}; if that is meant, set it to nothing:"
            " OPENROUTER_WORKSPACE_ID= openrouter-files ask ..."
        )
    if given:
        raise click.UsageError(f"{option.opts[0]}: {own}; leave it out, or use a key of the other workspace")


@click.command("ask", cls=Teaching, help=_HELP, epilog=_EPILOG)
@click.argument("words", nargs=-1, required=True, metavar="PROMPT...|-")
@click.option("-m", "--model", required=True, envvar="OPENROUTER_MODEL", help="As openai/gpt-5.2, or OPENROUTER_MODEL.")
@click.option("--file", "files", multiple=True, metavar="ID|NAME", help="Show the model a stored file. Repeatable.")
@click.option(
    "--upload", "uploads", multiple=True, metavar="PATH", shell_complete=completed_as("file"),
    help="Upload a file before, and show it. Repeatable.",
)  # fmt: skip
@click.option("--system", metavar="TEXT", help="Tell the model what its part is.")
@click.option("--stream/--no-stream", default=True, help="The text as it comes, or all at once in the end.")
@click.option("--save", metavar="DIR", shell_complete=completed_as("dir"), help="Save what the model makes; made anew.")
@click.option(
    "--overwrite", type=click.Choice(["rename", "replace", "error"]), default="rename", show_default=True,
    help="With --save, if a name is taken.",
)  # fmt: skip
@click.option("--keep-folders", is_flag=True, help="Save a/b.txt as b.txt in a folder a, not as b.txt.")
@click.option("--extra", callback=_object, metavar="JSON", help="""More of the request: '{"max_tokens": 500}'.""")
@click.option("--resolve-file-ids/--no-resolve-file-ids", default=True, help="Send the header that old servers need.")
@click.option(
    "--script", "scripts", metavar="FILE", callback=read_scripts, shell_complete=completed_as("file"),
    help="With --emulator: what the model does.",
)  # fmt: skip
@click.option(
    "--workspace", hidden=True, envvar="OPENROUTER_WORKSPACE_ID", expose_value=False, callback=_refused,
    help="Refused: chat has no such parameter.",
)  # fmt: skip
@click.option(
    "--provider", hidden=True, expose_value=False, callback=_refused, help="Refused: chat has no such parameter."
)
@with_settings_at_home
def command(  # noqa: D103
    settings: Settings,
    *,
    words: tuple[str, ...],
    save: str | None,
    overwrite: Overwrite,
    keep_folders: bool,
    scripts: list[Script],
    **asked: Any,
) -> int:
    if scripts and not settings.emulator:
        raise click.UsageError("--script is for the model of --emulator")
    if len(scripts) > 1:
        raise click.UsageError("one question takes one script: a list of steps")
    if not asked["model"].strip():
        raise click.UsageError("no model: -m openai/gpt-5.2, say")
    saving = None if save is None else Saving(folder=save, overwrite=overwrite, keep_folders=keep_folders)
    question = Question(prompt=_prompt(words, settings), saving=saving, **asked)
    return run(settings, partial(ask, settings, question, scripts))


def _prompt(words: tuple[str, ...], settings: Settings) -> str:
    """Return the prompt; what stands at the end as '-' is read here, before anything is awaited."""
    if "-" in words[:-1]:
        raise click.UsageError("'-', for standard input, has its place at the end of the prompt")
    if words[-1] != "-":
        prompt = " ".join(words)
    elif settings.api_key_file == "-":
        raise click.UsageError("standard input can be read only once")
    else:
        prompt = "\n\n".join(filter(None, (" ".join(words[:-1]), _standard_input())))
    if not prompt.strip():
        raise click.UsageError("nothing to ask: the prompt is empty")
    return prompt


def _standard_input() -> str:
    try:
        text = sys.stdin.buffer.read().decode().strip()
    except UnicodeDecodeError:
        raise click.UsageError("standard input is no UTF-8 text: --upload it as a file") from None
    if not text:
        raise click.UsageError("standard input is empty")
    return text
