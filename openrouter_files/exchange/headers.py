"""What a request says about its sender and itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen
from multidict import CIMultiDict

from ..contract.requests import BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..contract.requests import Request
    from ..options import Options
    from .key import Key

# Also told to a storage link on another host; the rest is nobody else's business.
_FOR_ANYONE = frozenset({"user-agent"})

# What aiohttp always reads.
_ENCODINGS = "gzip, deflate"


@frozen(kw_only=True, eq=False, repr=False)
class _Lines:
    """Headers as text, and what they were made of."""

    bearer: str
    options: Mapping[str, str]
    text: str

    def hold(self, bearer: str, options: Mapping[str, str]) -> bool:
        """Whether they are what these make."""
        return self.options is options and self.bearer == bearer


class Headers:
    """The headers of one client's requests."""

    def __init__(self, standing: Mapping[str, str], key: Key) -> None:
        self._key = key
        self._standing = CIMultiDict(standing)
        self._anonymous = CIMultiDict({k: v for k, v in standing.items() if k.lower() in _FOR_ANYONE})
        self._lines: dict[str, _Lines] = {}

    async def own(self, request: Request, options: Options) -> CIMultiDict[str]:
        """Return what is said to the API itself."""
        return self._made(request, options, await self._key.bearer())

    def hide(self, data: bytes) -> bytes:
        """Return what a server said without the key."""
        return self._key.hide(data)

    def anonymous(self, request: Request) -> CIMultiDict[str]:
        """Return what is said to another host."""
        return _asking(request, self._anonymous.copy())

    async def lines(self, request: Request, options: Options) -> str:
        """Return the same as ``own`` as text, kept from call to call: it seldom changes."""
        bearer = await self._key.bearer()
        known = self._lines.get(request.accept)
        if known is not None and not request.headers and known.hold(bearer, options.headers):
            return known.text
        text = "".join(f"{name}: {value}\r\n" for name, value in self._made(request, options, bearer).items())
        if not request.headers:
            self._lines[request.accept] = _Lines(bearer=bearer, options=options.headers, text=text)
        return text

    def _made(self, request: Request, options: Options, bearer: str) -> CIMultiDict[str]:
        headers = _asking(request, self._standing.copy())
        headers.update(options.headers)
        headers["Authorization"] = bearer
        return headers


def _asking(request: Request, headers: CIMultiDict[str]) -> CIMultiDict[str]:
    """Add what a request wants to the headers that every request has."""
    headers["Accept"] = request.accept
    headers["Accept-Encoding"] = "identity" if request.accept == BYTES else _ENCODINGS  # so that lengths compare
    headers.update(request.headers)
    return headers
