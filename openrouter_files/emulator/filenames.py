"""Which filenames an upload may have."""

from __future__ import annotations

import re

from openrouter_files.emulator.refusals import Refusal

LONGEST_NAME = 255
_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f-\x9f]')
_NO_SEGMENT = frozenset({"", ".", ".."})


def check_filename(name: str) -> None:
    """Let a good name pass: 1 to 255 characters, ``/`` for folders, nothing that a disk trips over.

    Raises:
        Refusal: 400, with the rule that was broken.

    Source: OpenRouter guide "Files API", section on filenames.
    """
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Refusal(400, f"Filename must have 1 to {LONGEST_NAME} characters")
    if _FORBIDDEN.search(name):
        raise Refusal(400, "Filename contains a forbidden character")
    if not _NO_SEGMENT.isdisjoint(name.split("/")):
        raise Refusal(400, "Filename has an empty, '.' or '..' segment, or starts or ends with '/'")
