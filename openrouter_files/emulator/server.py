"""The emulator as its user holds it: started, filled, made to fail, looked at, stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from attrs import define, field

from openrouter_files.emulator.exchange import Exchanges
from openrouter_files.emulator.faults import Fault, FaultQueues, FaultsNotMet, Operation, Unmet
from openrouter_files.emulator.keys import DEFAULT_WORKSPACE, Keys, new_workspace_id
from openrouter_files.emulator.limits import Limits, RateLimit
from openrouter_files.emulator.listening import Listener
from openrouter_files.emulator.making import make
from openrouter_files.emulator.received import Note, Received
from openrouter_files.emulator.routes import PREFIX
from openrouter_files.emulator.service import Rules, Service
from openrouter_files.emulator.store import Store

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from ssl import SSLContext
    from types import TracebackType

    from openrouter_files.emulator.shapes import Shape
    from openrouter_files.emulator.stored import StoredFile


@define(eq=False, kw_only=True)
class Emulator:
    """A server that answers like OpenRouter's Files API, for as long as a context lasts.

    ``async with Emulator() as emulator``, and a client for ``emulator.base_url`` with ``emulator.api_key``.
    Leaving the context raises :class:`FaultsNotMet` if a queued fault met no request.

    Attributes:
        host: The address to listen on; ``port`` 0 takes a free one.
        api_key: The key of the default workspace; it may act on the account's other workspaces, too.
        store: A folder that keeps the files; None forgets them at the end.
        seed_era: Answers and ids of the API's first weeks (2026-06-12 to 2026-07-28).
        shape: The shape of every answer; None lets the request's headers decide.
        quota_bytes: What a workspace holds; ``max_file_bytes`` what an upload may have.
        ssl: Serve https with this.
        region: Be an in-region host, which answers 403 to everything.
        ranges: Serve parts of downloads, with an ETag; the real service documents none.
        clock: Unix seconds, for ``created_at`` and ``Date``: a skewed one skews both.
    """

    host: str = "127.0.0.1"
    port: int = 0
    api_key: str = field(default="sk-or-v1-emulator", repr=False)
    store: str | os.PathLike[str] | None = None
    seed_era: bool = False
    shape: Shape | None = None
    quota_bytes: int = 10_737_418_240
    max_file_bytes: int = 104_857_600
    ssl: SSLContext | None = field(default=None, repr=False)
    region: bool = False
    ranges: bool = False
    clock: Callable[[], float] = field(default=time.time, repr=False)
    _keys: Keys = field(init=False, repr=False, factory=Keys)
    _faults: FaultQueues = field(init=False, repr=False, factory=FaultQueues)
    _limits: Limits = field(init=False, repr=False, factory=Limits)
    _log: list[Note] = field(init=False, repr=False, factory=list[Note])
    _listener: Listener | None = field(init=False, repr=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._keys.add(self.api_key, DEFAULT_WORKSPACE, bound=False)

    async def start(self) -> None:
        """Open the store and listen.

        Raises:
            OSError: the port is taken.
            sqlite3.OperationalError: the folder is open in another emulator.
        """
        store = await Store.opened(self.store, quota_bytes=self.quota_bytes)
        try:
            exchanges = Exchanges(await self._service_on(store), self._faults, self._limits, self._log)
            self._listener = await Listener.opened(exchanges, self.host, self.port, self.ssl)
        except BaseException:
            await store.close()
            raise
        self.port = self._listener.port

    async def stop(self) -> None:
        """Stop listening, end what is being served, let go of the store. Faults not met are no error here."""
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.close()
            await listener.exchanges.service.store.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        if error is None and self.unmet:
            raise FaultsNotMet(self.unmet)

    @property
    def base_url(self) -> str:
        """Where a client has to turn to, ``/api/v1`` included; known once it listens."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self.ssl is None else 'https'}://{host}:{self.port}{PREFIX}"

    @property
    def workspace_id(self) -> str:
        """The workspace of the default key."""
        return DEFAULT_WORKSPACE

    def add_key(self, key: str, *, workspace_id: str | None = None, bound: bool = True) -> str:
        """Let one more key in, and return the id of its workspace: a UUID, None for a new one.

        A ``bound`` key gets 403 for any other workspace, another may act on all of the account's.
        """
        chosen = workspace_id or new_workspace_id()
        self._keys.add(key, chosen, bound=bound)
        return chosen

    def add_workspace(self, workspace_id: str | None = None) -> str:
        """Give the account one more workspace, and return its id: a UUID, None for a new one."""
        return self._keys.add_workspace(workspace_id or new_workspace_id())

    async def put(
        self,
        filename: str,
        content: bytes | str | os.PathLike[str],
        *,
        downloadable: bool = True,
        workspace_id: str | None = None,
    ) -> StoredFile:
        """Store a file as the server makes them: any name, any content (bytes, or the path of a file)."""
        workspace = self.add_workspace(workspace_id or DEFAULT_WORKSPACE)
        return await make(self._service, filename, content, downloadable=downloadable, workspace_id=workspace)

    def files(self, workspace_id: str | None = None) -> tuple[StoredFile, ...]:
        """What is stored, in the order of creation; None for all workspaces."""
        stored = self._service.store.look_now(lambda index: index.all())
        return tuple(file for file in stored if workspace_id in {None, file.workspace_id})

    async def content(self, file_id: str) -> bytes:
        """The bytes of a stored file, uploaded ones included.

        Raises:
            KeyError: there is none of that id.
        """
        return await self._service.store.bytes_of(file_id)

    def queue(self, operation: Operation, *faults: Fault) -> None:
        """Have the next requests of an operation meet these faults, one each, in this order."""
        self._faults.add(operation, faults)

    def limit(self, limit: RateLimit | None, operation: Operation | None = None) -> None:
        """Limit the rate of one operation, or of all together (None); a limit of None lifts it.

        A request beyond the limit meets no queued fault.
        """
        self._limits.set(limit, operation)

    @property
    def unmet(self) -> tuple[Unmet, ...]:
        """The faults that no request has met yet."""
        return self._faults.unmet

    @property
    def requests(self) -> tuple[Received, ...]:
        """Every request since the start or :meth:`clear`, in the order of arrival."""
        return tuple(note.received() for note in self._log)

    def clear(self) -> None:
        """Forget the log of requests."""
        self._log.clear()

    @property
    def _service(self) -> Service:
        if self._listener is None:
            raise RuntimeError("the emulator is not running")
        return self._listener.exchanges.service

    async def _service_on(self, store: Store) -> Service:
        for workspace_id in await store.look(lambda index: index.workspaces()):
            self._keys.add_workspace(workspace_id)
        rules = Rules(
            seed_era=self.seed_era,
            shape=self.shape,
            max_file_bytes=self.max_file_bytes,
            region=self.region,
            ranges=self.ranges,
            clock=self.clock,
        )
        return Service(rules=rules, keys=self._keys, store=store)
