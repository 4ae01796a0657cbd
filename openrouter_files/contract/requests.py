"""What is sent, as values: a request, and an operation that also knows how to read the answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Generic, Literal, TypeVar
from urllib.parse import quote, urlencode

from attrs import frozen

from ..given import check

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

T = TypeVar("T")

# Source: RFC 3986, 2.3: what needs no escaping. Nearly all ids are made of it.
_UNRESERVED = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")
_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

JSON = "application/json"
BYTES = "application/octet-stream"

MOST_METADATA = 4 * 1024 * 1024
"""Bytes of an answer that is no file. A page of 1,000 files has about 300 kB, or 3 MB with the longest names there are;
what JSON becomes in memory is several times as long, and is made at one go."""


@frozen(kw_only=True, slots=False)  # one is made for each call: without slots that is a third faster
class Request:
    """One request before it meets a network.

    Attributes:
        path: Below the base URL, percent-encoded, with its leading slash.
        query: Name and value as they are meant, not yet encoded.
        accept: The media type asked for.
        headers: Besides what every request says.
        idempotent: Whether a second one does no more than the first.
        most_bytes: How long a good answer may be that is read whole.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    query: tuple[tuple[str, str], ...] = ()
    accept: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    idempotent: bool = True
    most_bytes: int = MOST_METADATA

    @property
    def target(self) -> str:
        """Path and query as they stand in a request line."""
        return f"{self.path}?{urlencode(self.query, quote_via=quote)}" if self.query else self.path


@frozen(kw_only=True, slots=False)  # likewise
class Operation(Generic[T]):
    """What to send, and how to read the answer.

    Attributes:
        in_steps: Reads a long answer as ``read`` does, with pauses; None if none is long.
    """

    request: Request
    read: Callable[[bytes], T]
    in_steps: Callable[[bytes], Generator[None, None, T]] | None = None


def segment(identifier: str, *, what: str = "file id") -> str:
    """Percent-encode an opaque id as one path segment, whole.

    Raises:
        TypeError: It is not a string.
        ValueError: It is empty, ``.`` or ``..``, which would be another endpoint, or holds what
            no URL can carry.

    Source: RFC 3986, 3.3 and 5.2.4: dot segments are removed even when they are escaped.
    """
    check(f"a {what}", identifier, str)
    if _UNRESERVED.fullmatch(identifier):
        return identifier
    if identifier in {"", ".", ".."}:
        raise ValueError(f"{identifier!r} is not a {what}")
    if _UNSENDABLE.search(identifier):
        raise ValueError(f"the {what} {identifier!r} holds a control character or half a character")
    return quote(identifier, safe="")
