"""One upload: a source, and a form around it."""

from __future__ import annotations

import secrets
from functools import partial
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING

from attrs import field, frozen

from ..contract import multipart, operations
from ..disk.digest import digest
from ..errors import FilesError
from ..exchange.body import Body
from ..given import listener
from .storing import Deed, Sending, Storing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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
    on_progress: ProgressCallback | None = field(validator=listener)

    def body(self, content: Content) -> Body:
        """Return what an attempt sends."""
        return Body(self.form, content.size, content.pieces, self.on_progress, data=content.data)

    async def digest(self) -> bytes | None:
        """Return the hash of the content; None if it cannot be read again."""
        if not self.source.replayable:
            return None
        try:
            content = await self.source.open()
            try:
                return await digest(content.pieces)
            finally:
                await content.close()
        except (FilesError, OSError, ValueError):  # its call was cancelled meanwhile, or its file is gone
            return None


class _Attempt:
    """The source, opened anew for one attempt: a class, which ``async with`` enters faster than a generator."""

    def __init__(self, upload: Upload, send: Callable[[Content, float | None, bool], Awaitable[Reply]]) -> None:
        self._upload = upload
        self._send = send
        self._content: Content | None = None

    async def __aenter__(self) -> Sending:
        content = self._content = await self._upload.source.open()
        return Sending(identity=(self._upload.filename, content.size), send=partial(self._send, content))

    async def __aexit__(self, *_: object) -> None:
        if self._content is not None:
            await self._content.close()


# What nobody can guess cannot be written into a file. The system's own randomness costs 25 microseconds a piece.
_secret, _drawn = secrets.token_bytes(32), count()


def _boundary() -> str:
    return blake2b(next(_drawn).to_bytes(8), digest_size=16, key=_secret).hexdigest()


def framed(
    source: Source, *, filename: str | None, content_type: str | None, on_progress: ProgressCallback | None
) -> Upload:
    """Put a form around a source; ValueError if the name or the type cannot be sent."""
    name = source.filename or "" if filename is None else filename
    form = multipart.frame(filename=name, content_type=content_type, boundary=_boundary())
    return Upload(source=source, filename=name, form=form, on_progress=on_progress)


async def upload(transport: Transport, options: Options, claims: Claims, upload: Upload) -> File:
    """Carry out an upload; see Storing."""
    operation = operations.upload_file(options)

    async def send(content: Content, until: float | None, fresh: bool) -> Reply:
        return await transport.fetch(operation.request, options, body=upload.body(content), until=until, fresh=fresh)

    deed = Deed(
        operation=operation,
        prepare=partial(_Attempt, upload, send),
        digest=upload.digest,
        repeatable=upload.source.replayable,
    )
    try:
        return await Storing(transport, options, claims, deed).run()
    finally:
        await upload.source.close()
