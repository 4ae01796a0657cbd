"""The emulator as a server: configured, started, stopped."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any, Self, cast

from attrs import define, field, validators

from openrouter_files.emulator.background import Background
from openrouter_files.emulator.controls import Controls
from openrouter_files.emulator.drawers import workspace_of
from openrouter_files.emulator.exchange import Exchanges
from openrouter_files.emulator.faults import FaultsNotMet
from openrouter_files.emulator.hosts import Hosts
from openrouter_files.emulator.keys import DEFAULT_WORKSPACE
from openrouter_files.emulator.listening import Listener
from openrouter_files.emulator.ready import Content, Done
from openrouter_files.emulator.routes import PREFIX
from openrouter_files.emulator.script import ScriptsNotPlayed
from openrouter_files.emulator.service import Rules, Service
from openrouter_files.emulator.store import Store

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Coroutine
    from ssl import SSLContext
    from types import TracebackType

    from openrouter_files.emulator.containers import ContainerStored
    from openrouter_files.emulator.drawers import Provider
    from openrouter_files.emulator.shapes import Shape
    from openrouter_files.emulator.stored import StoredFile

WELL_KNOWN_KEY = "sk-or-v1-emulator"
_EXPOSED = "the emulator listens on {}, beyond this machine, with the key that everybody knows: choose an api_key"

# Who listens everywhere is found here: these addresses are none to turn to.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared with, not bound to


@define(eq=False, kw_only=True)
class Emulator(Controls):
    """A server that answers like OpenRouter's Files API, for as long as a context lasts.

    ``async with Emulator() as emulator``, and a client for ``emulator.base_url`` with ``emulator.api_key``.
    Leaving the context raises :class:`FaultsNotMet` if a queued fault met no request, and
    :class:`ScriptsNotPlayed` if no chat request met a script.

    ``with Emulator() as emulator`` runs it on a loop of its own, in a thread: for code that is not async, and for a
    server that outlives the loops of its clients. It is a :class:`PlainEmulator` then: no control needs an ``await``.
    The controls may be used from any thread and any loop.

    Attributes:
        host: The address to listen on, ``0.0.0.0`` and ``::`` for all there are; ``port`` 0 takes a free one.
        api_key: The key of the default workspace; it may act on the account's other workspaces, too.
        store: A folder that keeps the files: one that it made, or an empty one; None forgets them at the end.
        seed_era: Answers and ids of the API's first weeks (2026-06-12 to 2026-07-28).
        shape: The shape of every answer; None lets the request's headers decide.
        quota_bytes: What a workspace holds; ``max_file_bytes`` what an upload may have.
        ssl: Serve https with this.
        region: Be an in-region host, which answers 403 to everything.
        ranges: Serve parts of downloads, with an ETag; the real service documents none.
        providers: Those for which the account has a key; ``provider=`` is answered with 400 for others.
        scan_limit: How many positions of a container, directory markers among them, one page looks at, so
            that it may be empty although there are more; None for all.
        clock: Unix seconds, for ``created_at`` and ``Date``: a skewed one skews both.
        hostnames: Further names and addresses by which clients call it. A request whose Host header names neither
            one of these nor the loopback nor the address that it reached is answered with 421.
    """

    host: str = field(default="127.0.0.1", validator=validators.min_len(1))
    port: int = 0
    api_key: str = field(default=WELL_KNOWN_KEY, repr=False)
    store: str | os.PathLike[str] | None = None
    seed_era: bool = False
    shape: Shape | None = None
    quota_bytes: int = 10_737_418_240
    max_file_bytes: int = 104_857_600
    ssl: SSLContext | None = field(default=None, repr=False)
    region: bool = False
    ranges: bool = False
    providers: Collection[Provider] = ()
    scan_limit: int | None = None
    clock: Callable[[], float] = field(default=time.time, repr=False)
    hostnames: Collection[str] = ()

    def __attrs_post_init__(self) -> None:
        self._providers.configure(self.providers)
        self._keys.add(self.api_key, DEFAULT_WORKSPACE, bound=False)

    def start(self) -> Coroutine[Any, Any, None]:
        """Open the store and listen.

        Raises:
            OSError: the port is taken; the folder is not empty and no store of an emulator, or that of a newer version.
            sqlite3.OperationalError: the folder is open in another emulator.

        Warns:
            UserWarning: it listens beyond the loopback with the key that it has unless it is given one.
        """
        return self._now_or_later(self._start())

    def stop(self) -> Coroutine[Any, Any, None]:
        """Stop listening, end what is being served, let go of the store. Faults not met are no error here."""
        return self._now_or_later(self._stop())

    async def _start(self) -> Done:
        store = await Store.opened(self.store, quota_bytes=self.quota_bytes)
        try:
            hosts = Hosts.named([self.host, *self.hostnames])
            exchanges = Exchanges(await self._service_on(store), self._faults, self._limits, self._log, hosts)
            listener = await Listener.opened(exchanges, self.host, self.port, self.ssl)
        except BaseException:
            await store.close()
            raise
        self._listener, self.port = listener, listener.port
        if listener.is_exposed and self.api_key == WELL_KNOWN_KEY:
            try:
                warnings.warn(_EXPOSED.format(self.host), stacklevel=3)
            except UserWarning:  # it is an error here: then nothing listens
                await self._stop()
                raise
        return Done()

    async def _stop(self) -> Done:
        listener, self._listener = self._listener, None
        if listener is not None:
            try:
                await listener.close()
            finally:
                await listener.exchanges.service.store.close()
        return Done()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        if error is None:
            self.check()

    def __enter__(self) -> PlainEmulator:
        background = Background()
        background.start()
        try:
            background.do(self._start())
        except BaseException:
            background.stop()
            raise
        self._background = background
        return cast("PlainEmulator", self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        background, self._background = self._background, None
        if background is not None:
            try:
                background.do(self._stop())
            finally:
                background.stop()
        if error is None:
            self.check()

    def check(self) -> None:
        """Make sure that everything happened that was prepared; leaving the context does it, too.

        Raises:
            FaultsNotMet: a queued fault met no request.
            ScriptsNotPlayed: no chat request met a script.
        """
        if self.unmet:
            raise FaultsNotMet(self.unmet)
        if self.unplayed:
            raise ScriptsNotPlayed(self.unplayed)

    @property
    def base_url(self) -> str:
        """Where a client has to turn to, ``/api/v1`` included; known once it listens."""
        address = _EVERYWHERE.get(self.host, self.host)
        host = f"[{address}]" if ":" in address else address
        return f"{'http' if self.ssl is None else 'https'}://{host}:{self.port}{PREFIX}"

    @property
    def workspace_id(self) -> str:
        """The workspace of the default key."""
        return DEFAULT_WORKSPACE

    async def _service_on(self, store: Store) -> Service:
        for drawer in await store.look(lambda index: index.workspaces()):
            self._keys.add_workspace(workspace_of(drawer))
        rules = Rules(
            seed_era=self.seed_era,
            shape=self.shape,
            max_file_bytes=self.max_file_bytes,
            region=self.region,
            ranges=self.ranges,
            clock=self.clock,
            scan_limit=self.scan_limit,
        )
        return Service(rules=rules, keys=self._keys, providers=self._providers, store=store, model=self._model)


if TYPE_CHECKING:

    class PlainEmulator(Emulator):
        """An emulator as ``with Emulator() as emulator`` hands it out: what its controls return is there already.

        For type checkers only: while it runs, it is the same object.
        """

        def start(self) -> Done:
            """Listen again after :meth:`stop`."""
            raise NotImplementedError

        def stop(self) -> Done:
            """Stop listening; the files are forgotten, unless there is a ``store``."""
            raise NotImplementedError

        def put(
            self,
            filename: str,
            content: bytes | str | os.PathLike[str],
            *,
            downloadable: bool = True,
            workspace_id: str | None = None,
            provider: Provider | None = None,
        ) -> StoredFile:
            """Store a file and return it: ``filename``, ``content`` and the rest as in :meth:`Emulator.put`.

            So are ``downloadable``, ``workspace_id`` and ``provider``.
            """
            raise NotImplementedError

        def put_in_container(
            self,
            container_id: str,
            path: str,
            content: bytes | str | os.PathLike[str],
            *,
            workspace_id: str | None = None,
        ) -> ContainerStored:
            """Have the container ``container_id`` hold ``content`` at ``path``; ``workspace_id`` as for an Emulator."""
            raise NotImplementedError

        def content(self, file_id: str) -> Content:
            """Return the bytes of the stored file ``file_id``; KeyError if there is none of that id."""
            raise NotImplementedError

else:
    PlainEmulator = Emulator
