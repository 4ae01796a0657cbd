"""From settings to a client: of the service, or of an emulator that lives as long as the command."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from openrouter_files import Options, RetryPolicy, Timeouts

from .failures import NoKeyError
from .standard import aside, lines
from .usage import as_said

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from openrouter_files import FilesClient
    from openrouter_files.emulator import Emulator

    from .scripts import Script
    from .settings import Settings


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
