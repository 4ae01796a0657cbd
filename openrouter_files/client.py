"""FilesClient and ContainerFiles: a method for each operation of the API."""

from __future__ import annotations

import asyncio
import os
import ssl as tls
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from copy import copy
from datetime import datetime
from functools import partial
from pathlib import Path
from types import NoneType, TracebackType
from typing import Any, Literal, Self, TypeVar, Unpack, overload

import aiohttp
from attrs import evolve

from .errors import APIError, InvalidResponseError, NotFoundError, TransportError
from .local.sources import Uploadable, source_of
from .models import (
    ContainerFile,
    ContainerPage,
    DeletedFile,
    File,
    FilePage,
    ModelAnswer,
    PageToken,
    ProgressCallback,
    Usage,
)
from .options import CallOptions, Options, Overwrite, check, checked_base_url, key_from_environment, standing_headers
from .protocol import requests as operations
from .protocol.chat import DONE, MOST_SAID, Broken, EventReader, chat_body, chat_request, read_answer, read_chunk
from .protocol.requests import JSON, Operation, Request
from .transfers.download import Download, Saving, Stream, opener, save
from .transfers.listing import list_page, made_since, walk
from .transfers.reconcile import Books, Claims
from .transfers.upload import Deleting, framed, promote, upload
from .transport import retry as call
from .transport.body import Document
from .transport.http import Answer, Reply, Transport
from .transport.key import Key, KeySource, masked
from .transport.retry import Hide
from .transport.session import Sessions
from .version import __version__

# ---- What every client of ours is made of: one transport, options, and an end.


class Connected:
    """A transport and options; the arguments are described at FilesClient, whose base this is."""

    def __init__(
        self,
        api_key: KeySource | None = None,
        *,
        base_url: str | None = None,
        http_referer: str | None = None,
        app_title: str | None = None,
        app_categories: str | Sequence[str] | None = None,
        session: aiohttp.ClientSession | None = None,
        options: Options | None = None,
        ssl: tls.SSLContext | None = None,
        trust_env: bool = True,
        allow_plain_http: bool = False,
        max_connections: int = 100,
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
    ) -> None:
        key = masked(api_key)
        api_key = None  # no error below shows it among the locals of this frame
        check("options", options, Options, NoneType)
        check("max_connections", max_connections, int)
        self._options = options or Options()
        self._books = Books()
        self._transport = Transport(
            base_url=checked_base_url(base_url, allow_plain_http=allow_plain_http),
            key=Key(key if key is not None else key_from_environment()),
            headers=standing_headers(
                version=__version__, http_referer=http_referer, app_title=app_title, app_categories=app_categories
            ),
            sessions=Sessions(given=session, ssl=ssl, most_connections=max_connections, trace_configs=trace_configs),
            trust_env=trust_env,
        )

    @property
    def base_url(self) -> str:
        """Where the requests go, without a trailing slash."""
        return self._transport.base_url

    @property
    def options(self) -> Options:
        """What every call of this client takes."""
        return self._options

    @property
    def _claims(self) -> Claims:
        return self._books.claims(self._transport, self._options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections of the running loop. A call made later opens new ones."""
        await self._transport.aclose()

    def with_options(self, **changes: Unpack[CallOptions]) -> Self:
        """Return a client with other options that shares this one's connections.

        ``changes`` are fields of ``Options``:
        ``await files.with_options(workspace_id=w, retry=NO_RETRIES).retrieve(file_id)``
        """
        other = copy(self)  # a subclass keeps what it added
        other._options = self._options.replace(changes)  # noqa: SLF001  # it is one of us
        return other


# ---- Asking a model that may use the openrouter:files tool: to list, read, write and edit files.

T = TypeVar("T")
V = TypeVar("V")

# A model that works with files thinks and calls for a while before it says a word.
_PATIENCE = 600.0

# Events that are read without a pause, if so many come at once: about a millisecond.
_AT_ONCE = 100


class AnswerStream:
    """What a model says, as it says it: an async iterator of pieces of text, and an async context manager.

    Attributes:
        finish_reason: Why the model ended; None until then.
        usage: None until the end, and if the server does not say.
    """

    def __init__(self, request: Request, answer: Answer, hide: Hide) -> None:
        """Made by ``FilesClient.ask``, not by you."""
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self._request = request
        self._answer = answer
        self._hide = hide
        self._texts = self._read()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncIterator[str]:
        """Iterate over the pieces of text.

        Raises:
            APIError: The model or the provider failed in the middle.
            TransportError: The stream broke off.
        """
        return self._texts

    async def aclose(self) -> None:
        """Stop listening."""
        try:
            await self._texts.aclose()
        finally:
            self._answer.close()

    async def _read(self) -> AsyncGenerator[str]:
        try:
            if "json" in self._answer.headers.get("Content-Type", ""):  # it failed before it spoke, or does not stream
                if text := await self._whole():
                    yield text
                return
            async for data in self._events():
                try:
                    chunk = self._understood(read_chunk, data)
                finally:
                    data = ""  # noqa: PLW2901  # as in _whole
                self.finish_reason = chunk.finish_reason or self.finish_reason
                self.usage = chunk.usage or self.usage
                if chunk.text:
                    yield chunk.text
                if chunk.broken is not None:
                    raise _failure(self._request, chunk.broken, self._answer.headers, self._hide)
        finally:
            self._answer.close()

    def _understood(self, read: Callable[[V], T], data: V) -> T:
        """Read what came, or raise what is wrong with it, without the key that a server may have sent back."""
        try:
            return read(data)
        except InvalidResponseError as error:
            told = call.without_the_key(self._request, error, self._hide)
        del data
        raise told

    async def _whole(self) -> str:
        body = bytearray()
        try:
            while piece := await self._answer.next():
                body += piece
                piece = b""
                if len(body) > MOST_SAID:
                    raise InvalidResponseError([f"longer than {MOST_SAID} bytes @ $"])
            answer = self._understood(read_answer, bytes(body))
        finally:
            body.clear()  # as in Answer.read: tools show what is left here of an error
        if isinstance(answer, Broken):
            raise _failure(self._request, answer, self._answer.headers, self._hide)
        self.finish_reason, self.usage = answer.finish_reason, answer.usage
        return answer.text

    async def _events(self) -> AsyncGenerator[str]:
        reader = EventReader(MOST_SAID)
        while piece := await self._answer.next():
            try:
                events = self._understood(reader.feed, piece)
            finally:
                piece = b""  # as in _whole
            for number, event in enumerate(events, start=1):
                if event == DONE:
                    return
                yield event
                if number % _AT_ONCE == 0:
                    await asyncio.sleep(0)
        if self.finish_reason is None:
            raise TransportError("POST /chat/completions: the stream broke off before the model had finished")


def _failure(request: Request, broken: Broken, headers: Mapping[str, str], hide: Hide) -> APIError:
    """Return the error that a good answer holds; the model had begun, so it may have made files."""
    error = call.failure(request, broken.status, headers, broken.envelope, hide)
    error.maybe_processed, error.attempts = True, 1
    return error


def _check_place(options: Options) -> None:
    """Refuse a place that chat cannot be told. Source: OpenRouter OpenAPI document, chat completions."""
    if options.workspace_id is not None:
        raise ValueError(
            "chat has no workspace_id, a model works in the key's own workspace:"
            " ask with with_options(workspace_id=None), or with a key of the other workspace"
        )
    if options.provider is not None:
        raise ValueError(
            "chat has no provider of files, a model works with OpenRouter's storage:"
            " ask with with_options(provider=None)"
        )


def _patient(options: Options) -> Options:
    """Return the options of a question: a model is waited for, and never asked twice."""
    answer = options.timeouts.answer
    timeouts = evolve(options.timeouts, answer=None if answer is None else max(answer, _PATIENCE))
    return evolve(options, timeouts=timeouts, retry=evolve(options.retry, ambiguous="raise"))


class Asking(Connected):
    """What FilesClient can ask of models."""

    @overload
    async def ask(
        self,
        prompt: str | Sequence[Mapping[str, Any]],
        *,
        model: str,
        files: Sequence[File | str] = (),
        stream: Literal[False] = False,
        resolve_file_ids: bool = True,
        extra: Mapping[str, Any] | None = None,
    ) -> ModelAnswer: ...

    @overload
    async def ask(
        self,
        prompt: str | Sequence[Mapping[str, Any]],
        *,
        model: str,
        files: Sequence[File | str] = (),
        stream: Literal[True],
        resolve_file_ids: bool = True,
        extra: Mapping[str, Any] | None = None,
    ) -> AnswerStream: ...

    async def ask(
        self,
        prompt: str | Sequence[Mapping[str, Any]],
        *,
        model: str,
        files: Sequence[File | str] = (),
        stream: bool = False,
        resolve_file_ids: bool = True,
        extra: Mapping[str, Any] | None = None,
    ) -> ModelAnswer | AnswerStream:
        """Ask a model that may list, read, write and edit the files of the workspace.

        Never repeated once the model may have begun: it would act twice. The answer timeout is
        taken as ten minutes at least.

        Args:
            prompt: A question, or whole chat messages.
            model: ``openai/gpt-5.2``, say.
            files: Files to show the model, by id or as File.
            stream: Whether to return the text as it comes, as an AnswerStream.
            resolve_file_ids: Whether to send ``x-openrouter-file-ids: openrouter``, which older
                servers need and newer ones ignore.
            extra: More fields of the request: ``max_tokens``, ``session_id``, more ``tools`` ...

        Raises:
            APIError: The server or the provider refused or failed, also when an answer of 200 says so
                in its body; ``status`` is the one that this error names then.
            ValueError: There is no model or no prompt, or the client has a ``workspace_id`` or a
                ``provider``: chat knows neither.
        """
        if not model or not prompt:
            raise ValueError("a model and a prompt are needed")
        _check_place(self._options)
        request = chat_request(stream=stream, resolve_file_ids=resolve_file_ids)
        ids = [file if isinstance(file, str) else file.id for file in files]
        body = Document(chat_body(prompt, model=model, file_ids=ids, stream=stream, extra=extra or {}), JSON)
        options = _patient(self._options)
        if stream:
            answer = await call.open_stream(self._transport, request, options, body)
            return AnswerStream(request, answer, self._transport.hide)
        operation = Operation(request=request, read=read_answer)
        replies: list[Reply] = []
        said = await call.fetch(self._transport, operation, options, body=body, witness=replies.append)
        if isinstance(said, Broken):
            raise _failure(request, said, replies[-1].headers, replies[-1].hide)
        return said


# ---- The files inside a sandbox container.


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


# ---- The client: one method per operation, read like the table of contents of the API.


def _client_id_of(file: File | str) -> str:
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
        start = None if after is None else PageToken(parameter, _client_id_of(after))
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
        request = operations.file_content(self._options, _client_id_of(file))
        return opener(self._transport, self._options, request, file, self.retrieve, first=start, stop=stop)

    async def _fetch(self, operation: Operation[T]) -> T:
        return await call.fetch(self._transport, operation, self._options)
