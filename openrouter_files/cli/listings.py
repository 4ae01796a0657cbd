"""Showing a listing, of the workspace or of a container: as it comes, and no more of it than was asked for."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar

from .exits import Exit
from .results import Rows

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from .output import Output
    from .results import Row

T = TypeVar("T")

_LARGEST_PAGE = 1000


def page_size(limit: int | None) -> int:
    """Return how many files to ask for at once, if so many are wanted in all; None for all there are."""
    return _LARGEST_PAGE if limit is None else min(limit, _LARGEST_PAGE)


async def show_listing(
    listing: AsyncGenerator[T], limit: int | None, row_of: Callable[[T], Row], output: Output
) -> Exit:
    """Show files until there are no more, or so many."""
    shown = 0
    with Rows(output) as rows:
        async with aclosing(listing) as found:
            async for file in found:
                rows.add(row_of(file))
                shown += 1
                if shown == limit:
                    break
    if not shown:
        output.say("no files")
    return Exit.DONE
