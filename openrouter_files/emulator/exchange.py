"""One request from its arrival to its answer: noted, limited, hit by faults, served."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web
from attrs import define, field

from openrouter_files.emulator.answers import Answer, error_answer, send, stamped
from openrouter_files.emulator.misfortune import after_work, as_header, before_work, manner_of
from openrouter_files.emulator.performing import perform
from openrouter_files.emulator.received import Arrival, Note, arrived
from openrouter_files.emulator.refusals import UNKNOWN_ROUTE, Refusal
from openrouter_files.emulator.routes import Route, Unknown, WrongMethod, route

if TYPE_CHECKING:
    from collections import deque

    from openrouter_files.emulator.faults import Fault, FaultQueues, Operation
    from openrouter_files.emulator.hosts import Hosts
    from openrouter_files.emulator.limits import Limits
    from openrouter_files.emulator.service import Service


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
