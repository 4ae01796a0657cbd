"""Running a command's work: a loop, signals, the log, and an exit status for whatever happens."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click

from . import interrupts, stdout
from .exits import Exit
from .output import Output

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from .settings import Settings


class _Lines(logging.Handler):
    """The client's log, through the output: it stays above a progress bar."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        self._output.above(record.getMessage())


@contextmanager
def _log(output: Output) -> Generator[None]:
    log, lines = logging.getLogger("openrouter_files"), _Lines(output)
    if output.verbose:
        log.addHandler(lines)
        log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(lines)


async def _terminable(work: Awaitable[int]) -> int:
    """Let SIGTERM end the work like Ctrl-C does: cancelled, cleaned up, with another status."""
    task = asyncio.current_task()
    with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows; not the main thread
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel if task else lambda: None)
    return await work


def run(settings: Settings, work: Callable[[Output], Awaitable[int]]) -> int:
    """Do a command's work and return its exit status.

    Raises:
        click.UsageError: The client found that the command line makes no sense. Nothing else leaves.
    """
    output = Output(settings)
    with _log(output):
        interrupts.end_the_work()
        try:
            return asyncio.run(_terminable(work(output)))
        except KeyboardInterrupt:
            output.say(f"interrupted{output.parting}")
            return Exit.INTERRUPTED
        except asyncio.CancelledError:
            output.say(f"terminated{output.parting}")
            return Exit.TERMINATED
        except BrokenPipeError:
            # As quiet as if SIGPIPE had ended it, which is what shells expect of `... | head`.
            stdout.abandon()
            return Exit.NOBODY_READS
        except click.UsageError:
            raise  # told where all wrong usage is
        except Exception as error:  # noqa: BLE001  # the promise is: never a traceback
            output.trace(error)
            return output.fail(error)
