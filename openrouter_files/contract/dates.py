"""Dates as HTTP and JSON write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Characters of 2026-11-20T12:34:56.123456Z. Of what is no longer, Python reads all that there is.
EXACT = 27

_rounds_up = re.compile("[.,][0-9]{6}[5-9]").search


def moment(text: str) -> datetime:
    """Read a time in ISO 8601, UTC if it has no offset; what is finer than a microsecond is rounded.

    Source: RFC 3339, 5.6: ``t`` and ``z`` mean what ``T`` and ``Z`` mean.
    """
    read = datetime.fromisoformat(text.replace("z", "Z"))
    if len(text) > EXACT and _rounds_up(text):
        read += datetime.resolution
    return read if read.tzinfo else read.replace(tzinfo=UTC)


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
