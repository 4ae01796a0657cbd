"""What a model says, on its way to standard output."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from attrs import define, field

from .standard import write
from .wording import shown

if TYPE_CHECKING:
    from .output import Output


@define
class Telling:
    """The text of one answer: shown as it comes, except to programs, which get it whole."""

    _output: Output
    _pieces: list[str] = field(factory=list[str])

    @property
    def text(self) -> str:
        """All that was said so far."""
        return "".join(self._pieces)

    async def take(self, piece: str) -> None:
        """Show one more piece; on a terminal it can only be read, and does nothing else."""
        self._pieces.append(piece)
        if self._output.style != "json":
            await self._write(shown(piece) if self._output.style == "table" else piece)

    async def end(self) -> None:
        """End the last line."""
        if self._output.style != "json" and self._pieces and not self._pieces[-1].endswith("\n"):
            await self._write("\n")

    async def _write(self, text: str) -> None:
        await write(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
