"""Storage options into a client; and what of the environment makes one file system differ from another."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from openrouter_files import FilesClient, Options, RetryPolicy, Timeouts

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

_HEARD = ("OPENROUTER_API_KEY", "OPENROUTER_BASE_URL")

# What OpenRouterFileSystem takes for its Options; the values may be mappings, as a catalogue file has them.
_OPTIONS = ("workspace_id", "provider", "timeouts", "retry", "headers", "on_event")


def _value(kind: type[T], given: T | Mapping[str, Any]) -> T:
    return given if isinstance(given, kind) else kind(**given)  # type: ignore[arg-type]  # then it is a mapping


def _options(given: dict[str, Any]) -> Options:
    for name, kind in (("timeouts", Timeouts), ("retry", RetryPolicy)):
        if name in given:
            given[name] = _value(kind, given[name])
    return Options(**given)


def client_of(given: Mapping[str, Any]) -> FilesClient:
    """Return the client that storage options describe.

    Raises:
        TypeError: There is no such option.
        ValueError: There is no key, or an option makes no sense.
    """
    options = {name: value for name, value in given.items() if name in _OPTIONS and value is not None}
    rest = {name: value for name, value in given.items() if name not in _OPTIONS}
    return FilesClient(**rest, options=_options(options))


class Surroundings:
    """What the environment says, as a digest: fsspec keeps one instance per set of options and of this.

    Without it, an instance made under one key would be handed out under another.
    """

    def __get__(self, instance: object, owner: type | None = None) -> str:
        """Return the digest for the environment as it is now."""
        return sha256(repr([os.environ.get(name) for name in _HEARD]).encode()).hexdigest()
