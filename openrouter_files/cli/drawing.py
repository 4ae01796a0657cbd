"""Whether a job is drawn while it lasts."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from .gauge import Gauge
    from .output import Output


def drawn(output: Output, gauge: Gauge) -> AbstractAsyncContextManager[None]:
    """Draw a job if somebody watches."""
    if not output.draws:
        return nullcontext()
    from .bars import bars  # noqa: PLC0415  # rich is for people only

    return bars(output, gauge)
