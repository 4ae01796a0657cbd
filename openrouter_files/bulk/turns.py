"""One upload at a time of each content: who comes second waits, and finds it stored."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Generator

Content: TypeAlias = tuple[bytes, int]
"""The hash of a file, and its size."""


class Turns:
    """Which contents are under way."""

    def __init__(self) -> None:
        self._ends: dict[Content, asyncio.Event] = {}

    async def over(self, content: Content) -> bool:
        """Wait until a content is not under way any more; whether it was."""
        end = self._ends.get(content)
        if end is not None:
            await end.wait()
        return end is not None

    @contextmanager
    def taken(self, content: Content) -> Generator[None]:
        """Be the one who sends it; to be entered without a pause after ``over`` said that nobody does."""
        end = self._ends[content] = asyncio.Event()
        try:
            yield
        finally:
            del self._ends[content]
            end.set()
