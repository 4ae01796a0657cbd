"""The operations on files."""

from __future__ import annotations

import io
import os
import re
import threading
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, get_args

from attrs import define, evolve, field, frozen

from .errors import Refusal
from .faults import Operation
from .multipart import FormEvent, FormReader, MalformedFormError, PartBegun, PartData, boundary_of, check_filename
from .requests import Arrival, Where
from .responses import Answer, file_in, json_answer, page_in, receipt_in
from .sniffing import UNKNOWN, Examination
from .store import PIECE, Blob, Index, Provider, Store, StoredFile, moment, new_id

if TYPE_CHECKING:
    from .app import Admission, Service


# ---- The providers to whose own Files API a call may be passed on: which have a key, which fail.

KNOWN: tuple[Provider, ...] = get_args(Provider)


@define
class Providers:
    """The account's keys for providers."""

    _configured: set[Provider] = field(factory=set[Provider])
    _failing: set[Provider] = field(factory=set[Provider])

    def configure(self, providers: Iterable[Provider]) -> None:
        """Have keys for these.

        Raises:
            ValueError: a name is no provider's.
        """
        for provider in providers:
            if provider not in KNOWN:
                raise ValueError(f"a provider is one of {', '.join(KNOWN)}, not {provider!r}")
            self._configured.add(provider)

    def fail(self, provider: Provider, *, failing: bool) -> None:
        """Let a provider's Files API fail, or work again."""
        (self._failing.add if failing else self._failing.discard)(provider)

    def named(self, said: str | None) -> Provider | None:
        """The provider that a query names, None if it names none.

        Raises:
            Refusal: 400 for a name that is none, and for a provider without a key.

        Source: OpenRouter guide "Files API", ``provider``.
        """
        provider = next((known for known in KNOWN if known == said), None)
        if said is not None and provider is None:
            raise Refusal(400, f"provider must be {' or '.join(KNOWN)}")
        if provider is not None and provider not in self._configured:
            raise Refusal(400, f"No provider key configured for {provider}")
        return provider

    def reach(self, provider: Provider | None) -> None:
        """Get through to a provider.

        Raises:
            Refusal: 502, it fails.

        Source: OpenRouter OpenAPI document, 502; that it stands for the provider's failure is our reading.
        """
        if provider in self._failing:
            raise Refusal(502)


# ---- Content on its way into the store: held while it is small, on disk when it is not, gone if nobody keeps it.


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


# ---- Receiving a form with one file in it.

_FIELD = 1024


@define
class UploadForm:
    """What a form held: the file went to ``content``, its name and the other fields are here.

    ``purpose`` is kept for answers of the openai shape; other fields are ignored.
    """

    content: Incoming
    filename: str | None = None
    purpose: str = ""
    _files: int = 0
    _part: str = ""
    _fields: dict[str, bytes] = field(factory=dict[str, bytes])

    async def take(self, event: FormEvent) -> None:
        """Follow the form by one event."""
        match event:
            case PartBegun():
                self._begin(event)
            case PartData() if self._part == "file":
                await self.content.take(event.data)
            case PartData() if self._part == "purpose":
                self._fields["purpose"] = (self._fields.get("purpose", b"") + event.data)[:_FIELD]
            case _:
                self.purpose = self._fields.get("purpose", b"").decode("utf-8", "replace")

    def _begin(self, part: PartBegun) -> None:
        self._part = part.name
        if part.name == "file":
            self._files += 1
            self.filename = part.filename or ""
        if self._files > 1:
            raise Refusal(400, "Only one file may be uploaded at a time")


async def receive(read: Callable[[], Awaitable[bytes]], content_type: str, content: Incoming) -> UploadForm:
    """Read a form to its end, its file into ``content``.

    Raises:
        Refusal: 400 for what is no form, or not one with exactly one part named ``file``; 413 as
            soon as the file is too large.

    Source: OpenRouter OpenAPI document, uploadFile; for repeated and missing parts the 400 is ours.
    """
    form = UploadForm(content)
    try:
        await _read(read, FormReader(boundary_of(content_type)), form)
    except MalformedFormError as error:
        raise Refusal(400, str(error)) from error
    if form.filename is None:
        raise Refusal(400, "The form has no part named 'file'")
    await content.finish()
    return form


async def _read(read: Callable[[], Awaitable[bytes]], reader: FormReader, form: UploadForm) -> None:
    while piece := await read():
        for event in reader.feed(piece):
            await form.take(event)
        if form.content.too_large:
            raise Refusal(413, f"File exceeds the maximum size of {form.content.limit} bytes")
    if not reader.ended:
        raise MalformedFormError("The form ends before its closing boundary")


# ---- How a file comes to be in the store: uploaded under all the rules, or made by the server under none.

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


# ---- Parts of a download, for a server that offers them (the real one documents none).

_RANGE = re.compile(r"bytes=(\d{1,18})?-(\d{1,18})?", re.ASCII)


@frozen
class Part:
    """Bytes ``start`` to ``stop``, exclusive, of content."""

    start: int
    stop: int


def part_asked(headers: Mapping[str, str], size: int, etag: str) -> Part | None:
    """The part that a request wants, None for everything.

    A range that is not understood, and one whose If-Range names another content, do not count.

    Raises:
        Refusal: 416, nothing lies there.

    Source: RFC 9110 sections 13.1.5 and 14.2.
    """
    said = _RANGE.fullmatch(headers.get("range", ""))
    if said is None or said.group() == "bytes=-" or headers.get("if-range", etag) != etag:
        return None
    part = _part(said[1], said[2], size)
    if part.start >= part.stop:
        raise Refusal(416, headers={"Content-Range": f"bytes */{size}"})
    return part


def _part(first: str | None, last: str | None, size: int) -> Part:
    if first is None:
        return Part(max(0, size - int(last or 0)), size)
    return Part(int(first), size if last is None else min(size, int(last) + 1))


# ---- The bytes of a file as an answer, whole or in part.

_BINARY = "application/octet-stream"


async def content_answer(service: Service, arrival: Arrival, file: StoredFile) -> Answer:
    """The content of a file, of which a server with ranges sends the part that is asked for."""
    body = await service.store.content(file)
    if not service.rules.ranges:
        return Answer(body=body, content_type=_BINARY)
    return _ranged(arrival, file, body)


def _ranged(arrival: Arrival, file: StoredFile, body: bytes | Blob) -> Answer:
    etag = f'"{file.sha256}"'
    headers = {"Accept-Ranges": "bytes", "ETag": etag}
    part = part_asked(arrival.headers, file.size_bytes, etag)
    if part is None:
        return Answer(body=body, content_type=_BINARY, headers=headers)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{file.size_bytes}"
    return Answer(status=206, body=_cut(body, part), content_type=_BINARY, headers=headers)


def _cut(body: bytes | Blob, part: Part) -> bytes | Blob:
    if isinstance(body, bytes):
        return body[part.start : part.stop]
    return Blob(path=body.path, start=part.start, size=part.stop - part.start)


# ---- The five file operations: what each does for a request, and what it answers.


async def _list(service: Service, arrival: Arrival, admission: Admission) -> Answer:
    where = admission.where
    files = await service.store.look(lambda index: _page(index, admission.drawer, where))
    page, has_more = files[: where.limit], len(files) > where.limit
    shape = service.rules.shape_for(arrival.headers)
    return json_answer(page_in(shape, page if where.before is None else page[::-1], has_more=has_more))


async def _upload(service: Service, arrival: Arrival, admission: Admission) -> Answer:
    file = await upload(service, arrival, admission.drawer)
    return json_answer(file_in(service.rules.shape_for(arrival.headers), file))


async def _retrieve(service: Service, arrival: Arrival, admission: Admission) -> Answer:
    file = await _found(service, arrival, admission)
    return json_answer(file_in(service.rules.shape_for(arrival.headers), file))


async def _delete(service: Service, arrival: Arrival, admission: Admission) -> Answer:
    file_id = arrival.file_id or ""
    if not await service.store.remove(file_id, admission.drawer):
        raise Refusal(404)
    return json_answer(receipt_in(service.rules.shape_for(arrival.headers), file_id))


async def _download(service: Service, arrival: Arrival, admission: Admission) -> Answer:
    file = await _found(service, arrival, admission)
    if not file.downloadable:
        raise Refusal(400, "This file is not downloadable")
    return await content_answer(service, arrival, file)


FILE_OPERATIONS: dict[Operation, Callable[[Service, Arrival, Admission], Awaitable[Answer]]] = {
    "list": _list,
    "upload": _upload,
    "retrieve": _retrieve,
    "delete": _delete,
    "download": _download,
}


def _page(index: Index, drawer: str, where: Where) -> tuple[StoredFile, ...]:
    start = where.after or where.before
    place = None if start is None else index.place(start, drawer)
    if start is not None and place is None:
        raise Refusal(400, "The listing cannot start at a file that does not exist")
    # One more than asked tells whether there is more.
    if where.newest_first or where.before is not None:
        return index.page_back(drawer, place, where.limit + 1)
    return index.page(drawer, place or 0, where.limit + 1)


async def _found(service: Service, arrival: Arrival, admission: Admission) -> StoredFile:
    """The file that a request is about.

    Source: OpenRouter guide "Files API": 404 for an unknown id and for one of another workspace.
    """
    file_id = arrival.file_id or ""
    file = await service.store.look(lambda index: index.get(file_id, admission.drawer))
    if file is None:
        raise Refusal(404)
    return file
