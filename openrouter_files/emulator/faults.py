"""What can be made to go wrong, as values, and the queues in which it waits for its request."""

from __future__ import annotations

from collections import deque
from typing import Literal

from attrs import define, field, frozen, validators

Operation = Literal[
    "list", "upload", "retrieve", "delete", "download",
    "list_container", "retrieve_container", "download_container", "promote", "chat",
]  # fmt: skip
"""What a request asks for."""


@frozen(kw_only=True)
class Pass:
    """This request is served as if no fault were queued."""


@frozen(kw_only=True)
class Status:
    """An error ``status`` instead of the answer.

    ``after_work`` does the work first and claims that it failed.  ``early`` answers before the body
    is read (which is then read and thrown away).  ``retry_after`` (seconds, or a date as text) and
    ``retry_after_ms`` become headers.  ``code`` is the envelope's ``error.code`` when it differs from
    the status, ``message`` its text; ``body`` replaces the envelope, of ``content_type``.
    """

    status: int = field(kw_only=False)
    retry_after: float | str | None = None
    retry_after_ms: float | None = None
    after_work: bool = False
    early: bool = False
    code: int | None = None
    message: str | None = None
    body: bytes | None = None
    content_type: str = "application/json"


@frozen(kw_only=True)
class Drop:
    """The connection ends without an answer.

    After ``after`` bytes of the request's body (None: before any is read), or, ``after_work``, when
    everything was done and only the answer gets lost.  ``reset`` ends it with RST instead of FIN.
    """

    after: int | None = None
    after_work: bool = False
    reset: bool = False


@frozen(kw_only=True)
class Stall:
    """Silence of ``seconds``, before the body is read or, ``after_work``, before the answer; then all goes well."""

    seconds: float = field(kw_only=False)
    after_work: bool = False


@frozen(kw_only=True)
class Truncate:
    """The answer promises its whole length and ends after ``after`` bytes of its body; ``reset`` with RST."""

    after: int = field(kw_only=False)
    reset: bool = False


@frozen(kw_only=True)
class Trickle:
    """The answer's body comes ``piece`` bytes at a time, with a ``pause`` in seconds before each."""

    pause: float = field(kw_only=False)
    piece: int = field(default=1, validator=validators.ge(1))


Fault = Pass | Status | Drop | Stall | Truncate | Trickle
"""What may be queued for one request."""


@frozen
class Unmet:
    """A ``fault`` that waited in vain for a request of its ``operation``."""

    operation: Operation
    fault: Fault


class FaultsNotMet(AssertionError):  # noqa: N818 - it names what happened, as the test will read it
    """The emulator ended while faults were still queued, ``unmet``: the test did not do what it was meant to."""

    def __init__(self, unmet: tuple[Unmet, ...]) -> None:
        super().__init__("; ".join(f"{item.operation} never met {item.fault}" for item in unmet))
        self.unmet = unmet

    def __reduce__(self) -> tuple[type[FaultsNotMet], tuple[tuple[Unmet, ...]]]:
        return type(self), (self.unmet,)  # the default would make one of its message


@define
class FaultQueues:
    """The faults of each operation, in the order in which its requests meet them."""

    _queues: dict[Operation, deque[Fault]] = field(factory=dict[Operation, "deque[Fault]"])

    def add(self, operation: Operation, faults: tuple[Fault, ...]) -> None:
        """Queue faults behind those already there."""
        self._queues.setdefault(operation, deque()).extend(faults)

    def next(self, operation: Operation) -> Fault | None:
        """The fault that the next request of an operation meets, None if none is queued."""
        queue = self._queues.get(operation)
        return queue.popleft() if queue else None

    @property
    def unmet(self) -> tuple[Unmet, ...]:
        """What no request has met yet."""
        queues = tuple(self._queues.items())  # copies, because the server may be in another thread
        return tuple(Unmet(operation, fault) for operation, queue in queues for fault in tuple(queue))
