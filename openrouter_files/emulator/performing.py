"""Who performs which operation, once the caller is let in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openrouter_files.emulator import container_operations
from openrouter_files.emulator.chat import chat
from openrouter_files.emulator.operations import FILE_OPERATIONS
from openrouter_files.emulator.service import Service, admit, admit_to_workspace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openrouter_files.emulator.answers import Answer
    from openrouter_files.emulator.faults import Operation
    from openrouter_files.emulator.received import Arrival

_OTHERS: dict[Operation, Callable[[Service, Arrival, str], Awaitable[Answer]]] = {
    "list_container": container_operations.list_container,
    "retrieve_container": container_operations.retrieve_container,
    "download_container": container_operations.download_container,
    "promote": container_operations.promote,
    "chat": chat,
}


async def perform(service: Service, arrival: Arrival, operation: Operation) -> Answer:
    """Serve a request whose operation is known.

    Raises:
        Refusal: what the service would refuse.
    """
    if operation in _OTHERS:
        return await _OTHERS[operation](service, arrival, admit_to_workspace(service, arrival))
    admission = admit(service, arrival)
    return await FILE_OPERATIONS[operation](service.under(admission.provider), arrival, admission)
