"""The API key, masked wherever it is kept."""

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


class _Mistake:
    """What was given instead of a key: only its type may be told."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


def masked(source: object) -> object:
    """Return a key, or who hands it out, in a form that no local of a traceback shows; None stays None."""
    if isinstance(source, str):
        return Secret(source)
    return source if source is None or callable(source) else _Mistake(type(source).__name__)


def _kind(source: object) -> str:
    return source.kind if isinstance(source, _Mistake) else type(source).__name__


def _bearer(key: object) -> Secret:
    """Return the value of the Authorization header for a key that is masked.

    Raises:
        TypeError: It is not a string.
        ValueError: It is empty or cannot travel in a header line. The message does not hold it.
    """
    if not isinstance(key, Secret):
        raise TypeError(f"an API key is a str, not {_kind(key)}")
    bare = Secret(key.lstrip())
    # The official SDKs take the prefix, too.
    bare = Secret((bare[7:] if bare[:7].lower() == "bearer " else bare).strip())
    if not bare or not bare.isascii() or any(c <= " " or c == "\x7f" for c in bare):
        raise ValueError("the API key is empty or holds characters that no key has")
    return Secret(f"Bearer {bare}")


class Key:
    """A key, or whoever hands out keys (rotation): a string, or a sync or async function."""

    def __init__(self, source: object) -> None:
        source = masked(source)
        if not isinstance(source, Secret) and not callable(source):
            raise TypeError(f"api_key is a str or a function, not {_kind(source)}")
        self._ask: Callable[[], object] | None = None if isinstance(source, str) else source
        self._fixed = _bearer(source) if isinstance(source, str) else Secret()
        self._latest = deque([self._fixed] if self._fixed else (), maxlen=_ROTATING)

    def __repr__(self) -> str:
        return "Key(***)"

    async def bearer(self) -> Secret:
        """Return the value of the Authorization header for one request."""
        if self._ask is None:
            return self._fixed
        answer = self._ask()
        if inspect.isawaitable(answer):
            answer = await answer
        answer = masked(answer)
        bearer = _bearer(answer)
        if bearer not in self._latest:
            self._latest.append(bearer)
        return bearer

    def hide(self, data: bytes) -> bytes:
        """Return what a server said without the key, which it may have echoed."""
        for bearer in self._latest:
            data = data.replace(bearer.removeprefix("Bearer ").encode(), b"***")
        return data
