"""What the five operations have at hand, and who is let in to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from openrouter_files.emulator.parameters import Where, where_in, workspace_in
from openrouter_files.emulator.refusals import Refusal
from openrouter_files.emulator.shapes import Shape, shape_asked_by

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openrouter_files.emulator.keys import Keys
    from openrouter_files.emulator.received import Arrival
    from openrouter_files.emulator.store import Store


@frozen(kw_only=True)
class Rules:
    """How this server differs from others: its era, its limits, its clock.

    ``clock`` gives Unix seconds.  ``shape`` is that of every answer, None to let the request's
    headers decide.  ``region`` makes it an in-region host, ``ranges`` one that serves parts of downloads.
    """

    seed_era: bool
    shape: Shape | None
    max_file_bytes: int
    region: bool
    ranges: bool
    clock: Callable[[], float]

    def shape_for(self, headers: Mapping[str, str]) -> Shape:
        """The shape of the answer to a request."""
        return "seed" if self.seed_era else self.shape or shape_asked_by(headers)


@frozen(kw_only=True)
class Service:
    """The rules, the keys and the store, which every operation needs."""

    rules: Rules
    keys: Keys
    store: Store


@frozen(kw_only=True)
class Admission:
    """A request that may go on: in which workspace, and for a listing from where."""

    workspace_id: str
    where: Where = field(factory=lambda: where_in({}, seed_era=False))


def admit(service: Service, arrival: Arrival) -> Admission:
    """Let a request in to its operation.

    Raises:
        Refusal: in this order: 401 for the key, 403 for the region, 400 for the query, 403 for the workspace.

    Source: OpenRouter guide "Files API", errors; the order is ours.
    """
    query, seed_era = arrival.note.query, service.rules.seed_era
    key = service.keys.holder(arrival.headers.get("authorization"))
    if service.rules.region:
        raise Refusal(403, "The Files API is not available on in-region hosts")
    wanted = workspace_in(query, seed_era=seed_era)
    if arrival.note.operation != "list":
        return Admission(workspace_id=service.keys.workspace(key, wanted))
    where = where_in(query, seed_era=seed_era)
    return Admission(workspace_id=service.keys.workspace(key, wanted), where=where)
