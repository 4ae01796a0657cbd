"""Who may act on which workspace."""

from __future__ import annotations

import re
import uuid

from attrs import define, field, frozen

from openrouter_files.emulator.refusals import Refusal

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
