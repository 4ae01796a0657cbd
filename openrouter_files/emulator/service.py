"""What the operations have at hand, and who is let in to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, evolve, frozen

from openrouter_files.emulator.drawers import Provider, drawer_of
from openrouter_files.emulator.parameters import Where, where_in, workspace_in
from openrouter_files.emulator.refusals import Refusal
from openrouter_files.emulator.shapes import Shape, shape_asked_by

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openrouter_files.emulator.keys import Key, Keys
    from openrouter_files.emulator.model import Model
    from openrouter_files.emulator.providers import Providers
    from openrouter_files.emulator.received import Arrival
    from openrouter_files.emulator.store import Store


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
