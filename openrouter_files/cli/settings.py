"""The options that every command takes, as one value."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, TypeAlias

import click
from attrs import fields_dict, frozen

Command: TypeAlias = Callable[..., int]


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
    timeout: float | None = None


_OPTIONS = (
    click.option("--emulator", is_flag=True, help="Run against an embedded server: no key, no network, nothing kept."),
    click.option("--json", is_flag=True, help="One JSON object per line on stdout, failures included."),
    click.option("-q", "--quiet", is_flag=True, help="No progress and no messages but errors."),
    click.option("-v", "--verbose", is_flag=True, help="Tell about retries on stderr."),
    click.option("--workspace", metavar="ID", envvar="OPENROUTER_WORKSPACE_ID", help="Default: the key's own."),
    click.option("--provider", type=click.Choice(["openai", "anthropic"]), help="That provider's own store instead."),
    click.option("--api-key-file", metavar="FILE|-", help="Where the key is, if not in OPENROUTER_API_KEY."),
    click.option("--base-url", metavar="URL", help="Default: OPENROUTER_BASE_URL, else OpenRouter."),
    click.option("--retries", type=click.IntRange(min=0), metavar="N", help="Further attempts per request (4)."),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="How long the server may be silent (60; 120 for its answer). There is no limit to the work.",
    ),
)

CONCURRENCY = click.option(
    "--concurrency",
    type=click.IntRange(1, 100),
    default=8,
    show_default=True,
    envvar="OPENROUTER_FILES_CONCURRENCY",
    metavar="N",
    help="How many at once.",
)


def with_settings(command: Command) -> Command:
    """Give a command those options; it gets them as its first argument."""

    @wraps(command)
    def collected(**given: Any) -> int:
        settings = Settings(**{name: given.pop(name) for name in fields_dict(Settings)})
        return command(settings, **given)

    for option in reversed(_OPTIONS):
        collected = option(collected)
    return collected
