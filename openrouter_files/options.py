"""A caller's choices, as values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from attrs import evolve, field, frozen

from .given import check, listener, of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from attrs import Attribute

    from .events import EventCallback

Provider: TypeAlias = Literal["openai", "anthropic"]
"""Whose own file store is meant, instead of OpenRouter's."""

Overwrite: TypeAlias = Literal["replace", "error", "skip", "rename"]
"""What to do if the name of a download is taken."""
OVERWRITE: tuple[Overwrite, ...] = ("replace", "error", "skip", "rename")

TRANSIENT_STATUSES: frozenset[int] = frozenset({408, 429, 500, 502, 503, 504, 524, 529})
"""HTTP statuses that are worth another attempt. Source: the official SDKs' retry code, which calls them transient."""

# What the client itself says about a request; a caller's header must not contradict it.
_OWN_HEADERS = frozenset(
    {
        *("authorization", "connection", "content-length", "content-type", "host", "transfer-encoding"),
        *("accept-encoding", "range", "if-range", "expect"),
    }
)


def _positive(_: Any, attribute: Attribute[Any], value: float | None) -> None:
    check(attribute.name, value, int, float, NoneType)
    if value is not None and not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{attribute.name} must be a positive number of seconds, not {value!r}")


def _not_negative(_: Any, attribute: Attribute[Any], value: float) -> None:
    check(attribute.name, value, int, float)
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"{attribute.name} must be zero or more seconds, not {value!r}")


def _at_least_one(_: Any, attribute: Attribute[Any], value: int) -> None:
    check(attribute.name, value, int)
    if value < 1:
        raise ValueError(f"{attribute.name} must be at least 1, not {value!r}")


def _known_provider(_: Any, __: Attribute[Any], value: object) -> None:
    if value not in {None, "openai", "anthropic"}:
        raise ValueError(f"provider must be 'openai', 'anthropic' or None, not {value!r}")


def _known_reconciliation(_: Any, __: Attribute[Any], value: object) -> None:
    if value not in {"reconcile", "repeat", "raise"}:
        raise ValueError(f"ambiguous must be 'reconcile', 'repeat' or 'raise', not {value!r}")


# Source: RFC 9110, 5.6.2 and 5.5.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")


def check_header(name: str, value: str) -> None:
    """Refuse what cannot travel in a header line; raises before anything is sent."""
    check("the name of a header", name, str)
    check(f"the value of header {name}", value, str)
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a header name")
    if not _HEADER_VALUE.fullmatch(value):
        raise ValueError(f"the value of header {name} holds a control character or half a character")


class _Headers(Mapping[str, str]):
    """A table that does not change: it can be hashed, pickled and copied, unlike a mapping proxy."""

    def __init__(self, table: Mapping[str, str]) -> None:
        self._table = dict(table)

    def __getitem__(self, name: str) -> str:
        return self._table[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def __hash__(self) -> int:
        return hash(frozenset(self._table.items()))


def _header_table(headers: Mapping[str, str] | None) -> Mapping[str, str]:
    for name, value in (headers or {}).items():
        check_header(name, value)
        if name.lower() in _OWN_HEADERS:
            raise ValueError(f"the header {name} is the client's own and cannot be replaced")
    return _Headers(headers or {})


def _as_set(statuses: Iterable[int]) -> frozenset[int]:
    return frozenset(statuses)


@frozen(kw_only=True)
class Timeouts:
    """How long silence is borne, in seconds. None means for ever. There is no total.

    Attributes:
        connect: To reach the server, TLS included.
        idle: Between two pieces of a body, in either direction.
        answer: For the answer once the request is out; for answers that are not files,
            until their last byte.
    """

    connect: float | None = field(default=30.0, validator=_positive)
    idle: float | None = field(default=60.0, validator=_positive)
    answer: float | None = field(default=120.0, validator=_positive)


@frozen(kw_only=True)
class RetryPolicy:
    """When to try again.

    Attributes:
        attempts: Requests in all, the first included. With more than one, a GET or DELETE whose
            connection closes without an answer is sent once more at once, uncounted: a kept
            connection may have been closed long ago.
        first_delay: Seconds; wait n is uniform(0, min(max_delay, first_delay * 2**n)), and what
            the server asks for (Retry-After) on top. After a 429 that asks for a time it is just that:
            the rate limit that all calls share spreads them.
        max_delay: Seconds; a Retry-After beyond it is raised at once. Waiting in line for one's turn is
            not bounded by it, but a refusal that others meet meanwhile counts as an attempt.
        deadline: Seconds for the whole call, on a monotonic clock, waiting and bodies included; None for no limit.
        statuses: HTTP statuses (or codes inside a 400) that are worth another attempt.
        ambiguous: What to do about an upload that may have been stored. ``"raise"`` raises
            AmbiguousUploadError (also for a 503, which does not prove that nothing was done),
            ``"repeat"`` sends it again and risks a duplicate, ``"reconcile"`` looks for it in the
            listing first.
    """

    attempts: int = field(default=5, validator=_at_least_one)
    first_delay: float = field(default=0.5, validator=_not_negative)
    max_delay: float = field(default=30.0, validator=_not_negative)
    deadline: float | None = field(default=None, validator=_positive)
    statuses: frozenset[int] = field(default=TRANSIENT_STATUSES, converter=_as_set)
    ambiguous: Literal["reconcile", "repeat", "raise"] = field(default="reconcile", validator=_known_reconciliation)


NO_RETRIES = RetryPolicy(attempts=1, ambiguous="raise")
"""One request, and its outcome as it is."""


class CallOptions(TypedDict, total=False):
    """The keywords of ``FilesClient.with_options``: the fields of ``Options``, each optional."""

    workspace_id: str | None
    provider: Provider | None
    timeouts: Timeouts
    retry: RetryPolicy
    headers: Mapping[str, str]
    on_event: EventCallback | None


@frozen(kw_only=True)
class Options:
    """What every operation takes.

    Attributes:
        workspace_id: None for the key's own workspace.
        provider: None for OpenRouter's storage, else the store of that provider.
        timeouts: See Timeouts.
        retry: See RetryPolicy.
        headers: Sent with each request besides the client's own.
        on_event: Told about each attempt and each retry; None for nobody.
    """

    workspace_id: str | None = field(default=None, validator=of(str, NoneType))
    provider: Provider | None = field(default=None, validator=_known_provider)
    timeouts: Timeouts = field(default=Timeouts(), validator=of(Timeouts))
    retry: RetryPolicy = field(default=RetryPolicy(), validator=of(RetryPolicy))
    headers: Mapping[str, str] = field(default=None, converter=_header_table, repr=lambda h: repr(sorted(h)))
    on_event: EventCallback | None = field(default=None, validator=listener, repr=False)

    def replace(self, changes: CallOptions) -> Options:
        """Return these options with ``changes`` made; ValueError or TypeError if one makes no sense."""
        return evolve(self, **changes)
