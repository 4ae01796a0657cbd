"""How old is old: ``30d``, ``12h`` or a date, as a moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

_SPAN = re.compile(r"(\d+)([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, now: datetime) -> datetime:
    """Return the moment that a span before now, or a date, means; a date is a day of the local calendar.

    Raises:
        ValueError: It is neither.
        OverflowError: There is no such day.
    """
    if span := _SPAN.fullmatch(text):
        return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
    return datetime.fromisoformat(text).astimezone(UTC)


def read(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    """Read the value of an option."""
    try:
        return None if value is None else moment(value, datetime.now(UTC))
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(f"{value!r} is no age: say 30d, 12h, 45m, 2w or 2026-01-31") from None
