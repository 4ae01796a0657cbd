"""One upload: a source, a form around it, attempts, and what to do when nobody knows whether one stuck."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from .contract import multipart, operations
from .errors import AmbiguousUploadError, FilesError
from .exchange import call
from .exchange.body import Body

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .disk.source import Source
    from .exchange.transport import Transport
    from .models import File, ProgressCallback
    from .options import Options


@frozen(kw_only=True)
class Upload:
    """What is uploaded, and under which name."""

    source: Source
    form: multipart.Form
    on_progress: ProgressCallback | None

    @asynccontextmanager
    async def body(self) -> AsyncGenerator[Body]:
        """Open the source anew, for one attempt."""
        content = await self.source.open()
        try:
            yield Body(self.form, content.size, content.pieces, self.on_progress)
        finally:
            await content.close()


def framed(
    source: Source, *, filename: str | None, content_type: str | None, on_progress: ProgressCallback | None
) -> Upload:
    """Put a form around a source; ValueError if the name or the type cannot be sent."""
    form = multipart.frame(
        filename=source.filename or "" if filename is None else filename,
        content_type=content_type,
        boundary=secrets.token_hex(16),
    )
    return Upload(source=source, form=form, on_progress=on_progress)


def _policy(options: Options, source: Source) -> Options:
    """An iterator that is sent as it comes cannot be sent again."""
    return options if source.replayable else evolve(options, retry=evolve(options.retry, attempts=1))


async def upload(transport: Transport, options: Options, upload: Upload) -> File:
    """Carry out an upload."""
    try:
        return await call.fetch(
            transport, operations.upload_file(options), _policy(options, upload.source), upload.body
        )
    except FilesError as error:
        if not error.maybe_processed or options.retry.ambiguous == "repeat":
            raise
        raise _ambiguous(error) from error
    finally:
        await upload.source.close()


def _ambiguous(error: FilesError) -> AmbiguousUploadError:
    ambiguous = AmbiguousUploadError(f"the file may have been stored: {error}")
    ambiguous.request, ambiguous.attempts = error.request, error.attempts
    return ambiguous
