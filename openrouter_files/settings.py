"""What a client is told about the service: argument over environment over default."""

from __future__ import annotations

import ipaddress
import os
import platform
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from .given import check
from .options import check_header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BASE_URL = "https://openrouter.ai/api/v1"


def chosen(argument: str | None, variable: str) -> str | None:
    """Return the argument, else the environment variable; an empty variable counts as none."""
    return argument if argument is not None else os.environ.get(variable) or None


def is_loopback(host: str) -> bool:
    """Whether a host, without brackets, is this machine itself. Source: RFC 6761, 6.3."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def key_from_environment() -> str:
    """Return OPENROUTER_API_KEY; ValueError if there is none."""
    key = chosen(None, "OPENROUTER_API_KEY")
    if key is None:
        raise ValueError("no API key: pass api_key= or set OPENROUTER_API_KEY")
    return key


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # read here, because it may be unreadable
    except ValueError as error:
        raise ValueError(f"the base URL {url!r} is none: {error}") from None
    return parts


def checked_base_url(argument: str | None, *, allow_plain_http: bool) -> str:
    """Return the base URL, without its trailing slash.

    Raises:
        TypeError: It is not text.
        ValueError: It is not an http or https URL, holds a login, a query or a fragment, or
            would send the key in plain text over a network.
    """
    url = chosen(argument, "OPENROUTER_BASE_URL") or BASE_URL
    check("base_url", url, str)
    if "?" in url or "#" in url or "@" in url:
        raise ValueError("the base URL must start with https:// and hold no login, no query and no fragment")
    if any(c.isspace() or not c.isprintable() for c in url):
        raise ValueError(f"the base URL {url!r} holds white space or a control character")
    parts = _parts(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError(f"the base URL must start with https:// and name a host, not {url!r}")
    if parts.scheme == "http" and not allow_plain_http and not is_loopback(parts.hostname):
        raise ValueError(f"the key would travel to {parts.hostname} in plain text: use https, or allow_plain_http=True")
    return url.rstrip("/")


def _categories(given: str | Sequence[str] | None) -> str | None:
    return given if given is None or isinstance(given, str) else ",".join(given)


def standing_headers(
    *, version: str, http_referer: str | None, app_title: str | None, app_categories: str | Sequence[str] | None
) -> Mapping[str, str]:
    """Return what every request says about its sender; what is unset is left out, not sent empty.

    Source: OpenRouter's page on app attribution; names of the variables as in the official
    TypeScript SDK.
    """
    headers = {
        "User-Agent": f"openrouter-files/{version} Python/{platform.python_version()}",
        "HTTP-Referer": chosen(http_referer, "OPENROUTER_HTTP_REFERER"),
        "X-OpenRouter-Title": chosen(app_title, "OPENROUTER_APP_TITLE"),
        "X-OpenRouter-Categories": chosen(_categories(app_categories), "OPENROUTER_APP_CATEGORIES"),
    }
    sent = {name: value for name, value in headers.items() if value}
    for name, value in sent.items():
        check_header(name, value)
    return sent
