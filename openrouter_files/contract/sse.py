"""Server-sent events, piece by piece."""

from __future__ import annotations

import codecs

from ..errors import InvalidResponseError

DONE = "[DONE]"


class EventReader:
    """Turns the bytes of a stream into the data of its events. Comments and unknown fields are left out.

    Source: WHATWG HTML, 9.2.6, "Interpreting an event stream".
    """

    def __init__(self, most: int) -> None:
        """Begin; ``most`` is how many characters an event, or a line, may have. A line counts as fifty at least."""
        self._decode = codecs.getincrementaldecoder("utf-8-sig")(errors="replace").decode
        self._rest: list[str] = []  # of the last line, which is not complete; joined when it is
        self._data: list[str] = []
        self._most = most
        self._length = 0  # of the event so far

    def feed(self, piece: bytes) -> list[str]:
        """Return the data of the events that are complete now; feed ``b""`` at the end.

        Raises:
            InvalidResponseError: An event is too long.
        """
        text = self._decode(piece, final=not piece)
        if self._rest and self._rest[-1].endswith("\r"):
            text = self._rest.pop() + text
        self._rest.append(text)
        self._length += len(text)
        if self._length > self._most:
            self._rest, self._data = [], []
            raise InvalidResponseError([f"an event of more than {self._most} characters @ $"])
        if "\n" not in text and "\r" not in text and piece:
            return []
        text = "".join(self._rest)
        held = "\r" if text.endswith("\r") and piece else ""  # it may be the first half of a line break
        lines = text[: len(text) - len(held)].replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._rest = [lines.pop() + held]
        self._length += 50 * len(lines)
        return [event for line in lines if (event := self._take(line)) is not None]

    def _take(self, line: str) -> str | None:
        if line:
            field, _, value = line.partition(":")
            if field == "data":
                self._data.append(value.removeprefix(" "))
            return None
        data, self._data = self._data, []
        self._length = 0
        return "\n".join(data) if data else None
