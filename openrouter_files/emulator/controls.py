"""What a test does with an emulator: it fills it, lets it fail, tells the model what to do, and looks."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define, evolve, field

from openrouter_files.emulator.container_operations import put_in_container
from openrouter_files.emulator.drawers import Provider, drawer_of, is_of, workspace_of
from openrouter_files.emulator.faults import Fault, FaultQueues, Operation, Unmet
from openrouter_files.emulator.keys import DEFAULT_WORKSPACE, Keys, new_workspace_id
from openrouter_files.emulator.limits import Limits, RateLimit
from openrouter_files.emulator.making import make
from openrouter_files.emulator.model import Model
from openrouter_files.emulator.providers import Providers
from openrouter_files.emulator.ready import Content, Ready
from openrouter_files.emulator.received import KEPT, Note, Received

if TYPE_CHECKING:
    import os
    from collections.abc import Coroutine

    from openrouter_files.emulator.background import Background
    from openrouter_files.emulator.containers import ContainerStored
    from openrouter_files.emulator.listening import Listener
    from openrouter_files.emulator.question import ChatReceived
    from openrouter_files.emulator.script import Step, ToolCall
    from openrouter_files.emulator.service import Service
    from openrouter_files.emulator.stored import StoredFile

T = TypeVar("T")


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
