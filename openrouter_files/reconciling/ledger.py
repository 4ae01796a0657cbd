"""What a client knows of a listing: which files are its own, and where to start looking for others."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Far more than can be under way at once: an id that is older cannot be taken for a new file.
_MOST_OWNED = 4096
_MOST_ANCHORS = 256


# By base URL: ids are unique there, and what one client of this process stored is not what another misses.
_owned: dict[str, dict[str, None]] = {}


class Ledger:
    """Ids in the order in which this client learned of them.

    Whatever was known when an attempt started was created before anything that attempt stored:
    a listing from there on holds all that matters.
    """

    def __init__(self, base_url: str) -> None:
        self._count = 0
        self._owned = _owned.setdefault(base_url, {})
        self._anchors: deque[tuple[int, str]] = deque(maxlen=_MOST_ANCHORS)

    @property
    def mark(self) -> int:
        """Now, in the order of what was learned."""
        return self._count

    def own(self, file_id: str) -> None:
        """Remember a file that one of our uploads became."""
        self._owned[file_id] = None
        if len(self._owned) > _MOST_OWNED:
            with suppress(KeyError, RuntimeError):  # another thread's loop was faster
                del self._owned[next(iter(self._owned))]
        self.saw(file_id)

    def saw(self, file_id: str) -> None:
        """Remember a file that exists, whoever made it."""
        self._count += 1
        self._anchors.append((self._count, file_id))

    def forget(self, file_id: str) -> None:
        """A file that is gone is no place to start from."""
        self._anchors = deque((a for a in self._anchors if a[1] != file_id), maxlen=_MOST_ANCHORS)

    def owns(self, file_id: str) -> bool:
        """Whether an upload of ours has this file already."""
        return file_id in self._owned

    def anchor(self, marks: Iterable[int]) -> str | None:
        """Return the newest id that was known at all of these marks; None if there is none."""
        oldest = min(marks)
        return next((file_id for learned, file_id in reversed(self._anchors) if learned <= oldest), None)
