"""The log: every request that arrived, and what became of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from aiohttp import web
from attrs import define, field, frozen

from openrouter_files.emulator.refusals import Refusal
from openrouter_files.emulator.routes import Route, Unknown, WrongMethod

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openrouter_files.emulator.faults import Fault, Operation

KEPT = 10_000
"""So many requests are remembered: about 10 MB."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@frozen(kw_only=True)
class Received:
    """One request, as it was received and answered.

    ``operation`` is None for a path that is none, ``method`` that of HTTP.  ``path`` is raw, still percent-encoded,
    without the ``query``, which is decoded.  ``headers`` have names in lower case, and no Authorization:
    ``authorized`` says whether there was one.  ``body_bytes`` counts what was read of the body before the answer.
    ``status`` is None while the answer is not out, and for ever if the connection was dropped first.  ``fault`` is
    the queued fault that it met, ``limited`` whether a rate limit turned it away, ``at`` its arrival in monotonic
    seconds.
    """

    operation: Operation | None
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    authorized: bool
    body_bytes: int
    status: int | None
    fault: Fault | None
    limited: bool
    at: float


@define(eq=False)
class Note:
    """What the log keeps of a request while it is being served: see :class:`Received`."""

    operation: Operation | None
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    at: float = field(factory=time.monotonic)
    body_bytes: int = 0
    status: int | None = None
    fault: Fault | None = None
    limited: bool = False

    def received(self) -> Received:
        """The entry of the log."""
        return Received(
            operation=self.operation,
            method=self.method,
            path=self.path,
            query=self.query,
            headers={name: value for name, value in self.headers.items() if name != "authorization"},
            authorized="authorization" in self.headers,
            body_bytes=self.body_bytes,
            status=self.status,
            fault=self.fault,
            limited=self.limited,
            at=self.at,
        )


@frozen(eq=False)
class Arrival:
    """A request that is being served: how to read it, and the note to be taken of it.

    The log keeps the note alone: a request holds its connection and buffers in memory.
    """

    request: web.BaseRequest
    note: Note
    file_id: str | None = None
    container_id: str = ""

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's headers, with names in lower case."""
        return self.note.headers

    async def read(self) -> bytes:
        """The next piece of the request's body as it arrives, empty at its end.

        Raises:
            Refusal: 400 for chunks that are none, and for a compressed body that is not.
        """
        if self._is_waiting and self.request.transport is not None:
            self.request.transport.write(_CONTINUE)
        try:
            piece = await self.request.content.readany()
        except web.RequestPayloadError as error:
            raise Refusal(400, "The body cannot be read") from error
        self.note.body_bytes += len(piece)
        return piece

    @property
    def _is_waiting(self) -> bool:
        return not self.note.body_bytes and self.headers.get("expect", "").lower() == "100-continue"


def arrived(request: web.BaseRequest, asked: Route | WrongMethod | Unknown) -> Arrival:
    """A request that starts being served."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    found = asked if isinstance(asked, Route) else None
    operation = None if found is None else found.operation
    note = Note(operation, request.method, request.rel_url.raw_path, dict(request.query), headers)
    return Arrival(request, note) if found is None else Arrival(request, note, found.file_id, found.container_id)
