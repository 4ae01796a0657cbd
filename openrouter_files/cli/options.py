"""Options that commands share."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import click
from attrs import evolve, field, fields_dict, frozen

from openrouter_files import Options, RetryPolicy, Timeouts

from . import process as interrupts
from . import process as stdout
from .errors import NoKeyError, message_of
from .output import Output
from .process import Exit, aside, lines

if TYPE_CHECKING:
    from openrouter_files import ContainerFiles, FilesClient
    from openrouter_files.emulator import Emulator

    from .serve_command import Script


# ---- Wrong usage that only the client knows to be one: what it refuses in a command line before anything is sent.
#
# Elsewhere its ValueError is about a file, a name, a disk; whatever else it raises is a mistake of ours.


@contextmanager
def as_said() -> Generator[None]:
    """Look at what stands in the command line, and at nothing else; UsageError if the client refuses it."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(message_of(error), click.get_current_context(silent=True)) from error


def check_ids(files: FilesClient | ContainerFiles, ids: Iterable[str]) -> None:
    """Refuse what cannot be an id; nothing is asked for."""
    with as_said():
        for file_id in ids:
            files.download(file_id)


# ---- Commands whose help comes in sections, and groups that know what a typo was meant to be.


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
    # settings are made of these classes

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


# ---- How old is old: ``30d``, ``12h`` or a date, as a moment.

_SPAN = re.compile(r"(\d+)([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, now: datetime) -> datetime:
    """Return the moment that a span before now, or a date, means; a date is a day of the local calendar.

    Raises:
        ValueError: It is neither.
        OverflowError: There is no such day.
    """
    if span := _SPAN.fullmatch(text):
        return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
    return datetime.fromisoformat(text).astimezone(UTC)


def read(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    """Read the value of an option."""
    try:
        return None if value is None else moment(value, datetime.now(UTC))
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(f"{value!r} is no age: say 30d, 12h, 45m, 2w or 2026-01-31") from None


# ---- The options that every command takes, as one value.

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


# ---- From settings to a client: of the service, or of an emulator that lives as long as the command.


async def key_of(settings: Settings) -> str | None:
    """Return the key: of the file, else of the environment, else None."""
    if settings.api_key_file is None:
        return os.environ.get("OPENROUTER_API_KEY") or None
    if settings.api_key_file == "-":
        return (await anext(lines(), "")).strip() or None
    return os.fsdecode(await aside(Path(settings.api_key_file).read_bytes)).strip() or None


def _client(key: str, base_url: str | None, settings: Settings) -> FilesClient:
    with as_said():
        return client_with(key, base_url, settings)


def client_with(key: str, base_url: str | None, settings: Settings) -> FilesClient:
    """Return a client with a key of any origin; ValueError if the settings make no sense."""
    from openrouter_files import FilesClient  # noqa: PLC0415  # HTTP takes its time: not to show the help

    return FilesClient(
        key,
        base_url=base_url,
        options=options_of(settings),
        trust_env=not settings.no_proxy,
        allow_plain_http=settings.allow_plain_http,
    )


def _timeouts(settings: Settings) -> Timeouts:
    seconds, connect = settings.timeout, settings.connect_timeout
    timeouts = Timeouts() if seconds is None else Timeouts(connect=min(30.0, seconds), idle=seconds, answer=seconds)
    return timeouts if connect is None else evolve(timeouts, connect=connect)


def _retry(settings: Settings) -> RetryPolicy:
    policy = RetryPolicy(deadline=settings.deadline)
    if settings.retries is not None:
        policy = evolve(policy, attempts=settings.retries + 1)
    if settings.max_delay is not None:
        policy = evolve(policy, max_delay=settings.max_delay)
    return policy if settings.ambiguous is None else evolve(policy, ambiguous=settings.ambiguous)


def options_of(settings: Settings) -> Options:
    """Return what every call of the client takes."""
    return Options(
        workspace_id=settings.workspace,
        provider=settings.provider,
        timeouts=_timeouts(settings),
        retry=_retry(settings),
        headers=dict(settings.headers),
    )


@asynccontextmanager
async def emulating(settings: Settings, scripts: Sequence[Script] = ()) -> AsyncGenerator[Emulator]:
    """Run an emulator that knows the wanted workspace, and whose model does what is written."""
    from openrouter_files.emulator import Emulator  # noqa: PLC0415  # a web server, for those who want one

    emulator = Emulator(providers=[settings.provider] if settings.provider else ())
    if settings.workspace is not None:
        emulator.add_workspace(settings.workspace)
    for script in scripts:
        emulator.script(*script)
    await emulator.start()
    try:
        yield emulator
    finally:
        await emulator.stop()  # not as a context: what was left unplayed is no error here


async def client_of(settings: Settings) -> FilesClient:
    """Return a client of the service.

    Raises:
        NoKeyError: There is no key.
        click.UsageError: The settings make no sense.
    """
    key = await key_of(settings)
    if key is None:
        raise NoKeyError
    return _client(key, settings.base_url, settings)


def client_for(emulator: Emulator, settings: Settings) -> FilesClient:
    """Return a client of an emulator."""
    return _client(emulator.api_key, emulator.base_url, settings)


@asynccontextmanager
async def connected(settings: Settings, scripts: Sequence[Script] = ()) -> AsyncGenerator[FilesClient]:
    """Open the client that the settings describe; NoKeyError if it would need a key."""
    if settings.emulator:
        async with emulating(settings, scripts) as emulator, client_for(emulator, settings) as files:
            yield files
    else:
        async with await client_of(settings) as files:
            yield files


# ---- Running a command's work: a loop, signals, the log, and an exit status for whatever happens.


class _Lines(logging.Handler):
    """The client's log, through the output: it stays above a progress bar."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        self._output.above(record.getMessage())


@contextmanager
def _log(output: Output) -> Generator[None]:
    log, lines = logging.getLogger("openrouter_files"), _Lines(output)
    if output.verbose:
        log.addHandler(lines)
        log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(lines)


async def _terminable(work: Awaitable[int]) -> int:
    """Let SIGTERM end the work like Ctrl-C does: cancelled, cleaned up, with another status."""
    task = asyncio.current_task()
    with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows; not the main thread
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel if task else lambda: None)
    return await work


def run(settings: Settings, work: Callable[[Output], Awaitable[int]]) -> int:
    """Do a command's work and return its exit status.

    Raises:
        click.UsageError: The client found that the command line makes no sense. Nothing else leaves.
    """
    output = Output(settings)
    with _log(output):
        interrupts.end_the_work()
        try:
            return asyncio.run(_terminable(work(output)))
        except KeyboardInterrupt:
            output.say(f"interrupted{output.parting}")
            return Exit.INTERRUPTED
        except asyncio.CancelledError:
            output.say(f"terminated{output.parting}")
            return Exit.TERMINATED
        except BrokenPipeError:
            # As quiet as if SIGPIPE had ended it, which is what shells expect of `... | head`.
            stdout.abandon()
            return Exit.NOBODY_READS
        except click.UsageError:
            raise  # told where all wrong usage is
        except Exception as error:  # noqa: BLE001  # the promise is: never a traceback
            output.trace(error)
            return output.fail(error)
