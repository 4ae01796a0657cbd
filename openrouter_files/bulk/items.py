"""Taking items one by one from whatever holds them, without blocking the loop or reading ahead far."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

T = TypeVar("T")

# What is advanced in one go: an iterator may well touch a disk or a network, so it runs in a thread.
_BATCH = 64


async def taken(items: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T]:
    """Yield the items of an iterable or an async iterable."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
        return
    if isinstance(items, list | tuple | set | frozenset):
        for item in items:
            yield item
        return
    iterator = iter(items)
    while batch := await asyncio.to_thread(lambda: list(islice(iterator, _BATCH))):
        for item in batch:
            yield item
