"""This package with its extra ``speed``: msgspec reads the answers."""

from .ours import Client

__all__ = ["Client"]
