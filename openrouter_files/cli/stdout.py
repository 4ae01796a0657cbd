"""Standard output as text: a line is out at once, and a broken or missing one breaks nothing else."""

from __future__ import annotations

import os
import sys


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
