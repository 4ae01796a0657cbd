"""The file system: looking, reading, and here what changes the workspace."""

from __future__ import annotations

import asyncio
import errno
import os
from functools import partial
from typing import IO, TYPE_CHECKING, Any, NoReturn

from .failures import told
from .listing import IDS, Listing, id_in
from .opened import CompressingFile, TextFile, WriteFile
from .reading import Reading, telling
from .untyped import DEFAULT_CALLBACK, Callback, compr, get_compression, sync

if TYPE_CHECKING:
    from .untyped import AbstractBufferedFile

_NO_COPY = (
    "the service cannot copy, move or rename; a copy made by download and upload "
    "could not be read again, because what is uploaded cannot be downloaded"
)
# What `open` takes for text.
_TEXT = ("encoding", "errors", "newline")
_NO_EMPTY_FILES = "the service stores no empty files"
_NO_APPEND = "the service cannot change or extend a file; mode {!r} is none of rb, wb and xb"


class OpenRouterFileSystem(Reading):
    """The files of an OpenRouter workspace, as ``openrouter://folder/name.csv``.

    Folders come from the names of the files; they cannot be made, and are gone with their last
    file. Names are not unique: a path means the newest file of its name, ``info(path)["older"]``
    has the ids of the others, and ``openrouter://@id/or_file_...`` means one file, whatever its
    name; ``ls("@id")`` has them all. Only what a model wrote or what was promoted can be read:
    of what was uploaded, reading is a PermissionError. Writing a path stores a new file beside
    those of its name, when it is closed; ``rm`` deletes all of a name, or the one with an id.
    What goes wrong is an OSError, with the error of this package as its cause.

    The listing is kept, as fsspec does: see ``use_listings_cache``, ``listings_expiry_time`` and
    ``invalidate_cache``. A path that is not in it is looked for in a new one.

    Args:
        api_key: A key, or a function that returns one; None takes OPENROUTER_API_KEY. It is part of
            a pickle, if it is given, but never of ``to_json``: prefer the environment.
        base_url: None takes OPENROUTER_BASE_URL, else https://openrouter.ai/api/v1.
        workspace_id: None for the key's own workspace.
        provider: None for OpenRouter's storage, else the store of that provider.
        timeouts: A Timeouts, or a mapping of its fields.
        retry: A RetryPolicy, or a mapping of its fields.
        headers: Sent with each request.
        batch_size: How many files are read or written at once; None for 8.
        asynchronous, loop, use_listings_cache, listings_expiry_time: As everywhere in fsspec.

    Other keywords are those of FilesClient: ``app_title``, ``ssl``, ``max_connections`` ...

    Raises:
        ValueError: There is no key, or an argument makes no sense.
        TypeError: There is no such argument.
    """

    def open(
        self,
        path: str,
        mode: str = "rb",
        block_size: Any = None,
        cache_options: Any = None,
        compression: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Open a file as fsspec does; one that is written with compression is stored when it is closed."""
        how = (block_size, cache_options)
        if "b" not in mode and mode[:1] in {"w", "x"}:
            text = {name: kwargs.pop(name) for name in _TEXT if name in kwargs}
            binary = mode.replace("t", "") + "b"
            return TextFile(self.open(path, binary, *how, compression=compression, **kwargs), **text)
        if compression is None or mode not in {"wb", "xb"}:
            return super().open(path, mode, *how, compression=compression, **kwargs)
        compress = compr[get_compression(path, compression)]
        stored = super().open(path, mode, *how, **kwargs)
        return CompressingFile(compress(stored, mode="w"), stored)

    def _open(self, path: str, mode: str = "rb", autocommit: bool = True, **buffering: Any) -> AbstractBufferedFile:
        if mode == "rb":
            return self._open_to_read(path, **buffering)
        if mode not in {"wb", "xb"}:
            raise NotImplementedError(_NO_APPEND.format(mode))
        sync(self.loop, self._check_target, path, "create" if mode == "xb" else "overwrite")
        store = partial(sync, self.loop, self._store_handle, path)
        return WriteFile(self, path, mode, store, autocommit=autocommit, **buffering)

    async def _check_target(self, path: str, mode: str) -> None:
        """Refuse a path that cannot be written, or that exists (the service cannot promise more) with ``create``."""
        if path in {"", IDS} or id_in(path) is not None:
            raise ValueError(f"{path!r} cannot be written: it names no file, or one by its id")
        if mode == "create" and await self._exists(path, refresh=True):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)

    async def _store_handle(self, path: str, handle: IO[bytes]) -> None:
        await self._store(handle, path)

    async def _store(
        self, source: IO[bytes] | bytes | str | os.PathLike[str], path: str, callback: Callback = DEFAULT_CALLBACK
    ) -> None:
        try:
            with told(path):
                await self._files.upload(source, filename=path, on_progress=telling(callback))
        finally:
            self.invalidate_cache()

    async def _pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        path = self._strip_protocol(path)
        await self._check_target(path, mode)
        await self._store(bytes(value), path)

    async def _put_file(
        self,
        lpath: str | os.PathLike[str],
        rpath: str,
        callback: Callback = DEFAULT_CALLBACK,
        mode: str = "overwrite",
        **_: Any,
    ) -> None:
        if await asyncio.to_thread(os.path.isdir, lpath):
            return  # folders come with their files
        path = self._strip_protocol(rpath)
        await self._check_target(path, mode)
        await self._store(lpath, path, callback)

    async def _rm(self, path: Any, recursive: bool = False, *limits: Any, **kwargs: Any) -> Any:
        """Delete what is there now, not what was when the listing was kept."""
        if recursive and {"", IDS} & {self._strip_protocol(p) for p in ([path] if isinstance(path, str) else path)}:
            raise ValueError("the whole workspace is not deleted at once: name its folders")
        self.invalidate_cache()
        kwargs["listing"] = await self._listing("")
        return await super()._rm(path, recursive, *limits, folders=recursive, **kwargs)

    async def _rm_file(self, path: str, *, listing: Listing | None = None, folders: bool = False, **_: Any) -> None:
        path = self._strip_protocol(path)
        if id_in(path) is not None:
            return await self._delete(path, id_in(path) or "")
        files = (listing or await self._fresh(path)).versions(path)
        if not files and not folders:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        for file in files:  # the newest goes last: the path never means an older one
            await self._delete(path, file.id, missing_ok=True)
        return None

    async def _delete(self, path: str, file_id: str, *, missing_ok: bool = False) -> None:
        try:
            with told(path):
                await self._files.delete(file_id, missing_ok=missing_ok)
        finally:
            self.invalidate_cache()

    async def _cp_file(self, path1: str, path2: str, **_: Any) -> NoReturn:
        raise NotImplementedError(_NO_COPY)

    def touch(self, path: str, truncate: bool = True, **_: Any) -> NoReturn:
        """Raise NotImplementedError: the service stores no empty files, and no other times than its own."""
        raise NotImplementedError(_NO_EMPTY_FILES)
