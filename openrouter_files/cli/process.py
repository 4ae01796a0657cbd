"""Signals and exit status of the process."""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import suppress
from enum import IntEnum
from types import FrameType
from typing import Any, TypeVar

# ---- What the exit statuses mean, for scripts.


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    NOT_FOUND = 3
    KEY_REFUSED = 4
    SOME_FAILED = 5
    RATE_LIMITED = 6
    AMBIGUOUS = 7
    INTERRUPTED = 130
    NOBODY_READS = 141
    TERMINATED = 143


def exit_among(exits: Collection[Exit], of: int) -> Exit:
    """Return the status of several things of which some failed; ``of`` so many in all.

    One in doubt is stronger than the number of failures: to repeat the command might store it twice.
    """
    if not exits:
        return Exit.DONE
    if Exit.AMBIGUOUS in exits:
        return Exit.AMBIGUOUS
    return next(iter(exits)) if of == 1 else Exit.SOME_FAILED


LEGEND = """\b
Exit status:
  0    done
  1    error
  2    wrong usage
  3    no such file in the workspace
  4    the key is missing or was refused
  5    some of several files failed
  6    rate limited, gave up
  7    an upload may or may not have been stored
  130  interrupted (Ctrl-C); 143 terminated; 141 nobody reads the output any more"""


# ---- Ctrl-C before there is anything to cancel, and when there is no more.
#
# Python raises KeyboardInterrupt wherever it happens to be. While modules are loaded, that is now and then
# in a callback of the import system, which prints it and goes on: the key press would be lost. While the
# process ends, nobody is left to catch it.


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(Exit.INTERRUPTED)


def end_the_process() -> None:
    """Let Ctrl-C end the process on the spot: nothing has begun. If it is off, it stays off."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with suppress(ValueError):  # not the main thread: Ctrl-C does not come here
            signal.signal(signal.SIGINT, _leave)


def end_the_work() -> None:
    """Let Ctrl-C end the work in an orderly way from now on."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def end_with(status: int) -> None:
    """Let Ctrl-C end the process on the spot, with the status of the work that is done. If it is off, it stays off."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        os._exit(status)

    if signal.getsignal(signal.SIGINT) in {signal.default_int_handler, _leave}:
        with suppress(ValueError):  # likewise
            signal.signal(signal.SIGINT, leave)
            # Python puts its handlers away before it is gone itself: a moment in which the key would kill it.
            atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)


# ---- Standard input and output as bytes, off the loop and in threads that nobody has to wait for.
#
# A thread that waits for input cannot be stopped: one of an executor would hold up the end of the
# process until somebody typed something. The descriptors are used directly, because a daemon thread
# inside the lock of ``sys.stdin.buffer`` makes the interpreter abort at its end.

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


# ---- Standard output as text: a line is out at once, and a broken or missing one breaks nothing else.


def mend() -> None:
    """Open the standard streams that the parent has closed, so that their use fails.

    Otherwise the first socket would become standard output, and results would go to the server.
    """
    for descriptor, wrong_way in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, wrong_way)  # takes the lowest number that is free, which is this one
    if sys.__stdout__ is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.__stderr__ is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def abandon() -> None:
    """Let what is left in the buffer vanish: the interpreter would complain about it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_line(text: str) -> None:
    """Write a line at once: who reads it may be waiting.

    Raises:
        BrokenPipeError: Nobody reads it any more.
        OSError: Of the disk; it names standard output.
    """
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError as error:
        abandon()
        raise OSError(error.errno, error.strerror, "standard output") from error
