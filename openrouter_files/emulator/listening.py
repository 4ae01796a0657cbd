"""Listening on a port, and letting go of it quickly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from attrs import define

from openrouter_files.emulator.hosts import is_loopback

if TYPE_CHECKING:
    from ssl import SSLContext

    from openrouter_files.emulator.exchange import Exchanges

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
