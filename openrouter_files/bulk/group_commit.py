"""One connection, one thread, and one commit for all who waited while the last commit ran."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import frozen

from ..errors import JournalError
from ..waiting import ended

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

T = TypeVar("T")


@frozen(kw_only=True)
class _Wish:
    work: Callable[[sqlite3.Connection], Any]
    answer: asyncio.Future[Any]


@frozen(kw_only=True)
class _Granted:
    value: Any = None
    error: Exception | None = None


class GroupCommit:
    """What a connection does, in the order of the wishes; none is answered before it is on the disk.

    Args:
        connection: Made in the thread, and used nowhere else.
        thread: An executor of one thread.
        name: For complaints.
    """

    def __init__(self, connection: sqlite3.Connection, thread: Executor, name: str) -> None:
        self._connection = connection
        self._thread = thread
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Wish] = []
        self._busy = False

    def do(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Have something done in the next transaction; it is done even if nobody waits for it any more.

        The future fails with JournalError if the disk did.
        """
        answer: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append(_Wish(work=work, answer=answer))
        self._go_on()
        return answer

    async def end(self) -> None:
        """Wait until all is done; a cancelled caller waits, too."""
        last = self.do(lambda _: None)
        await ended(last)
        last.result()

    def _go_on(self) -> None:
        if self._busy or not self._waiting:
            return
        wishes, self._waiting = self._waiting, []
        self._busy = True
        # A bare future, not a task: at the end of a loop all tasks are cancelled, and this must go on.
        running = self._loop.run_in_executor(self._thread, self._grant, [wish.work for wish in wishes])
        running.add_done_callback(lambda done: self._answer(wishes, done))

    def _answer(self, wishes: Sequence[_Wish], done: asyncio.Future[list[_Granted]]) -> None:
        self._busy = False
        self._go_on()  # first: the disk works while the answers are read
        error = done.exception()
        granted = [_Granted(error=self._complaint(error)) for _ in wishes] if error else done.result()
        for wish, one in zip(wishes, granted, strict=True):
            _tell(wish.answer, one)

    def _complaint(self, error: BaseException) -> JournalError:
        complaint = JournalError(f"the journal {self._name} failed: {error}")
        complaint.__cause__ = error
        return complaint

    def _grant(self, works: Sequence[Callable[[sqlite3.Connection], Any]]) -> list[_Granted]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            granted = [_granted(work, self._connection) for work in works]
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.rollback()
            raise
        return granted


def _granted(work: Callable[[sqlite3.Connection], Any], connection: sqlite3.Connection) -> _Granted:
    # A wish that makes no sense is its own trouble; when the disk fails, it fails for all.
    try:
        return _Granted(value=work(connection))
    except sqlite3.Error:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the wisher's
        return _Granted(error=error)


def _tell(answer: asyncio.Future[Any], granted: _Granted) -> None:
    if answer.done():
        return
    if granted.error is not None:
        answer.set_exception(granted.error)
    else:
        answer.set_result(granted.value)
