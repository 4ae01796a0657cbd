"""One process at a time: a lock file beside the journal that says who has it."""

from __future__ import annotations

import os
import socket
import sys
from datetime import UTC, datetime
from weakref import WeakSet

from ..errors import JournalError

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    # A locked byte cannot be read on Windows, so it lies far behind the text.
    _FAR = 1 << 30

    def _seize(fd: int) -> None:
        os.lseek(fd, _FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        os.lseek(fd, 0, os.SEEK_SET)
else:
    import fcntl

    def _seize(fd: int) -> None:
        # flock, not lockf: it also keeps two journals of one process apart.
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


_held: WeakSet[Lock] = WeakSet()


class Lock:
    """Held until it is released or the process ends, however it ends.

    The file stays: to delete it would let two processes lock two files of one name.
    """

    def __init__(self, fd: int) -> None:
        self._fd: int | None = fd
        _held.add(self)

    @classmethod
    def of(cls, journal: str) -> Lock:
        """Take the lock of a journal; JournalError if somebody has it."""
        path = f"{journal}.lock"
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        except OSError as error:
            raise _unlockable(journal, error) from error
        try:
            _take(fd, journal)
        except BaseException:
            os.close(fd)
            raise
        return cls(fd)

    def release(self) -> None:
        """Let others have the journal."""
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            self.drop()

    def __del__(self) -> None:
        """Let others have the journal of a job whose loop was closed under it."""
        self.drop()

    def drop(self) -> None:
        """Close this process's end of it: after a fork, the parent's lock stays what it is."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def _take(fd: int, journal: str) -> None:
    try:
        _seize(fd)
    except (BlockingIOError, PermissionError) as error:
        raise JournalError(f"the journal {journal} is in use by {_holder(fd)}") from error
    except OSError as error:
        raise _unlockable(journal, error) from error
    try:
        os.ftruncate(fd, 0)
        os.write(fd, _signature().encode())
    except OSError as error:  # a full disk
        raise _unlockable(journal, error) from error


def _unlockable(journal: str, error: OSError) -> JournalError:
    return JournalError(f"the journal {journal} cannot be locked: {error.strerror}")


def _holder(fd: int) -> str:
    return os.read(fd, 1000).decode("utf-8", "replace").strip() or "another process"


def _signature() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}, since {datetime.now(UTC).isoformat(' ', 'seconds')}\n"


def _drop_all() -> None:
    # A child that outlives its parent would keep the journal locked, without ever using it.
    for lock in _held:
        lock.drop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_all)
