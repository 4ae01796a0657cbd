"""A job of which only what was stored matters, for the demo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from openrouter_files import Uploaded

from .job import Job

if TYPE_CHECKING:
    from openrouter_files import File

    from .outcomes import Outcome
    from .results import Row


@define(kw_only=True)
class Kept(Job):
    """A job whose results are kept instead of shown."""

    kept: list[File]

    def tell(self, outcome: Outcome) -> None:
        """Keep what was stored."""
        if isinstance(outcome, Uploaded):
            self.kept.append(outcome.file)
        Job.tell(self, outcome)

    def show(self, row: Row) -> None:
        """Show nothing: the story does."""
