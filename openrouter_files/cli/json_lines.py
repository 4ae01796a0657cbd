"""What the lines of --json hold: a promise, held by a test, and the text of ``help json``. Pure."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = ("id", "filename", "size_bytes", "created_at", "mime_type", "downloadable", "purpose", "status", "extra")
_SAVED = ("outcome", "id", "filename", "path", "size_bytes")
_USAGE = "prompt_tokens, completion_tokens, total_tokens, cost, tool_calls_requested, tool_calls_executed"


@frozen
class Line:
    """One kind of line.

    Attributes:
        command: Of which command.
        outcome: Its "outcome"; empty if it has none.
        keys: All that are always there.
        sometimes: Those that may be left out.
        note: What is not clear from the names.
    """

    command: str
    outcome: str
    keys: tuple[str, ...]
    sometimes: tuple[str, ...] = ()
    note: str = ""


LINES = (
    Line("upload", "uploaded", ("outcome", *FILE, "source"), note="source: the path that was given"),
    Line(
        "upload",
        "skipped",
        ("outcome", "reason", "source", "filename"),
        ("id",),
        note="reason: done, known or duplicate; id: of the stored file, unless duplicate",
    ),
    Line(
        "upload",
        "refused",
        ("outcome", "reason", "error", "source", "filename"),
        note="reason: empty, too large, type, name or unreadable; error: message",
    ),
    Line("upload --dry-run", "would be uploaded", ("outcome", "source", "filename", "size_bytes")),
    Line("list", "", FILE),
    Line("show", "", FILE),
    Line("download", "downloaded", _SAVED, note="path: where it was saved"),
    Line(
        "download", "skipped", ("outcome", "reason", "id", "source", "filename"), note="reason: exists; source: the id"
    ),
    Line("pull", "downloaded", _SAVED),
    Line("pull", "skipped", ("outcome", "reason", "id", "source", "filename"), note="reason: done; source: the id"),
    Line("delete", "deleted", ("outcome", "id", "deleted"), note="deleted: true"),
    Line("delete --dry-run", "would be deleted", ("outcome", *FILE, "deleted"), note="deleted: false"),
    Line(
        "ask",
        "answered",
        ("outcome", "text", "finish_reason", "usage", "model", "files"),
        note=f"usage: null, or {_USAGE}; files: what the model made, each as in list, and its path or null",
    ),
    Line("ask", "cut off", ("outcome", "text"), note="text: what was said before it failed"),
    Line("containers list", "", ("id", "container_id", "path", "size_bytes", "created_at", "source", "extra")),
    Line("containers show", "", ("id", "container_id", "path", "size_bytes", "created_at", "source", "extra")),
    Line("containers download", "downloaded", (*_SAVED, "container_id"), note="filename: the path in the container"),
    Line("containers download", "skipped", ("outcome", "reason", "id", "filename", "source"), note="reason: exists"),
    Line("containers promote", "promoted", ("outcome", *FILE, "source", "container_id"), note="id: of the copy"),
    Line(
        "doctor",
        "",
        ("check", "status", "message", "advice"),
        ("versions", "base_url", "proxy", "http_status", "seconds", "seconds_ahead"),
        note="status: ok, warn, fail or skip",
    ),
    Line("serve", "", ("base_url", "api_key", "files", "pid"), ("container_files",), note="one line, when it is ready"),
    Line(
        "demo",
        "",
        ("server", "uploaded", "listed", "downloaded", "in_all"),
        ("deleted", "cleaned_up"),
        note="one object for all, each step with its numbers",
    ),
    Line(
        "every command",
        "failed",
        ("outcome", "error"),
        ("source",),
        note="error: type, message; of an answer also status, code, retry_after, request_id; "
        "of a doubt also candidates. source: what it happened to, if not to the whole command",
    ),
)

_HEAD = """With --json a command writes one JSON object per line on stdout, in ASCII, as soon as there is
something to tell; messages for people stay on stderr. Keys are never renamed or taken away, more
may come. null: the server did not say. Times are ISO 8601 with an offset, sizes are bytes. Wrong
usage (status 2) is told on stderr only. For commands with several kinds of lines, "outcome" tells
them apart."""


def _paragraphs() -> Iterator[str]:
    command = ""
    for line in LINES:
        if line.command != command:
            command = line.command
            yield f"\n{command}"
        yield from _described(line)


def _described(line: Line) -> Iterator[str]:
    keys = ", ".join([key for key in line.keys if key != "outcome"] + [f"[{key}]" for key in line.sometimes])
    indent = " " * 4
    yield from wrap(
        f"{line.outcome}: {keys}" if line.outcome else keys, 96, initial_indent="  ", subsequent_indent=indent
    )
    if line.note:
        yield from wrap(line.note, 96, initial_indent=indent, subsequent_indent=indent)


def text() -> str:
    """Return all of it, for people."""
    return "\n".join([_HEAD, *_paragraphs()])
