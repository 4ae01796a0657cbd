"""Prints rows, tables and JSON lines."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from textwrap import wrap
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from attrs import asdict, define, field, frozen

from .errors import Failure, failure_of, is_ours
from .formatting import files, for_programs, plain, size, when
from .process import Exit, write_line

if TYPE_CHECKING:
    from openrouter_files import ContainerFile, ContainerFiles, File

    from .options import Settings


# ---- Where a command speaks: results go to stdout, everything else to stderr.


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")


class Output:
    """The two streams of a command.

    Attributes:
        style: How results look: for programs, for pipes, or for people.
        watched: Whether somebody looks at stderr.
        draws: Whether progress is worth drawing.
        colours: Whether results may have colours.
        parting: What to add when the command is interrupted.
        above: Writes a line to stderr; a live progress bar replaces it, to stay below.
    """

    def __init__(self, settings: Settings) -> None:
        self._quiet = settings.quiet
        self.verbose = settings.verbose
        people = sys.stdout.isatty()
        self.style: Literal["json", "plain", "table"] = "json" if settings.json else "table" if people else "plain"
        self.watched = sys.stderr.isatty() and not settings.quiet
        # JSON lines on the same terminal would run through the bar.
        self.draws = self.watched and not (settings.json and people) and os.environ.get("TERM") != "dumb"
        self.colours = self.style == "table" and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.parting = ""
        self.above: Callable[[str], object] = _to_stderr

    def json(self, value: Mapping[str, Any]) -> None:
        """Write a result for programs. ASCII, so that no locale can break it."""
        write_line(json.dumps(value))

    def say(self, text: str) -> None:
        """Tell something on stderr, unless quiet is wanted."""
        if not self._quiet:
            self.above(text)

    def complain(self, failure: Failure) -> None:
        """Tell what went wrong: to people on stderr and, if asked for, to programs on stdout."""
        self.above(f"openrouter-files: error: {failure.line}")
        if self.style == "json":
            self.json(failure.json)

    def trace(self, error: Exception) -> None:
        """Tell where a mistake of ours was made, to those who want to know it all."""
        if self.verbose and is_ours(error):
            self.above("".join(traceback.format_exception(error)).rstrip())

    def fail(self, error: Exception, source: str | None = None) -> Exit:
        """Tell about an error and return the exit status that it means."""
        failure = failure_of(error, source)
        self.complain(failure)
        return failure.exit


# ---- What the lines of --json hold: a promise, held by a test, and the text of ``help json``. Pure.

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


# ---- Results in three styles: JSON lines for programs, plain lines for pipes, tables for people.

_ROWS_PER_TABLE = 500


@frozen(kw_only=True)
class Row:
    """One result: as an object, as a line, and as the cells of a table by their columns."""

    json: Mapping[str, Any]
    plain: str
    cells: Mapping[str, str]


@define
class Rows:
    """Shows results as they come; people get them in tables, the last one when the context ends.

    Attributes:
        most: How many rows people get at most: a live progress bar leaves no room for a table
            before the end, and a million rows are not kept until then. None for all.
    """

    _output: Output
    most: int | None = None
    _kept: list[Mapping[str, str]] = field(factory=list["Mapping[str, str]"])
    _left_out: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._table()
        if self._left_out:
            write_line(f"... and {files(self._left_out)} more")

    def add(self, row: Row) -> None:
        """Show one more."""
        if self._output.style == "json":
            self._output.json(row.json)
        elif self._output.style == "plain":
            write_line(row.plain)
        else:
            self._keep(row.cells)

    def _keep(self, cells: Mapping[str, str]) -> None:
        if self.most is not None and len(self._kept) >= self.most:
            self._left_out += 1
            return
        self._kept.append(cells)
        if self.most is None and len(self._kept) >= _ROWS_PER_TABLE:
            self._table()

    def _table(self) -> None:
        kept, self._kept = self._kept, []
        if kept:
            from .tables import table  # noqa: PLC0415  # rich is for people only

            table(kept)


def describe(output: Output, told: Mapping[str, Any], fields: Mapping[str, str], *, is_first: bool) -> None:
    """Show one thing at a time: as an object, as lines of name and value, as a table."""
    if output.style == "json":
        output.json(told)
    elif output.style == "plain":
        lines = [f"{name}\t{value}" for name, value in fields.items()]
        write_line("\n".join(lines if is_first else ["", *lines]))
    else:
        from .tables import table  # noqa: PLC0415  # rich is for people only

        table([{"field": name, "value": value} for name, value in fields.items()])


# ---- What is shown of a file, in each style. Pure.


def as_json(file: File, **more: Any) -> dict[str, Any]:
    """Return a file as JSON lines show it; what the answer did not say is null."""
    known = asdict(file, recurse=False)
    return known | {"created_at": file.created_at and file.created_at.isoformat(), "extra": dict(file.extra)} | more


def downloadable(file: File) -> str:
    """Return whether a file can be downloaded, in a word."""
    return "-" if file.downloadable is None else "yes" if file.downloadable else "no"


def short_row(file: File, **more: Any) -> Row:
    """Return a file as most results show it: its id to pipes, the least to people; ``more`` is for programs."""
    cells = {
        "id": plain(file.id),
        "size": size(file.size_bytes),
        "created": when(file.created_at),
        "name": plain(file.filename),
    }
    return Row(json=as_json(file, **more), plain=cells["id"], cells=cells)


def long_row(file: File) -> Row:
    """Return a file with its type and whether it can be downloaded; tabs between the fields of a pipe."""
    row = short_row(file)
    more = {"type": plain(file.mime_type or "-"), "get": downloadable(file), "name": row.cells["name"]}
    line = (row.plain, for_programs(file.size_bytes), for_programs(file.created_at), *more.values())
    cells = {key: text for key, text in row.cells.items() if key != "name"} | more
    return Row(json=row.json, plain="\t".join(line), cells=cells)


def all_fields(file: File) -> dict[str, str]:
    """Return all that is known about a file, as text, unknown fields included."""
    told = as_json(file)
    told |= told.pop("extra") | {"downloadable": downloadable(file)}
    return {plain(name): plain(str(value)) for name, value in told.items() if value is not None}


# ---- The files of one container, as a user names them and as they are shown.


@define
class Contents:
    """What a container holds, asked for once."""

    _box: ContainerFiles
    _files: list[ContainerFile] | None = None

    async def all(self) -> list[ContainerFile]:
        """Return all files, by path."""
        if self._files is None:
            async with aclosing(self._box.list()) as listing:
                self._files = [file async for file in listing]
        return self._files

    async def find(self, name: str) -> ContainerFile:
        """Return the file of an id or a path; what is not listed may be there since, so the server decides."""
        files = await self.all()
        known = (file for file in files if name in {file.id, file.path})
        return next(known, None) or await self._box.retrieve(name)


def container_file_as_json(file: ContainerFile, **more: Any) -> dict[str, Any]:
    """Return a file as JSON lines show it; what the answer did not say is null."""
    known = asdict(file, recurse=False)
    return known | {"created_at": file.created_at and file.created_at.isoformat(), "extra": dict(file.extra)} | more


def short_container_row(file: ContainerFile) -> Row:
    """Return a file as results show it: its id to pipes."""
    cells = {
        "id": plain(file.id),
        "size": size(file.size_bytes),
        "created": when(file.created_at),
        "path": plain(file.path),
    }
    return Row(json=container_file_as_json(file), plain=cells["id"], cells=cells)


def long_container_row(file: ContainerFile) -> Row:
    """Return a file with its source; tabs between the fields of a pipe."""
    row = short_container_row(file)
    source, path = plain(file.source or "-"), row.cells["path"]
    line = (row.plain, for_programs(file.size_bytes), for_programs(file.created_at), source, path)
    return Row(json=row.json, plain="\t".join(line), cells={**row.cells, "source": source, "path": path})


def all_container_fields(file: ContainerFile) -> dict[str, str]:
    """Return all that is known about a file, as text, unknown fields included."""
    told = container_file_as_json(file)
    told |= told.pop("extra")
    return {plain(name): plain(str(value)) for name, value in told.items() if value is not None}


# ---- Showing a listing, of the workspace or of a container: as it comes, and no more of it than was asked for.

T = TypeVar("T")

_LARGEST_PAGE = 1000


def page_size(limit: int | None) -> int:
    """Return how many files to ask for at once, if so many are wanted in all; None for all there are."""
    return _LARGEST_PAGE if limit is None else min(limit, _LARGEST_PAGE)


async def show_listing(
    listing: AsyncGenerator[T], limit: int | None, row_of: Callable[[T], Row], output: Output
) -> Exit:
    """Show files until there are no more, or so many."""
    shown = 0
    with Rows(output) as rows:
        async with aclosing(listing) as found:
            async for file in found:
                rows.add(row_of(file))
                shown += 1
                if shown == limit:
                    break
    if not shown:
        output.say("no files")
    return Exit.DONE
