"""Which proxy the environment names. Read by us: aiohttp would read netrc with it, and refuse our Authorization."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from attrs import field, frozen

from ..settings import is_loopback
from .key import Secret

_PORTS = {"http": 80, "https": 443}

# Why a proxy that is named cannot be asked, in a line that holds nothing of its URL: there may be a login in it.
_Problem: TypeAlias = str


@frozen(kw_only=True, eq=False)
class Proxy:
    """Where requests to an origin are sent instead, and what the proxy wants to hear.

    Attributes:
        url: Without the login.
        headers: The login, if there is one.
    """

    url: str
    headers: dict[str, str] = field(factory=dict[str, str], repr=False)


def proxy_from_environment(url: str) -> Proxy | None:
    """Return the proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for a URL.

    What runs on this machine is never asked for by way of another: a proxy on the way out could not
    reach it, and would see the key.

    Raises:
        ValueError: It is named, but none that could be used. Neither the message nor a frame holds a login.
    """
    found = _named(url)
    if isinstance(found, _Problem):
        raise ValueError(found)  # noqa: TRY004  # the value of a variable is wrong
    return found


def check_environment_of(session: aiohttp.ClientSession, url: str) -> None:
    """Refuse a session of the caller's that would ask a proxy for a server on this machine, in plain text.

    Raises:
        ValueError: aiohttp reads the environment for this session, which names a proxy and no exception.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    asks = session.trust_env and parts.scheme == "http" and is_loopback(host)
    if asks and "http" in getproxies() and not proxy_bypass(host):
        raise ValueError(
            f"the session would send the key to the proxy that HTTP_PROXY names, in plain text, to reach {host}: "
            f"add {host} to NO_PROXY, or make the session with trust_env=False"
        )


def _named(url: str) -> Proxy | _Problem | None:
    parts, proxies = urlsplit(url), getproxies()
    named = proxies.get(parts.scheme) or proxies.get("all")
    host = (parts.hostname or "").rstrip(".")
    if not named or not host or is_loopback(host) or proxy_bypass(host):
        return None
    port = parts.port or _PORTS.get(parts.scheme)
    if any(_is_excepted(host, port, entry) for entry in re.split(r"[,\s]+", proxies.get("no", ""))):
        return None
    variable = f"{parts.scheme.upper()}_PROXY" if proxies.get(parts.scheme) else "ALL_PROXY"
    return _read(named.strip(), variable)


def _is_excepted(host: str, port: int | None, entry: str) -> bool:
    """Whether one entry of NO_PROXY means a host: ``*``, a domain with all below it, an address, a network.

    A port narrows it.

    Source: curl's manual, CURLOPT_NOPROXY; requests reads networks and ports likewise.
    """
    entry = entry.lower()
    if entry == "*":
        return True
    if _is_address_of(host, entry):
        return True
    name, colon, digits = entry.rpartition(":")
    if colon and digits.isdecimal() and (":" not in name or name.endswith("]")):  # not the end of a bare IPv6 address
        if int(digits) != port:
            return False
        entry = name
    domain = entry.removeprefix("*").strip(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}") or _is_address_of(host, domain))


def _is_address_of(host: str, entry: str) -> bool:
    try:
        return ip_address(host) in ip_network(entry.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return False


def _read(named: str, variable: str) -> Proxy | _Problem:
    try:
        parts = urlsplit(named if "://" in named else f"http://{named}")
        port = parts.port
    except ValueError:
        return f"{variable} is not the URL of a proxy: write http://host:port"
    if parts.scheme not in _PORTS:
        kind = "a SOCKS proxy" if parts.scheme.startswith("socks") else "a proxy of another kind"
        return (
            f"{variable} names {kind}, which is not supported: name an http:// proxy, list the host in NO_PROXY, "
            f"or pass trust_env=False to go without"
        )
    rest = parts.path.strip("/") + parts.query + parts.fragment  # an unescaped / ? or # in a password ends up here
    bare = parts.netloc.rpartition("@")[2]
    if not parts.hostname or port == 0 or rest or not re.fullmatch(r"[\w.:\[\]%-]+", bare):
        return f"{variable} is not the URL of a proxy: write http://host:port, and a login in it percent-encoded"
    login = _login(parts)
    if login is None:
        return f"{variable} holds a login that no proxy can be told: a user name has no colon"
    return Proxy(url=f"{parts.scheme}://{bare}", headers=login)


def _login(parts: SplitResult) -> dict[str, str] | None:
    """Return the header that tells a proxy the login in its URL; None if no header can."""
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not user and not password:
        return {}
    if ":" in user:
        return None
    return {"Proxy-Authorization": Secret(aiohttp.encode_basic_auth(user, password, "utf-8"))}
