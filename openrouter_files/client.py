"""The client: one method per operation, read like the table of contents of the API."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from .calls.delete import Deleting
from .calls.download import Download, opener
from .calls.list import list_page
from .calls.saving import Saving, save
from .calls.upload import framed, upload
from .containers import ContainerFiles
from .contract import operations
from .disk.source import source_of
from .errors import NotFoundError
from .exchange import call
from .exchange.pages import made_since, walk
from .files_tool import Asking
from .models import DeletedFile, File, FilePage, PageToken, ProgressCallback

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from datetime import datetime
    from pathlib import Path

    from .contract.requests import Operation
    from .disk.source import Uploadable
    from .exchange.stream import Stream
    from .options import Overwrite

T = TypeVar("T")


def _id_of(file: File | str) -> str:
    return file.id if isinstance(file, File) else file


class FilesClient(Asking):
    """The files of an OpenRouter workspace.

    ``async with FilesClient() as files: ...`` or ``await files.aclose()`` in the end. What every
    operation takes (workspace, timeouts, retries ...) is given to ``files.with_options(...)``.
    Many tasks may use a client at once, one event loop after another, and a forked child.

    Args:
        api_key: A key, or a function, sync or async, asked for each request; None takes OPENROUTER_API_KEY.
        base_url: None takes OPENROUTER_BASE_URL, else https://openrouter.ai/api/v1.
        http_referer: Attribution; None takes OPENROUTER_HTTP_REFERER.
        app_title: Attribution; None takes OPENROUTER_APP_TITLE.
        app_categories: Attribution, with commas or a sequence; None takes OPENROUTER_APP_CATEGORIES.
        session: An aiohttp session of yours; it is used as it is and left open.
        options: What every call takes; ``with_options`` changes it for some.
        ssl: A TLS context, for certificates of your own.
        trust_env: Whether HTTPS_PROXY, NO_PROXY ... count. A session of yours decides for itself.
        allow_plain_http: Whether the key may travel unencrypted beyond this machine.
        max_connections: How many requests run at once; the others wait, without a timeout.
        trace_configs: aiohttp's, for sessions of ours; they see whole requests, the key included.

    Raises:
        ValueError: There is no key, or an argument makes no sense.
    """

    def list(
        self, *, page_size: int | None = 1000, after: File | str | None = None, created_since: datetime | None = None
    ) -> AsyncGenerator[File]:
        """Yield all files, oldest first (a provider's may not be); from the second page on, the next is fetched ahead.

        Args:
            page_size: Files per request, 1 to 1,000; None leaves it to the server (100).
            after: A file, or its id: only what came later.
            created_since: Timezone-aware, by the server's clock: what was made then or later.

        Raises:
            InvalidResponseError: The server repeats itself.
        """
        operations.check_limit(page_size, "page_size")
        parameter = "after_id" if self._options.provider == "anthropic" else "after"
        start = None if after is None else PageToken(parameter, _id_of(after))
        found = walk(partial(list_page, self._transport, self._options, self._books, page_size), start)
        return found if created_since is None else made_since(found, created_since)

    async def list_page(self, *, limit: int | None = None, cursor: PageToken | str | None = None) -> FilePage:
        """Return one page, oldest files first.

        Args:
            limit: Files in the page, 1 to 1,000; None leaves it to the server (100).
            cursor: ``next`` of the page before, or a cursor kept as text; None for the first page.

        Raises:
            ValueError: The limit is out of bounds.
        """
        token = PageToken("cursor", cursor) if isinstance(cursor, str) else cursor
        return await list_page(self._transport, self._options, self._books, limit, token)

    async def upload(
        self,
        source: Uploadable,
        *,
        filename: str | None = None,
        content_type: str | None = None,
        size: int | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> File:
        """Upload a file and return what the server made of it.

        Args:
            source: A path; a binary handle, sync or of aiofiles, read from where it stands and
                left open; bytes; or an async iterator of bytes.
            filename: As it is stored, folders included (``data/r.csv``); None takes the source's.
            content_type: Of the part; the server reads the type from the content anyway.
            size: Bytes an async iterator will yield. With it they are sent as they come, and so
                only once; without it they are spooled to a temporary file first.
            on_progress: Called with a Progress; it starts over if the upload does.

        Raises:
            BadRequestError: The name, the type or an empty file was refused.
            PayloadTooLargeError: More than 104,857,600 bytes.
            PermissionDeniedError: The workspace is full.
            AmbiguousUploadError: It may have been stored, and nobody can tell.
            SourceError: The file changed while it was sent.
            OSError: The disk's own.
        """
        framing = framed(
            source_of(source, size=size), filename=filename, content_type=content_type, on_progress=on_progress
        )
        return await upload(self._transport, self._options, self._claims, framing)

    async def retrieve(self, file_id: str) -> File:
        """Return the metadata of the file ``file_id``; NotFoundError if it is not in this workspace."""
        return await self._fetch(operations.retrieve_file(self._options, file_id))

    async def delete(self, file_id: str, *, missing_ok: bool = False) -> DeletedFile:
        """Delete the file ``file_id`` for good.

        Raises:
            NotFoundError: It is not there, and ``missing_ok`` is False.
        """
        self._claims.ledger.forget(file_id)
        try:
            return await Deleting(self._transport, self._options, file_id).run()
        except NotFoundError:
            if not missing_ok:
                raise
            return DeletedFile(id=file_id)

    def download(self, file: File | str, *, start: int = 0, stop: int | None = None) -> Download:
        """Return a download of ``file``: ``async with`` it, iterate it, or await its ``read()``.

        Only what a model wrote or what was promoted can be downloaded. Of a File, the length is
        proven against ``size_bytes``, too. ``start`` and ``stop`` cut out a part, as in a slice, by
        a Range request; of a server without ranges, the bytes before ``start`` are read past.
        """
        return Download(self._opener(file, start, stop))

    async def download_to(
        self,
        file: File | str,
        target: str | os.PathLike[str],
        *,
        overwrite: Overwrite | None = None,
        keep_folders: bool = False,
        fsync: bool = False,
        on_progress: ProgressCallback | None = None,
    ) -> Path:
        """Save a file; it appears under its name only when it is whole. Return its path.

        Args:
            file: An id, or the File.
            target: A path, or a folder (one that is there, or a path that ends with a slash): then the
                name is the server's, made safe. Folders that are missing are made.
            overwrite: If the name is taken: ``"replace"`` it at the end, ``"error"``, ``"skip"``
                the download, ``"rename"`` ours. None replaces a path and spares what a folder holds.
            keep_folders: In a folder, ``a/b.txt`` becomes ``b.txt`` in a folder ``a``, not ``b.txt``.
            fsync: Whether to wait until the disk has it.
            on_progress: Called with a Progress.

        Raises:
            IncompleteDownloadError: Fewer or more bytes than promised; nothing was left behind.
            FileExistsError: The name is taken, and ``overwrite`` says that this is an error.
            OSError: The disk's own.
        """
        saving = Saving(overwrite=overwrite, keep_folders=keep_folders, fsync=fsync, on_progress=on_progress)
        return await save(self._opener(file), target, file, self.retrieve, saving)

    def container(self, container_id: str) -> ContainerFiles:
        """Return the files inside the sandbox container ``container_id``: list, retrieve, download, promote.

        Raises:
            ValueError: The id makes no sense.
        """
        return ContainerFiles(self._transport, self._options, self._books, container_id)

    def _opener(self, file: File | str, start: int = 0, stop: int | None = None) -> Callable[[], Awaitable[Stream]]:
        request = operations.file_content(self._options, _id_of(file))
        return opener(self._transport, self._options, request, file, self.retrieve, first=start, stop=stop)

    async def _fetch(self, operation: Operation[T]) -> T:
        return await call.fetch(self._transport, operation, self._options)
