"""One picture of a job under way, as lines that fit on a terminal. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from .formatting import clock, of, plain, size

if TYPE_CHECKING:
    from .progress import Gauge, Moving

_WIDEST_BAR, _NARROWEST_BAR = 40, 8
_NAME = 28
# Whatever lives shorter would only flicker.
_WORTH_A_LINE = 0.25
_DIM, _BRIGHT, _OFF = "\x1b[2m", "\x1b[36m", "\x1b[0m"


def bar(ratio: float | None, width: int, *, colour: bool) -> str:
    """Return a bar of so many columns; an empty one while nobody knows the whole."""
    halves = int(2 * width * min(1.0, max(0.0, ratio or 0.0)))
    full = "━" * (halves // 2) + "╸" * (halves % 2)
    rest = width - len(full)
    return f"{_BRIGHT}{full}{_OFF}{_DIM}{'━' * rest}{_OFF}" if colour else full + " " * rest


def _line(head: str, ratio: float | None, tails: list[str], width: int, *, colour: bool) -> str:
    """Fit a line: the bar shrinks first, then what stands behind it goes, the last first, then the bar."""
    while True:
        room = width - cell_len(head) - sum(len(tail) + 1 for tail in tails) - 1
        if room >= _NARROWEST_BAR:
            return " ".join([head, bar(ratio, min(room, _WIDEST_BAR), colour=colour), *tails])
        if not tails:
            return head if cell_len(head) <= width else set_cell_size(head, width)
        tails = tails[:-1]


def _ratio(gauge: Gauge) -> float | None:
    total = gauge.total
    if total:
        return gauge.moved / total
    return gauge.settled / gauge.files if gauge.whole and gauge.files else None


def _job(gauge: Gauge, width: int, *, colour: bool) -> str:
    speed, pace = gauge.rates()
    total = gauge.total
    tails = [of(gauge.moved, total)] if gauge.moved or total else []
    tails += [f"{gauge.failed:,} failed"] if gauge.failed else []
    tails += [f"{size(speed)}/s" if gauge.moved or total else f"{pace:.0f} files/s"]
    tails += [clock((total - gauge.moved) / speed)] if total and speed and total > gauge.moved else []
    count = f"{gauge.settled}/{gauge.files}" if gauge.whole else f"{gauge.settled}/{gauge.files}+"
    return _line(f"{gauge.title} {count}", _ratio(gauge), tails, width, colour=colour)


def _one(name: str, moving: Moving, width: int, *, colour: bool) -> str:
    head = f"  {set_cell_size(_short(plain(name)), _NAME)}"
    ratio = moving.done / moving.total if moving.total else None
    return _line(head, ratio, [of(moving.done, moving.total)], width, colour=colour)


def _short(name: str) -> str:
    """Return the end of a long name: it tells more than its folders."""
    if cell_len(name) <= _NAME:
        return name
    while cell_len(name) > _NAME - 1:
        name = name[1:]
    return f"…{name}"


def frame(gauge: Gauge, columns: int, rows: int, *, colour: bool) -> list[str]:
    """Return the line of the job and those of files under way, as many as there is room for.

    The last column stays empty: some terminals wrap a line that fills it.
    """
    width, now = max(1, columns - 1), gauge.clock()
    old = [(name, moving) for name, moving in gauge.running.items() if now - moving.since >= _WORTH_A_LINE]
    shown = old[: max(0, rows - 2)]
    return [_job(gauge, width, colour=colour)] + [_one(*item, width, colour=colour) for item in shown]


def last(gauge: Gauge, columns: int, *, colour: bool) -> str:
    """Return the line of the job as it stays on the screen."""
    return _job(gauge, max(1, columns - 1), colour=colour)
