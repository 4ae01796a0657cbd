"""ask."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import click
from attrs import asdict, define, field, frozen

from openrouter_files import FilesError

from .download_command import Made, Overwrite, Saving
from .formatting import plain, shown
from .options import Settings, Teaching, check_ids, completed_as, connected, run, with_settings_at_home
from .output import Output
from .process import aside, write
from .serve_command import Script
from .serve_command import read as read_scripts

if TYPE_CHECKING:
    from openrouter_files import AnswerStream, File, FilesClient, ModelAnswer


# ---- What a model says, on its way to standard output.


@define
class Telling:
    """The text of one answer: shown as it comes, except to programs, which get it whole."""

    _output: Output
    _pieces: list[str] = field(factory=list[str])

    @property
    def text(self) -> str:
        """All that was said so far."""
        return "".join(self._pieces)

    async def take(self, piece: str) -> None:
        """Show one more piece; on a terminal it can only be read, and does nothing else."""
        self._pieces.append(piece)
        if self._output.style != "json":
            await self._write(shown(piece) if self._output.style == "table" else piece)

    async def end(self) -> None:
        """End the last line."""
        if self._output.style != "json" and self._pieces and not self._pieces[-1].endswith("\n"):
            await self._write("\n")

    async def _write(self, text: str) -> None:
        await write(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))


# ---- A question to a model that works with files: what it is shown, what it says, what it makes.


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


# ---- `ask`: what may be asked, and how.

_HELP = """Ask a model that may list, read, write and edit the files of the workspace.

    Its text comes as it says it, on stdout. Afterwards the files that it made are listed on stderr
    and, with --save, are streamed to disk; each appears only when it is whole. An edit makes a new
    file, the old one stays. A question is never sent twice once the model may have begun.

    PROMPT '-', or a last word '-', is standard input. A model works in the key's own workspace,
    so OPENROUTER_WORKSPACE_ID has to be empty.

    With --emulator there is no model: --script says what it does. It is a JSON list of steps,
    {"call": "list|read|write|edit", "filename": ..., ...}, {"say": "..."}, {"fail": 502}.

    \b
    With --json one object:
      answered  text, finish_reason, usage, model, files (each with its path if it was saved)
      failed    error.type, error.message, ...; source: the id of a file that was not saved
    """

_EPILOG = """\b
Examples:
  openrouter-files ask -m openai/gpt-5.2 'Which files are about taxes?'
  openrouter-files ask -m openai/gpt-5.2 --upload notes.md 'Correct the spelling.' --save out/
  openrouter-files ask -m openai/gpt-5.2 --file notes.md --file FILE_ID 'Compare them.' --json
  git diff | openrouter-files ask -m openai/gpt-5.2 'Write a changelog into log.md:' - --save .

\b
Without a key:
  echo 'the old line' > notes.md
  echo '[{"call": "edit", "filename": "notes.md", "old_string": "old", "new_string": "new"},
         {"say": "Done."}]' > edit.json
  openrouter-files ask --emulator --script edit.json --upload notes.md 'Renew it.' -m any --save out/"""


def _object(_ctx: click.Context, _option: click.Parameter, text: str | None) -> Mapping[str, Any]:
    try:
        value: Any = json.loads(text or "{}")
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise click.BadParameter("not a JSON object")
    return {**value}


def _refused(ctx: click.Context, option: click.Parameter, given: str | None) -> None:
    """Refuse a place that chat cannot be told, wherever it was said."""
    own = "chat has no such parameter: a model works in the key's own workspace, with OpenRouter's storage"
    if given and ctx.get_parameter_source(option.name or "") is click.core.ParameterSource.ENVIRONMENT:
        raise click.UsageError(
            f"OPENROUTER_WORKSPACE_ID is set, but {own}; if that is meant, set it to nothing:"
            " OPENROUTER_WORKSPACE_ID= openrouter-files ask ..."
        )
    if given:
        raise click.UsageError(f"{option.opts[0]}: {own}; leave it out, or use a key of the other workspace")


@click.command("ask", cls=Teaching, help=_HELP, epilog=_EPILOG)
@click.argument("words", nargs=-1, required=True, metavar="PROMPT...|-")
@click.option("-m", "--model", required=True, envvar="OPENROUTER_MODEL", help="As openai/gpt-5.2, or OPENROUTER_MODEL.")
@click.option("--file", "files", multiple=True, metavar="ID|NAME", help="Show the model a stored file. Repeatable.")
@click.option(
    "--upload", "uploads", multiple=True, metavar="PATH", shell_complete=completed_as("file"),
    help="Upload a file before, and show it. Repeatable.",
)  # fmt: skip
@click.option("--system", metavar="TEXT", help="Tell the model what its part is.")
@click.option("--stream/--no-stream", default=True, help="The text as it comes, or all at once in the end.")
@click.option("--save", metavar="DIR", shell_complete=completed_as("dir"), help="Save what the model makes; made anew.")
@click.option(
    "--overwrite", type=click.Choice(["rename", "replace", "error"]), default="rename", show_default=True,
    help="With --save, if a name is taken.",
)  # fmt: skip
@click.option("--keep-folders", is_flag=True, help="Save a/b.txt as b.txt in a folder a, not as b.txt.")
@click.option("--extra", callback=_object, metavar="JSON", help="""More of the request: '{"max_tokens": 500}'.""")
@click.option("--resolve-file-ids/--no-resolve-file-ids", default=True, help="Send the header that old servers need.")
@click.option(
    "--script", "scripts", metavar="FILE", callback=read_scripts, shell_complete=completed_as("file"),
    help="With --emulator: what the model does.",
)  # fmt: skip
@click.option(
    "--workspace", hidden=True, envvar="OPENROUTER_WORKSPACE_ID", expose_value=False, callback=_refused,
    help="Refused: chat has no such parameter.",
)  # fmt: skip
@click.option(
    "--provider", hidden=True, expose_value=False, callback=_refused, help="Refused: chat has no such parameter."
)
@with_settings_at_home
def command(  # noqa: D103
    settings: Settings,
    *,
    words: tuple[str, ...],
    save: str | None,
    overwrite: Overwrite,
    keep_folders: bool,
    scripts: list[Script],
    **asked: Any,
) -> int:
    if scripts and not settings.emulator:
        raise click.UsageError("--script is for the model of --emulator")
    if len(scripts) > 1:
        raise click.UsageError("one question takes one script: a list of steps")
    if not asked["model"].strip():
        raise click.UsageError("no model: -m openai/gpt-5.2, say")
    saving = None if save is None else Saving(folder=save, overwrite=overwrite, keep_folders=keep_folders)
    question = Question(prompt=_prompt(words, settings), saving=saving, **asked)
    return run(settings, partial(ask, settings, question, scripts))


def _prompt(words: tuple[str, ...], settings: Settings) -> str:
    """Return the prompt; what stands at the end as '-' is read here, before anything is awaited."""
    if "-" in words[:-1]:
        raise click.UsageError("'-', for standard input, has its place at the end of the prompt")
    if words[-1] != "-":
        prompt = " ".join(words)
    elif settings.api_key_file == "-":
        raise click.UsageError("standard input can be read only once")
    else:
        prompt = "\n\n".join(filter(None, (" ".join(words[:-1]), _standard_input())))
    if not prompt.strip():
        raise click.UsageError("nothing to ask: the prompt is empty")
    return prompt


def _standard_input() -> str:
    try:
        text = sys.stdin.buffer.read().decode().strip()
    except UnicodeDecodeError:
        raise click.UsageError("standard input is no UTF-8 text: --upload it as a file") from None
    if not text:
        raise click.UsageError("standard input is empty")
    return text
