"""The query parameters of listings and of calls, judged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import frozen

from openrouter_files.emulator.keys import check_workspace_id
from openrouter_files.emulator.refusals import Refusal
from openrouter_files.emulator.shapes import cursor_says

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openrouter_files.emulator.shapes import Shape

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1000
_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)
_STARTS: dict[Shape, tuple[str, ...]] = {
    "seed": ("cursor",),
    "openrouter": ("cursor", "after", "after_id"),
    "openai": ("after",),
    "anthropic": ("after_id", "before_id"),
}
_ORDERS: dict[Shape, tuple[str, ...]] = {"openai": ("asc", "desc")}


@frozen(kw_only=True)
class Where:
    """Which part of the listing is asked for: at most ``limit`` files, after an id (None: from the start).

    ``newest_first`` turns the order round; ``before`` asks for the files that come just before an id.
    """

    limit: int = DEFAULT_LIMIT
    after: str | None = None
    before: str | None = None
    newest_first: bool = False


def workspace_in(query: Mapping[str, str]) -> str | None:
    """The workspace that a call names, None if it names none.

    Raises:
        Refusal: 400 for what is no UUID.

    Source: OpenRouter guide "Files API"; that a malformed id is 400 is ours.
    """
    return check_workspace_id(query["workspace_id"]) if "workspace_id" in query else None


def where_in(query: Mapping[str, str], dialect: Shape) -> Where:
    """The page that a listing asks for, in the parameters of one of the shapes.

    Raises:
        Refusal: 400 for a limit outside 1 to 1000, a token that is none, what the storage does not
            support, or two ways of saying where to start.

    Source: OpenRouter OpenAPI document, listFiles; 400 as the status is ours.
    """
    given = [name for name in _STARTS[dialect] if name in query]
    if dialect != "seed":
        _check_support(query, dialect)
    if len(given) > 1:
        raise Refusal(400, f"{given[0]} and {given[1]} cannot be combined")
    start = _start(query, given[0]) if given else None
    after, before = (None, start) if given == ["before_id"] else (start, None)
    turned = dialect == "openai" and query.get("order") == "desc"
    return Where(limit=limit_in(query), after=after, before=before, newest_first=turned)


def _check_support(query: Mapping[str, str], dialect: Shape) -> None:
    for name in ("cursor", "after", "after_id", "before_id"):
        if name in query and name not in _STARTS[dialect]:
            raise Refusal(400, f"{name} is not supported")
    if query.get("order", "asc") not in _ORDERS.get(dialect, ("asc",)):
        raise Refusal(400, "Only order=asc is supported")


def limit_in(query: Mapping[str, str]) -> int:
    """How many entries a listing asks for.

    Raises:
        Refusal: 400 for what is not from 1 to 1000.

    Source: OpenRouter OpenAPI document, ``limit`` of both listings; 400 as the status is ours.
    """
    said = query.get("limit")
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
