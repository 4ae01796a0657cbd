"""Uploading many files at once: what `upload` and `demo` have in common."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from attrs import frozen

from .batch import Tally, each
from .standard import chunks, chunks_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from openrouter_files import File, FilesClient

    from .finding import Finding
    from .transfers import Transfers


@frozen(kw_only=True)
class Uploads:
    """One job.

    Attributes:
        files: Where they go.
        moving: Counts the transfers.
        tally: How it goes.
        stored: Called with each file that the server has, and what it was made from.
    """

    files: FilesClient
    moving: Transfers
    tally: Tally
    stored: Callable[[File, Finding], object]

    async def all(self, found: AsyncGenerator[Finding], *, concurrency: int) -> None:
        """Upload what was found; an error that all would meet is raised."""
        await each(self._expected(found), self._one, concurrency=concurrency)

    async def _expected(self, found: AsyncGenerator[Finding]) -> AsyncGenerator[Finding]:
        async with aclosing(found):
            async for finding in found:
                self.moving.expect(0 if finding.error else finding.size)
                yield finding
        self.moving.expect_no_more()

    async def _one(self, finding: Finding) -> None:
        file = await self.tally.attempt(finding.source, self._sent(finding))
        if file is not None:
            self.stored(file, finding)

    async def _sent(self, finding: Finding) -> File:
        if finding.error is not None:
            raise finding.error
        with self.moving.one(finding.name, finding.size) as tell:
            return await self.files.upload(_content(finding), filename=finding.name, on_progress=tell)


def _content(finding: Finding) -> str | AsyncGenerator[bytes]:
    """Return what the client uploads: a path, or what comes through a pipe."""
    if finding.source == "-":
        return chunks()
    return finding.source if finding.size is not None else chunks_of(finding.source)
