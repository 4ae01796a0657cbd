"""What kind of text a UTF-8 text is: JSON, NDJSON, CSV, Markdown or plain.

The service does not publish how it decides; these rules are the emulator's own.
"""

from __future__ import annotations

import csv
import json
import re
from typing import NoReturn

_FEW = 2
_JSON_BEGINS = re.compile(r'\s*(?:\{|\[\s*(?:["{\[]|(?:-?\d[\d.eE+-]*|true|false|null)\s*,))', re.ASCII)
_BLOCK = re.compile(r"#{1,6} \S| {0,3}(?:[-*+]|\d{1,9}[.)]) \S| {0,3}(?:```|~~~)")
_LINK = re.compile(r"\[[^\]\n]{1,200}\]\([^)\n]{1,500}\)")


def text_type(text: str, *, cut: bool) -> str:
    """The reported type of a text, or of the beginning of a long one (``cut``).

    Source: OpenRouter OpenAPI document, upload: the five names; the procedure is ours.
    """
    text = text.removeprefix("\ufeff")
    lines = [line for line in text.split("\n")[: -1 if cut else None] if line.strip()]
    if _is_json(text) or (cut and _begins_json(text, lines)):
        return "application/json"
    if len(lines) >= _FEW and all(map(_is_json, lines)):
        return "application/x-ndjson"
    if _is_csv(lines):
        return "text/csv"
    return "text/markdown" if _is_markdown(text, lines) else "text/plain"


def _begins_json(text: str, lines: list[str]) -> bool:
    # The rest is not at hand, so the first tokens speak for it, unless the first line is a value of its own.
    return _JSON_BEGINS.match(text) is not None and not (lines and _is_json(lines[0]))


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text, parse_int=str, parse_constant=_not_json)
    except (ValueError, RecursionError):
        return False
    return True


def _not_json(name: str) -> NoReturn:
    raise ValueError(name)


def _is_csv(lines: list[str]) -> bool:
    if len(lines) < _FEW or "," not in lines[0]:
        return False
    try:
        widths = {len(row) for row in csv.reader(lines, strict=True)}
    except csv.Error:
        return False
    return len(widths) == 1 and widths.pop() >= _FEW


def _is_markdown(text: str, lines: list[str]) -> bool:
    # Searching for what is rare first spares a regular expression at every character.
    return any(map(_BLOCK.match, lines)) or ("](" in text and _LINK.search(text) is not None)
