"""A look at the server without the key: does it answer, and what time is it there?

With the standard library and not with the client, whose answers have no headers: the clock of the
server is in one.
"""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from socket import gaierror
from typing import TYPE_CHECKING, Any

from attrs import frozen

from .checks import Check

if TYPE_CHECKING:
    from openrouter_files.exchange.proxies import Proxy

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
