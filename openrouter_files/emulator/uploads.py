"""Receiving a form with one file in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from openrouter_files.emulator.multipart import (
    FormEvent,
    FormReader,
    MalformedFormError,
    PartBegun,
    PartData,
    boundary_of,
)
from openrouter_files.emulator.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openrouter_files.emulator.incoming import Incoming

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
