"""The files inside a sandbox container."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from attrs import evolve

from .calls.download import Download, opener
from .calls.promote import promote
from .calls.saving import Saving, save
from .contract import operations
from .exchange import call
from .exchange.pages import walk
from .models import ContainerFile, ContainerPage, File, PageToken, ProgressCallback

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from .contract.requests import Operation
    from .exchange.stream import Stream
    from .exchange.transport import Transport
    from .options import Options, Overwrite
    from .reconciling.books import Books

T = TypeVar("T")


def _id_of(file: ContainerFile | str) -> str:
    return file.id if isinstance(file, ContainerFile) else file


class ContainerFiles:
    """The files inside one container; made by ``files.container(container_id)``.

    Containers belong to the key's own workspace: the options ``workspace_id`` and ``provider`` do
    not apply. Files can be given as ContainerFile or by id.

    Source: containers guide and the official SDK's ``containers``.
    """

    def __init__(self, transport: Transport, options: Options, books: Books, container_id: str) -> None:
        """Made by the client, not by you."""
        operations.list_container_files(container_id)  # a wrong id is told now, not when it is used
        self._transport = transport
        self._options = evolve(options, workspace_id=None, provider=None)
        self._books = books
        self._id = container_id

    def __repr__(self) -> str:
        return f"ContainerFiles({self._id!r})"

    def list(self, *, page_size: int | None = 1000) -> AsyncGenerator[ContainerFile]:
        """Yield all files, by path, from pages that may be empty; from the second on, one is fetched ahead.

        Args:
            page_size: Files per request, 1 to 1,000; None leaves it to the server (100).
        """
        operations.check_limit(page_size, "page_size")
        return walk(lambda token: self.list_page(limit=page_size, cursor=token), None)

    async def list_page(self, *, limit: int | None = None, cursor: PageToken | str | None = None) -> ContainerPage:
        """Return one page.

        Args:
            limit: Files in the page, 1 to 1,000; None leaves it to the server (100).
            cursor: ``next`` of the page before, or the id of a file; None for the first page.
        """
        token = PageToken("after", cursor) if isinstance(cursor, str) else cursor
        return await self._fetch(operations.list_container_files(self._id, limit=limit, cursor=token))

    async def retrieve(self, file_id: str) -> ContainerFile:
        """Return the metadata of the file ``file_id``; NotFoundError if it is not there."""
        return await self._fetch(operations.retrieve_container_file(self._id, file_id))

    def download(self, file: ContainerFile | str, *, start: int = 0, stop: int | None = None) -> Download:
        """Return a download of a file, or of a part of it, as ``FilesClient.download`` does."""
        return Download(self._opener(file, start, stop))

    async def download_to(
        self,
        file: ContainerFile | str,
        target: str | os.PathLike[str],
        *,
        overwrite: Overwrite | None = None,
        keep_folders: bool = False,
        fsync: bool = False,
        on_progress: ProgressCallback | None = None,
    ) -> Path:
        """Save a file, with the arguments and the promises of ``FilesClient.download_to``."""
        saving = Saving(overwrite=overwrite, keep_folders=keep_folders, fsync=fsync, on_progress=on_progress)
        return await save(self._opener(file), target, file, self.retrieve, saving)

    async def promote(self, file: ContainerFile | str) -> File:
        """Copy ``file`` into the workspace, under a new id; its name is the path.

        Raises:
            AmbiguousUploadError: It may have been copied, and nobody can tell.
            PayloadTooLargeError: More than 104,857,600 bytes.
            PermissionDeniedError: The workspace is full.
        """
        described = file if isinstance(file, ContainerFile) else await self.retrieve(file)
        claims = self._books.claims(self._transport, self._options)
        return await promote(self._transport, self._options, claims, described)

    def _opener(
        self, file: ContainerFile | str, start: int = 0, stop: int | None = None
    ) -> Callable[[], Awaitable[Stream]]:
        request = operations.container_file_content(self._id, _id_of(file))
        return opener(self._transport, self._options, request, file, self.retrieve, first=start, stop=stop)

    async def _fetch(self, operation: Operation[T]) -> T:
        return await call.fetch(self._transport, operation, self._options)
