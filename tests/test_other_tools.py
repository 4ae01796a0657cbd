"""What watches or replaces aiohttp's sessions sees every request: OpenTelemetry, vcrpy, aioresponses, traces."""

import re
from types import SimpleNamespace

import aiohttp
import pytest
import vcr
from aioresponses import aioresponses
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from raw_server import FILE
from yarl import URL

from openrouter_files import (
    NO_RETRIES,
    AmbiguousUploadError,
    FilesClient,
    NotFoundError,
    Options,
    TransportError,
    TransportTimeoutError,
    upload_many,
)
from openrouter_files.emulator import Emulator

LARGE = b"0123456789abcde\n" * 50_000
SMALL = LARGE[:50_000]
BASE_URL = "http://127.0.0.1:9/api/v1"


async def everything(files, made, folder):
    """Do one of each, large and small; return what came back."""
    path = folder / "large.txt"
    path.write_bytes(LARGE)
    small = await files.upload(b"hello\n", filename="a.txt")
    results = [small, await files.upload(path), await files.retrieve(small.id)]
    results += [file async for file in files.list(page_size=2)]
    results += [await files.download(made).read(), (await files.download_to(made, folder / "copy")).read_bytes()]
    results.append([each.file.size_bytes for each in (await upload_many(files, [path])).uploaded])
    results.append(await files.delete(small.id))
    with pytest.raises(NotFoundError) as caught:
        await files.retrieve(small.id)
    return [*results, str(caught.value)]


@pytest.fixture
async def world():
    async with Emulator() as emulator:
        yield emulator, (await emulator.put("made.bin", LARGE)).id


@pytest.fixture
def spans():
    """What OpenTelemetry's own instrumentation of aiohttp makes of the requests."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = AioHttpClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    yield exporter.get_finished_spans
    instrumentor.uninstrument()


async def test_opentelemetry_sees_every_request(spans, world, tmp_path):
    """There is a span for each, with its method and status, and the server is told the trace."""
    emulator, made = world
    async with FilesClient(emulator.api_key, base_url=emulator.base_url) as files:
        await everything(files, made, tmp_path)
    seen = [(span.attributes["http.method"], span.attributes["http.status_code"]) for span in spans()]
    assert sorted(seen) == sorted((request.method, request.status) for request in emulator.requests)
    assert len(seen) >= 10
    told = {request.headers["traceparent"].split("-")[1] for request in emulator.requests}
    assert told == {f"{span.context.trace_id:032x}" for span in spans()}


async def test_a_trace_sees_every_request(world, tmp_path):
    """Also what is written of large bodies, in trace_configs= and in those of a session of the caller's."""
    emulator, made = world
    ended, written = [], []
    config = aiohttp.TraceConfig()

    async def end(_, __, parameters):
        ended.append((parameters.method, parameters.response.status))

    async def write(_, __, parameters):
        written.append(len(parameters.chunk))

    config.on_request_end.append(end)
    config.on_request_chunk_sent.append(write)
    async with FilesClient(emulator.api_key, base_url=emulator.base_url, trace_configs=[config]) as files:
        await everything(files, made, tmp_path)
    async with aiohttp.ClientSession(trace_configs=[config]) as session:
        files = FilesClient(emulator.api_key, base_url=emulator.base_url, session=session)
        await everything(files, made, tmp_path)
    assert sorted(ended) == sorted((request.method, request.status) for request in emulator.requests)
    assert sum(written) > 4 * len(LARGE)


async def test_vcrpy_records_and_plays_back(world, tmp_path):
    """A second run asks no server at all, and has the same results; uploads are recorded as they were sent."""
    emulator, made = world
    cassette = tmp_path / "cassette.yaml"
    results = []
    for mode in ("once", "none"):
        with vcr.use_cassette(str(cassette), record_mode=mode, filter_headers=["authorization"]) as tape:
            async with FilesClient(emulator.api_key, base_url=emulator.base_url) as files:
                results.append(await everything(files, made, tmp_path))
            bodies = [request.body for request in tape.requests if request.method == "POST"]
            assert [LARGE in body for body in bodies] == [False, True, True]
    assert results[0] == results[1]
    assert (tape.play_count, tape.all_played) == (len(emulator.requests), True)
    assert [file.size_bytes for file in emulator.files()] == [len(LARGE)] * 3
    assert emulator.api_key not in cassette.read_text()


class Answer(aiohttp.ClientResponse):
    """aioresponses 0.7.9 does not know what aiohttp 3.14 asks of who makes an answer; it takes a class that does."""

    def __init__(self, *arguments, **more):
        more.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*arguments, **more)


# aioresponses' mock of a loop complains when it is collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


async def test_aioresponses_answers_in_place_of_a_server(tmp_path):
    """Every operation takes answers that never came over a network; what was sent can be looked at."""
    with aioresponses() as mocked:
        mocked.post(f"{BASE_URL}/files", payload=FILE, response_class=Answer, repeat=True)
        # Not LARGE: aioresponses cannot stream an answer of more than 128 KiB.
        mocked.get(re.compile(rf"{BASE_URL}/files/[a-z_]+/content"), body=SMALL, response_class=Answer, repeat=True)
        file = FILE | {"size_bytes": len(SMALL)}  # what proves a download whose answer tells no length
        mocked.get(f"{BASE_URL}/files/{FILE['id']}", payload=file, response_class=Answer, repeat=True)
        mocked.get(f"{BASE_URL}/files?limit=1000", payload={"data": [FILE]}, response_class=Answer)
        mocked.delete(f"{BASE_URL}/files/{FILE['id']}", payload={"id": FILE["id"]}, response_class=Answer)
        mocked.get(re.compile(".*"), status=404, response_class=Answer, payload={"error": {"message": "gone"}})
        path = tmp_path / "large.txt"
        path.write_bytes(LARGE)
        async with FilesClient("key", base_url=BASE_URL, options=Options(retry=NO_RETRIES)) as files:
            assert (await files.upload(SMALL, filename="a.txt")).id == FILE["id"]
            assert (await files.upload(path)).id == FILE["id"]
            assert (await files.retrieve(FILE["id"])).id == FILE["id"]
            assert [file.id async for file in files.list()] == [FILE["id"]]
            assert await files.download(FILE["id"]).read() == SMALL
            assert (await files.download_to(FILE["id"], tmp_path / "copy")).read_bytes() == SMALL
            assert (await files.delete(FILE["id"])).id == FILE["id"]
            with pytest.raises(NotFoundError, match="gone"):
                await files.retrieve("or_file_other")
        sent = [call.kwargs["data"] for call in mocked.requests["POST", URL(f"{BASE_URL}/files")]]
        assert [SMALL in sent[0], LARGE in sent[1]] == [True, True]
        assert sum(map(len, mocked.requests.values())) == 10


async def test_a_failure_that_aioresponses_makes_up_is_ours():
    """A connection that breaks is a TransportError; after an upload was read, its answer is lost."""
    with aioresponses() as mocked:
        mocked.post(f"{BASE_URL}/files", exception=aiohttp.ServerDisconnectedError())
        mocked.get(re.compile(".*"), exception=aiohttp.ServerDisconnectedError())
        mocked.get(re.compile(".*"), timeout=True)
        async with FilesClient("key", base_url=BASE_URL, options=Options(retry=NO_RETRIES)) as files:
            with pytest.raises(AmbiguousUploadError):
                await files.upload(b"hello", filename="a.txt")
            with pytest.raises(TransportError, match="closed the connection"):
                await files.retrieve("or_file_1")
            with pytest.raises(TransportTimeoutError):
                await files.retrieve("or_file_1")
