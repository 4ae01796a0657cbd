"""`help`: of commands, and of what all of them have in common."""

from __future__ import annotations

import click

from .options import Teaching
from .process import LEGEND, Exit, write_line

_HELP = """Show the help of a command, or of what all commands have in common: json, exit-status,
    environment.
    """

_EPILOG = """\b
Examples:
  openrouter-files help upload
  openrouter-files help containers promote
  openrouter-files help json"""

ENVIRONMENT = """\b
Environment:
  OPENROUTER_API_KEY        the key (never an option: options show in `ps`)
  OPENROUTER_BASE_URL       another server, as `serve` is one
  OPENROUTER_WORKSPACE_ID   --workspace
  OPENROUTER_MODEL          --model of `ask`
  OPENROUTER_HTTP_REFERER, OPENROUTER_APP_TITLE, OPENROUTER_APP_CATEGORIES   attribution
  OPENROUTER_FILES_CONCURRENCY   --concurrency
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY   proxies; `doctor` tells which counts
  SSL_CERT_FILE             certificates to trust
  NO_COLOR                  no colours"""

_TOPICS = ("json", "exit-status", "environment")


def _names(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    program = ctx.find_root().command
    names = program.list_commands(ctx) if isinstance(program, click.Group) else []
    return [name for name in (*names, *_TOPICS) if name.startswith(incomplete)]


@click.command("help", cls=Teaching, help=_HELP, epilog=_EPILOG)
@click.argument("topic", nargs=-1, metavar="[COMMAND|TOPIC]...", shell_complete=_names)
@click.pass_context
def command(ctx: click.Context, *, topic: tuple[str, ...]) -> int:  # noqa: D103
    write_line(_text(ctx.find_root(), topic))
    return Exit.DONE


def _text(root: click.Context, topic: tuple[str, ...]) -> str:
    match topic:
        case ("json",):
            from .output import text  # noqa: PLC0415  # not to show the help

            return text()
        case ("exit-status",):
            return LEGEND.removeprefix("\b\n")
        case ("environment",):
            return ENVIRONMENT.removeprefix("\b\n")
        case _:
            return _help_of(root, topic)


def _help_of(context: click.Context, names: tuple[str, ...]) -> str:
    """Walk down to a command; UsageError where there is none."""
    for name in names:
        group = context.command
        if not isinstance(group, click.Group):
            raise click.UsageError(f"{context.command_path} has no commands", context)
        _, found, _ = group.resolve_command(context, [name])
        if found is not None:
            context = click.Context(found, info_name=name, parent=context, **found.context_settings)
    return context.get_help()
