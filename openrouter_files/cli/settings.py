"""The options that every command takes, as one value."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, TypeAlias

import click
from attrs import field, fields_dict, frozen

from .teaching import ConnectionOption, GeneralOption, completed_as

Command: TypeAlias = Callable[..., int]
Decorator: TypeAlias = Callable[[Command], Command]


@frozen(kw_only=True)
class Settings:
    """How a command talks to the service and to its user; None leaves a choice to the client."""

    emulator: bool = False
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    workspace: str | None = None
    provider: Literal["openai", "anthropic"] | None = None
    api_key_file: str | None = None
    base_url: str | None = None
    retries: int | None = None
    max_delay: float | None = None
    deadline: float | None = None
    ambiguous: Literal["reconcile", "repeat", "raise"] | None = None
    timeout: float | None = None
    connect_timeout: float | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    no_proxy: bool = False
    allow_plain_http: bool = False


def _headers(_ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Take the lines apart; what is in a line may be a secret, so none is shown."""
    pairs = [line.partition(":") for line in given]
    if not all(colon for _, colon, _ in pairs):
        raise click.BadParameter("a header is 'NAME: VALUE'")
    return tuple((name.strip(), value.strip()) for name, _, value in pairs)


_SECONDS = click.FloatRange(min=0, min_open=True)

_GENERAL = (
    click.option(
        "--emulator", cls=GeneralOption, is_flag=True, help="Run against an embedded server: no key, no network."
    ),
    click.option("--json", cls=GeneralOption, is_flag=True, help="One JSON object per line: see `help json`."),
    click.option("-q", "--quiet", cls=GeneralOption, is_flag=True, help="No progress and no messages but errors."),
    click.option("-v", "--verbose", cls=GeneralOption, is_flag=True, help="Tell about retries on stderr."),
)
_PLACE = (
    click.option(
        "--workspace",
        cls=ConnectionOption,
        metavar="ID",
        envvar="OPENROUTER_WORKSPACE_ID",
        help="Default: OPENROUTER_WORKSPACE_ID, else the key's own.",
    ),
    click.option(
        "--provider",
        cls=ConnectionOption,
        type=click.Choice(["openai", "anthropic"]),
        help="That provider's own store instead.",
    ),
)
_CONNECTION = (
    click.option(
        "--api-key-file",
        cls=ConnectionOption,
        metavar="FILE|-",
        shell_complete=completed_as("file"),
        help="Where the key is, if not in OPENROUTER_API_KEY.",
    ),
    click.option(
        "--base-url", cls=ConnectionOption, metavar="URL", help="Default: OPENROUTER_BASE_URL, else OpenRouter."
    ),
    click.option(
        "--timeout",
        cls=ConnectionOption,
        type=_SECONDS,
        metavar="SECONDS",
        help="How long the server may be silent (60; 120 for its answer). There is no limit to the work.",
    ),
    click.option(
        "--connect-timeout",
        cls=ConnectionOption,
        type=_SECONDS,
        metavar="SECONDS",
        help="To reach the server (30, or --timeout if that is less).",
    ),
    click.option(
        "--retries",
        cls=ConnectionOption,
        type=click.IntRange(min=0),
        metavar="N",
        help="Further attempts per request (4).",
    ),
    click.option(
        "--max-delay",
        cls=ConnectionOption,
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        help="The longest pause that a server may ask for (30); one that wants more is given up.",
    ),
    click.option(
        "--deadline",
        cls=ConnectionOption,
        type=_SECONDS,
        metavar="SECONDS",
        help="For all attempts of a request together (none).",
    ),
    click.option(
        "--ambiguous",
        cls=ConnectionOption,
        type=click.Choice(["reconcile", "repeat", "raise"]),
        help="If an upload may be stored: look for it (the default), send it again, or give up.",
    ),
    click.option(
        "--header",
        "headers",
        cls=ConnectionOption,
        multiple=True,
        callback=_headers,
        metavar="'NAME: VALUE'",
        help="Sent with each request. Repeatable.",
    ),
    click.option(
        "--no-proxy", cls=ConnectionOption, is_flag=True, help="Not through HTTPS_PROXY and the like; default: through."
    ),
    click.option(
        "--allow-plain-http",
        cls=ConnectionOption,
        is_flag=True,
        help="Let the key travel unencrypted to another machine.",
    ),
)

EVERYWHERE = ("--emulator", "--json", "--quiet", "--verbose", "-q", "-v")
"""How the options of every command are spelt."""

CONCURRENCY = click.option(
    "--concurrency",
    type=click.IntRange(1, 100),
    default=8,
    show_default=True,
    envvar="OPENROUTER_FILES_CONCURRENCY",
    metavar="N",
    help="How many at once.",
)


def _with(options: tuple[Decorator, ...]) -> Decorator:
    def decorated(command: Command) -> Command:
        @wraps(command)
        def collected(**given: Any) -> int:
            names = fields_dict(Settings).keys() & given.keys()
            settings = Settings(**{name: given.pop(name) for name in names})
            return command(settings, **given)

        made: Command = collected
        for option in reversed(options):
            made = option(made)
        return made

    return decorated


with_settings = _with((*_GENERAL, *_PLACE, *_CONNECTION))
"""Give a command all those options; it gets them as its first argument."""

with_settings_at_home = _with((*_GENERAL, *_CONNECTION))
"""Give them to a command that acts on the key's own workspace, whatever the environment says."""
