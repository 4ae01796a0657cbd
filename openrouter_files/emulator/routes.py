"""Which operation a method and a path ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

from attrs import frozen

if TYPE_CHECKING:
    from openrouter_files.emulator.faults import Operation

PREFIX = "/api/v1"
_FILES: dict[str, Operation] = {"GET": "list", "POST": "upload"}
_FILE: dict[str, Operation] = {"GET": "retrieve", "DELETE": "delete"}
_CONTENT: dict[str, Operation] = {"GET": "download"}


@frozen
class Route:
    """An operation, and the file it is about (None: about no single one)."""

    operation: Operation
    file_id: str | None = None


@frozen
class WrongMethod:
    """The path exists, the method does not; ``allowed`` are those that do."""

    allowed: tuple[str, ...]


Unknown = Literal["unknown"]


def route(method: str, raw_path: str) -> Route | WrongMethod | Unknown:
    """What a request asks for; ``raw_path`` as it came, still percent-encoded and without its query.

    Source: OpenRouter OpenAPI document, paths.
    """
    match raw_path.removeprefix(PREFIX).split("/") if raw_path.startswith(PREFIX) else []:
        case ["", "files"]:
            return _chosen(_FILES, method, None)
        case ["", "files", file_id] if file_id:
            return _chosen(_FILE, method, unquote(file_id))
        case ["", "files", file_id, "content"] if file_id:
            return _chosen(_CONTENT, method, unquote(file_id))
        case _:
            return "unknown"


def _chosen(operations: dict[str, Operation], method: str, file_id: str | None) -> Route | WrongMethod:
    operation = operations.get(method)
    return WrongMethod(tuple(operations)) if operation is None else Route(operation, file_id)
