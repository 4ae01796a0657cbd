"""A server that answers like OpenRouter's Files API, to test and try things against.

It shares no code with the client, on purpose: what is wrong in shared code would be right on both ends.
"""

from openrouter_files.emulator.containers import ContainerStored
from openrouter_files.emulator.drawers import Provider
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
from openrouter_files.emulator.limits import RateLimit
from openrouter_files.emulator.question import ChatReceived
from openrouter_files.emulator.ready import Content, Done, Ready
from openrouter_files.emulator.received import Received
from openrouter_files.emulator.script import Call, Fail, Say, ScriptsNotPlayed, Step, ToolCall
from openrouter_files.emulator.server import Emulator, PlainEmulator
from openrouter_files.emulator.shapes import Shape
from openrouter_files.emulator.stored import StoredFile

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
