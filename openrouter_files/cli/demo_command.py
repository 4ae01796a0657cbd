"""`demo`: what there is to choose."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .connecting import client_for, client_of, emulating, key_of
from .demonstration import Demo
from .finding import Filter
from .narration import Narration
from .running import run
from .settings import CONCURRENCY, Settings, with_settings
from .sources import Sources
from .teaching import Teaching, completed_as

if TYPE_CHECKING:
    from openrouter_files.emulator import Emulator

    from .output import Output

_HELP = """See it all work, on real files: many are uploaded at once, listed, one that the server made is
    streamed to disk and its bytes are compared, one is deleted.

    Without a key, or with --emulator, this happens against an embedded emulator: no network. With a
    key it happens in your workspace; there the newest file that can be downloaded is, if there is
    one, and all that was uploaded is deleted in the end.
    """

_EPILOG = """\b
Examples:
  openrouter-files demo
  openrouter-files demo ~/Documents --most 200 --concurrency 32
  OPENROUTER_API_KEY=sk-or-... openrouter-files demo"""

_TEXTS = ("*.py", "*.md", "*.toml", "*.yaml")


def _own_files() -> str:
    """Return the folder of this checkout, or of the installed package if there is no checkout."""
    package = Path(__file__).parent.parent
    return str(package.parent if (package.parent / "pyproject.toml").is_file() else package)


@click.command("demo", cls=Teaching, help=_HELP, epilog=_EPILOG)
@click.argument("sources", nargs=-1, metavar="[FILE|FOLDER]...", shell_complete=completed_as("file"))
@click.option(
    "--most", type=click.IntRange(1, 1000), default=60, show_default=True, help="Upload at most so many files."
)
@CONCURRENCY
@with_settings
def command(settings: Settings, *, sources: tuple[str, ...], most: int, concurrency: int) -> int:  # noqa: D103
    if "-" in sources:
        raise click.UsageError("the demo takes files and folders, not standard input")
    kept = Filter(include=() if sources else _TEXTS, exclude=(), hidden=False)
    wanted = Sources(given=sources or (_own_files(),), wanted=kept)
    return run(settings, partial(_show, settings, wanted, most, concurrency))


async def _show(settings: Settings, wanted: Sources, most: int, concurrency: int, output: Output) -> int:
    async with AsyncExitStack() as opened:
        emulator = await opened.enter_async_context(emulating(settings)) if await _wants_emulator(settings) else None
        client = client_for(emulator, settings) if emulator else await client_of(settings)
        files = await opened.enter_async_context(client)
        narration = Narration(output)
        narration.tell("server", _server(settings, emulator), emulator=emulator is not None)
        demo = Demo(
            files=files, emulator=emulator, sources=wanted, most=most, concurrency=concurrency,
            output=output, narration=narration,
        )  # fmt: skip
        return await demo.run()


async def _wants_emulator(settings: Settings) -> bool:
    return settings.emulator or (settings.api_key_file is None and await key_of(settings) is None)


def _server(settings: Settings, emulator: Emulator | None) -> str:
    if emulator is None:
        return "the service, in your workspace"
    why = "as you wished" if settings.emulator else "OPENROUTER_API_KEY is not set"
    return f"an embedded emulator ({why})"
