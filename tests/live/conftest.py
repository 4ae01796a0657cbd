"""The live suite: conformance functions that a person with a key runs against the real service.

::

    OPENROUTER_API_KEY=... pytest -m live                               only reads
    OPENROUTER_API_KEY=... OPENROUTER_LIVE_WRITE=1 pytest -m live       uploads small files, and deletes them again

More variables: OPENROUTER_LIVE_LARGE=1 uploads 100 MiB, too; OPENROUTER_LIVE_CONTAINER=ID names a container whose
smallest file is promoted; OPENROUTER_BASE_URL is another server. The report is printed at the end.
"""

import asyncio
import os
from pathlib import Path

import aiohttp
import pytest
from live_report import Findings, without_key
from live_room import Broom, Room
from live_wire import Wire

from openrouter_files import APIError, AttemptEnded, FilesClient, Options

HERE = Path(__file__).parent
FINDINGS = pytest.StashKey()


def is_live(item):
    """Whether a test is one of these."""
    return HERE in item.path.parents


def is_asked_for(config):
    """Whether the run was started with ``-m live``."""
    expression = config.getoption("markexpr", "")
    return "live" in expression and "not live" not in expression


def pytest_collection_modifyitems(config, items):
    """Without ``-m live`` no test of this folder runs; with it, none without a key or beside others."""
    ours = [item for item in items if is_live(item)]
    if not is_asked_for(config):
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if not is_live(item)]
        return
    config.stash[FINDINGS] = Findings()
    reasons = {
        "set OPENROUTER_API_KEY to ask the real service": not os.environ.get("OPENROUTER_API_KEY"),
        "the live suite runs in one process, which prints its report (-n 0)": hasattr(config, "workerinput"),
    }
    for reason in (reason for reason, holds in reasons.items() if holds):
        for item in ours:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure is shown as text in which the key does not stand: tracebacks show arguments."""
    report = yield
    if is_live(item) and report.failed:
        report.longrepr = without_key(str(report.longrepr))
        report.sections = [(name, without_key(text)) for name, text in report.sections]
    return report


def pytest_terminal_summary(terminalreporter, config):
    """The report, if anything was asked."""
    findings = config.stash.get(FINDINGS, None)
    if findings is not None and findings.requests:
        terminalreporter.section("what the service answered")
        for line in findings.table():
            terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def silent_environment():
    """Here the environment speaks: it holds the key, and may name the server."""


@pytest.fixture
def findings(request):
    """Where the answers are written down."""
    return request.config.stash[FINDINGS]


@pytest.fixture
async def files(findings):
    """A client for the service, patient enough for a busy one."""

    def count(event):
        if isinstance(event, AttemptEnded):
            findings.count(event.error.status if isinstance(event.error, APIError) else None)

    async with FilesClient(options=Options(on_event=count)) as client:
        yield client


@pytest.fixture
async def wire(files, findings):
    """Requests as they are; they can only read, unless the run may write."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=300)) as session:
        yield Wire(
            session=session,
            base_url=files.base_url,
            key=os.environ["OPENROUTER_API_KEY"],
            writing=os.environ.get("OPENROUTER_LIVE_WRITE") == "1",
            count=findings.count,
        )


@pytest.fixture
async def some(files):
    """The first files of the workspace, two thousand at most."""
    found = []
    async for file in files.list():
        found.append(file)
        if len(found) == 2000:
            break
    return found


@pytest.fixture(scope="session")
def broom():
    """Sweeps away in the end what the tests left: an upload may be stored although its test never heard of it."""
    broom = Broom()
    yield broom
    asyncio.run(broom.sweep())


@pytest.fixture
async def room(files, wire, broom):
    """A place to write in; what is written there is deleted in the end, whatever happened."""
    room = Room(files, wire, broom)
    try:
        yield room
    finally:
        await room.clean()
