"""A few things one after the other: failures are told and counted, and do not stop the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from attrs import define, field

from .exits import Exit, exit_among
from .failures import EXPECTED, failure_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from .output import Output

T = TypeVar("T")


@define
class Tally:
    """How it goes."""

    _output: Output
    done: int = 0
    failed: int = 0
    _exits: set[Exit] = field(factory=set[Exit])

    async def attempt(self, source: str, work: Awaitable[T]) -> T | None:
        """Do one part and return its result, or None if it failed.

        Raises:
            AuthenticationError, PermissionDeniedError: The key was refused, as it would be for
                all others.
            BrokenPipeError: Nobody reads the results any more.
        """
        try:
            result = await work
        except BrokenPipeError:
            raise  # it is about stdout, not about this part
        except EXPECTED as error:
            self._fail(error, source)
            return None
        self.done += 1
        return result

    def _fail(self, error: Exception, source: str) -> None:
        failure = failure_of(error, source)
        if failure.is_final:
            raise error
        self.failed += 1
        self._exits.add(failure.exit)
        self._output.complain(failure)

    @property
    def exit(self) -> Exit:
        """The status: of the only thing there was to do, of one in doubt, or that some of several failed."""
        return exit_among(self._exits, self.failed + self.done)
