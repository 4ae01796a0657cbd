"""Formats sizes, times and names."""

from __future__ import annotations

from datetime import datetime


def plain(text: str) -> str:
    """Return one line that a terminal only shows: what would act on it is written out.

    Names come from models and strangers; an escape sequence in one could rewrite the screen, and a
    tab or a line break would make two results of one.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def size(count: float | None) -> str:
    """Return bytes for people, in powers of 1,000: ``12.3 kB``; a dash if nobody knows how many."""
    if count is None:
        return "-"
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.95 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"


def when(moment: datetime | None) -> str:
    """Return a time for people, in their time zone; a dash if nobody knows it."""
    return "-" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"


def for_programs(value: datetime | int | None) -> str:
    """Return a time or a count for programs; a dash if nobody knows it."""
    return "-" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)


def files(count: int) -> str:
    """Return ``1 file`` or ``12 files``."""
    return f"{count} file" if count == 1 else f"{count:,} files"


def pace(count: int, moved: int, seconds: float) -> str:
    """Return how fast it went: ``0.42 s (743.1 kB/s, 119 files/s)``."""
    seconds = max(seconds, 1e-6)
    each = f", {count / seconds:.0f} files/s" if count > 1 else ""
    return f"{seconds:.2f} s ({size(moved / seconds)}/s{each})"


def of(done: int, total: int | None) -> str:
    """Return how much of the whole: ``1.2/10.2 MB``."""
    if total is None:
        return size(done)
    whole, unit = size(total).split()
    part, its_unit = size(done).split()
    return f"{part}/{whole} {unit}" if unit == its_unit else f"{part} {its_unit}/{whole} {unit}"


def clock(seconds: float) -> str:
    """Return how long that is: ``0:07``, ``12:34``, ``1:02:03``."""
    whole = int(seconds)
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def shown(text: str) -> str:
    """Return a text of many lines that a terminal only shows."""
    return "".join(c if c in "\n\t" else plain(c) for c in text)


_COLOURS = {"ok": "32", "warn": "33", "fail": "31", "skip": "2"}


def painted(text: str, status: str) -> str:
    """Return a text in the colour of a status, for terminals."""
    return f"\x1b[{_COLOURS[status]}m{text}\x1b[0m"
