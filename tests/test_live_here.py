"""The live suite, tried on the emulator: it finds out what the emulator does, and leaves nothing behind."""

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

from openrouter_files.emulator import Drop, Emulator, Status

ROOT = Path(__file__).parent.parent
PYTEST = (sys.executable, "-m", "pytest", "-p", "pytest_asyncio.plugin", "tests/live")
WRITING = {"OPENROUTER_LIVE_WRITE": "1"}
KEY = "sk-or-v1-5ecre7-of-the-live-suite"

# What the emulator does where the documents leave a question open.
READ = {
    "Q1 the shape for no header": "openrouter",
    "Q1 the shape for User-Agent: OpenAI/Python 2.8.0": "openai",
    "Q1 the shape for x-stainless-lang: python": "openai",
    "Q1 the shape for anthropic-version: 2023-06-01": "anthropic",
    "Q1 the shape for x-stainless-lang: python, anthropic-version: 2023-06-01": "anthropic",
    "Q2 listing with no header": "list openrouter, entries openrouter",
    "Q2 listing with User-Agent: OpenAI/Python 2.8.0": "list openai, entries openai",
    "Q2 listing with x-stainless-lang: python": "list openai, entries openai",
    "Q2 listing with anthropic-version: 2023-06-01": "list anthropic, entries anthropic",
    "Q2 listing with x-stainless-lang: python, anthropic-version: 2023-06-01": "list anthropic, entries anthropic",
    "Q2 metadata with no header": "openrouter",
    "Q2 metadata with User-Agent: OpenAI/Python 2.8.0": "openai",
    "Q2 metadata with anthropic-version: 2023-06-01": "anthropic",
    "Q3 `or_file_X` asked for as `file_X`": "404",
    "Q4 Are file ids in chat messages resolved without the header `x-openrouter-file-ids`?": "not asked",
    "Q5 Which MIME strings does the service report, and how does it tell texts apart?": "not asked",
    "Q6 What becomes of extra, repeated and missing parts of an upload's form?": "not asked",
    "Q7 listing with provider=openai": "200, openai, cursor no, ids file-...",
    "Q7 listing with provider=anthropic": "400",
    "Q8 What do the operations of the files tool return?": "not asked",
    "Q9 `content-type`": "yes",
    "Q9 `content-length`": "yes",
    "Q9 `etag`": "no",
    "Q9 `last-modified`": "no",
    "Q9 `accept-ranges`": "no",
    "Q9 `content-disposition`": "no",
    "Q9 media type": "application/octet-stream",
    "Q9 `Range: bytes=1-`": "200, ignored",
    "Q10 listing": "200, 0 files, has_more False",
    "Q10 metadata of a file in it": "404",
    "Q11 `before_id=ID`": "400",
    "Q11 `order=desc`": "400",
    "Q11 `order=sideways`": "400",
    "Q11 `cursor=CURSOR` with `after=ID`": "400",
    "Q11 `after=ID` with `after_id=ID`": "400",
    "Q11 `cursor=%%%`": "400",
    "Q11 `cursor=CURSOR OF NOBODY`": "400",
    "Q11 `after=ID OF NOBODY`": "400",
    "Q11 `after_id=ID OF NOBODY`": "400",
    "Q11 `limit=0`": "400",
    "Q11 `limit=1001`": "400",
    "Q11 `limit=many`": "400",
    "Q11 `workspace_id=nonsense`": "400",
    "Q11 `provider=mistral`": "400",
    "Q11 `unheard_of=1`": "200",
    "Q12 an id unknown": "metadata 404, content 404",
    "Q13 a random uuid": "403",
    "Q14 of what is there": "oldest first",
    "Q15 no key, and a bad limit": "401",
    "Q15 a bad limit, and an unknown workspace": "400",
    "Q16 a 404 with no header": "OpenRouter's",
    "Q16 a 404 with User-Agent: OpenAI/Python 2.8.0": "OpenRouter's",
    "Q16 a 404 with anthropic-version: 2023-06-01": "OpenRouter's",
    "Q17 What does the files tool do with a name that several files have?": "not asked",
    "Q18 Does the 20 MB limit of the files tool mean 20,000,000 bytes or 20 MiB?": "not asked",
    "Q19 an id with a space": "metadata 404, content 404",
    "Q19 an id with a slash": "metadata 404, content 404",
    "Q19 an id with a dot": "metadata 404, content 404",
    "Q19 an id with an umlaut": "metadata 404, content 404",
    "Q19 an id of 257 characters": "metadata 404, content 404",
    "Q20 Does promoting a path twice overwrite the first copy?": "not asked",
    "Q21 Are there rate limits?": "none seen",
    "Q22 May a workspace be filled to its last byte?": "not asked",
    "Q23 a listing for text/html": "200 application/json",
    "Q23 a listing for application/octet-stream": "200 application/json",
    "Q23 a listing for image/png": "200 application/json",
    "Q25 the key in `x-api-key`": "401",
    "Q26 Are uploads of one name deduplicated?": "not asked",
    "Also pages of 2 with User-Agent: OpenAI/Python 2.8.0": "the same files",
    "Also pages of 2 with x-stainless-lang: python": "the same files",
    "Also pages of 2 with anthropic-version: 2023-06-01": "the same files",
    "Also content of an upload": "400",
    "Also no key": "401",
    "Also a wrong key": "401",
    "Also an unknown path": "404 text/html",
    "Also `Date` on a listing": "yes",
    "Also an id of the request": "x-request-id",
    "Also cursors": "base64 of the last id",
    "Also `after=` an id that is there": "goes on",
    "Also `after_id=` an id that is there": "goes on",
    "Also `limit=1000`": "accepted",
    "Also files in a page by default": "open",
}
WRITTEN = {
    "Q2 upload and deletion with no header": "upload openrouter, deletion openrouter",
    "Q2 upload and deletion with User-Agent": "upload openai, deletion openai",
    "Q2 upload and deletion with anthropic-version": "upload anthropic, deletion anthropic",
    "Q5 PDF": "application/pdf",
    "Q5 PNG": "image/png",
    "Q5 JPEG": "image/jpeg",
    "Q5 GIF": "image/gif",
    "Q5 WebP": "image/webp",
    "Q5 DOCX": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "Q5 XLSX": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "Q5 PPTX": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "Q5 MP3": "audio/mpeg",
    "Q5 WAV": "audio/wav",
    "Q5 FLAC": "audio/flac",
    "Q5 OGG": "audio/ogg",
    "Q5 a JSON object": "application/json",
    "Q5 a JSON array": "application/json",
    "Q5 a JSON number": "text/plain",
    "Q5 NDJSON": "application/x-ndjson",
    "Q5 CSV": "text/csv",
    "Q5 TSV": "text/plain",
    "Q5 Markdown": "text/markdown",
    "Q5 XML": "text/plain",
    "Q5 SVG": "text/plain",
    "Q5 text": "text/plain",
    "Q5 text with an umlaut": "text/plain",
    "Q5 text with a byte order mark": "text/plain",
    "Q5 text of Latin-1": "400",
    "Q5 text with a zero byte": "400",
    "Q5 MP4": "400",
    "Q5 ZIP": "400",
    "Q5 noise": "400",
    "Q6 `purpose` before the file": "200, purpose batch",
    "Q6 `purpose` behind the file": "200, purpose batch",
    "Q6 `expires_after`": "200, purpose user_data",
    "Q6 `file` twice": "400",
    "Q6 no `file`": "400",
    "Q6 `file` of another name": "400",
    "Q7 upload with provider=openai": "metadata same, type None, downloadable None",
    "Q7 order with provider=openai": "oldest first",
    "Q7 `after=` an id just made with provider=openai": "goes on",
    "Q7 `after_id=` an id just made with provider=openai": "400",
    "Q7 upload with provider=anthropic": "400",
    "Q11 a name with folders": "comes back",
    "Q11 a name with a space": "comes back",
    "Q11 a name with an umlaut": "comes back",
    "Q11 a name with a combined umlaut": "comes back",
    "Q11 a name with an emoji": "comes back",
    "Q11 a name with right to left": "comes back",
    "Q11 a name with a percent sign": "comes back",
    "Q11 a name with an escaped quote": "400",
    "Q11 a name with an escaped line end": "400",
    "Q11 a name with a semicolon": "comes back",
    "Q11 a name with an apostrophe": "comes back",
    "Q11 a name with a plus": "comes back",
    "Q11 a name with no extension": "comes back",
    "Q11 a name with a leading dot": "comes back",
    "Q11 a name with a space at the end": "comes back",
    "Q11 a name with a quote": "400",
    "Q11 a name with a backslash": "400",
    "Q11 a name with a colon": "400",
    "Q11 a name with a question mark": "400",
    "Q11 a name with a star": "400",
    "Q11 a name with angles": "400",
    "Q11 a name with a pipe": "400",
    "Q11 a name with a line end": "400",
    "Q11 a name with an empty segment": "400",
    "Q11 a name with a dot segment": "400",
    "Q11 a name with a way up": "400",
    "Q11 a name with a slash at the end": "400",
    "Q11 a name of 255 characters like a": "200",
    "Q11 a name of 256 characters like a": "400",
    "Q11 a name of 255 characters like ü": "200",
    "Q11 a name of 256 characters like ü": "400",
    "Q12 DELETE of an id with a space": "404",
    "Q12 DELETE of an id of 257 characters": "404",
    "Q14 of three uploads": "creation order",
    "Q20 two promotions": "two files",
    "Q26 one name and content": "two files",
    "Q26 one name and other content": "two files",
    "Also an upload is listed at once": "yes",
    "Also metadata at once": "yes",
    "Also `after=` an id just made": "goes on",
    "Also `after=` an id just deleted": "goes on",
    "Also DELETE twice": "404",
    "Also a deleted file": "metadata 404, not listed",
    "Also the content of a fresh upload": "400",
    "Also `created_at` agrees with `Date`": "yes",
    "Also `created_at` has fractions of seconds": "no",
    "Also an empty file": "400",
    "Also a file of 104,857,600 bytes": "accepted",
    "Also a file of 104,857,601 bytes": "413",
}
NEEDS_WRITING = {question for question in READ if question.startswith(("Q5", "Q6", "Q20", "Q26"))}


class Run(NamedTuple):
    """How a run of the live suite ended, and its report as a table of answers."""

    status: int
    output: str
    answers: dict[str, str]


async def run(emulator, *arguments, key=KEY, **variables):
    """Run the live suite as a person would, in a process of its own, against an emulator."""
    spoken = ("OPENROUTER_", "PYTEST_", "COV_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(spoken)}
    environment |= {"OPENROUTER_BASE_URL": emulator.base_url, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables}
    environment |= {"OPENROUTER_API_KEY": key} if key else {}
    process = await asyncio.create_subprocess_exec(
        *PYTEST, *arguments, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output = (await asyncio.wait_for(process.communicate(), 60))[0].decode()
    return Run(process.returncode, output, dict(answers_in(output)))


def answers_in(output):
    """Question and answer of each row of the report."""
    for line in output.splitlines():
        cells = re.split(r"(?<!\\) \|(?: |$)", line.removeprefix("| "))
        if line.startswith("| ") and cells[:2] != ["question", "answer"] and cells[0] != "---":
            yield cells[0], cells[1]


async def furnished(emulator):
    """Put files into the workspace, at a provider, and into a container."""
    for n in range(4):
        await emulator.put(f"{n}.txt", b"hello\n", downloadable=n == 1)
    await emulator.put("p.txt", b"x", provider="openai")
    await emulator.put_in_container("sess_live", "out/a.csv", b"a,b\n1,2\n")


def everything(emulator):
    """All that is stored, here and there."""
    return {store: emulator.files(provider=store) for store in (None, "openai", "anthropic")}


async def test_reading_reports_what_the_emulator_does():
    """A run that may only read sends nothing but GET, and its report holds the emulator's answers and no others."""
    async with Emulator(api_key=KEY, providers=("openai",)) as emulator:
        await furnished(emulator)
        before = everything(emulator)
        done = await run(emulator, "-m", "live", "-rs")
        assert (done.status, everything(emulator)) == (0, before), done.output
        assert done.answers == READ
        assert {received.method for received in emulator.requests} == {"GET"}
        assert "set OPENROUTER_LIVE_WRITE=1 to let it write" in done.output
        assert KEY not in done.output


async def test_writing_reports_more_and_cleans_up():
    """A run that may write answers more questions, and the workspace and the stores are afterwards as they were."""
    async with Emulator(api_key=KEY, providers=("openai",)) as emulator:
        await furnished(emulator)
        before, more = everything(emulator), {"OPENROUTER_LIVE_LARGE": "1", "OPENROUTER_LIVE_CONTAINER": "sess_live"}
        done = await run(emulator, "-m", "live", **WRITING, **more)
        assert (done.status, everything(emulator)) == (0, before), done.output
        assert done.answers == {q: a for q, a in READ.items() if q not in NEEDS_WRITING} | WRITTEN
        assert sum(received.method == "POST" for received in emulator.requests) > 50
        assert KEY not in done.output


async def test_another_server_gets_another_report():
    """The answers are found out, not known: a server with other habits is described as it is."""
    async with Emulator(api_key=KEY, providers=("openai", "anthropic"), ranges=True, shape="anthropic") as emulator:
        for n in range(101):
            await emulator.put(f"{n}.txt", b"hello\n")
        emulator.queue("list", *[Status(429, retry_after=0)] * 2)
        done = await run(emulator, "-m", "live")
        assert done.status == 0, done.output
        told = {
            "Q1 the shape for no header": "anthropic",
            "Q2 listing with no header": "list anthropic, entries anthropic",
            "Q7 listing with provider=anthropic": "200, anthropic, cursor no, no file",
            "Q9 `etag`": "yes",
            "Q9 `accept-ranges`": "yes",
            "Q9 `Range: bytes=1-`": "206, a part",
            "Q21 Are there rate limits?": "seen",
            "Also content of an upload": "open",
            "Also cursors": "open",
            "Also files in a page by default": "100",
        }
        assert told.items() <= done.answers.items()


async def test_an_empty_workspace_leaves_questions_open():
    """Where there is nothing to look at, the report says so; nothing fails."""
    async with Emulator(api_key=KEY) as emulator:
        done = await run(emulator, "-m", "live")
        assert done.status == 0, done.output
        assert {question for question, answer in done.answers.items() if answer == "open" != READ[question]} == {
            "Q2 metadata with no header",
            "Q2 metadata with User-Agent: OpenAI/Python 2.8.0",
            "Q2 metadata with anthropic-version: 2023-06-01",
            "Q3 `or_file_X` asked for as `file_X`",
            "Q9 media type",
            "Q9 `Range: bytes=1-`",
            "Q11 `before_id=ID`",
            "Q11 `cursor=CURSOR` with `after=ID`",
            "Q11 `after=ID` with `after_id=ID`",
            "Q14 of what is there",
            "Also content of an upload",
            "Also cursors",
            "Also `after=` an id that is there",
            "Also `after_id=` an id that is there",
        }


async def test_what_failing_tests_stored_is_swept_away_and_the_key_stays_unseen():
    """Uploads that the tests never heard of are deleted in the end; tracebacks, locals included, hide the key."""
    async with Emulator(api_key=KEY, providers=("openai",)) as emulator:
        await furnished(emulator)
        before = everything(emulator)
        emulator.queue("upload", *[Drop(after_work=True)] * 3, *[Status(500, after_work=True)] * 2)
        emulator.queue("delete", *[Status(403)] * 2)
        done = await run(emulator, "-m", "live", "-k", "forms", "--showlocals", **WRITING)
        assert done.status == 1
        assert "ServerDisconnectedError" in done.output
        assert "[the key]" in done.output
        assert KEY not in done.output
        assert everything(emulator) == before


async def test_nobody_asks_the_service_by_accident():
    """Without ``-m live`` no live test runs, and without a key each is skipped with a reason: nothing is sent."""
    async with Emulator(api_key=KEY) as emulator:
        by_default, without_key = await asyncio.gather(
            run(emulator, **WRITING), run(emulator, "-m", "live", "-rs", key=None, **WRITING)
        )
        assert (by_default.status, without_key.status, emulator.requests) == (5, 0, ())
        assert re.search(r"^\d+ deselected", by_default.output, re.MULTILINE)
        assert "set OPENROUTER_API_KEY to ask the real service" in without_key.output
        assert not without_key.answers
