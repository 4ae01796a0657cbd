"""Asking a model that may use the openrouter:files tool: to list, read, write and edit files."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

from attrs import evolve

from .connected import Connected
from .contract.chat import MOST_SAID, Broken, chat_body, chat_request, read_answer, read_chunk
from .contract.requests import JSON, Operation
from .contract.sse import DONE, EventReader
from .errors import InvalidResponseError, TransportError
from .exchange import call
from .exchange.body import Document

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
    from types import TracebackType

    from .contract.requests import Request
    from .errors import APIError
    from .exchange.answer import Answer
    from .exchange.call import Hide
    from .exchange.transport import Reply
    from .models import File, ModelAnswer, Usage
    from .options import Options

T = TypeVar("T")
V = TypeVar("V")

# A model that works with files thinks and calls for a while before it says a word.
_PATIENCE = 600.0

# Events that are read without a pause, if so many come at once: about a millisecond.
_AT_ONCE = 100


class AnswerStream:
    """What a model says, as it says it: an async iterator of pieces of text, and an async context manager.

    Attributes:
        finish_reason: Why the model ended; None until then.
        usage: None until the end, and if the server does not say.
    """

    def __init__(self, request: Request, answer: Answer, hide: Hide) -> None:
        """Made by ``FilesClient.ask``, not by you."""
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self._request = request
        self._answer = answer
        self._hide = hide
        self._texts = self._read()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncIterator[str]:
        """Iterate over the pieces of text.

        Raises:
            APIError: The model or the provider failed in the middle.
            TransportError: The stream broke off.
        """
        return self._texts

    async def aclose(self) -> None:
        """Stop listening."""
        try:
            await self._texts.aclose()
        finally:
            self._answer.close()

    async def _read(self) -> AsyncGenerator[str]:
        try:
            if "json" in self._answer.headers.get("Content-Type", ""):  # it failed before it spoke, or does not stream
                if text := await self._whole():
                    yield text
                return
            async for data in self._events():
                try:
                    chunk = self._understood(read_chunk, data)
                finally:
                    data = ""  # noqa: PLW2901  # as in _whole
                self.finish_reason = chunk.finish_reason or self.finish_reason
                self.usage = chunk.usage or self.usage
                if chunk.text:
                    yield chunk.text
                if chunk.broken is not None:
                    raise _failure(self._request, chunk.broken, self._answer.headers, self._hide)
        finally:
            self._answer.close()

    def _understood(self, read: Callable[[V], T], data: V) -> T:
        """Read what came, or raise what is wrong with it, without the key that a server may have sent back."""
        try:
            return read(data)
        except InvalidResponseError as error:
            told = call.without_the_key(self._request, error, self._hide)
        del data
        raise told

    async def _whole(self) -> str:
        body = bytearray()
        try:
            while piece := await self._answer.next():
                body += piece
                piece = b""
                if len(body) > MOST_SAID:
                    raise InvalidResponseError([f"longer than {MOST_SAID} bytes @ $"])
            answer = self._understood(read_answer, bytes(body))
        finally:
            body.clear()  # as in Answer.read: tools show what is left here of an error
        if isinstance(answer, Broken):
            raise _failure(self._request, answer, self._answer.headers, self._hide)
        self.finish_reason, self.usage = answer.finish_reason, answer.usage
        return answer.text

    async def _events(self) -> AsyncGenerator[str]:
        reader = EventReader(MOST_SAID)
        while piece := await self._answer.next():
            try:
                events = self._understood(reader.feed, piece)
            finally:
                piece = b""  # as in _whole
            for number, event in enumerate(events, start=1):
                if event == DONE:
                    return
                yield event
                if number % _AT_ONCE == 0:
                    await asyncio.sleep(0)
        if self.finish_reason is None:
            raise TransportError("POST /chat/completions: the stream broke off before the model had finished")


def _failure(request: Request, broken: Broken, headers: Mapping[str, str], hide: Hide) -> APIError:
    """Return the error that a good answer holds; the model had begun, so it may have made files."""
    error = call.failure(request, broken.status, headers, broken.envelope, hide)
    error.maybe_processed, error.attempts = True, 1
    return error


def _check_place(options: Options) -> None:
    """Refuse a place that chat cannot be told. Source: OpenRouter OpenAPI document, chat completions."""
    if options.workspace_id is not None:
        raise ValueError(
            "chat has no workspace_id, a model works in the key's own workspace:"
            " ask with with_options(workspace_id=None), or with a key of the other workspace"
        )
    if options.provider is not None:
        raise ValueError(
            "chat has no provider of files, a model works with OpenRouter's storage:"
            " ask with with_options(provider=None)"
        )


def _patient(options: Options) -> Options:
    """Return the options of a question: a model is waited for, and never asked twice."""
    answer = options.timeouts.answer
    timeouts = evolve(options.timeouts, answer=None if answer is None else max(answer, _PATIENCE))
    return evolve(options, timeouts=timeouts, retry=evolve(options.retry, ambiguous="raise"))


class Asking(Connected):
    """What FilesClient can ask of models."""

    @overload
    async def ask(
        self,
        prompt: str | Sequence[Mapping[str, Any]],
        *,
        model: str,
        files: Sequence[File | str] = (),
        stream: Literal[False] = False,
        resolve_file_ids: bool = True,
        extra: Mapping[str, Any] | None = None,
    ) -> ModelAnswer: ...

    @overload
    async def ask(
        self,
        prompt: str | Sequence[Mapping[str, Any]],
        *,
        model: str,
        files: Sequence[File | str] = (),
        stream: Literal[True],
        resolve_file_ids: bool = True,
        extra: Mapping[str, Any] | None = None,
    ) -> AnswerStream: ...

    async def ask(
        self,
        prompt: str | Sequence[Mapping[str, Any]],
        *,
        model: str,
        files: Sequence[File | str] = (),
        stream: bool = False,
        resolve_file_ids: bool = True,
        extra: Mapping[str, Any] | None = None,
    ) -> ModelAnswer | AnswerStream:
        """Ask a model that may list, read, write and edit the files of the workspace.

        Never repeated once the model may have begun: it would act twice. The answer timeout is
        taken as ten minutes at least.

        Args:
            prompt: A question, or whole chat messages.
            model: ``openai/gpt-5.2``, say.
            files: Files to show the model, by id or as File.
            stream: Whether to return the text as it comes, as an AnswerStream.
            resolve_file_ids: Whether to send ``x-openrouter-file-ids: openrouter``, which older
                servers need and newer ones ignore.
            extra: More fields of the request: ``max_tokens``, ``session_id``, more ``tools`` ...

        Raises:
            APIError: The server or the provider refused or failed, also when an answer of 200 says so
                in its body; ``status`` is the one that this error names then.
            ValueError: There is no model or no prompt, or the client has a ``workspace_id`` or a
                ``provider``: chat knows neither.
        """
        if not model or not prompt:
            raise ValueError("a model and a prompt are needed")
        _check_place(self._options)
        request = chat_request(stream=stream, resolve_file_ids=resolve_file_ids)
        ids = [file if isinstance(file, str) else file.id for file in files]
        body = Document(chat_body(prompt, model=model, file_ids=ids, stream=stream, extra=extra or {}), JSON)
        options = _patient(self._options)
        if stream:
            answer = await call.open_stream(self._transport, request, options, body)
            return AnswerStream(request, answer, self._transport.hide)
        operation = Operation(request=request, read=read_answer)
        replies: list[Reply] = []
        said = await call.fetch(self._transport, operation, options, body=body, witness=replies.append)
        if isinstance(said, Broken):
            raise _failure(request, said, replies[-1].headers, replies[-1].hide)
        return said
