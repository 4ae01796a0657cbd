"""Dates as HTTP writes them."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime


def http_date(text: str | None) -> float | None:
    """Return an HTTP date as Unix seconds; None for none, or for what is not one.

    Source: RFC 9110, 5.6.7.
    """
    try:
        moment = parsedate_to_datetime(text) if text else None
    except (ValueError, TypeError, OverflowError, IndexError, OSError):
        return None
    # The oldest of the three forms has no zone; all of them mean UTC.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() if moment else None
