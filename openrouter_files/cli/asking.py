"""A question to a model that works with files: what it is shown, what it says, what it makes."""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from attrs import asdict, define, field, frozen

from openrouter_files import FilesError

from .connecting import connected
from .made import Made
from .standard import aside
from .telling import Telling
from .usage import check_ids
from .wording import plain

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence

    from openrouter_files import AnswerStream, File, FilesClient, ModelAnswer

    from .made import Saving
    from .output import Output
    from .scripts import Script
    from .settings import Settings


class _Told(TypedDict):
    extra: Mapping[str, Any]
    resolve_file_ids: bool


@frozen(kw_only=True)
class Question:
    """What is asked.

    Attributes:
        files: Stored files to show the model, by id or name.
        uploads: Paths of files to upload before, and to show it.
        system: What it is told about its part; None for nothing.
        extra: More fields of the request.
        resolve_file_ids: Whether to send the header that older servers need.
        saving: Where to save what it makes; None for nowhere.
    """

    prompt: str
    model: str
    files: tuple[str, ...] = ()
    uploads: tuple[str, ...] = ()
    system: str | None = None
    extra: Mapping[str, Any]
    stream: bool = True
    resolve_file_ids: bool = True
    saving: Saving | None = None

    def messages(self, shown: Iterable[File]) -> list[Mapping[str, Any]]:
        """Return the messages: files and prompt in one, as providers want no text that is empty."""
        parts = [{"type": "file", "file": {"file_id": file.id}} for file in shown]
        user = {"role": "user", "content": [{"type": "text", "text": self.prompt}, *parts]}
        return [{"role": "system", "content": self.system}, user] if self.system else [user]


async def ask(settings: Settings, question: Question, scripts: Sequence[Script], output: Output) -> int:
    """Ask, tell the answer, and what came of it; return the exit status."""
    if question.saving is not None:  # before the question costs anything
        await aside(partial(Path(question.saving.folder).mkdir, parents=True, exist_ok=True))
    async with connected(settings, scripts) as files:
        check_ids(files, question.files)
        return await _Conversation(files=files, question=question, output=output).hold()


@define(kw_only=True)
class _Conversation:
    files: FilesClient
    question: Question
    output: Output
    _mark: File | None = None
    _telling: Telling = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._telling = Telling(self.output)

    async def hold(self) -> int:
        shown = [*await self._look(), *[await self._upload(path) for path in self.question.uploads]]
        made = Made(self.files, self.output, self.question.saving)
        async with self._in_doubt():
            answer = await self._ask(shown)
            await made.find(self._mark)
            await made.save()
        self._end(answer, made)
        return made.exit

    async def _look(self) -> list[File]:
        """Find the files that are wanted, and the newest one: what comes after it, the model made."""
        wanted = dict.fromkeys(self.question.files)
        if self.question.uploads and not wanted:
            return []  # what is uploaded will be the newest
        found: dict[str, File] = {}
        async with aclosing(self.files.list()) as listing:
            async for file in listing:
                self._mark = file
                found |= {name: file for name in (file.id, file.filename) if name in wanted}
        return [found.get(name) or await self.files.retrieve(name) for name in wanted]

    async def _upload(self, path: str) -> File:
        self._mark = await self.files.upload(path)
        return self._mark

    async def _ask(self, shown: list[File]) -> AnswerStream | ModelAnswer:
        question = self.question
        if self.output.watched:
            self.output.say(f"asking {plain(question.model)} ...")
        told: _Told = {"extra": question.extra, "resolve_file_ids": question.resolve_file_ids}
        messages = question.messages(shown)
        if question.stream:
            return await self._listen(await self.files.ask(messages, model=question.model, stream=True, **told))
        answer = await self.files.ask(messages, model=question.model, **told)
        await self._telling.take(answer.text)
        await self._telling.end()
        return answer

    async def _listen(self, answer: AnswerStream) -> AnswerStream:
        async with answer as pieces:
            try:
                async for piece in pieces:
                    await self._telling.take(piece)
            finally:
                await self._telling.end()
        return answer

    @asynccontextmanager
    async def _in_doubt(self) -> AsyncGenerator[None]:
        """Say where to look when it ends too early: what a model has made stays."""
        after = f" --after {self._mark.id}" if self._mark else ""
        advice = f"what the model has made is in `openrouter-files list{plain(after)}`"
        self.output.parting = f"; {advice}"
        try:
            yield
        except FilesError as error:
            if self._telling.text or error.maybe_processed:
                error.add_note(advice)
            if self._telling.text and self.output.style == "json":
                self.output.json({"outcome": "cut off", "text": self._telling.text})
            raise

    def _end(self, answer: AnswerStream | ModelAnswer, made: Made) -> None:
        usage = asdict(answer.usage) if answer.usage else None
        if self.output.style == "json":
            told = {"outcome": "answered", "text": self._telling.text, "finish_reason": answer.finish_reason}
            self.output.json(told | {"usage": usage, "model": self.question.model, "files": made.json()})
            return
        if answer.finish_reason not in {None, "stop"}:
            self.output.say(f"the model did not come to its end: {plain(str(answer.finish_reason))}")
        made.tell()
        if usage and self.output.verbose:
            self.output.say("usage: " + ", ".join(f"{name} {n}" for name, n in usage.items() if n is not None))
