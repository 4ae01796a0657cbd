"""Where a redirect may lead: the key and the file never reach another host."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import SplitResult, urljoin, urlsplit

MOST_REDIRECTS = 5

_ANY_METHOD = frozenset({HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT})
_ONLY_GET = frozenset({HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND, HTTPStatus.SEE_OTHER})
_PORTS = {"http": 80, "https": 443}


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, _PORTS.get(parts.scheme) if parts.port is None else parts.port


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _origin(parts)  # an unreadable port raises here
    except ValueError:
        return None
    return parts


def _escaped(location: str) -> str:
    """Return a Location that can be asked for: bytes that no URL holds are percent-encoded as they came.

    aiohttp reads the bytes of a header as UTF-8, with half characters for what is none.
    """
    data = location.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if 0x20 < byte < 0x7F else f"%{byte:02X}" for byte in data)


def _joined(url: str, location: str) -> str:
    try:
        location = _escaped(location)
        return urljoin(url, location).partition("#")[0]
    except ValueError:
        return ""


def onward(method: str, url: str, status: int, location: str | None, *, content: bool) -> tuple[str, bool] | None:
    """Return where to go instead and whether it is the same origin; None not to follow.

    An upload is never sent on, all else only within the origin, but the content of a file also to
    another https origin (a storage link), then without the key: another host could make up a listing.

    Source: RFC 9110, 15.4.
    """
    if not location or not (status in _ANY_METHOD or (status in _ONLY_GET and method == "GET")):
        return None
    target = _joined(url, location)
    here, there = _parts(url), _parts(target)
    if method == "POST" or here is None or there is None or "@" in there.netloc or "%" in there.netloc:
        return None
    same = _origin(here) == _origin(there)
    storage_link = content and method == "GET" and there.scheme == "https" and bool(there.hostname)
    return (target, same) if same or storage_link else None
