"""Tables for people: the only place where results meet rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What is done for a row to fit in a line, the first that suffices: how many characters of the time are kept (all, the
# date), the gap between two columns, and to how many cells a name and a type may be shortened.
_WAYS = ((16, 2, 16, 10), (10, 2, 16, 10), (10, 1, 12, 8))
_NAMES = ("name", "path", "source")
_NARROWEST_VALUE = 16


def table(rows: Sequence[Mapping[str, str]]) -> None:
    """Print rows of the same columns to stdout, each on a line of its own, if the terminal has 80 columns.

    Long names and types are shortened in the middle; pipes and --json have them whole. Ids never are: on a terminal
    too narrow for one the row wraps.
    """
    console = Console()
    mark = "…" if console.encoding.startswith("utf") else "..."
    columns, widths, gap = _fitted({column: [row[column] for row in rows] for column in rows[0]}, console.width)
    made = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, gap - 1, 0, 0), pad_edge=False, header_style="bold")
    for column, width in widths.items():
        made.add_column(
            column, justify="right" if column == "size" else "left", overflow="fold", min_width=width, max_width=width
        )
    for row in zip(*columns.values(), strict=True):
        # Text, not str: what looks like markup in a name is part of the name.
        texts = zip(columns, row, strict=True)
        made.add_row(*(Text(text if name == "value" else shortened(text, widths[name], mark)) for name, text in texts))
    needed = _width(widths, gap)
    console.print(made, width=max(console.width, needed), crop=False, soft_wrap=needed > console.width)


def shortened(text: str, room: int, mark: str) -> str:
    """Return a text without its middle, if it takes more cells than there is room for: the end often tells most."""
    if cell_len(text) <= room:
        return text
    rest = max(0, room - len(mark))
    head, tail = text, text
    while cell_len(head) > rest // 2:
        head = head[:-1]
    while cell_len(tail) > rest - cell_len(head):
        tail = tail[1:]
    return head + mark + tail


def _fitted(columns: dict[str, list[str]], room: int) -> tuple[dict[str, list[str]], dict[str, int], int]:
    """Return the columns, their widths, and the gap between them, so that a row fits in a line if it can."""
    fitted = columns, dict[str, int](), 0
    for kept, gap, name, kind in _WAYS:
        some = columns | ({"created": [text[:kept] for text in columns["created"]]} if "created" in columns else {})
        widths = {column: max(map(cell_len, (column, *texts))) for column, texts in some.items()}
        least = dict.fromkeys(_NAMES, name) | {"type": kind, "value": _NARROWEST_VALUE}
        while _width(widths, gap) > room:
            wide = [column for column in widths if column in least and widths[column] > least[column]]
            if not wide:
                break
            widths[max(wide, key=widths.__getitem__)] -= 1
        fitted = some, widths, gap
        if _width(widths, gap) <= room:
            break
    return fitted


def _width(widths: Mapping[str, int], gap: int) -> int:
    return sum(widths.values()) + gap * (len(widths) - 1)
