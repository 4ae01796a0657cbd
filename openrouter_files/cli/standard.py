"""Standard input and output as bytes, off the loop and in threads that nobody has to wait for.

A thread that waits for input cannot be stopped: one of an executor would hold up the end of the
process until somebody typed something. The descriptors are used directly, because a daemon thread
inside the lock of ``sys.stdin.buffer`` makes the interpreter abort at its end.
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

T = TypeVar("T")

STDIN, STDOUT = 0, 1
_PIECE = 256 * 1024


async def aside(function: Callable[..., T], *args: Any) -> T:
    """Run a blocking call in a thread of its own, which is left alone if the caller is cancelled."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:
        if not result.done():
            result.set_exception(error) if error else result.set_result(value)

    def work() -> None:
        value, error = None, None
        try:
            value = function(*args)
        except BaseException as raised:  # noqa: BLE001  # it belongs to whoever waits
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=work, daemon=True).start()
    return await result


async def chunks(descriptor: int = STDIN) -> AsyncGenerator[bytes]:
    """Yield what comes in until its end."""
    while data := await aside(os.read, descriptor, _PIECE):
        yield data


async def chunks_of(path: str | os.PathLike[str]) -> AsyncGenerator[bytes]:
    """Yield what comes out of a pipe with a name."""
    descriptor = await aside(os.open, path, os.O_RDONLY)
    try:
        async for data in chunks(descriptor):
            yield data
    finally:
        os.close(descriptor)


async def lines(descriptor: int = STDIN) -> AsyncGenerator[str]:
    """Yield the lines that come in, as file names are written: undecodable bytes survive."""
    rest = b""
    async for data in chunks(descriptor):
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield os.fsdecode(line)
    if rest:
        yield os.fsdecode(rest)


def _write_all(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(STDOUT, view) :]


async def write(data: bytes) -> None:
    """Write to standard output."""
    await aside(_write_all, data)
