"""One promotion: a file of a container copied into the workspace, once."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ..contract import operations
from .storing import Deed, Sending, Storing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ..exchange.transport import Reply, Transport
    from ..models import ContainerFile, File
    from ..options import Options
    from ..reconciling.claims import Claims


async def promote(transport: Transport, options: Options, claims: Claims, file: ContainerFile) -> File:
    """Carry out a promotion; see Storing. The copy has the path for a name, and the same size."""
    operation = operations.promote_container_file(file.container_id, file.id)

    async def send(until: float | None, fresh: bool) -> Reply:
        return await transport.fetch(operation.request, options, until=until, fresh=fresh)

    @asynccontextmanager
    async def prepare() -> AsyncGenerator[Sending]:
        yield Sending(identity=(file.path, file.size_bytes), send=send)

    async def digest() -> bytes:
        # Two promotions of one file have the same content; of others nobody knows.
        return f"{file.container_id}/{file.id}".encode()

    return await Storing(transport, options, claims, Deed(operation=operation, prepare=prepare, digest=digest)).run()
