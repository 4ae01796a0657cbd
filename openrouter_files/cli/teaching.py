"""Commands whose help comes in sections, and groups that know what a typo was meant to be."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import click


class GeneralOption(click.Option):
    """An option that every command takes."""

    section = "Options of every command"


class ConnectionOption(click.Option):
    """An option of the connection to the service."""

    section = "Connection"


class Teaching(click.Command):
    """A command whose help keeps its own options apart from those that others have, too."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section of options after the other."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                sections.setdefault(getattr(parameter, "section", "Options"), []).append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Commands(click.Group):
    """A group of commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the names in the order in which they are taught."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called; UsageError with what may have been meant."""
        name = args[0]
        if ctx.resilient_parsing or self.get_command(ctx, name) is not None:
            return super().resolve_command(ctx, args)
        known = self.list_commands(ctx)
        close = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
        raise click.UsageError(f"no such command {name!r}: {hint}", ctx)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the arguments apart; an option of the commands is told where it belongs."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if not _is_everywhere(error.option_name):
                raise
            raise click.UsageError(f"{error.option_name} has its place behind the command", ctx) from None


def _is_everywhere(name: str) -> bool:
    from .settings import EVERYWHERE  # noqa: PLC0415  # settings are made of these classes

    return name in EVERYWHERE


def usage(error: click.UsageError) -> str:
    """Return what was wrong with a command line, and where to read on, as one line."""
    words = " ".join(error.format_message().split()).rstrip(".")
    path = error.ctx.command_path if error.ctx else "openrouter-files"
    return f"{words}; see `{path} --help`"


def completed_as(kind: str) -> Any:
    """Return what tells a shell to complete paths: ``file`` or ``dir``."""

    def complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem  # noqa: PLC0415  # only when a shell asks

        return [CompletionItem(incomplete, type=kind)]

    return complete
