"""What a request says."""

from __future__ import annotations

import ipaddress
import re
import time
import uuid
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from aiohttp import web
from attrs import define, field, frozen

from .errors import Refusal
from .responses import Shape, cursor_says

if TYPE_CHECKING:
    from .faults import Fault, Operation


# ---- Which Host header is the emulator's own, and who can reach the addresses on which it listens.


@frozen
class Hosts:
    """Names and addresses by which a client may call, besides those of the loopback: ``known``, in lower case.

    A web page can have its own name lead to 127.0.0.1 (DNS rebinding) and then talk to what listens there, as if it
    were its own server. Its requests still carry its name.
    """

    known: frozenset[str]

    @classmethod
    def named(cls, names: Collection[str]) -> Hosts:
        """Those of that name; brackets around an IPv6 address do not count."""
        return cls(frozenset(name.strip("[]").rstrip(".").lower() for name in names))

    def stranger(self, request: web.BaseRequest) -> str | None:
        """What the Host header of a request says, if that is not ours; None if it is, or if there is none at all."""
        return next((host for host in request.headers.getall("Host", ()) if not self._is_ours(host, request)), None)

    def _is_ours(self, host: str, request: web.BaseRequest) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        return name in self.known or is_loopback(name) or name == _reached(request)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address, or a name stands for such. Source: RFC 6761, 6.3."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _reached(request: web.BaseRequest) -> str | None:
    """The address of ours to which a client has connected."""
    transport = request.transport
    address: tuple[str, int] | None = None if transport is None else transport.get_extra_info("sockname")
    return address[0].lower() if address else None


# ---- Who may act on which workspace.

DEFAULT_WORKSPACE = "5f0b8a52-6f3e-4c1d-9a57-0d2f4f1c7e01"
"""The workspace of the default key, the same in every run: a folder that is opened again finds its files."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_KEY = re.compile(r"[!-~]+")
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


@frozen
class Key:
    """What a key may do: act on its workspace and, unless ``bound``, on the account's others."""

    workspace_id: str
    bound: bool


@define
class Keys:
    """The account: its keys and its workspaces."""

    _keys: dict[str, Key] = field(factory=dict[str, Key])
    _workspaces: set[str] = field(factory=lambda: {DEFAULT_WORKSPACE})

    def add(self, key: str, workspace_id: str, *, bound: bool) -> str:
        """Let a key act on a workspace, which is made if the account has none of that id; return the id.

        Raises:
            ValueError: no request could show such a key, or the id is no UUID.
        """
        if not _KEY.fullmatch(key):
            raise ValueError("an API key is one or more ASCII characters without white space")
        known = self.add_workspace(workspace_id)
        self._keys[key] = Key(known, bound)
        return known

    def add_workspace(self, workspace_id: str) -> str:
        """Give the account a workspace.

        Raises:
            ValueError: the id is no UUID.
        """
        if not _UUID.fullmatch(workspace_id):
            raise ValueError(f"a workspace id is a UUID, not {workspace_id!r}")
        self._workspaces.add(workspace_id.lower())
        return workspace_id.lower()

    def holder(self, authorization: str | None) -> Key:
        """The key that a request showed.

        Raises:
            Refusal: 401.

        Source: OpenRouter OpenAPI document, security scheme ``apiKey`` (http, bearer).
        """
        if authorization is None:
            raise Refusal(401)
        shown = _BEARER.fullmatch(authorization)
        key = self._keys.get(shown[1]) if shown else None
        if key is None:
            raise Refusal(401, "Invalid API key")
        return key

    def workspace(self, key: Key, wanted: str | None) -> str:
        """The workspace that a call acts on: the one it names, else the key's.

        Raises:
            Refusal: 403 for one that the key may not act on, or that does not exist.

        Source: OpenRouter guide "Files API", workspaces; 403 for an unknown one is ours.
        """
        chosen = key.workspace_id if wanted is None else wanted.lower()
        if key.bound and chosen != key.workspace_id:
            raise Refusal(403, "This key is bound to another workspace")
        if chosen not in self._workspaces:
            raise Refusal(403, "No access to this workspace")
        return chosen


def new_workspace_id() -> str:
    """An id for one more workspace."""
    return str(uuid.uuid4())


def check_workspace_id(value: str) -> str:
    """The ``workspace_id`` of a query, which has to be a UUID.

    Raises:
        Refusal: 400.
    """
    if not _UUID.fullmatch(value):
        raise Refusal(400, "workspace_id must be a UUID")
    return value


# ---- Which operation a method and a path ask for.

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


# ---- The query parameters of listings and of calls, judged.

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


# ---- The log: every request that arrived, and what became of it.

KEPT = 10_000
"""So many requests are remembered: about 10 MB."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@frozen(kw_only=True)
class Received:
    """One request, as it was received and answered.

    ``operation`` is None for a path that is none, ``method`` that of HTTP.  ``path`` is raw, still percent-encoded,
    without the ``query``, which is decoded.  ``headers`` have names in lower case, and no Authorization:
    ``authorized`` says whether there was one.  ``body_bytes`` counts what was read of the body before the answer.
    ``status`` is None while the answer is not out, and for ever if the connection was dropped first.  ``fault`` is
    the queued fault that it met, ``limited`` whether a rate limit turned it away, ``at`` its arrival in monotonic
    seconds.
    """

    operation: Operation | None
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    authorized: bool
    body_bytes: int
    status: int | None
    fault: Fault | None
    limited: bool
    at: float


@define(eq=False)
class Note:
    """What the log keeps of a request while it is being served: see :class:`Received`."""

    operation: Operation | None
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    at: float = field(factory=time.monotonic)
    body_bytes: int = 0
    status: int | None = None
    fault: Fault | None = None
    limited: bool = False

    def received(self) -> Received:
        """The entry of the log."""
        return Received(
            operation=self.operation,
            method=self.method,
            path=self.path,
            query=self.query,
            headers={name: value for name, value in self.headers.items() if name != "authorization"},
            authorized="authorization" in self.headers,
            body_bytes=self.body_bytes,
            status=self.status,
            fault=self.fault,
            limited=self.limited,
            at=self.at,
        )


@frozen(eq=False)
class Arrival:
    """A request that is being served: how to read it, and the note to be taken of it.

    The log keeps the note alone: a request holds its connection and buffers in memory.
    """

    request: web.BaseRequest
    note: Note
    file_id: str | None = None
    container_id: str = ""

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's headers, with names in lower case."""
        return self.note.headers

    async def read(self) -> bytes:
        """The next piece of the request's body as it arrives, empty at its end.

        Raises:
            Refusal: 400 for chunks that are none, and for a compressed body that is not.
        """
        if self._is_waiting and self.request.transport is not None:
            self.request.transport.write(_CONTINUE)
        try:
            piece = await self.request.content.readany()
        except web.RequestPayloadError as error:
            raise Refusal(400, "The body cannot be read") from error
        self.note.body_bytes += len(piece)
        return piece

    @property
    def _is_waiting(self) -> bool:
        return not self.note.body_bytes and self.headers.get("expect", "").lower() == "100-continue"


def arrived(request: web.BaseRequest, asked: Route | WrongMethod | Unknown) -> Arrival:
    """A request that starts being served."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    found = asked if isinstance(asked, Route) else None
    operation = None if found is None else found.operation
    note = Note(operation, request.method, request.rel_url.raw_path, dict(request.query), headers)
    return Arrival(request, note) if found is None else Arrival(request, note, found.file_id, found.container_id)
