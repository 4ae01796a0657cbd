"""The emulator and its controls."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from concurrent.futures import Future
from ssl import SSLContext
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from aiohttp import web
from attrs import define, evolve, field, validators

from .app import Exchanges, Limits, RateLimit, Rules, Service
from .chat import ChatReceived, Model, ScriptsNotPlayed, Step, ToolCall
from .containers import ContainerStored, put_in_container
from .faults import Fault, FaultQueues, FaultsNotMet, Operation, Unmet
from .files import Providers, make
from .ready import Content, Done, Ready
from .requests import DEFAULT_WORKSPACE, KEPT, PREFIX, Hosts, Keys, Note, Received, is_loopback, new_workspace_id
from .responses import Shape
from .store import Provider, Store, StoredFile, drawer_of, is_of, workspace_of

# ---- Listening on a port, and letting go of it quickly.

_SHUTDOWN = 0.05
_READ_AHEAD = 256 * 1024
# A benchmark opens hundreds of connections at once; a full backlog would cost each of them a second.
_BACKLOG = 1024


@define(eq=False)
class Listener:
    """A port on which requests are served, for as long as it is open."""

    exchanges: Exchanges
    port: int
    _runner: web.ServerRunner

    @classmethod
    async def opened(cls, exchanges: Exchanges, host: str, port: int, ssl: SSLContext | None) -> Listener:
        """Listen; port 0 takes a free one.

        Raises:
            OSError: the port is taken.
        """
        server = web.Server(exchanges.serve, handler_cancellation=True, access_log=None, read_bufsize=_READ_AHEAD)
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port, ssl_context=ssl, backlog=_BACKLOG)
            await site.start()
        except BaseException:
            await runner.cleanup()
            raise
        return cls(exchanges, site.port, runner)

    @property
    def is_exposed(self) -> bool:
        """Whether other machines can reach it."""
        return not all(is_loopback(str(address[0])) for address in self._runner.addresses)

    async def close(self) -> None:
        """End what is being served, without waiting for it, and let go of the port."""
        await self.exchanges.stop()
        await self._runner.cleanup()


# ---- An event loop in a thread of its own, for a server that must not depend on anybody's loop.

T = TypeVar("T")


class Background:
    """A loop that runs from :meth:`start` to :meth:`stop`, whatever the thread that asks does meanwhile."""

    def __init__(self) -> None:
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._run, name="emulator", daemon=True)

    def start(self) -> None:
        """Let the loop run."""
        self._thread.start()
        self._loop.result()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Have something done on the loop, and wait for it: blocks the thread that asks."""
        return asyncio.run_coroutine_threadsafe(work, self._loop.result()).result()

    def stop(self) -> None:
        """End the loop, and what is left running on it."""
        loop = self._loop.result()
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            loop.call_soon(self._loop.set_result, loop)
            loop.run_forever()


# ---- What a test does with an emulator: it fills it, lets it fail, tells the model what to do, and looks.


@define(eq=False, kw_only=True)
class Controls:
    """The emulator as a test holds it, whether it is started or not (its store is there while it runs).

    Coroutines are awaited under ``async with``; under ``with`` they have been done when the call returns, and what it
    returns is the result, which may be awaited all the same: see :class:`PlainEmulator`.

    What is here may be called from any thread and any loop: it works on the store's threads, and on what changes in
    one step. Nothing here may iterate over what the server's loop is changing.
    """

    _keys: Keys = field(init=False, repr=False, factory=Keys)
    _providers: Providers = field(init=False, repr=False, factory=Providers)
    _model: Model = field(init=False, repr=False, factory=Model)
    _faults: FaultQueues = field(init=False, repr=False, factory=FaultQueues)
    _limits: Limits = field(init=False, repr=False, factory=Limits)
    _log: deque[Note] = field(init=False, repr=False, factory=lambda: deque[Note](maxlen=KEPT))
    _listener: Listener | None = field(init=False, repr=False, default=None)
    _background: Background | None = field(init=False, repr=False, default=None)

    def add_key(self, key: str, *, workspace_id: str | None = None, bound: bool = True) -> str:
        """Let ``key`` in, too, and return the id of its workspace: ``workspace_id``, a UUID, None for a new one.

        A ``bound`` key gets 403 for any other workspace, another may act on all of the account's.
        """
        return self._keys.add(key, workspace_id or new_workspace_id(), bound=bound)

    def add_workspace(self, workspace_id: str | None = None) -> str:
        """Give the account one more workspace, and return its id: ``workspace_id``, a UUID, None for a new one."""
        return self._keys.add_workspace(workspace_id or new_workspace_id())

    def put(
        self,
        filename: str,
        content: bytes | str | os.PathLike[str],
        *,
        downloadable: bool = True,
        workspace_id: str | None = None,
        provider: Provider | None = None,
    ) -> Coroutine[Any, Any, StoredFile]:
        """Store a file as the server makes them, and return it.

        Args:
            filename: Any.
            content: Any: bytes, or the path of a file.
            downloadable: What the file says of itself; one that is not can be read back by :meth:`content`.
            workspace_id: A UUID; None for that of the default key.
            provider: Among whose files of the workspace; None for OpenRouter's own.
        """
        workspace = self.add_workspace(workspace_id or DEFAULT_WORKSPACE)
        service, drawer = self._service.under(provider), drawer_of(workspace, provider)

        async def stored() -> StoredFile:
            made = await make(service, filename, content, downloadable=downloadable, workspace_id=drawer)
            return evolve(made, workspace_id=workspace)

        return self._now_or_later(stored())

    def put_in_container(
        self,
        container_id: str,
        path: str,
        content: bytes | str | os.PathLike[str],
        *,
        workspace_id: str | None = None,
    ) -> Coroutine[Any, Any, ContainerStored]:
        """Have the container ``container_id`` hold a file, in place of the one at its ``path``.

        ``content`` is bytes, or the path of a file; ``workspace_id`` None is the workspace of the default key.
        """
        workspace = self.add_workspace(workspace_id or DEFAULT_WORKSPACE)
        return self._now_or_later(put_in_container(self._service, container_id, path, content, workspace))

    def files(self, workspace_id: str | None = None, *, provider: Provider | None = None) -> tuple[StoredFile, ...]:
        """What is stored, here or at a ``provider``, in the order of creation; ``workspace_id`` None for all."""
        stored = self._service.store.look_now(lambda index: index.all())
        here = [
            evolve(file, workspace_id=workspace_of(file.workspace_id))
            for file in stored
            if is_of(file.workspace_id, provider)
        ]
        return tuple(file for file in here if workspace_id is None or workspace_id.lower() == file.workspace_id)

    def content(self, file_id: str) -> Coroutine[Any, Any, bytes]:
        """The bytes of the stored file ``file_id``, uploaded ones and those at a provider included.

        Raises:
            KeyError: there is none of that id.
        """
        store = self._service.store

        async def content() -> Content:
            return Content(await store.bytes_of(file_id))

        return self._now_or_later(content())

    def queue(self, operation: Operation, *faults: Fault) -> None:
        """Have the next requests of an ``operation`` meet these ``faults``, one each, in this order."""
        self._faults.add(operation, faults)

    def limit(self, limit: RateLimit | None, operation: Operation | None = None) -> None:
        """Limit the rate of one ``operation``, or of all together (None); a ``limit`` of None lifts it.

        A request beyond the limit meets no queued fault.
        """
        self._limits.set(limit, operation)

    @property
    def unmet(self) -> tuple[Unmet, ...]:
        """The faults that no request has met yet."""
        return self._faults.unmet

    @property
    def requests(self) -> tuple[Received, ...]:
        """Every request since the start or :meth:`clear`, in the order of arrival; the last 10,000."""
        return tuple(
            note.received() for note in tuple(self._log)
        )  # a copy, because the server may be in another thread

    def clear(self) -> None:
        """Forget the log of requests, of chats and of tool calls."""
        self._log.clear()
        self._model.forget()

    def configure_provider(self, *providers: Provider) -> None:
        """Have a key for ``providers``, so that ``provider=`` is not answered with 400."""
        self._providers.configure(providers)

    def fail_provider(self, provider: Provider, *, failing: bool = True) -> None:
        """Let a ``provider`` fail, which is answered with 502; with ``failing`` False it works again."""
        self._providers.fail(provider, failing=failing)

    def script(self, *steps: Step) -> None:
        """Tell the model the ``steps`` to take for one more chat request; a script that is not played is an error."""
        self._model.scripts.append(steps)

    def block_tool(self, tool: str = "openrouter:files", *, blocked: bool = True) -> None:
        """Have workspaces block a server ``tool``: a chat request with it gets 403. ``blocked`` False ends that."""
        (self._model.blocked.add if blocked else self._model.blocked.discard)(tool)

    @property
    def unplayed(self) -> tuple[tuple[Step, ...], ...]:
        """The scripts that no chat request has met yet."""
        return tuple(self._model.scripts)

    @property
    def chats(self) -> tuple[ChatReceived, ...]:
        """Every chat request that the model was asked, in the order of arrival; the last 1,000."""
        return tuple(self._model.chats)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Every call of the files tool that the model made, with what it was told; the last 10,000."""
        return tuple(self._model.tool_calls)

    def _now_or_later(self, work: Coroutine[Any, Any, Ready[T]]) -> Coroutine[Any, Any, T]:
        """Have work done at once if a thread of its own runs the emulator; else whoever awaits it does it."""
        return cast("Coroutine[Any, Any, T]", work) if self._background is None else self._background.do(work)

    @property
    def _service(self) -> Service:
        if self._listener is None:
            raise RuntimeError("the emulator is not running")
        return self._listener.exchanges.service


# ---- The emulator as a server: configured, started, stopped.

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
