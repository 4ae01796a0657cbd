"""`doctor`: is all here that a call needs, and if not, what to do?"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import click
from attrs import evolve, field, frozen

from openrouter_files import NO_RETRIES

from . import checks, probing
from .checks import Check
from .connecting import client_with, emulating, key_of, options_of
from .exits import Exit
from .failures import EXPECTED, exit_of, message_of
from .remedies import of_error
from .running import run
from .settings import Settings, with_settings
from .standard import aside
from .stdout import write_line
from .teaching import Teaching
from .wording import painted, plain

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from openrouter_files import FilesClient
    from openrouter_files.exchange.proxies import Proxy

    from .output import Output

_HELP = """Check what every command needs: versions, key, base URL, proxy, whether the server
    answers, whether its clock agrees with this one, and whether the key may list the workspace.

    One line per check: ok, warn, fail or skip, what is so, and what to do. Nothing is changed, and
    nothing of the key is shown. The exit status is 0 if nothing failed, else that of the first
    failure: 4 for the key, 1 for the rest.

    \b
    With --json one object per check:
      check     versions, key, base url, proxy, reachable, clock or access
      status    ok, warn, fail or skip
      message   what is so; advice: what to do, or null
    """

_EPILOG = """\b
Examples:
  openrouter-files doctor
  openrouter-files doctor --workspace ID --json | jq -r 'select(.status == "fail") | .advice'
  openrouter-files doctor --emulator"""


@frozen(kw_only=True)
class _Subject:
    """Who would talk to whom."""

    key: str | None = field(repr=False)
    key_from: str
    base_url: str | None
    url_from: str


@click.command("doctor", cls=Teaching, help=_HELP, epilog=_EPILOG)
@with_settings
def command(settings: Settings) -> int:  # noqa: D103
    return run(settings, partial(_examine, settings))


async def _examine(settings: Settings, output: Output) -> int:
    options_of(settings)  # an option that makes no sense is wrong usage, not a finding
    first = Exit.DONE
    async with _subject(settings) as subject:
        async for check in _findings(settings, subject):
            _tell(check, output)
            first = first or (check.exit if check.status == "fail" else Exit.DONE)
    return first


@asynccontextmanager
async def _subject(settings: Settings) -> AsyncGenerator[_Subject]:
    if settings.emulator:
        async with emulating(settings) as emulator:
            yield _Subject(
                key=emulator.api_key, key_from="the emulator", base_url=emulator.base_url, url_from="the emulator"
            )
        return
    origin = "OPENROUTER_API_KEY" if settings.api_key_file is None else "--api-key-file"
    url_from = "the default" if not os.environ.get("OPENROUTER_BASE_URL") else "OPENROUTER_BASE_URL"
    yield _Subject(
        key=await key_of(settings),
        key_from=origin,
        base_url=settings.base_url,
        url_from=url_from if settings.base_url is None else "--base-url",
    )


async def _findings(settings: Settings, subject: _Subject) -> AsyncGenerator[Check]:
    yield checks.versions()
    yield checks.key(subject.key, subject.key_from)
    try:
        url = client_with("none", subject.base_url, evolve(settings, no_proxy=True)).base_url
    except ValueError as error:
        advice = "correct --base-url or OPENROUTER_BASE_URL"
        yield Check(name="base url", status="fail", found=message_of(error), advice=advice, exit=Exit.USAGE)
        return
    yield Check(name="base url", status="ok", found=f"{url} ({subject.url_from})", facts={"base_url": url})
    try:
        way = None if settings.no_proxy else _proxy(url)
    except ValueError as error:
        yield Check(name="proxy", status="fail", found=message_of(error), advice="correct it, or pass --no-proxy")
        return
    yield checks.proxy(way, refused=settings.no_proxy)
    try:
        answer = await aside(probing.probe, f"{url}/files?limit=1", way, settings.timeout)
    except OSError as error:
        yield probing.unreachable(error)
        return
    yield probing.reachable(answer)
    yield probing.clock(answer)
    if subject.key is not None:
        yield await _access(settings, subject.key, url)


def _proxy(url: str) -> Proxy | None:
    from openrouter_files.exchange.proxies import proxy_from_environment  # noqa: PLC0415  # HTTP takes its time

    return proxy_from_environment(url)


async def _access(settings: Settings, key: str, url: str) -> Check:
    try:
        async with client_with(key, url, settings) as files:
            return await _listed(files.with_options(retry=NO_RETRIES))
    except EXPECTED as error:
        advice = of_error(error).advice
        return Check(name="access", status="fail", found=message_of(error), advice=advice, exit=exit_of(error))


async def _listed(files: FilesClient) -> Check:
    page = await files.list_page(limit=1)
    return Check(
        name="access", status="ok", found=f"the key may list the workspace{'' if page.data else ', which is empty'}"
    )


def _tell(check: Check, output: Output) -> None:
    if output.style == "json":
        output.json(check.json())
        return
    words = plain(f"{check.found}; {check.advice}" if check.advice else check.found)
    status = f"{check.status:<4}"
    write_line(f"{painted(status, check.status) if output.colours else status}  {check.name:<10} {words}")
