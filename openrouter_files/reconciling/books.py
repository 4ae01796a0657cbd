"""The claims of a client: one set for each loop and each workspace it has uploaded to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

from .claims import Claims

if TYPE_CHECKING:
    from ..exchange.transport import Transport
    from ..options import Options

    Scope: TypeAlias = tuple[str | None, str | None]


class Books:
    """Shared by a client and all that ``with_options`` makes of it."""

    def __init__(self) -> None:
        self._claims: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Scope, Claims]] = WeakKeyDictionary()

    def claims(self, transport: Transport, options: Options) -> Claims:
        """Return the claims of the running loop and of the workspace that the options name."""
        for closed in [each for each in self._claims if each.is_closed()]:
            del self._claims[closed]  # locks and events refer to their loop, and would keep it alive
        scopes = self._claims.setdefault(asyncio.get_running_loop(), {})
        scope = (options.workspace_id, options.provider)
        if scope not in scopes:
            scopes[scope] = Claims(transport)
        return scopes[scope]
