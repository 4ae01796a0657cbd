"""Looking ahead: what a bar needs to know the whole of any usual job, at a bounded price."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

T = TypeVar("T")

_AHEAD = 10_000


@frozen
class _End:
    error: Exception | None = None


async def _fill(queue: asyncio.Queue[T | _End], items: AsyncGenerator[T]) -> None:
    try:
        async with aclosing(items):
            async for item in items:
                await queue.put(item)
    except Exception as error:  # noqa: BLE001  # raised again where the items are taken
        await queue.put(_End(error))
    else:
        await queue.put(_End())


async def _taken(queue: asyncio.Queue[T | _End]) -> AsyncGenerator[T]:
    while not isinstance(item := await queue.get(), _End):
        yield item
    if item.error is not None:
        raise item.error


@asynccontextmanager
async def ahead(items: AsyncGenerator[T]) -> AsyncGenerator[AsyncGenerator[T]]:
    """Hand out items that are found while others are worked on; nothing is left running behind."""
    queue: asyncio.Queue[T | _End] = asyncio.Queue(_AHEAD)
    filling = asyncio.create_task(_fill(queue, items))
    try:
        async with aclosing(_taken(queue)) as taken:
            yield taken
    finally:
        filling.cancel()
        await asyncio.wait([filling])
