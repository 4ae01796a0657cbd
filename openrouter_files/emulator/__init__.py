"""A server that answers like OpenRouter's Files API, to test and try things against.

It shares no code with the client, on purpose: what is wrong in shared code would be right on both ends.
"""

from openrouter_files.emulator.containers import ContainerStored
from openrouter_files.emulator.faults import (
    Drop,
    Fault,
    FaultsNotMet,
    Operation,
    Pass,
    Stall,
    Status,
    Trickle,
    Truncate,
    Unmet,
)
from openrouter_files.emulator.ready import Content, Done, Ready
from openrouter_files.emulator.server import Emulator, PlainEmulator

from .app import RateLimit
from .chat import Call, ChatReceived, Fail, Say, ScriptsNotPlayed, Step, ToolCall
from .requests import Received
from .responses import Shape
from .store import Provider, StoredFile

__all__ = [
    "Call",
    "ChatReceived",
    "ContainerStored",
    "Content",
    "Done",
    "Drop",
    "Emulator",
    "Fail",
    "Fault",
    "FaultsNotMet",
    "Operation",
    "Pass",
    "PlainEmulator",
    "Provider",
    "RateLimit",
    "Ready",
    "Received",
    "Say",
    "ScriptsNotPlayed",
    "Shape",
    "Stall",
    "Status",
    "Step",
    "StoredFile",
    "ToolCall",
    "Trickle",
    "Truncate",
    "Unmet",
]
