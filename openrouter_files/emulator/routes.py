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
_BOX: dict[str, Operation] = {"GET": "list_container"}
_BOX_FILE: dict[str, Operation] = {"GET": "retrieve_container"}
_BOX_CONTENT: dict[str, Operation] = {"GET": "download_container"}
_PROMOTE: dict[str, Operation] = {"POST": "promote"}
_CHAT: dict[str, Operation] = {"POST": "chat"}


@frozen
class Route:
    """An operation, the file it is about (None: about no single one), and its container (empty: of none)."""

    operation: Operation
    file_id: str | None = None
    container_id: str = ""


@frozen
class WrongMethod:
    """The path exists, the method does not; ``allowed`` are those that do."""

    allowed: tuple[str, ...]


Unknown = Literal["unknown"]


def route(method: str, raw_path: str, *, seed_era: bool = False) -> Route | WrongMethod | Unknown:
    """What a request asks for; ``raw_path`` as it came, still percent-encoded and without its query.

    Source: OpenRouter OpenAPI document, paths; the seed era had no containers.
    """
    match raw_path.removeprefix(PREFIX).split("/") if raw_path.startswith(PREFIX) else []:
        case ["", "files"]:
            return _chosen(_FILES, method)
        case ["", "files", file_id] if file_id:
            return _chosen(_FILE, method, file_id)
        case ["", "files", file_id, "content"] if file_id:
            return _chosen(_CONTENT, method, file_id)
        case ["", "chat", "completions"]:
            return _chosen(_CHAT, method)
        case ["", "containers", container_id, "files", *rest] if container_id and not seed_era:
            return _in_container(method, container_id, rest)
        case _:
            return "unknown"


def _in_container(method: str, container_id: str, rest: list[str]) -> Route | WrongMethod | Unknown:
    match rest:
        case []:
            return _chosen(_BOX, method, None, container_id)
        case [file_id] if file_id:
            return _chosen(_BOX_FILE, method, file_id, container_id)
        case [file_id, "content"] if file_id:
            return _chosen(_BOX_CONTENT, method, file_id, container_id)
        case [file_id, "promote"] if file_id:
            return _chosen(_PROMOTE, method, file_id, container_id)
        case _:
            return "unknown"


def _chosen(
    operations: dict[str, Operation], method: str, file_id: str | None = None, container_id: str = ""
) -> Route | WrongMethod:
    operation = operations.get(method)
    if operation is None:
        return WrongMethod(tuple(operations))
    return Route(operation, None if file_id is None else unquote(file_id), unquote(container_id))
