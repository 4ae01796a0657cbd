"""aiohttp's connections, and who is told that there is one."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

on_connection: ContextVar[Callable[[], None] | None] = ContextVar("on_connection", default=None)
"""Called when the request of this context has its connection, old or new: from then on other silences are borne."""


class Connector(aiohttp.TCPConnector):
    """One that tells when it has connected."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's
    ) -> Connection:
        """Return a connection, new or kept, and tell."""
        connection = await super().connect(req, traces, timeout)
        tell = on_connection.get()
        if tell is not None:
            tell()
        return connection
