"""Where a command speaks: results go to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any, Literal

from .failures import Failure, failure_of, is_ours
from .stdout import write_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .exits import Exit
    from .settings import Settings


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")


class Output:
    """The two streams of a command.

    Attributes:
        style: How results look: for programs, for pipes, or for people.
        watched: Whether somebody looks at stderr.
        draws: Whether progress is worth drawing.
        colours: Whether results may have colours.
        parting: What to add when the command is interrupted.
        above: Writes a line to stderr; a live progress bar replaces it, to stay below.
    """

    def __init__(self, settings: Settings) -> None:
        self._quiet = settings.quiet
        self.verbose = settings.verbose
        people = sys.stdout.isatty()
        self.style: Literal["json", "plain", "table"] = "json" if settings.json else "table" if people else "plain"
        self.watched = sys.stderr.isatty() and not settings.quiet
        # JSON lines on the same terminal would run through the bar.
        self.draws = self.watched and not (settings.json and people) and os.environ.get("TERM") != "dumb"
        self.colours = self.style == "table" and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.parting = ""
        self.above: Callable[[str], object] = _to_stderr

    def json(self, value: Mapping[str, Any]) -> None:
        """Write a result for programs. ASCII, so that no locale can break it."""
        write_line(json.dumps(value))

    def say(self, text: str) -> None:
        """Tell something on stderr, unless quiet is wanted."""
        if not self._quiet:
            self.above(text)

    def complain(self, failure: Failure) -> None:
        """Tell what went wrong: to people on stderr and, if asked for, to programs on stdout."""
        self.above(f"openrouter-files: error: {failure.line}")
        if self.style == "json":
            self.json(failure.json)

    def trace(self, error: Exception) -> None:
        """Tell where a mistake of ours was made, to those who want to know it all."""
        if self.verbose and is_ours(error):
            self.above("".join(traceback.format_exception(error)).rstrip())

    def fail(self, error: Exception, source: str | None = None) -> Exit:
        """Tell about an error and return the exit status that it means."""
        failure = failure_of(error, source)
        self.complain(failure)
        return failure.exit
