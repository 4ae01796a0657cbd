"""Opened files: one that is read, one that is read by coroutines, one that is written."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from typing import IO, TYPE_CHECKING, Any

from .ending import end
from .failures import told_to_readers
from .listing import IDS, file_entry
from .untyped import AbstractAsyncStreamedFile, AbstractBufferedFile, sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from openrouter_files import File

    from .content import Content
    from .untyped import AsyncFileSystem


class ReadFile(AbstractBufferedFile):
    """A file opened for reading: the one that its path meant when it was opened, whatever is stored later."""

    def __init__(self, fs: AsyncFileSystem, path: str, file: File, content: Content, **buffering: Any) -> None:
        self._id = file.id
        self._content = content
        super().__init__(fs, path, "rb", size=file.size_bytes, **buffering)
        self.details = file_entry(path, file)
        # For a file that nobody closes, at the end of the program at the latest.
        self._ending = weakref.finalize(self, end, fs.loop, content.close, os.getpid())

    def _fetch_range(self, start: int, end: int) -> bytes:
        with told_to_readers(self.path):
            return sync(self.fs.loop, self._content.between, start, end)

    def __reduce__(self) -> Any:
        reopen, (fs, _, *rest) = super().__reduce__()
        return reopen, (fs, f"{IDS}/{self._id}", *rest)  # another process must find this one, not a newer one

    def close(self) -> None:
        """Let go of the connection."""
        if not self.closed:
            super().close()
            self._ending.detach()
            end(self.fs.loop, self._content.close, os.getpid())

    def __del__(self) -> None:
        # Not our own close, which may come too late for the loop: that is what the finaliser is for.
        if not self.closed:
            super().close()


class AsyncReadFile(AbstractAsyncStreamedFile):
    """Likewise, for a file system made with ``asynchronous=True``: ``await file.read(n)``, ``await file.close()``."""

    def __init__(self, fs: AsyncFileSystem, path: str, file: File, content: Content) -> None:
        self._content = content
        super().__init__(fs, path, "rb", size=file.size_bytes, cache_type="none")
        self.details = file_entry(path, file)

    async def _fetch_range(self, start: int, end: int) -> bytes:
        with told_to_readers(self.path):
            return await self._content.between(start, end)

    async def close(self) -> None:
        """Let go of the connection."""
        self.closed = True
        await self._content.close()

    def __del__(self) -> None:
        # fsspec's would make a coroutine that nobody awaits.
        pass


class WriteFile(AbstractBufferedFile):
    """A file opened for writing: kept on disk until it is closed, then uploaded whole, or not at all.

    If its ``with`` block fails, nothing is uploaded.
    """

    def __init__(
        self, fs: AsyncFileSystem, path: str, mode: str, store: Callable[[IO[bytes]], object], **buffering: Any
    ) -> None:
        self._store = store
        self._spool: IO[bytes] | None = None
        super().__init__(fs, path, mode, **buffering)

    def _initiate_upload(self) -> None:
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `commit` or `discard`

    def _upload_chunk(self, final: bool = False) -> None:
        assert self._spool is not None  # noqa: S101  # begun by _initiate_upload
        self.buffer.seek(0)
        shutil.copyfileobj(self.buffer, self._spool)
        if final and self.autocommit:
            self.commit()

    def commit(self) -> None:
        """Upload what was written; done by ``close``, or at the end of a transaction."""
        spool, self._spool = self._spool, None
        if spool is not None:
            with spool:
                spool.seek(0)
                self._store(spool)

    def discard(self) -> None:
        """Drop what was written."""
        spool, self._spool = self._spool, None
        if spool is not None:
            spool.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.discard()
            self.closed = True
        self.close()
