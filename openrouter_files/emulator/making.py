"""How a file comes to be in the store: uploaded under all the rules, or made by the server under none."""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO, TYPE_CHECKING

from attrs import evolve

from openrouter_files.emulator.filenames import check_filename
from openrouter_files.emulator.incoming import Incoming, incoming
from openrouter_files.emulator.refusals import Refusal
from openrouter_files.emulator.sniffing import UNKNOWN, Examination
from openrouter_files.emulator.store import PIECE
from openrouter_files.emulator.stored import StoredFile, moment, new_id
from openrouter_files.emulator.uploads import UploadForm, receive

if TYPE_CHECKING:
    import os

    from openrouter_files.emulator.index import Index
    from openrouter_files.emulator.received import Arrival
    from openrouter_files.emulator.service import Service

_FORM_AROUND_FILE = 1 << 20


async def upload(service: Service, arrival: Arrival, workspace_id: str) -> StoredFile:
    """Store the file of the form that a request carries.

    Raises:
        Refusal: in this order: 413, 400 if it is empty, for its name, for its type, 403 for the quota.

    Source: OpenRouter guide "Files API", upload rules; the order is ours, and that a provider takes any type
    and counts for no quota of the workspace.
    """
    limit = service.rules.max_file_bytes
    if (arrival.request.content_length or 0) > limit + _FORM_AROUND_FILE:
        raise Refusal(413, f"File exceeds the maximum size of {limit} bytes")
    with incoming(service.store, limit=limit) as content:
        form = await receive(arrival.read, arrival.headers.get("content-type", ""), content)
        return await service.store.look(lambda index: _settle_upload(service, index, form, workspace_id))


async def make(
    service: Service,
    filename: str,
    source: bytes | str | os.PathLike[str],
    *,
    downloadable: bool,
    workspace_id: str,
    within_quota: bool = False,
) -> StoredFile:
    """Store a file as the server itself would: any name, any content, quota or not.

    Raises:
        Refusal: 403, for the quota, if that counts.
    """

    def settle(index: Index) -> StoredFile:
        seen, body, mime_type = content.settled()
        file = _described(service, seen, filename, mime_type or UNKNOWN, workspace_id, downloadable=downloadable)
        return service.store.settle(index, file, body, within_quota=within_quota)

    with incoming(service.store) as content:
        await _take_all(service, source, content)
        return await service.store.look(settle)


def _settle_upload(service: Service, index: Index, form: UploadForm, workspace_id: str) -> StoredFile:
    if not form.content.size:
        raise Refusal(400, "File is empty")
    check_filename(form.filename or "")
    seen, body, mime_type = form.content.settled()
    ours = service.rules.provider is None
    if mime_type is None and ours:
        raise Refusal(400, "File type is not allowed. The type is determined from the file contents")
    file = _described(service, seen, form.filename or "", mime_type or UNKNOWN, workspace_id, downloadable=False)
    file = evolve(file, purpose=form.purpose or file.purpose)
    return service.store.settle(index, file, body, within_quota=ours)


def _described(
    service: Service, seen: Examination, filename: str, mime_type: str, workspace_id: str, *, downloadable: bool
) -> StoredFile:
    return StoredFile(
        id=new_id(service.rules.id_prefix),
        filename=filename,
        mime_type=mime_type,
        size_bytes=seen.size,
        created_at=moment(service.rules.clock()),
        downloadable=downloadable,
        workspace_id=workspace_id,
        sha256=seen.sha256,
    )


async def _take_all(service: Service, source: bytes | str | os.PathLike[str], content: Incoming) -> None:
    with await service.store.on_disk(_opened, source) as file:
        while piece := await service.store.on_disk(file.read, PIECE):
            await content.take(piece)
    await content.finish()


def _opened(source: bytes | str | os.PathLike[str]) -> IO[bytes]:
    return io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb")
