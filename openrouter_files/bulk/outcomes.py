"""What became of each file of a bulk job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import asdict, field, frozen

from ..models import File
from ..options import check_listener, tell

if TYPE_CHECKING:
    from .engine import Outcomes


# ---- What became of each file of a bulk job, as a union of small classes, and of all of them together.

RefusalReason: TypeAlias = Literal["empty", "too large", "type", "name", "unreadable", "duplicate"]
"""Why a file would not have been accepted."""
SkipReason: TypeAlias = Literal["done", "known", "exists"]
"""Why there was nothing to do."""


@frozen
class LocalFile:
    """A file to upload: the ``path`` where it is, and the ``filename`` it is stored under, folders included.

    Attributes:
        path: Where it is.
        filename: What it is stored as.
        size: Bytes, as they were when it was found in a folder; None if nobody looked. Two that differ
            in nothing else are equal.
    """

    path: str
    filename: str
    size: int | None = field(default=None, eq=False, repr=False)


@frozen(kw_only=True)
class Uploaded:
    """Stored, by this job or by the run of it that was killed: ``source`` is now ``file``."""

    source: LocalFile
    file: File


@frozen(kw_only=True)
class Downloaded:
    """``file`` is whole, at ``path``."""

    file: File
    path: Path


@frozen(kw_only=True)
class Deleted:
    """``file_id`` is gone, or, with ``missing_ok``, was never there."""

    file_id: str


@frozen(kw_only=True)
class Skipped:
    """Nothing to do.

    Attributes:
        source: What was given: a LocalFile to upload, a File or an id to download.
        reason: ``"done"`` by an earlier run, ``"known"`` content, or the target ``"exists"``.
        file_id: The file it is, or was uploaded as.
    """

    source: LocalFile | File | str
    reason: SkipReason
    file_id: str


@frozen(kw_only=True)
class Refused:
    """``source`` would not have been accepted, and was not sent; ``reason`` says why, ``detail`` in a sentence."""

    source: LocalFile
    reason: RefusalReason
    detail: str


@frozen(kw_only=True)
class Failed:
    """``source`` was tried, and failed; ``error`` says whether it may be stored all the same (``maybe_processed``)."""

    source: LocalFile | File | str
    error: Exception


@frozen(kw_only=True)
class NotTried:
    """``source`` was left alone, because the job was stopped: the key was refused, with ``why``."""

    source: LocalFile | File | str
    why: Exception


UploadOutcome: TypeAlias = Uploaded | Skipped | Refused | Failed | NotTried
"""What may become of a file to upload."""
DownloadOutcome: TypeAlias = Downloaded | Skipped | Failed | NotTried
"""What may become of a file to download."""
DeleteOutcome: TypeAlias = Deleted | Failed | NotTried
"""What may become of a file to delete."""
Outcome: TypeAlias = Uploaded | Downloaded | Deleted | Skipped | Refused | Failed | NotTried
"""What may become of a file of any job."""


@frozen(kw_only=True)
class BulkProgress:
    """How far a job is. Bytes are absolute and follow the attempts: they go back if a transfer starts over.

    Attributes:
        files: Files that were worked on and have their outcome; what an earlier run did is not counted.
        found: Files found so far; sources are taken as needed, so this grows.
        bytes_done: Bytes of finished and running transfers.
        bytes_found: Bytes of all files found so far whose size is known.
        name: The file that moved last.
        name_done: Its bytes so far.
        name_total: Its size; None while unknown.
        running: Transfers under way.
        concurrency: How many may be: adapted to what the server takes.
    """

    files: int
    found: int
    bytes_done: int
    bytes_found: int
    name: str
    name_done: int
    name_total: int | None
    running: int
    concurrency: int


BulkProgressCallback: TypeAlias = Callable[[BulkProgress], object]
"""Called on the event loop, often: it should be quick. What it raises ends the job."""


@frozen(kw_only=True)
class Statistics:
    """How a job went.

    Attributes:
        seconds: From its start to its end.
        bytes: Moved by successful transfers.
        retries: Attempts beyond the first, of all calls.
        rate_limited: Answers 429 among them.
        lowest_concurrency: After the server asked for less.
        highest_concurrency: As far as it went.
    """

    seconds: float = 0.0
    bytes: int = 0
    retries: int = 0
    rate_limited: int = 0
    lowest_concurrency: int = 0
    highest_concurrency: int = 0


@frozen(kw_only=True, repr=False)
class BulkReport:
    """What became of all files of a job.

    Attributes:
        uploaded, downloaded, deleted, skipped, refused, failed, not_tried: The outcomes of each
            kind, in the order in which they came.
        statistics: See Statistics.
    """

    uploaded: tuple[Uploaded, ...] = ()
    downloaded: tuple[Downloaded, ...] = ()
    deleted: tuple[Deleted, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    refused: tuple[Refused, ...] = ()
    failed: tuple[Failed, ...] = ()
    not_tried: tuple[NotTried, ...] = ()
    statistics: Statistics = field(factory=Statistics)

    @property
    def ok(self) -> bool:
        """Whether every file has what the job was to give it."""
        return not (self.refused or self.failed or self.not_tried)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    def __str__(self) -> str:
        """Return how many there are of each kind, in a line."""
        kept = asdict(self, recurse=False, filter=lambda field, some: bool(some) and field.name != "statistics")
        counts = [f"{len(some):,} {kind.replace('_', ' ')}" for kind, some in kept.items()]
        moved = f"{self.statistics.bytes:,} bytes moved in {self.statistics.seconds:.1f} s"
        return "; ".join((", ".join(counts) or "no outcomes kept", moved))


# ---- The report of a job: its outcomes, kept by kind.

Keep: TypeAlias = Literal["all", "problems"]
"""Which outcomes a report keeps: all, or what went wrong."""

_KINDS: dict[type[Outcome], str] = {
    Uploaded: "uploaded",
    Downloaded: "downloaded",
    Deleted: "deleted",
    Skipped: "skipped",
    Refused: "refused",
    Failed: "failed",
    NotTried: "not_tried",
}
_PROBLEMS = (Refused, Failed, NotTried)


async def report_of(job: Outcomes[Any, Any], on_outcome: Callable[[Any], object] | None, *, keep: Keep) -> BulkReport:
    """Run a job to its end; ``keep="problems"`` leaves the others out, for jobs of millions."""
    check_listener("on_outcome", on_outcome)
    kinds: dict[str, list[Any]] = {kind: [] for kind in _KINDS.values()}
    async with job as outcomes:
        async for outcome in outcomes:
            if on_outcome is not None:
                tell("on_outcome", on_outcome, outcome)
            if keep == "all" or isinstance(outcome, _PROBLEMS):
                kinds[_KINDS[type(outcome)]].append(outcome)
    return BulkReport(**{kind: tuple(some) for kind, some in kinds.items()}, statistics=job.statistics)
