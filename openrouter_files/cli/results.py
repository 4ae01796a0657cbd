"""Results in three styles: JSON lines for programs, plain lines for pipes, tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from .stdout import write_line
from .wording import files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from .output import Output

_ROWS_PER_TABLE = 500


@frozen(kw_only=True)
class Row:
    """One result: as an object, as a line, and as the cells of a table by their columns."""

    json: Mapping[str, Any]
    plain: str
    cells: Mapping[str, str]


@define
class Rows:
    """Shows results as they come; people get them in tables, the last one when the context ends.

    Attributes:
        most: How many rows people get at most: a live progress bar leaves no room for a table
            before the end, and a million rows are not kept until then. None for all.
    """

    _output: Output
    most: int | None = None
    _kept: list[Mapping[str, str]] = field(factory=list["Mapping[str, str]"])
    _left_out: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._table()
        if self._left_out:
            write_line(f"... and {files(self._left_out)} more")

    def add(self, row: Row) -> None:
        """Show one more."""
        if self._output.style == "json":
            self._output.json(row.json)
        elif self._output.style == "plain":
            write_line(row.plain)
        else:
            self._keep(row.cells)

    def _keep(self, cells: Mapping[str, str]) -> None:
        if self.most is not None and len(self._kept) >= self.most:
            self._left_out += 1
            return
        self._kept.append(cells)
        if self.most is None and len(self._kept) >= _ROWS_PER_TABLE:
            self._table()

    def _table(self) -> None:
        kept, self._kept = self._kept, []
        if kept:
            from .tables import table  # noqa: PLC0415  # rich is for people only

            table(kept)


def describe(output: Output, told: Mapping[str, Any], fields: Mapping[str, str], *, is_first: bool) -> None:
    """Show one thing at a time: as an object, as lines of name and value, as a table."""
    if output.style == "json":
        output.json(told)
    elif output.style == "plain":
        lines = [f"{name}\t{value}" for name, value in fields.items()]
        write_line("\n".join(lines if is_first else ["", *lines]))
    else:
        from .tables import table  # noqa: PLC0415  # rich is for people only

        table([{"field": name, "value": value} for name, value in fields.items()])
