"""What answered the attempt under way: noted where the answer is read, told where the attempt ends."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from attrs import define

from ..contract import statuses

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping


@define
class Answered:
    """The last answer of an attempt: None while there is none."""

    status: int | None = None
    request_id: str | None = None


# The attempt is the caller's, several calls up; what lies between need not know that somebody listens.
_under_way: ContextVar[Answered | None] = ContextVar("openrouter_files_answered", default=None)


def note(status: int, headers: Mapping[str, str]) -> None:
    """Tell the attempt under way what answered it, if somebody wants to know."""
    answered = _under_way.get()
    if answered is not None:
        answered.status = status
        answered.request_id = statuses.request_id(headers)


@contextmanager
def listening() -> Generator[Answered]:
    """Hear what answers the attempt that is made meanwhile."""
    before, answered = _under_way.get(), Answered()
    _under_way.set(answered)
    try:
        yield answered
    finally:
        _under_way.set(before)  # no token: a coroutine that is thrown away ends in another context
