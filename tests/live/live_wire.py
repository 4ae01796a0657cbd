"""Requests as they are, for what the client does not show: shapes, headers, and answers to bad questions."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

from attrs import field, frozen
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import aiohttp

_LONGEST_WAIT = 30.0
_TRIES = 4


@frozen(kw_only=True)
class Seen:
    """One answer, whole; ``request`` says what it answers, ``headers`` have names in lower case."""

    request: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object, empty if it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def entries(self) -> list[dict[str, Any]]:
        """What a listing lists."""
        return self.json.get("data") or []

    @property
    def shape(self) -> str:
        """The shape that the answer names."""
        return str(self.json.get("_shape", "absent"))

    @property
    def kind(self) -> str:
        """The media type."""
        return self.headers.get("content-type", "none").partition(";")[0]

    @property
    def message(self) -> str:
        """The words of an error, of whatever envelope."""
        error = self.json.get("error")
        return str(error.get("message", "")) if isinstance(error, dict) else ""

    @property
    def told(self) -> str:
        """Question and answer in one line."""
        return f"`{self.request}`: {self.status} {self.message}".strip()


@frozen(kw_only=True)
class Wire:
    """A session with the service; only GET, unless it may write. It waits when it is told to."""

    session: aiohttp.ClientSession = field(repr=False)
    base_url: str
    key: str = field(repr=False)
    writing: bool
    count: Callable[[int], None] = field(repr=False)

    async def get(self, path: str, **arguments: Any) -> Seen:
        """See ``ask``."""
        return await self.ask("GET", path, **arguments)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        form: Callable[[], aiohttp.FormData] | None = None,
        with_key: bool = True,
    ) -> Seen:
        """Send one request; ``path`` is encoded already. Redirects are not followed."""
        assert method == "GET" or self.writing, "this run may only read"
        target = path + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        sent = ({"Authorization": f"Bearer {self.key}"} if with_key else {}) | dict(headers or {})
        for attempt in range(1, _TRIES + 1):
            seen = await self._once(method, target, sent, form() if form else None)
            self.count(seen.status)
            if seen.status != 429 or attempt == _TRIES:
                break
            await asyncio.sleep(min(_seconds(seen.headers.get("retry-after")), _LONGEST_WAIT))
        return seen

    async def _once(self, method: str, target: str, headers: Mapping[str, str], form: aiohttp.FormData | None) -> Seen:
        url = URL(self.base_url + target, encoded=True)
        async with self.session.request(
            method, url, headers=headers, data=form, allow_redirects=False, proxy=_proxy(self.base_url)
        ) as answer:
            said = {name.lower(): value for name, value in answer.headers.items()}
            body = await answer.read()
        return Seen(request=f"{method} {target[:120]}", status=answer.status, headers=said, body=body)


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdecimal() else 2.0


def _proxy(url: str) -> str | None:
    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
