"""doctor."""

from __future__ import annotations

import os
import platform
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from functools import partial
from http.client import HTTPException
from importlib.metadata import PackageNotFoundError, requires, version
from socket import gaierror
from typing import TYPE_CHECKING, Any, Literal

import click
from attrs import evolve, field, frozen

from openrouter_files import NO_RETRIES

from .errors import EXPECTED, exit_of, message_of, of_error
from .formatting import painted, plain
from .options import Settings, Teaching, client_with, emulating, key_of, options_of, run, with_settings
from .output import Output
from .process import Exit, aside, write_line

if TYPE_CHECKING:
    from openrouter_files import FilesClient
    from openrouter_files.transport.session import Proxy


# ---- What `doctor` finds out: one value per check, and the checks that need no network.

Status = Literal["ok", "warn", "fail", "skip"]


@frozen(kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: In a word.
        found: What is so, for people.
        advice: What to do about it; empty for nothing.
        facts: For programs.
        exit: What the status of the command is if this failed first.
    """

    name: str
    status: Status
    found: str
    advice: str = ""
    facts: Mapping[str, Any] = field(factory=dict[str, Any])
    exit: Exit = Exit.ERROR

    def json(self) -> dict[str, Any]:
        """Return it as a JSON line shows it."""
        told = {"check": self.name, "status": self.status, "message": self.found, "advice": self.advice or None}
        return {**told, **self.facts}


_DISTRIBUTION = "openrouter-files"
_REQUIREMENT = re.compile(r"([\w.-]+)>=([\d.]+)")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", text)[:3])


# The same library under its old and its new name: pip asks for one of them, either will do.
_TWINS = {"backoff": "python-backoff", "python-backoff": "backoff"}


def _required() -> Iterator[tuple[str, str]]:
    """Yield the libraries that the package asks for here, and their least versions."""
    newer = _numbers(platform.python_version()) >= (3, 14)
    for line in requires(_DISTRIBUTION) or ():
        wanted = _REQUIREMENT.match(line)
        if wanted and ("extra ==" not in line or "'cli'" in line) and _is_meant(wanted[1], newer=newer):
            yield wanted[1], wanted[2]


def _is_meant(name: str, *, newer: bool) -> bool:
    twin = _TWINS.get(name)
    if twin is None or (_installed(name) is None) == (_installed(twin) is None):
        return twin is None or (name == "python-backoff") == newer
    return _installed(name) is not None


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def versions() -> Check:
    """Look at the package, Python, and the libraries below."""
    found = {_DISTRIBUTION: _installed(_DISTRIBUTION), "python": platform.python_version()}
    required = dict(_required()) if found[_DISTRIBUTION] else {}
    found |= {name: _installed(name) for name in required}
    missing = [name for name in required if found[name] is None]
    old = [n for n, least in required.items() if (has := found[n]) is not None and _numbers(has) < _numbers(least)]
    return Check(
        name="versions",
        status="fail" if missing else "warn" if old else "ok",
        found=", ".join(f"{name} {number or 'missing'}" for name, number in found.items()),
        advice="pip install --upgrade 'openrouter-files[cli]'" if missing or old else "",
        facts={"versions": found},
    )


def key(value: str | None, origin: str) -> Check:
    """Look at a key; nothing of it is told."""
    if value is None:
        advice = "set OPENROUTER_API_KEY, or pass --api-key-file FILE"
        return Check(name="key", status="fail", found="there is none", advice=advice, exit=Exit.KEY_REFUSED)
    if any(c.isspace() or c in "'\"" for c in value):
        found = f"from {origin}, with white space or quotes in it"
        return Check(name="key", status="fail", found=found, advice="take them away", exit=Exit.KEY_REFUSED)
    if not value.startswith("sk-or-"):
        found = f"from {origin}; it does not start like a key of OpenRouter's (sk-or-)"
        return Check(name="key", status="warn", found=found, advice="look whether it is another service's")
    return Check(name="key", status="ok", found=f"from {origin}")


def proxy(way: Proxy | None, *, refused: bool) -> Check:
    """Look at the way that requests take; a login in it is not told."""
    if way is None:
        why = " (--no-proxy)" if refused else ""
        return Check(name="proxy", status="ok", found=f"none{why}", facts={"proxy": None})
    found = f"{way.url}{', with a login' if way.headers else ''}, from the environment"
    return Check(name="proxy", status="ok", found=found, facts={"proxy": way.url})


# ---- A look at the server without the key: does it answer, and what time is it there?
#
# With the standard library and not with the client, whose answers have no headers: the clock of the
# server is in one.

_SECONDS = 10.0
# A Date has no fractions, and travels.
_TOLERANCE = 5.0


@frozen(kw_only=True)
class Probe:
    """How a server answered.

    Attributes:
        seconds: How long that took.
        ahead: Its clock before ours, in seconds; None if it did not say.
    """

    status: int
    seconds: float
    ahead: float | None


class _Stay(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like another."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any) -> None:  # noqa: PLR0917  # urllib's signature
        """Go nowhere."""


def probe(url: str, proxy: Proxy | None, seconds: float | None) -> Probe:
    """Ask a server anything, without a key: any answer will do. It blocks.

    Raises:
        OSError: There was none.
    """
    proxies = {"http": proxy.url, "https": proxy.url} if proxy else {}
    login = proxy.headers if proxy else {}  # urllib tells it to the proxy, and to nobody else
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies), _Stay())
    began, clock = time.monotonic(), time.time()
    try:
        # Some gates turn away what calls itself Python.
        request = urllib.request.Request(url, headers={"User-Agent": "openrouter-files", **login})  # noqa: S310  # checked before
        with opener.open(request, timeout=seconds or _SECONDS) as answer:
            status, headers = answer.status, answer.headers
    except urllib.error.HTTPError as error:
        status, headers = error.code, error.headers
        error.close()
    except HTTPException as error:
        raise OSError(f"it is not HTTP: {error}") from error
    spent = time.monotonic() - began
    return Probe(status=status, seconds=spent, ahead=_ahead(headers.get("Date"), clock + spent / 2))


def _ahead(date: str | None, now: float) -> float | None:
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp() + 0.5 - now
    except ValueError:
        return None


def reachable(answer: Probe) -> Check:
    """Judge that a server answered."""
    found = f"answered in {answer.seconds * 1000:.0f} ms"
    facts = {"http_status": answer.status, "seconds": round(answer.seconds, 3)}
    if 300 <= answer.status < 400 or answer.status in {404, 407} or answer.status >= 500:
        advice = "check --base-url and the proxy; if they are right, try again later"
        return Check(
            name="reachable", status="warn", found=f"{found}, with {answer.status}", advice=advice, facts=facts
        )
    return Check(name="reachable", status="ok", found=found, facts=facts)


def unreachable(error: OSError) -> Check:
    """Judge that none did."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return Check(name="reachable", status="fail", found=f"no answer: {words}", advice=_advice(reason))


def _advice(reason: object) -> str:
    match reason:
        case gaierror():
            return "check the network, DNS, and the host in --base-url"
        case ssl.SSLError():
            return "check this computer's clock and certificates; SSL_CERT_FILE names those of a company"
        case TimeoutError():
            return "check the network, a firewall and the proxy (HTTPS_PROXY); --timeout waits longer"
        case _:
            return "check the network, the proxy (HTTPS_PROXY) and --base-url"


def clock(answer: Probe) -> Check:
    """Judge the clocks."""
    ahead = answer.ahead
    if ahead is None:
        return Check(name="clock", status="skip", found="the server does not tell the time")
    facts = {"seconds_ahead": round(ahead, 1)}
    if abs(ahead) <= _TOLERANCE + answer.seconds / 2:
        return Check(name="clock", status="ok", found="as the server's, within seconds", facts=facts)
    found = f"{abs(ahead):,.0f} s {'behind' if ahead > 0 else 'ahead of'} the server's"
    advice = "set it: --older-than counts by it, and certificates are judged by it"
    return Check(name="clock", status="warn", found=found, advice=advice, facts=facts)


# ---- `doctor`: is all here that a call needs, and if not, what to do?

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
    yield versions()
    yield key(subject.key, subject.key_from)
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
    yield proxy(way, refused=settings.no_proxy)
    try:
        answer = await aside(probe, f"{url}/files?limit=1", way, settings.timeout)
    except OSError as error:
        yield unreachable(error)
        return
    yield reachable(answer)
    yield clock(answer)
    if subject.key is not None:
        yield await _access(settings, subject.key, url)


def _proxy(url: str) -> Proxy | None:
    from openrouter_files.transport.session import proxy_from_environment  # noqa: PLC0415  # HTTP takes its time

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
