"""Which paths there are: the half of the file system that asks for nothing but the listing."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from .failures import told
from .listing import IDS, Listing, file_entry, folder_entry, id_in, normal
from .settings import Surroundings, client_of
from .untyped import AsyncFileSystem, get_loop, sync

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from datetime import datetime

    from openrouter_files import File

T = TypeVar("T")

# Files that are read or written at once, unless told otherwise.
_AT_ONCE = 8


class Looking(AsyncFileSystem):
    """Listings and what follows from them. Arguments are described at OpenRouterFileSystem."""

    protocol = "openrouter"
    root_marker = ""
    _extra_tokenize_attributes = ("surroundings",)
    surroundings = Surroundings()

    def __init__(
        self,
        *,
        asynchronous: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
        batch_size: int | None = None,
        use_listings_cache: bool = True,
        listings_expiry_time: float | None = None,
        max_paths: int | None = None,
        **client: Any,
    ) -> None:
        listings = {"use_listings_cache": use_listings_cache, "listings_expiry_time": listings_expiry_time}
        super().__init__(
            asynchronous=asynchronous, loop=loop, batch_size=batch_size or _AT_ONCE, max_paths=max_paths, **listings
        )
        self._files = client_of(client)
        self._loading: asyncio.Task[Listing] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._files.base_url!r})"

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """Where the coroutines run; None if the file system was made asynchronous. A forked child has its own."""
        if self._pid != os.getpid():
            self._pid, self._loading = os.getpid(), None
            self._loop = None if self.asynchronous else get_loop()
        return self._loop

    def to_dict(self, *, include_password: bool = True) -> dict[str, Any]:  # noqa: ARG002  # fsspec's
        """Return what ``from_dict`` makes this file system of: without the key, which comes from the environment."""
        kept = {name: value for name, value in self.storage_options.items() if name != "api_key"}
        kind = type(self)
        return {"cls": f"{kind.__module__}:{kind.__name__}", "protocol": self.protocol, "args": [], **kept}

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        found: str | list[str] = super()._strip_protocol(path)
        return normal(found) if isinstance(found, str) else found

    def invalidate_cache(self, path: str | None = None) -> None:
        """Forget the listing, whatever the path: the service has one for all."""
        self._loading = None
        self.dircache.clear()
        super().invalidate_cache(path)

    def ukey(self, path: str) -> str:
        """Return the id of a file: its content never changes."""
        return self.info(path).get("id") or super().ukey(path)

    def created(self, path: str) -> datetime | None:
        """Return when a file was made; None for a folder."""
        return self.info(path).get("created")

    def modified(self, path: str) -> datetime | None:
        """Return the same: files never change."""
        return self.created(path)

    async def _info(self, path: str, *, refresh: bool = False, **_: Any) -> dict[str, Any]:
        path = self._strip_protocol(path)
        if path in {"", IDS}:
            return folder_entry(path)
        if id_in(path) is not None:
            return file_entry(path, await self._by_id(path))
        return await self._look(lambda listing: listing.info(path), path, refresh=refresh)

    async def _ls(
        self, path: str, detail: bool = True, *, refresh: bool = False, listing: Listing | None = None, **_: Any
    ) -> list[Any]:
        path = self._strip_protocol(path)
        if id_in(path) is not None:
            found = [await self._info(path)]
        elif listing is not None:
            found = listing.ls(path)
        else:
            found = await self._look(lambda listing: listing.ls(path), path, refresh=refresh)
        return found if detail else list(dict.fromkeys(entry["name"] for entry in found))

    def walk(self, path: str, *limits: Any, **kwargs: Any) -> Generator[Any]:
        """Yield folder, folders and files, as fsspec does; of one listing."""
        kwargs["listing"] = kwargs.get("listing") or sync(self.loop, self._listing, path)
        yield from super().walk(path, *limits, **kwargs)

    async def _walk(self, path: str, *limits: Any, **kwargs: Any) -> AsyncGenerator[Any]:
        # fsspec takes any OSError of a listing for an empty folder: here, before it looks, it still is one.
        kwargs["listing"] = kwargs.get("listing") or await self._listing(path)
        async for step in super()._walk(path, *limits, **kwargs):
            yield step

    async def _isdir(self, path: str) -> bool:
        return await self._kind(path) == "directory"

    async def _isfile(self, path: str) -> bool:
        return await self._kind(path) == "file"

    async def _kind(self, path: str) -> str | None:
        # fsspec's own take every failure for an answer.
        with suppress(FileNotFoundError):
            return str((await self._info(path))["type"])
        return None

    async def _file(self, path: str) -> File:
        """Return the file that a path means."""
        path = self._strip_protocol(path)
        if id_in(path) is not None:
            return await self._by_id(path)
        return await self._look(lambda listing: listing.file(path), path)

    async def _by_id(self, path: str) -> File:
        with told(path):
            return await self._files.retrieve(id_in(path) or "")

    async def _look(self, question: Callable[[Listing], T], path: str, *, refresh: bool = False) -> T:
        """Ask the listing that is kept; what is not there may have been made since."""
        kept = None if refresh else self.dircache.get("")
        if kept is not None:
            with suppress(FileNotFoundError):
                return question(kept)
        return question(await self._fresh(path))

    async def _listing(self, path: str) -> Listing:
        return self.dircache.get("") or await self._fresh(path)

    async def _fresh(self, path: str) -> Listing:
        """Load the listing; who asks meanwhile gets the same one, unless something was changed since it began."""
        running = asyncio.get_running_loop()
        if self._loading is None or self._loading.get_loop() is not running:
            self._loading = running.create_task(self._load())
        with told(path):
            return await asyncio.shield(self._loading)

    async def _load(self) -> Listing:
        mine = asyncio.current_task()
        try:
            listing = Listing([file async for file in self._files.list()])
            if self._loading is mine:
                self.dircache[""] = listing
            return listing
        finally:
            if self._loading is mine:
                self._loading = None
