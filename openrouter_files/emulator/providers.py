"""The providers to whose own Files API a call may be passed on: which have a key, which fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from attrs import define, field

from openrouter_files.emulator.drawers import Provider
from openrouter_files.emulator.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

KNOWN: tuple[Provider, ...] = get_args(Provider)


@define
class Providers:
    """The account's keys for providers."""

    _configured: set[Provider] = field(factory=set[Provider])
    _failing: set[Provider] = field(factory=set[Provider])

    def configure(self, providers: Iterable[Provider]) -> None:
        """Have keys for these.

        Raises:
            ValueError: a name is no provider's.
        """
        for provider in providers:
            if provider not in KNOWN:
                raise ValueError(f"a provider is one of {', '.join(KNOWN)}, not {provider!r}")
            self._configured.add(provider)

    def fail(self, provider: Provider, *, failing: bool) -> None:
        """Let a provider's Files API fail, or work again."""
        (self._failing.add if failing else self._failing.discard)(provider)

    def named(self, said: str | None) -> Provider | None:
        """The provider that a query names, None if it names none.

        Raises:
            Refusal: 400 for a name that is none, and for a provider without a key.

        Source: OpenRouter guide "Files API", ``provider``.
        """
        provider = next((known for known in KNOWN if known == said), None)
        if said is not None and provider is None:
            raise Refusal(400, f"provider must be {' or '.join(KNOWN)}")
        if provider is not None and provider not in self._configured:
            raise Refusal(400, f"No provider key configured for {provider}")
        return provider

    def reach(self, provider: Provider | None) -> None:
        """Get through to a provider.

        Raises:
            Refusal: 502, it fails.

        Source: OpenRouter OpenAPI document, 502; that it stands for the provider's failure is our reading.
        """
        if provider in self._failing:
            raise Refusal(502)
