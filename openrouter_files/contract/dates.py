"""Dates as HTTP writes them."""

from __future__ import annotations

from email.utils import parsedate_to_datetime


def http_date(text: str | None) -> float | None:
    """Return an HTTP date as Unix seconds; None for none, or for what is not one.

    Source: RFC 9110, 5.6.7.
    """
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, TypeError, OverflowError, IndexError, OSError):
        return None
