"""The hash of a content, for the rare case that two uploads look alike in a listing."""

from __future__ import annotations

import hashlib
from contextlib import aclosing
from typing import TYPE_CHECKING

from .threads import hop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


async def digest(pieces: AsyncGenerator[bytes | memoryview]) -> bytes:
    """Return the SHA-256 of all pieces, computed off the loop."""
    hashed = hashlib.sha256()
    async with aclosing(pieces):
        async for piece in pieces:
            await hop(hashed.update, piece)
    return hashed.digest()
