"""Wrong usage that only the client knows to be one: what it refuses in a command line before anything is sent.

Elsewhere its ValueError is about a file, a name, a disk; whatever else it raises is a mistake of ours.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from .failures import message_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from openrouter_files import ContainerFiles, FilesClient


@contextmanager
def as_said() -> Generator[None]:
    """Look at what stands in the command line, and at nothing else; UsageError if the client refuses it."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(message_of(error), click.get_current_context(silent=True)) from error


def check_ids(files: FilesClient | ContainerFiles, ids: Iterable[str]) -> None:
    """Refuse what cannot be an id; nothing is asked for."""
    with as_said():
        for file_id in ids:
            files.download(file_id)
