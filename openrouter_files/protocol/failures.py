"""Errors from a status and a body; Retry-After."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit

from ..errors import (
    APIError,
    AuthenticationError,
    BadGatewayError,
    BadRequestError,
    ClientClosedRequestError,
    InternalServerError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    ServiceUnavailableError,
)
from ..options import TRANSIENT_STATUSES
from .responses import http_date

# One table for every operation: a status outside an operation's documented row still has its class.
_CLASSES: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    413: PayloadTooLargeError,
    429: RateLimitError,
    499: ClientClosedRequestError,
    500: InternalServerError,
    502: BadGatewayError,
    503: ServiceUnavailableError,
}

_REQUEST_IDS = ("x-request-id", "request-id", "x-generation-id", "cf-ray")
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{0,9})?", re.ASCII)
_LONGEST_MESSAGE = 500
# Characters that are looked at, of which some may not be shown.
_LONGEST_SAID = 10 * _LONGEST_MESSAGE


def _number(text: str | None) -> float | None:
    """Read a plain non-negative number of at most fifteen digits; all else is nonsense here."""
    text = (text or "").strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return how many seconds the server asks to wait; None if it does not say, or not readably.

    Args:
        headers: With case-insensitive or lower-case names.
        now: Unix time, for the HTTP-date form.

    Source: RFC 9110, 10.2.3; ``retry-after-ms`` as the official SDKs read it, and it wins there too.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is None and (until := http_date(text)) is not None:
        told = http_date(headers.get("date"))  # by the same clock, if it says what that shows
        return max(0.0, until - (now if told is None else told))
    return seconds


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _envelope(body: bytes) -> Mapping[str, Any]:
    """Return the ``error`` object of OpenRouter's or Anthropic's envelope; empty if there is none."""
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return _object(_object(raw).get("error"))


def _code(error: Mapping[str, Any], status: int) -> int:
    code = error.get("code")
    return code if isinstance(code, int) and not isinstance(code, bool) else status


def _line(text: str) -> str:
    """Return what can be shown of a text, in one line: headers, too, may hold escape sequences and half characters."""
    text = text[:_LONGEST_SAID]
    shown = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    return " ".join(shown.split())


def _host(location: str) -> str:
    try:
        parts = urlsplit(location)
        return _line(":".join(str(part) for part in (parts.hostname, parts.port) if part)) or "elsewhere"
    except ValueError:
        return "nowhere"


def _our_words(status: int, headers: Mapping[str, str]) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "unknown status"
    if 300 <= status < 400 and headers.get("location"):
        return f"{phrase}: the redirect to {_host(headers['location'])} is not followed"
    kind = _line(headers.get("content-type", "").split(";")[0])
    return f"{phrase} (the answer is {kind}, not JSON)" if kind and "json" not in kind else phrase


def _message(error: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> str:
    message = error.get("message")
    if not isinstance(message, str) or not message.strip():
        return _our_words(status, headers)
    line = _line(message)
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[:_LONGEST_MESSAGE]}..."


def decisive(status: int, code: int) -> int:
    """Return the status that says what happened.

    Source: the official SDKs' retry code: the server sometimes wraps a transient failure of
    something behind it in a 400 whose ``error.code`` is the real status.
    """
    return code if status == HTTPStatus.BAD_REQUEST and code in TRANSIENT_STATUSES else status


def may_have_worked(status: int, code: int) -> bool:
    """Whether a server that answers so may have done what was asked; 503 says that it declined."""
    status = decisive(status, code)
    return status >= 500 and status != HTTPStatus.SERVICE_UNAVAILABLE


def _class(status: int, code: int) -> type[APIError]:
    status = decisive(status, code)
    return _CLASSES.get(status, ServerError if 500 <= status < 600 else APIError)


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return how the service, or what stands before it, calls this request; None if it does not."""
    for name in _REQUEST_IDS:
        if (text := headers.get(name)) and (shown := _line(text)):
            return shown
    return None


def error(status: int, headers: Mapping[str, str], body: bytes, now: float) -> APIError:
    """Return the error that a bad answer means; HTML, empty and cut bodies keep their status."""
    envelope = _envelope(body)
    code = _code(envelope, status)
    return _class(status, code)(
        _message(envelope, status, headers),
        status=status,
        code=code,
        metadata=_object(envelope.get("metadata")),
        retry_after=retry_after(headers, now),
        request_id=request_id(headers),
    )
