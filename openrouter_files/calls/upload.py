"""One upload: a source, and a form around it."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from attrs import frozen

from ..contract import multipart, operations
from ..disk.digest import digest
from ..exchange.body import Body
from .storing import Deed, Sending, Storing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ..disk.content import Content, Source
    from ..exchange.transport import Reply, Transport
    from ..models import File, ProgressCallback
    from ..options import Options
    from ..reconciling.claims import Claims


@frozen(kw_only=True)
class Upload:
    """What is uploaded, and under which name."""

    source: Source
    filename: str
    form: multipart.Form
    on_progress: ProgressCallback | None

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Content]:
        """Open the source anew, for one attempt."""
        content = await self.source.open()
        try:
            yield content
        finally:
            await content.close()

    async def digest(self) -> bytes | None:
        """Return the hash of the content; None if it cannot be read again."""
        if not self.source.replayable:
            return None
        async with self.opened() as content:
            return await digest(content.pieces)


def framed(
    source: Source, *, filename: str | None, content_type: str | None, on_progress: ProgressCallback | None
) -> Upload:
    """Put a form around a source; ValueError if the name or the type cannot be sent."""
    name = source.filename or "" if filename is None else filename
    form = multipart.frame(filename=name, content_type=content_type, boundary=secrets.token_hex(16))
    return Upload(source=source, filename=name, form=form, on_progress=on_progress)


async def upload(transport: Transport, options: Options, claims: Claims, upload: Upload) -> File:
    """Carry out an upload; see Storing."""
    operation = operations.upload_file(options)

    @asynccontextmanager
    async def prepare() -> AsyncGenerator[Sending]:
        async with upload.opened() as content:
            yield Sending(identity=(upload.filename, content.size), send=partial(send, content))

    async def send(content: Content, until: float | None) -> Reply:
        body = Body(upload.form, content.size, content.pieces, upload.on_progress)
        return await transport.fetch(operation.request, options, body=body, until=until)

    deed = Deed(operation=operation, prepare=prepare, digest=upload.digest, repeatable=upload.source.replayable)
    try:
        return await Storing(transport, options, claims, deed).run()
    finally:
        await upload.source.close()
