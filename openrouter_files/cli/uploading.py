"""Uploading what was found: what `upload` and `demo` have in common."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from attrs import frozen

from openrouter_files import Failed, LocalFile, Uploaded

from .ahead import ahead
from .failures import EXPECTED
from .standard import chunks, chunks_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from openrouter_files import FilesClient

    from .finding import Finding
    from .job import Job


@frozen(kw_only=True)
class How:
    """How to upload: what the bulk API takes."""

    concurrency: int
    journal: str | None = None
    preflight: bool = True
    skip_known: bool = False
    verify: bool = False


@frozen(kw_only=True)
class Uploads:
    """One job.

    Attributes:
        files: Where they go.
        job: How it goes.
    """

    files: FilesClient
    job: Job
    how: How

    async def all(self, found: AsyncGenerator[Finding]) -> None:
        """Upload what was found; an error that all would meet is raised."""
        from openrouter_files import uploading  # noqa: PLC0415  # not to show the help

        async with ahead(self._counted(found)) as coming, aclosing(self._local_files(coming)) as sources:
            how = self.how
            outcomes = uploading(
                self.files,
                sources,
                concurrency=how.concurrency,
                on_progress=self.job.gauge.watch,
                journal=how.journal,
                preflight=how.preflight,
                skip_known=how.skip_known,
                verify=how.verify,
            )
            await self.job.take(outcomes)

    async def _counted(self, found: AsyncGenerator[Finding]) -> AsyncGenerator[Finding]:
        async with aclosing(found):
            async for finding in found:
                self.job.gauge.expect(0 if finding.error else finding.size)
                yield finding
        self.job.gauge.expect_no_more()

    async def _local_files(self, coming: AsyncGenerator[Finding]) -> AsyncGenerator[LocalFile]:
        """Yield what the bulk API takes; the rest has its outcome here."""
        async for finding in coming:
            source = LocalFile(finding.source, finding.name)
            if finding.error is not None:
                self.job.tell(Failed(source=source, error=finding.error))
            elif finding.stream and self.how.journal is None:
                self.job.tell(await self._streamed(source))
            else:
                self.job.gauge.hand_over(source, finding.size or 0)
                yield source

    async def _streamed(self, source: LocalFile) -> Uploaded | Failed:
        """Upload what comes through a pipe: it can be read once, so no preflight and no journal help it."""
        content = chunks() if source.path == "-" else chunks_of(source.path)
        with self.job.gauge.follow(source.filename) as hear:
            try:
                file = await self.files.upload(content, filename=source.filename, on_progress=hear)
            except EXPECTED as error:
                return Failed(source=source, error=error)
            return Uploaded(source=source, file=file)
