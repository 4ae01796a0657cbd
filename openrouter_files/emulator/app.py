"""The application: keys, limits, routes."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from attrs import Attribute, Factory, define, evolve, field, frozen, validators

from . import containers as container_operations
from .chat import Model, chat
from .errors import UNKNOWN_ROUTE, Refusal
from .faults import Fault, FaultQueues, Operation, after_work, as_header, before_work, manner_of
from .files import FILE_OPERATIONS, Providers
from .requests import (
    Arrival,
    Hosts,
    Key,
    Keys,
    Note,
    Route,
    Unknown,
    Where,
    WrongMethod,
    arrived,
    route,
    where_in,
    workspace_in,
)
from .responses import Answer, Shape, error_answer, send, shape_asked_by, stamped
from .store import Provider, Store, drawer_of

# ---- A standing limit on the rate of requests.


def _finite(_: object, attribute: Attribute[float], value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{attribute.name} must be a positive number, not {value!r}")


@frozen(kw_only=True)
class RateLimit:
    """At most ``per_second`` requests on average, ``burst`` of them at once (None: one second's worth).

    What is beyond answers 429 with Retry-After: ``retry_after`` seconds, or, None, the time until the
    next request may pass, rounded up to whole seconds.

    Raises:
        ValueError: ``per_second`` is not a positive number, or ``burst`` less than 1.
    """

    per_second: float = field(validator=_finite)
    burst: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
    retry_after: float | None = None

    @property
    def capacity(self) -> int:
        """How many requests may come at once after a pause."""
        return self.burst or max(1, math.floor(self.per_second))


@define
class Bucket:
    """A token bucket: a token per request, refilled with time."""

    limit: RateLimit
    _clock: Callable[[], float] = time.monotonic
    _tokens: float = field(init=False)
    _since: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tokens = self.limit.capacity
        self._since = self._clock()

    def take(self) -> float | None:
        """Take a token; None if there was one, else the seconds to answer in Retry-After."""
        now = self._clock()
        self._tokens = min(self.limit.capacity, self._tokens + (now - self._since) * self.limit.per_second)
        self._since = now
        if self._tokens >= 1:
            self._tokens -= 1
            return None
        if self.limit.retry_after is not None:
            return self.limit.retry_after
        return math.ceil((1 - self._tokens) / self.limit.per_second)


@define
class Limits:
    """The limits in force: of all requests together, and of single operations."""

    _buckets: dict[Operation | None, Bucket] = field(factory=dict["Operation | None", Bucket])

    def set(self, limit: RateLimit | None, operation: Operation | None) -> None:
        """Put a limit in force, in place of the one before; None lifts it."""
        self._buckets.pop(operation, None)
        if limit is not None:
            self._buckets[operation] = Bucket(limit)

    def refuse(self, operation: Operation) -> float | None:
        """Seconds that a request is told to wait, None if it may pass."""
        buckets = (self._buckets.get(None), self._buckets.get(operation))
        waits = [wait for bucket in buckets if bucket is not None and (wait := bucket.take()) is not None]
        return max(waits, default=None)


# ---- What the operations have at hand, and who is let in to them.

_PREFIXES: dict[Provider | None, str] = {None: "or_file_", "openai": "file-", "anthropic": "file_"}


@frozen(kw_only=True)
class Rules:
    """How this server differs from others: its era, its limits, its clock.

    ``clock`` gives Unix seconds.  ``shape`` is that of every answer, None to let the request's
    headers decide.  ``region`` makes it an in-region host, ``ranges`` one that serves parts of downloads.
    ``scan_limit`` is how many positions of a container one page looks at, None for all.  ``provider``
    is whose API the call is passed on to.
    """

    seed_era: bool
    shape: Shape | None
    max_file_bytes: int
    region: bool
    ranges: bool
    clock: Callable[[], float]
    scan_limit: int | None = None
    provider: Provider | None = None

    def shape_for(self, headers: Mapping[str, str]) -> Shape:
        """The shape of the answer to a request; that a provider's is its own is our guess."""
        return "seed" if self.seed_era else self.provider or self.shape or shape_asked_by(headers)

    @property
    def id_prefix(self) -> str:
        """How the ids of new files begin; that a provider's do as its own is our guess."""
        return "file_" if self.seed_era else _PREFIXES[self.provider]


@frozen(kw_only=True)
class Service:
    """The rules, the keys, the providers, the store and the model, which operations need."""

    rules: Rules
    keys: Keys
    providers: Providers
    store: Store
    model: Model

    def under(self, provider: Provider | None) -> Service:
        """This service as it is for calls that are passed on to a provider."""
        return self if provider is None else evolve(self, rules=evolve(self.rules, provider=provider))


@frozen(kw_only=True)
class Admission:
    """A request that may go on: on which drawer of the store, for a listing from where, at which provider."""

    drawer: str
    where: Where = Factory(Where)
    provider: Provider | None = None


def admit(service: Service, arrival: Arrival) -> Admission:
    """Let a request in to its operation.

    Raises:
        Refusal: in this order: 401 for the key, 403 for the region, 400 for the query, 403 for the
            workspace, 502 for the provider.

    Source: OpenRouter guide "Files API", errors; the order is ours.
    """
    key, query, seed_era = _holder(service, arrival), arrival.note.query, service.rules.seed_era
    provider = None if seed_era else service.providers.named(query.get("provider"))
    wanted = workspace_in(query)
    dialect: Shape = "seed" if seed_era else provider or "openrouter"
    where = where_in(query, dialect) if arrival.note.operation == "list" else Where()
    drawer = drawer_of(service.keys.workspace(key, wanted), provider)
    service.providers.reach(provider)
    return Admission(drawer=drawer, where=where, provider=provider)


def admit_to_workspace(service: Service, arrival: Arrival) -> str:
    """Let a request in to an operation that is always about the key's workspace, and return that.

    Raises:
        Refusal: in this order: 401 for the key, 403 for the region, 403 for the workspace.

    Source: OpenRouter OpenAPI document: containers and chat have neither ``workspace_id`` nor ``provider``.
    """
    return service.keys.workspace(_holder(service, arrival), None)


def _holder(service: Service, arrival: Arrival) -> Key:
    key = service.keys.holder(arrival.headers.get("authorization"))
    if service.rules.region:
        raise Refusal(403, "The Files API is not available on in-region hosts")
    return key


# ---- Who performs which operation, once the caller is let in.

_OTHERS: dict[Operation, Callable[[Service, Arrival, str], Awaitable[Answer]]] = {
    "list_container": container_operations.list_container,
    "retrieve_container": container_operations.retrieve_container,
    "download_container": container_operations.download_container,
    "promote": container_operations.promote,
    "chat": chat,
}


async def perform(service: Service, arrival: Arrival, operation: Operation) -> Answer:
    """Serve a request whose operation is known.

    Raises:
        Refusal: what the service would refuse.
    """
    if operation in _OTHERS:
        return await _OTHERS[operation](service, arrival, admit_to_workspace(service, arrival))
    admission = admit(service, arrival)
    return await FILE_OPERATIONS[operation](service.under(admission.provider), arrival, admission)


# ---- One request from its arrival to its answer: noted, limited, hit by faults, served.


@define(eq=False)
class Exchanges:
    """Everything that happens to requests, and the log of it."""

    service: Service
    faults: FaultQueues
    limits: Limits
    log: deque[Note]
    hosts: Hosts
    running: set[asyncio.Task[object]] = field(factory=set["asyncio.Task[object]"])

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request; aiohttp calls this in a task of its own."""
        try:
            return await self._answered(request)
        except ConnectionError:
            # The client has left. aiohttp finds that out as soon as it sends this, and says nothing.
            return web.Response(status=500)

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        task = asyncio.current_task()
        if task is not None:
            self.running.add(task)
            task.add_done_callback(self.running.discard)
        asked = route(request.method, request.rel_url.raw_path, seed_era=self.service.rules.seed_era)
        arrival = arrived(request, asked)
        self.log.append(arrival.note)
        stranger = self.hosts.stranger(request)
        if stranger is not None:
            return await self._send(arrival, _misdirected(stranger))
        if not isinstance(asked, Route):
            return await self._send(arrival, _no_route(asked))
        return await self._serve(arrival, asked.operation)

    async def stop(self) -> None:
        """End the requests that are still being served."""
        for task in tuple(self.running):
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)

    async def _serve(self, arrival: Arrival, operation: Operation) -> web.StreamResponse:
        wait = self.limits.refuse(operation)
        if wait is not None:
            arrival.note.limited = True
            return await self._send(arrival, error_answer(429, headers={"Retry-After": as_header(wait)}))
        fault = arrival.note.fault = self.faults.next(operation)
        answer = await self._work(arrival, operation, fault)
        return await self._send(arrival, await after_work(fault, arrival, answer))

    async def _work(self, arrival: Arrival, operation: Operation, fault: Fault | None) -> Answer:
        try:
            return await before_work(fault, arrival) or await perform(self.service, arrival, operation)
        except Refusal as refusal:
            return error_answer(refusal.status, refusal.message, refusal.headers)

    async def _send(self, arrival: Arrival, answer: Answer) -> web.StreamResponse:
        arrival.note.status = answer.status
        headers = stamped(answer, self.service.rules.clock())
        return await send(arrival.request, answer, headers, self.service.store, manner_of(arrival.note.fault))


def _misdirected(host: str) -> Answer:
    """Source: RFC 9110, 15.5.20."""
    message = f"This emulator is not {host!r:.200}: tell it the names it has, with hostnames= or --hostname"
    return error_answer(421, message)


def _no_route(asked: WrongMethod | Unknown) -> Answer:
    if isinstance(asked, WrongMethod):
        return error_answer(405, headers={"Allow": ", ".join(asked.allowed)})
    return Answer(status=404, body=UNKNOWN_ROUTE, content_type="text/html; charset=utf-8")
