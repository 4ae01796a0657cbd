"""From settings to a client: of the service, or of an emulator that lives as long as the command."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from openrouter_files import Options, RetryPolicy, Timeouts

from .failures import NoKeyError
from .standard import aside, lines

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from openrouter_files import FilesClient
    from openrouter_files.emulator import Emulator

    from .settings import Settings


async def key_of(settings: Settings) -> str | None:
    """Return the key: of the file, else of the environment, else None."""
    if settings.api_key_file is None:
        return os.environ.get("OPENROUTER_API_KEY") or None
    if settings.api_key_file == "-":
        return (await anext(lines(), "")).strip() or None
    return (await aside(Path(settings.api_key_file).read_text)).strip() or None


def _client(key: str, base_url: str | None, settings: Settings) -> FilesClient:
    from openrouter_files import FilesClient  # noqa: PLC0415  # HTTP takes its time: not to show the help

    return FilesClient(key, base_url=base_url, options=options_of(settings))


def _timeouts(seconds: float | None) -> Timeouts:
    if seconds is None:
        return Timeouts()
    return Timeouts(connect=min(30.0, seconds), idle=seconds, answer=seconds)


def options_of(settings: Settings) -> Options:
    """Return what every call of the client takes."""
    return Options(
        workspace_id=settings.workspace,
        provider=settings.provider,
        timeouts=_timeouts(settings.timeout),
        retry=RetryPolicy() if settings.retries is None else RetryPolicy(attempts=settings.retries + 1),
    )


@asynccontextmanager
async def emulating(settings: Settings) -> AsyncGenerator[Emulator]:
    """Run an emulator that knows the wanted workspace."""
    from openrouter_files.emulator import Emulator  # noqa: PLC0415  # a web server, for those who want one

    async with Emulator() as emulator:
        if settings.workspace is not None:
            emulator.add_workspace(settings.workspace)
        yield emulator


async def client_of(settings: Settings) -> FilesClient:
    """Return a client of the service.

    Raises:
        NoKeyError: There is none.
    """
    key = await key_of(settings)
    if key is None:
        raise NoKeyError
    return _client(key, settings.base_url, settings)


def client_for(emulator: Emulator, settings: Settings) -> FilesClient:
    """Return a client of an emulator."""
    return _client(emulator.api_key, emulator.base_url, settings)


@asynccontextmanager
async def connected(settings: Settings) -> AsyncGenerator[FilesClient]:
    """Open the client that the settings describe; NoKeyError if it would need a key."""
    if settings.emulator:
        async with emulating(settings) as emulator, client_for(emulator, settings) as files:
            yield files
    else:
        async with await client_of(settings) as files:
            yield files
