"""Tables for people: the only place where results meet rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# These may wrap, but not below so many columns; all others are shown as they are.
_NARROWEST = {"type": 10, "name": 16, "path": 16, "value": 16}
_GAP = 2


def table(rows: Sequence[Mapping[str, str]]) -> None:
    """Print rows of the same columns to stdout.

    On a narrow terminal names wrap, and at last the terminal wraps the rows: rich would leave out
    whole columns.
    """
    made = Table(box=SIMPLE_HEAD, padding=(0, _GAP - 1, 0, 0), pad_edge=False, header_style="bold")
    needed = 0
    for column in rows[0]:
        longest = max(len(text) for text in (column, *(row[column] for row in rows)))
        least = min(longest, _NARROWEST.get(column, longest))
        needed += least + _GAP
        made.add_column(column, justify="right" if column == "size" else "left", overflow="fold", min_width=least)
    for row in rows:
        # Text, not str: what looks like markup in a name is part of the name.
        made.add_row(*map(Text, row.values()))
    console = Console()
    console.print(made, width=max(console.width, needed), crop=False, soft_wrap=needed > console.width)
