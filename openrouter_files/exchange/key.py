"""The API key: asked for anew by each request, and shown to nobody."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

KeySource: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""A key, or a function, sync or async, that returns the one to use now."""

# Keys that may be in use at once while they change.
_ROTATING = 4


class Secret(str):
    """A text that is sent, but not shown: its ``repr``, which tools print for the locals of a traceback, is masked."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def _bearer(key: object) -> str:
    """Return the value of the Authorization header.

    Raises:
        TypeError: It is not a string.
        ValueError: It is empty or cannot travel in a header line. The message does not hold it.
    """
    if not isinstance(key, str):
        raise TypeError(f"an API key is a str, not {type(key).__name__}")
    text = key.lstrip()
    bare = (text[7:] if text[:7].lower() == "bearer " else text).strip()  # the official SDKs take the prefix, too
    if not bare or not bare.isascii() or any(c <= " " or c == "\x7f" for c in bare):
        raise ValueError("the API key is empty or holds characters that no key has")
    return f"Bearer {bare}"


class Key:
    """A key, or whoever hands out keys (rotation): a string, or a sync or async function."""

    def __init__(self, source: KeySource) -> None:
        if not isinstance(source, str) and not callable(source):
            raise TypeError(f"api_key is a str or a function, not {type(source).__name__}")
        self._ask = None if isinstance(source, str) else source
        self._fixed = _bearer(source) if isinstance(source, str) else ""
        self._latest = deque([self._fixed] if self._fixed else (), maxlen=_ROTATING)

    def __repr__(self) -> str:
        return "Key(***)"

    async def bearer(self) -> str:
        """Return the value of the Authorization header for one request."""
        if self._ask is None:
            return self._fixed
        answer = self._ask()
        bearer = _bearer(await answer if inspect.isawaitable(answer) else answer)
        if bearer not in self._latest:
            self._latest.append(bearer)
        return bearer

    def hide(self, data: bytes) -> bytes:
        """Return what a server said without the key, which it may have echoed."""
        for bearer in self._latest:
            data = data.replace(bearer.removeprefix("Bearer ").encode(), b"***")
        return data
