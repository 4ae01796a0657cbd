"""What the exit statuses mean, for scripts."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


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
