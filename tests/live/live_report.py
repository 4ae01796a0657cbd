"""The report of a live run: a Markdown table of questions, answers and evidence, without the key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from attrs import define, field, frozen
from live_questions import QUESTIONS, UNASKED

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_CELL = 240


@frozen
class Answer:
    """What the service said to one question, and how that was found out; ``detail`` says which part of it."""

    question: str
    detail: str
    answer: str
    evidence: str = ""


@define
class Findings:
    """All answers of a run; and how many requests it took, how many of them were declined with 429."""

    answers: list[Answer] = field(factory=list)
    requests: int = 0
    declined: int = 0

    def add(self, question: str, detail: str, answer: str, evidence: str = "") -> None:
        """Write an answer down."""
        assert question in QUESTIONS
        self.answers.append(Answer(question, detail, answer, evidence))

    def count(self, status: int | None) -> None:
        """Note one request, and whether it was declined."""
        self.requests += 1
        self.declined += status == 429

    def table(self) -> Iterator[str]:
        """The lines of the report."""
        yield "| question | answer | evidence |"
        yield "| --- | --- | --- |"
        order = {question: place for place, question in enumerate(QUESTIONS)}
        for told in sorted([*self.answers, self._rates(), *self._silent()], key=lambda a: order[a.question]):
            cells = (f"{told.question} {told.detail}", told.answer, told.evidence)
            yield f"| {' | '.join(map(_cell, cells))} |"

    def _rates(self) -> Answer:
        answer = "seen" if self.declined else "none seen"
        return Answer("Q21", QUESTIONS["Q21"], answer, f"{self.declined} of {self.requests} requests got 429")

    def _silent(self) -> Iterator[Answer]:
        answered = {told.question for told in self.answers} | {"Q21", "Also"}
        for question, wording in QUESTIONS.items():
            if question not in answered:
                yield Answer(question, wording, "not asked", UNASKED.get(question, "its test did not come that far"))


def without_key(text: str) -> str:
    """A text in which the key of this run does not stand any more."""
    key = os.environ.get("OPENROUTER_API_KEY")
    return text.replace(key, "[the key]") if key else text


def _cell(text: str) -> str:
    line = " ".join(without_key(text).split()).replace("|", "\\|")
    return line if len(line) <= _LONGEST_CELL else f"{line[:_LONGEST_CELL]}..."
