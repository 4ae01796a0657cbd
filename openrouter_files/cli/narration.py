"""What the demo tells: a line per step to people, one object to programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field

from .stdout import write_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .output import Output


@define
class Narration:
    """The story so far."""

    _output: Output
    _told: dict[str, Any] = field(factory=dict[str, Any])

    def tell(self, step: str, words: str, **facts: Any) -> None:
        """Tell about a step; the facts are for programs."""
        self._told[step.replace(" ", "_")] = facts or None
        if self._output.style != "json":
            write_line(f"{step:<12}{words}")

    def show(self, rows: Sequence[Mapping[str, str]]) -> None:
        """Show some rows to people."""
        if self._output.style == "plain":
            for row in rows:
                write_line(" " * 12 + "  ".join(row.values()))
        elif self._output.style == "table" and rows:
            from .tables import table  # noqa: PLC0415  # rich is for people only

            table(rows)

    def end(self) -> None:
        """Give programs everything at once."""
        if self._output.style == "json":
            self._output.json(self._told)
