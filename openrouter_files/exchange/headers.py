"""What a request says about its sender and itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


class Headers:
    """The headers of one client's requests."""

    def __init__(self, standing: Mapping[str, str], key: Key) -> None:
        self._key = key
        self._standing = CIMultiDict(standing)
        self._anonymous = CIMultiDict({k: v for k, v in standing.items() if k.lower() in _FOR_ANYONE})

    async def own(self, request: Request, options: Options) -> CIMultiDict[str]:
        """Return what is said to the API itself."""
        headers = _asking(request, self._standing.copy())
        headers.update(options.headers)
        headers["Authorization"] = await self._key.bearer()
        return headers

    def hide(self, data: bytes) -> bytes:
        """Return what a server said without the key."""
        return self._key.hide(data)

    def anonymous(self, request: Request) -> CIMultiDict[str]:
        """Return what is said to another host."""
        return _asking(request, self._anonymous.copy())


def _asking(request: Request, headers: CIMultiDict[str]) -> CIMultiDict[str]:
    """Add what a request wants to the headers that every request has."""
    headers["Accept"] = request.accept
    headers["Accept-Encoding"] = "identity" if request.accept == BYTES else _ENCODINGS  # so that lengths compare
    headers.update(request.headers)
    return headers
