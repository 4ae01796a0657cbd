"""What is there already, and may be awaited all the same."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

if TYPE_CHECKING:
    from types import TracebackType

T = TypeVar("T")


class Ready(Coroutine[Any, Any, T]):
    """A result that awaiting gives back at once: itself, unless a subclass says otherwise.

    So one call of a control serves plain code, which takes the result as it is, and async code, which awaits it or
    hands it to ``asyncio.run``, which takes nothing but coroutines.
    """

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, T]:
        """Give the result without a pause."""
        yield from ()
        return self._result()

    def send(self, value: Any, /) -> NoReturn:  # noqa: ARG002  # a coroutine's signature
        """End, as a coroutine does that has a result; ``value`` does not matter."""
        raise StopIteration(self._result())

    def throw(self, kind: Any, value: BaseException | object = None, trace: TracebackType | None = None, /) -> NoReturn:
        """Raise what is thrown, a ``kind`` with a ``value`` and a ``trace``: there is nothing here to catch it."""
        error = kind(value) if isinstance(kind, type) and not isinstance(value, BaseException) else value or kind
        raise cast("BaseException", error).with_traceback(trace)

    def close(self) -> None:
        """Do nothing: it has ended."""

    def _result(self) -> T:
        return cast("T", self)


class Content(bytes, Ready["Content"]):
    """The bytes of a file."""


class Done(Ready[None]):
    """Something was done, and has no result."""

    __slots__ = ()

    def _result(self) -> None:
        return None
