"""Server-sent events, piece by piece."""

from __future__ import annotations

import codecs

DONE = "[DONE]"


class EventReader:
    """Turns the bytes of a stream into the data of its events. Comments and unknown fields are left out.

    Source: WHATWG HTML, 9.2.6, "Interpreting an event stream".
    """

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8-sig")(errors="replace").decode
        self._rest = ""
        self._data: list[str] = []

    def feed(self, piece: bytes) -> list[str]:
        """Return the data of the events that are complete now; feed ``b""`` at the end."""
        text = self._rest + self._decode(piece, final=not piece)
        held = "\r" if text.endswith("\r") and piece else ""  # it may be the first half of a line break
        lines = text[: len(text) - len(held)].replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._rest = lines.pop() + held
        return [event for line in lines if (event := self._take(line)) is not None]

    def _take(self, line: str) -> str | None:
        if line:
            field, _, value = line.partition(":")
            if field == "data":
                self._data.append(value.removeprefix(" "))
            return None
        data, self._data = self._data, []
        return "\n".join(data) if data else None
