"""A server that answers like OpenRouter's Files API, to test and try things against.

It shares no code with the client, on purpose: what is wrong in shared code would be right on both ends.
"""

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
from openrouter_files.emulator.received import Received
from openrouter_files.emulator.server import Emulator
from openrouter_files.emulator.shapes import Shape
from openrouter_files.emulator.stored import StoredFile

__all__ = [
    "Drop",
    "Emulator",
    "Fault",
    "FaultsNotMet",
    "Operation",
    "Pass",
    "RateLimit",
    "Received",
    "Shape",
    "Stall",
    "Status",
    "StoredFile",
    "Trickle",
    "Truncate",
    "Unmet",
]
