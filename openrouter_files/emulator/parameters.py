"""The query parameters of the five operations, judged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import frozen

from openrouter_files.emulator.keys import check_workspace_id
from openrouter_files.emulator.refusals import Refusal
from openrouter_files.emulator.shapes import cursor_says

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1000
_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)


@frozen(kw_only=True)
class Where:
    """Which part of the listing is asked for: at most ``limit`` files, after an id (None: from the start)."""

    limit: int
    after: str | None


def workspace_in(query: Mapping[str, str], *, seed_era: bool) -> str | None:
    """The workspace that a call names, None if it names none.

    Raises:
        Refusal: 400 for what is no UUID, and for ``provider``: no provider key is configured.

    Source: OpenRouter guide "Files API"; that a malformed id is 400 is ours.
    """
    if "provider" in query and not seed_era:
        raise Refusal(400, _about_provider(query["provider"]))
    return check_workspace_id(query["workspace_id"]) if "workspace_id" in query else None


def where_in(query: Mapping[str, str], *, seed_era: bool) -> Where:
    """The page that a listing asks for.

    Raises:
        Refusal: 400 for a limit outside 1 to 1000, a token that is none, what the storage does not
            support, or two ways of saying where to start.

    Source: OpenRouter OpenAPI document, listFiles; 400 as the status is ours.
    """
    starts = ("cursor",) if seed_era else ("cursor", "after", "after_id")
    given = [name for name in starts if name in query]
    if not seed_era:
        _check_direction(query)
    if len(given) > 1:
        raise Refusal(400, f"{given[0]} and {given[1]} cannot be combined")
    return Where(limit=_limit(query.get("limit")), after=_start(query, given[0]) if given else None)


def _check_direction(query: Mapping[str, str]) -> None:
    if "before_id" in query:
        raise Refusal(400, "before_id is not supported")
    if query.get("order", "asc") != "asc":
        raise Refusal(400, "Only order=asc is supported")


def _limit(said: str | None) -> int:
    if said is None:
        return DEFAULT_LIMIT
    if not _DIGITS.fullmatch(said) or not 1 <= int(said) <= LARGEST_LIMIT:
        raise Refusal(400, f"limit must be a number from 1 to {LARGEST_LIMIT}")
    return int(said)


def _start(query: Mapping[str, str], name: str) -> str:
    file_id = cursor_says(query[name]) if name == "cursor" else query[name]
    if not file_id:
        raise Refusal(400, f"Invalid {name}")
    return file_id


def _about_provider(provider: str) -> str:
    if provider not in {"openai", "anthropic"}:
        return "provider must be openai or anthropic"
    return f"No provider key configured for {provider}"
