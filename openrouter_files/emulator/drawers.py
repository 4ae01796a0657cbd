"""Where in the store a file lies: in the drawer of a workspace, of its provider, or of a container."""

from __future__ import annotations

from typing import Literal

Provider = Literal["openai", "anthropic"]
"""Whose own Files API a call is passed on to."""


def drawer_of(workspace_id: str, provider: Provider | None = None) -> str:
    """The drawer of a workspace's files, or of those that it has at a provider."""
    return workspace_id if provider is None else f"{provider}:{workspace_id}"


def container_drawer(workspace_id: str, container_id: str) -> str:
    """The drawer of a container. Source: OpenRouter guide "Containers": ids are scoped to the workspace."""
    return f"container:{container_id}:{workspace_id}"


def workspace_of(drawer: str) -> str:
    """The workspace to which a drawer belongs."""
    return drawer.rpartition(":")[2]


def is_of(drawer: str, provider: Provider | None) -> bool:
    """Whether a drawer holds the files of workspaces themselves, or, with a provider, those at the provider."""
    return drawer == drawer_of(workspace_of(drawer), provider)
