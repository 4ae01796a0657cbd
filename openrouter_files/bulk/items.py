"""Taking items one by one from whatever holds them, without blocking the loop or reading ahead far."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

T = TypeVar("T")

# What is advanced in one go: an iterator may well touch a disk or a network, so it runs in a thread.
_BATCH = 64


async def taken(items: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T]:
    """Yield the items of an iterable or an async iterable; TypeError for a text, whose items are its letters."""
    if isinstance(items, str):
        raise TypeError(f"no iterable of ids, but one id: {items!r}")
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
        return
    if isinstance(items, list | tuple | set | frozenset):
        for item in items:
            yield item
        return
    batches = _batches(items)
    while batch := await asyncio.to_thread(next, batches, None):
        for item in batch:
            yield item


def _batches(items: Iterable[T]) -> Generator[list[T]]:
    """Yield items a few at a time; what the iterable raises comes after what it gave."""
    batch: list[T] = []
    try:
        for item in items:
            batch.append(item)
            if len(batch) == _BATCH:
                yield batch
                batch = []
    except Exception:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
