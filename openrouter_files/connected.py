"""What every client of ours is made of: one transport, options, and an end."""

from __future__ import annotations

from copy import copy
from types import NoneType
from typing import TYPE_CHECKING, Self, Unpack

from .exchange.key import Key, masked
from .exchange.session import Sessions
from .exchange.transport import Transport
from .given import check
from .options import CallOptions, Options
from .reconciling.books import Books
from .settings import checked_base_url, key_from_environment, standing_headers
from .version import __version__

if TYPE_CHECKING:
    import ssl as tls
    from collections.abc import Sequence
    from types import TracebackType

    import aiohttp

    from .exchange.key import KeySource
    from .reconciling.claims import Claims


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
