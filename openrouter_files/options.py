"""What a call may take: options, timeouts, retry policy, and what the environment says."""

from __future__ import annotations

import inspect
import ipaddress
import math
import os
import platform
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import NoneType
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar
from urllib.parse import SplitResult, urlsplit

from attrs import Attribute, evolve, field, frozen

from .events import EventCallback

# ---- What callers give: told at once if it is of the wrong type, before a byte is sent.

T = TypeVar("T")

_SPOKEN_WITH_A_VOWEL = (*"aeiouAEIOU", "SSL")


def _named(kind: type) -> str:
    if kind is NoneType:
        return "None"
    return f"{'an' if kind.__name__.startswith(_SPOKEN_WITH_A_VOWEL) else 'a'} {kind.__name__}"


def check(what: str, value: object, *kinds: type) -> None:
    """Raise TypeError, in words of the caller, if a value is of none of these types; a bool is no int."""
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise TypeError(f"{what} is {' or '.join(map(_named, kinds))}, not {type(value).__name__}")


def of(*kinds: type) -> Callable[[Any, Attribute[Any], Any], None]:
    """Return the validator of a field that is of one of these types."""
    return lambda _, attribute, value: check(attribute.name, value, *kinds)


def check_listener(what: str, value: object) -> None:
    """Raise TypeError if a value is neither None nor a function that can be called to tell something.

    An async function would be called, but never run.
    """
    if value is None:
        return
    if not callable(value):
        raise TypeError(f"{what} is a function or None, not {type(value).__name__}")
    while isinstance(value, partial):
        value = value.func
    if any(map(_is_async, (value, type(value).__call__))):
        raise TypeError(f"{what} is called, not awaited: give a function that is not async")


def _is_async(function: object) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def listener(_: Any, attribute: Attribute[Any], value: object) -> None:
    """Validate a field that somebody is told by, or nobody; see check_listener."""
    check_listener(attribute.name, value)


def tell(what: str, listener: Callable[[T], object], news: T) -> None:
    """Call a listener; TypeError if it turns out to be async, which no look at a lambda can tell."""
    answer = listener(news)
    if inspect.iscoroutine(answer):  # a task or a future goes on by itself
        answer.close()
        raise TypeError(f"{what} is called, not awaited: give a function that is not async")


# ---- A caller's choices, as values.

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


# ---- What a client is told about the service: argument over environment over default.

BASE_URL = "https://openrouter.ai/api/v1"


def chosen(argument: str | None, variable: str) -> str | None:
    """Return the argument, else the environment variable; an empty variable counts as none."""
    return argument if argument is not None else os.environ.get(variable) or None


def is_loopback(host: str) -> bool:
    """Whether a host, without brackets, is this machine itself. Source: RFC 6761, 6.3."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def key_from_environment() -> str:
    """Return OPENROUTER_API_KEY; ValueError if there is none."""
    key = chosen(None, "OPENROUTER_API_KEY")
    if key is None:
        raise ValueError("no API key: pass api_key= or set OPENROUTER_API_KEY")
    return key


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # read here, because it may be unreadable
    except ValueError as error:
        raise ValueError(f"the base URL {url!r} is none: {error}") from None
    return parts


def checked_base_url(argument: str | None, *, allow_plain_http: bool) -> str:
    """Return the base URL, without its trailing slash.

    Raises:
        TypeError: It is not text.
        ValueError: It is not an http or https URL, holds a login, a query or a fragment, or
            would send the key in plain text over a network.
    """
    url = chosen(argument, "OPENROUTER_BASE_URL") or BASE_URL
    check("base_url", url, str)
    if "?" in url or "#" in url or "@" in url:
        raise ValueError("the base URL must start with https:// and hold no login, no query and no fragment")
    if any(c.isspace() or not c.isprintable() for c in url):
        raise ValueError(f"the base URL {url!r} holds white space or a control character")
    parts = _parts(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError(f"the base URL must start with https:// and name a host, not {url!r}")
    if parts.scheme == "http" and not allow_plain_http and not is_loopback(parts.hostname):
        raise ValueError(f"the key would travel to {parts.hostname} in plain text: use https, or allow_plain_http=True")
    return url.rstrip("/")


def _categories(given: str | Sequence[str] | None) -> str | None:
    return given if given is None or isinstance(given, str) else ",".join(given)


def standing_headers(
    *, version: str, http_referer: str | None, app_title: str | None, app_categories: str | Sequence[str] | None
) -> Mapping[str, str]:
    """Return what every request says about its sender; what is unset is left out, not sent empty.

    Source: OpenRouter's page on app attribution; names of the variables as in the official
    TypeScript SDK.
    """
    headers = {
        "User-Agent": f"openrouter-files/{version} Python/{platform.python_version()}",
        "HTTP-Referer": chosen(http_referer, "OPENROUTER_HTTP_REFERER"),
        "X-OpenRouter-Title": chosen(app_title, "OPENROUTER_APP_TITLE"),
        "X-OpenRouter-Categories": chosen(_categories(app_categories), "OPENROUTER_APP_CATEGORIES"),
    }
    sent = {name: value for name, value in headers.items() if value}
    for name, value in sent.items():
        check_header(name, value)
    return sent
