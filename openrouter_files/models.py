"""What the API talks about, as values. Imports nothing of the package.

Its annotations are read at run time, by cattrs: that is why nothing hides behind TYPE_CHECKING.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NoReturn, TypeAlias, cast

from attrs import field, frozen


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise TypeError("this mapping cannot be changed")


class _Nothing(dict[str, Any]):
    """The empty dict that nearly every file has as its extra; it stays empty.

    One for all: a dict for each would double what the garbage collector has to look at, a thousand more per page.
    """

    __setitem__ = __ior__ = setdefault = update = cast("Any", _refuse)


NOTHING: Mapping[str, Any] = _Nothing()


@frozen(kw_only=True)
class File:
    """One file of a workspace, whatever shape the server answered in.

    Attributes:
        id: Opaque; never parse it (``file_...`` and ``or_file_...`` both exist).
        filename: May hold ``/`` as folders. Not unique: an edit makes a new file.
        size_bytes: Length of the content in bytes; None if the server does not know it (OpenAI's may not).
        created_at: Timezone-aware; None if the server does not know it.
        mime_type: Read from the content by the server; None in OpenAI-shaped answers.
        downloadable: False for what was uploaded, True for what a model wrote or what was
            promoted from a container; None if the answer did not say.
        purpose: Only in OpenAI-shaped answers.
        status: Only in OpenAI-shaped answers.
        extra: Fields that this version does not know, as they came. Not part of equality.
    """

    id: str
    filename: str
    size_bytes: int | None
    created_at: datetime | None
    mime_type: str | None = None
    downloadable: bool | None = None
    purpose: str | None = None
    status: str | None = None
    extra: Mapping[str, Any] = field(default=NOTHING, repr=False, eq=False)


@frozen
class PageToken:
    """Where the next page starts: the query ``parameter`` to use and its ``value``.

    Source: Files API guide, pagination: ``cursor`` in the default shape, ``after`` in the
    OpenAI shape, ``after_id`` in the Anthropic shape.
    """

    parameter: str
    value: str


@frozen(kw_only=True)
class FilePage:
    """One page of a listing.

    Attributes:
        data: The files, oldest first.
        next: Give it to ``list_page(cursor=...)`` for the page that follows; None after the last.
    """

    data: tuple[File, ...]
    next: PageToken | None = None


@frozen(kw_only=True)
class ContainerFile:
    """One file inside a sandbox container.

    Attributes:
        id: Opaque; only of use together with the container.
        container_id: The container it is in.
        path: Below the container's home, with ``/``.
        size_bytes: Length of the content in bytes; None if the server does not know it.
        created_at: When it was last synchronised; timezone-aware; None if the server does not know it.
        source: Who made it (``"assistant"``); None if the answer did not say.
        extra: Fields that this version does not know, as they came. Not part of equality.
    """

    id: str
    container_id: str
    path: str
    size_bytes: int | None
    created_at: datetime | None
    source: str | None = None
    extra: Mapping[str, Any] = field(default=NOTHING, repr=False, eq=False)


@frozen(kw_only=True)
class ContainerPage:
    """One page of the files of a container, by path.

    Attributes:
        data: The files; may be empty although more follow.
        next: Give it to ``list_page(cursor=...)`` for the page that follows; None after the last.
    """

    data: tuple[ContainerFile, ...]
    next: PageToken | None = None


@frozen(kw_only=True)
class DeletedFile:
    """The receipt of a deletion: the ``id`` of what is gone."""

    id: str


@frozen(kw_only=True)
class Usage:
    """What an answer of a model took. None for what the server did not say.

    Attributes:
        prompt_tokens, completion_tokens, total_tokens: As counted by the provider.
        cost: In credits.
        tool_calls_requested: Calls of server tools that the model asked for.
        tool_calls_executed: Those that were carried out.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cost: float | None = None
    tool_calls_requested: int | None = None
    tool_calls_executed: int | None = None


@frozen(kw_only=True)
class ModelAnswer:
    """What a model said in the end, after all its calls of the files tool.

    Attributes:
        text: Empty if it said nothing.
        finish_reason: ``"stop"``, ``"length"`` ...; None if the server did not say.
        usage: None if the server did not say.
        raw: The whole answer, as it came.
    """

    text: str
    finish_reason: str | None = None
    usage: Usage | None = None
    raw: Mapping[str, Any] = field(default=NOTHING, repr=False)


@frozen(kw_only=True)
class FilesToolCall:
    """One call of the files tool, as the Responses API reports it.

    Attributes:
        status: ``"in_progress"``, ``"completed"`` or ``"incomplete"``.
        operation: ``"list"``, ``"read"``, ``"write"`` or ``"edit"``; None if it was not said.
        file_id, filename: What it was about.
        result: What the tool returned, read from JSON if it was; None if it failed.
        error: Why it failed.
        id: Of the item.
    """

    status: str
    operation: str | None = None
    file_id: str | None = None
    filename: str | None = None
    result: Any = None
    error: str | None = None
    id: str | None = None


@frozen(kw_only=True)
class Progress:
    """How far a transfer is, in bytes of the file, counted from the start of the running attempt.

    Attributes:
        done: Bytes handed to the network or written to disk. Starts over if the transfer does.
        total: Bytes in all; None while unknown.
    """

    done: int
    total: int | None


ProgressCallback: TypeAlias = Callable[[Progress], object]
"""Called on the event loop, often: it should be quick. What it raises ends the transfer."""
