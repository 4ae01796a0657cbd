"""`completion`: what a shell has to hear to complete command lines."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from .options import Teaching
from .process import Exit, write_line

_HELP = """Print a script that makes a shell complete commands, options, their values and paths.

    The script asks the installed `openrouter-files` each time, so it never grows old.
    """

_EPILOG = """\b
For bash, in ~/.bashrc:
  eval "$(openrouter-files completion bash)"

\b
For zsh, in ~/.zshrc, below compinit:
  eval "$(openrouter-files completion zsh)"

\b
For fish:
  openrouter-files completion fish > ~/.config/fish/completions/openrouter-files.fish"""

_NAME, _VARIABLE = "openrouter-files", "_OPENROUTER_FILES_COMPLETE"


@click.command("completion", cls=Teaching, help=_HELP, epilog=_EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, *, shell: str) -> int:  # noqa: D103
    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"there is no completion for {shell}")
    write_line(completion(ctx.find_root().command, {}, _NAME, _VARIABLE).source().strip())
    return Exit.DONE
