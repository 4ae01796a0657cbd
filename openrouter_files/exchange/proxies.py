"""Which proxy the environment names. Read by us: aiohttp would read netrc with it, and refuse our Authorization."""

from __future__ import annotations

from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from attrs import frozen


@frozen(kw_only=True, eq=False)
class Proxy:
    """Where requests to an origin are sent instead, and what the proxy wants to hear."""

    url: str
    headers: dict[str, str]


def proxy_from_environment(url: str) -> Proxy | None:
    """Return the proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for a URL."""
    parts = urlsplit(url)
    proxies = getproxies()
    named = proxies.get(parts.scheme) or proxies.get("all")
    if not named or not parts.hostname or proxy_bypass(parts.hostname):
        return None
    proxy = urlsplit(named if "://" in named else f"http://{named}")
    bare = proxy._replace(netloc=proxy.netloc.rpartition("@")[2]).geturl()
    return Proxy(url=bare, headers=_credentials(proxy))


def _credentials(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    login = aiohttp.encode_basic_auth(unquote(proxy.username), unquote(proxy.password or ""))
    return {"Proxy-Authorization": login}
