"""What a client tells while it works: the log with its fields, events, and the traces of aiohttp."""

from __future__ import annotations

import asyncio
import json
import logging
import time

import aiohttp
import pytest
from attrs import evolve
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from openrouter_files import (
    AttemptEnded,
    Event,
    FilesClient,
    NotFoundError,
    Options,
    RateLimitError,
    RetryScheduled,
    ServiceUnavailableError,
    TransportError,
)
from openrouter_files.emulator import Drop, Emulator, Stall, Status

STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

# A GET is sent once more at once, uncounted, when its connection closes.
BROKEN = (Drop(), Drop())


def fields(record):
    return {name: value for name, value in vars(record).items() if name not in STANDARD}


async def test_a_line_of_the_log_carries_its_facts(emulator, files, caplog):
    """Each field of a retry is on the record under a name of its own, as a plain value."""
    caplog.set_level(logging.INFO, "openrouter_files")
    emulator.queue("list", Status(429, retry_after_ms=10), *BROKEN)
    await files.list_page()
    declined, cut = (record for record in caplog.records if record.name == "openrouter_files")
    known = fields(declined)
    assert 0.01 <= known.pop("openrouter_wait") <= 0.03
    assert known.pop("openrouter_request_id").startswith("req_")
    assert known == {
        "openrouter_call": "GET /files",
        "openrouter_attempt": 2,
        "openrouter_attempts": 5,
        "openrouter_error": "RateLimitError",
        "openrouter_status": 429,
    }
    assert fields(cut)["openrouter_error"] == "TransportError"
    assert fields(cut)["openrouter_status"] is None
    assert fields(cut)["openrouter_request_id"] is None
    assert emulator.api_key not in json.dumps([fields(declined), fields(cut)])


@pytest.fixture
async def heard(emulator, client_for, eager):
    """A client, and the list of the events that it tells."""
    events: list[Event] = []
    files = await client_for(emulator, options=Options(retry=eager, on_event=events.append))
    return files, events


async def test_events_tell_all_that_a_span_needs(emulator, heard):
    """Start, length, method, path, number, status, request id and error of each attempt, and the wait between two."""
    files, events = heard
    emulator.queue("list", Status(503, message="later"), Stall(0.05))
    before = time.time()
    await files.list_page()
    after = time.time()
    first, between, second = events
    assert isinstance(first, AttemptEnded)
    assert isinstance(between, RetryScheduled)
    assert isinstance(second, AttemptEnded)
    assert {(event.call, event.method, event.path) for event in events} == {("GET /files", "GET", "/files")}
    assert [event.attempt for event in events] == [1, 2, 2]
    assert (first.status, type(first.error)) == (503, ServiceUnavailableError)
    assert first.request_id == first.error.request_id
    assert between.error is first.error
    assert (second.status, second.error) == (200, None)
    assert second.request_id.startswith("req_")
    assert second.request_id != first.request_id
    assert before <= first.began <= first.began + first.seconds <= second.began <= after
    assert second.seconds >= 0.05


async def test_what_was_not_answered_has_no_status(emulator, heard):
    """An attempt whose connection broke has an error and neither a status nor a request id, also after one that had."""
    files, events = heard
    emulator.queue("list", Status(503), *BROKEN)
    await files.list_page()
    told = [(event.status, type(event.error)) for event in events if isinstance(event, AttemptEnded)]
    assert told == [(503, ServiceUnavailableError), (None, TransportError), (200, type(None))]
    assert events[2].request_id is None


async def test_every_operation_tells_its_status(emulator, heard, perform):
    """Uploads, downloads, deletions and questions tell what answered them, too."""
    files, events = heard
    made = await emulator.put("made.md", b"# made\n")
    for operation in ("upload", "retrieve", "download", "download_to", "delete"):
        await perform(operation, files, made.id)
    await files.ask("Hello?", model="openai/gpt-5.2")
    await (await files.ask("Hello?", model="openai/gpt-5.2", stream=True)).aclose()
    with pytest.raises(NotFoundError):
        await files.retrieve(made.id)
    assert [event.status for event in events] == [200] * (len(events) - 1) + [404]
    assert {event.call.replace(made.id, "{id}") for event in events} >= {
        *("POST /files", "GET /files/{id}", "GET /files/{id}/content", "DELETE /files/{id}", "POST /chat/completions"),
    }


async def test_an_upload_that_was_found_tells_both(emulator, heard, eager):
    """An upload with a lost answer, found in the listing, has worked; each request of the search has its own event."""
    files, events = heard
    emulator.queue("upload", Status(502, after_work=True))
    await files.with_options(retry=evolve(eager, ambiguous="reconcile")).upload(b"hello\n", filename="a.txt")
    told = [(event.call, event.status, event.error) for event in events]
    assert told == [("GET /files", 200, None), ("POST /files", 502, None)]


async def test_calls_at_once_do_not_mix_their_answers(emulator, heard):
    """Each of many calls at once tells its own status and its own request id."""
    files, events = heard
    known = await emulator.put("made.md", b"# made\n")
    ids = [known.id, "or_file_unknown"] * 20
    await asyncio.gather(*(files.retrieve(file_id) for file_id in ids), return_exceptions=True)
    assert {event.path.rpartition("/")[2]: event.status for event in events} == {known.id: 200, "or_file_unknown": 404}
    assert len({event.request_id for event in events}) == len(events) == 40


async def test_a_call_inside_a_call_keeps_its_answer_to_itself(emulator, client_for, heard):
    """A function for the key that makes a call of its own does not take the status from the call it is asked for."""
    inner, _ = heard
    told: list[Event] = []

    async def key():
        await inner.list_page()
        return emulator.api_key

    files = await client_for(emulator, api_key=key, options=Options(on_event=told.append))
    await files.upload(b"hello\n", filename="a.txt")
    assert [(event.call, event.status) for event in told] == [("POST /files", 200)]


async def test_a_cancelled_attempt_is_told_as_such(emulator, heard):
    """What was broken off from outside neither worked nor failed."""
    files, events = heard
    emulator.queue("list", Stall(30))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await files.list_page()
    (event,) = events
    assert (event.cancelled, event.error, event.status) == (True, None, None)


async def test_a_broken_disk_is_told_as_such(emulator, heard, tmp_path):
    """An attempt that ends with an error of the local disk has not worked."""
    files, events = heard
    with pytest.raises(IsADirectoryError):
        await files.upload(tmp_path)
    (event,) = events
    assert isinstance(event.error, IsADirectoryError)
    assert not event.cancelled


@pytest.fixture
def exported():
    """Spans as OpenTelemetry exports them, and a tracer that makes them."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield exporter, provider.get_tracer("openrouter_files")
    provider.shutdown()


async def test_ten_lines_make_spans_of_opentelemetry(emulator, client_for, eager, exported):
    """The README's ten lines: a span per attempt, in the caller's own span, with times, attributes and status."""
    exporter, tracer = exported

    def record(event: Event) -> None:
        if isinstance(event, AttemptEnded):
            facts = {"http.request.method": event.method, "url.path": event.path, "attempt": event.attempt}
            facts |= {"http.response.status_code": event.status or 0, "request_id": event.request_id or ""}
            span = tracer.start_span(event.method, attributes=facts, start_time=int(event.began * 1e9))
            if event.error:
                span.record_exception(event.error)
                span.set_status(trace.StatusCode.ERROR)
            span.end(int((event.began + event.seconds) * 1e9))

    files = await client_for(emulator, options=Options(retry=eager, on_event=record))
    emulator.queue("upload", Status(429, retry_after_ms=1))
    with tracer.start_as_current_span("publish"):
        await files.upload(b"hello\n", filename="hello.txt")
    failed, worked, publish = exporter.get_finished_spans()
    assert [one.name for one in (failed, worked, publish)] == ["POST", "POST", "publish"]
    assert failed.parent == worked.parent == publish.context
    assert publish.start_time <= failed.start_time <= failed.end_time <= worked.start_time <= worked.end_time
    assert dict(failed.attributes).items() >= {"http.response.status_code": 429, "url.path": "/files"}.items()
    assert (failed.status.status_code, worked.status.status_code) == (trace.StatusCode.ERROR, trace.StatusCode.UNSET)
    assert failed.events[0].attributes["exception.type"].endswith(RateLimitError.__name__)
    assert dict(worked.attributes).items() >= {"http.response.status_code": 200, "attempt": 2}.items()
    assert worked.attributes["request_id"].startswith("req_")
    assert not trace.get_current_span().is_recording()


@pytest.fixture
def traced():
    """A trace config of aiohttp, and what it saw."""
    config, seen = aiohttp.TraceConfig(), []

    async def began(session, context, request):
        seen.append(("began", request.method, request.url.path))

    async def ended(session, context, request):
        seen.append(("ended", request.response.status))

    config.on_request_start.append(began)
    config.on_request_end.append(ended)
    return config, seen


@pytest.fixture
def emulator_in_background():
    """An emulator that outlives the loops of a test."""
    with Emulator() as emulator:
        yield emulator


def test_traces_of_aiohttp_pass_through(emulator_in_background, traced):
    """Trace configs see each request of each session that the client makes, in one loop after another."""
    config, seen = traced
    emulator = emulator_in_background
    files = FilesClient(emulator.api_key, base_url=emulator.base_url, trace_configs=[config])

    async def upload():
        async with files:
            await files.upload(b"hello\n", filename="hello.txt")

    asyncio.run(upload())
    asyncio.run(upload())
    assert seen == [("began", "POST", "/api/v1/files"), ("ended", 200)] * 2


async def test_traces_are_for_sessions_of_ours(traced):
    """A session that is passed in has its own: to give both is a mistake, told before anything is sent."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ValueError, match="trace_configs"):
            FilesClient("sk-or-v1-x", session=session, trace_configs=[traced[0]])
