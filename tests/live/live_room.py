"""What a live test writes, and that it is gone afterwards, whatever happened."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, Any

import aiohttp
from attrs import define, field

from openrouter_files import BadRequestError, FilesClient, FilesError

if TYPE_CHECKING:
    from collections.abc import Callable

    from live_wire import Seen, Wire

    from openrouter_files import File

_LOOKS = 3


@define
class Broom:
    """What sweeps away all that one run wrote: its prefix, and the stores (None or a provider) that it wrote to."""

    prefix: str = field(factory=lambda: f"openrouter-files-live-{secrets.token_hex(6)}-")
    stores: set[str | None] = field(factory=set)

    async def sweep(self) -> None:
        """Delete every file of the prefix; a provider without a key has none.

        Raises:
            AssertionError: some could not be deleted.
            FilesError: it cannot be told.
        """
        async with FilesClient() as files:
            if None in self.stores:
                await self._sweep(files)
            for provider in self.stores - {None}:
                with contextlib.suppress(BadRequestError):
                    await self._sweep(files.with_options(provider=provider))

    async def _sweep(self, files: FilesClient) -> None:
        for _ in range(_LOOKS):
            left = [file.id async for file in files.list() if file.filename.startswith(self.prefix)]
            if not left:
                return
            await delete_all(files, left)
            await asyncio.sleep(0.2)
        raise AssertionError(f"files named {self.prefix}... may be left in the workspace: {left}")


@define
class Room:
    """The files of one test, all of the run's prefix, in the workspace or, under ``query``, at a provider."""

    files: FilesClient
    wire: Wire
    broom: Broom
    query: dict[str, str] = field(factory=dict)
    ids: set[str] = field(factory=set)

    def name(self, rest: str) -> str:
        """A filename of this run."""
        return self.broom.prefix + rest

    async def upload(self, rest: str, content: bytes = b"hello\n") -> File:
        """Upload with the client."""
        self.broom.stores.add(self.query.get("provider"))
        file = await self.files.upload(content, filename=self.name(rest))
        self.ids.add(file.id)
        return file

    async def post(self, fill: Callable[[aiohttp.FormData], object], **arguments: Any) -> Seen:
        """Upload a form of one's own; a refusal is an answer, too."""
        self.broom.stores.add(self.query.get("provider"))
        seen = await self.wire.ask("POST", "/files", query=self.query, form=lambda: _filled(fill), **arguments)
        if seen.status == 200 and "id" in seen.json:
            self.ids.add(str(seen.json["id"]))
        return seen

    async def post_file(self, rest: str, content: bytes = b"hello\n", **arguments: Any) -> Seen:
        """Upload a file, with that name and content."""
        return await self.post(
            lambda form: form.add_field("file", content, filename=self.name(rest), content_type="text/plain"),
            **arguments,
        )

    async def clean(self) -> None:
        """Delete what is known to be here; the broom finds the rest."""
        await delete_all(self.files, self.ids)


async def delete_all(files: FilesClient, ids: set[str] | list[str]) -> None:
    """Delete files; one that resists does not spare the others."""
    for file_id in ids:
        with contextlib.suppress(FilesError):
            await files.delete(file_id, missing_ok=True)


def _filled(fill: Callable[[aiohttp.FormData], object]) -> aiohttp.FormData:
    form = aiohttp.FormData(quote_fields=False)
    fill(form)
    return form
