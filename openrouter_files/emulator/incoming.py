"""Content on its way into the store: held while it is small, on disk when it is not, gone if nobody keeps it."""

from __future__ import annotations

import io
import threading
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from attrs import define, field

from openrouter_files.emulator.sniffing import Examination
from openrouter_files.emulator.store import PIECE, Store

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@define
class Incoming:
    """The content of one upload while it arrives.

    Beyond ``limit`` bytes (None: no limit) nothing is kept any more, only counted.
    """

    _store: Store
    limit: int | None
    size: int = 0
    seen: Examination = field(factory=Examination)
    _held: bytearray = field(factory=bytearray)
    _draft: _Draft | None = None

    @property
    def too_large(self) -> bool:
        """Whether the content is beyond the limit."""
        return self.limit is not None and self.size > self.limit

    async def take(self, piece: bytes) -> None:
        """Add the next bytes of the content."""
        self.size += len(piece)
        if self.too_large:
            self.discard()
            return
        self._held += piece
        if len(self._held) > PIECE:
            await self._spill()

    async def finish(self) -> None:
        """Put a large content's last bytes beside the others; a small one stays in memory."""
        if self._draft is not None and self._held:
            await self._spill()

    def settled(self) -> tuple[Examination, bytes | Path, str | None]:
        """What was learned, the content, and its type (None: not an accepted one). Blocking."""
        if self._draft is not None:
            with self._draft.path.open("rb") as file:
                return self.seen, self._draft.path, self.seen.mime_type(file)
        held = bytes(self._held)
        self.seen.see(held)
        return self.seen, held, self.seen.mime_type(io.BytesIO(held))

    def discard(self) -> None:
        """Drop what was received; a draft that became a file is no longer there to be dropped."""
        self._held = bytearray()
        draft, self._draft = self._draft, None
        if draft is not None:
            self._store.later(draft.discard)

    async def _spill(self) -> None:
        draft = self._draft = self._draft or _Draft(self._store.draft())
        held, self._held = bytes(self._held), bytearray()
        await self._store.on_disk(draft.append, held, self.seen)


@contextmanager
def incoming(store: Store, *, limit: int | None = None) -> Generator[Incoming]:
    """A place for content that leaves nothing behind unless it was settled in the store."""
    content = Incoming(store, limit)
    try:
        yield content
    finally:
        content.discard()


@define
class _Draft:
    """A file being written; a thread may still be at it when its request is cancelled, hence the lock."""

    path: Path
    _file: IO[bytes] | None = None
    _gone: bool = False
    _lock: threading.Lock = field(factory=threading.Lock)

    def append(self, piece: bytes, seen: Examination) -> None:
        with self._lock:
            if self._gone:
                return
            self._file = self._file or self.path.open("wb", buffering=0)
            self._file.write(piece)
        seen.see(piece)

    def discard(self) -> None:
        with self._lock:
            self._gone = True
            if self._file is not None:
                self._file.close()
            self.path.unlink(missing_ok=True)
