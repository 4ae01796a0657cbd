"""Opened files: one that is read, one that is read by coroutines, one that is written."""

from __future__ import annotations

import io
import logging
import os
import shutil
import sys
import tempfile
import weakref
from typing import IO, TYPE_CHECKING, Any, cast

from .ending import end
from .failures import told_to_readers
from .listing import IDS, file_entry
from .untyped import AbstractAsyncStreamedFile, AbstractBufferedFile, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import ReadableBuffer as Buffer

    from openrouter_files import File

    from .content import Content
    from .untyped import AsyncFileSystem


_log = logging.getLogger("openrouter_files")


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
    """A file that coroutines read: ``await file.read(n)``, ``await file.close()``; see ``asynchronous=True``."""

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

    If its ``with`` block fails, nothing is uploaded, also in text mode and with compression; nor is a file that
    nobody closes.
    """

    def __init__(
        self, fs: AsyncFileSystem, path: str, mode: str, store: Callable[[IO[bytes]], object], **buffering: Any
    ) -> None:
        self._store = store
        self._spool: IO[bytes] | None = None
        self._handled = sys.exception()
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

    def close(self) -> None:
        """Upload what was written; drop it if an exception is on its way that was not when the file was opened.

        What wraps this file (for text, for compression) closes it in its own ``__exit__``, which tells nobody why.
        """
        failure = sys.exception()
        if not self.closed and failure is not None and failure is not self._handled:
            _log.warning("%s is not stored: it was closed on account of %s", self.path, type(failure).__name__)
            self.drop()
        super().close()

    def drop(self) -> None:
        """Close the file without storing it."""
        if not self.closed:
            self.discard()
            self.closed = True

    def __del__(self) -> None:
        self.drop()


class TextFile(io.TextIOWrapper):
    """A file that is written in text mode. Python's own would store it when the garbage collector finds it unclosed."""

    def __init__(self, file: WriteFile | CompressingFile, **how: Any) -> None:
        self._file = file
        super().__init__(cast("IO[bytes]", file), **how)

    def __del__(self) -> None:
        self._file.drop()


class CompressingFile(io.BufferedIOBase):
    """Compresses what is written to a file. To close it closes the file, too: a compressor alone leaves it open."""

    def __init__(self, compressor: IO[bytes], file: WriteFile) -> None:
        self._compressor = compressor
        self._file = file

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Buffer, /) -> int:
        """Compress some bytes; return how many they were."""
        return self._compressor.write(data)

    def close(self) -> None:
        """Write what is left, and upload the file unless its ``with`` block failed."""
        if not self.closed:
            try:
                self._compressor.close()
            finally:
                super().close()
                self._file.close()

    def drop(self) -> None:
        """Close the file without storing it."""
        self._file.drop()

    def __del__(self) -> None:
        self.drop()
