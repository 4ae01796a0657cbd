"""The report of a job: its outcomes, kept by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..given import check_listener, tell
from .outcome import BulkReport, Deleted, Downloaded, Failed, NotTried, Outcome, Refused, Skipped, Uploaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from .running import Outcomes

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
