"""What most tests need: a server on loopback, a client for it, and an environment that says nothing."""

import asyncio
import os
import re
import signal
import socket
import ssl
import sys
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import trustme
from hypothesis import HealthCheck, settings

from openrouter_files import FilesClient, Options, RetryPolicy
from openrouter_files.emulator import Emulator

SPOKEN = ("OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", "OPENROUTER_HTTP_REFERER", "OPENROUTER_APP_TITLE")
SPOKEN += ("OPENROUTER_APP_CATEGORIES", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "NETRC")


# How long an example takes says something about the machine, not about us.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def pytest_configure():
    """Ctrl-C works for child processes, even if the tests run in the background of a shell, which turns it off."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def silent_environment(monkeypatch):
    """No variable that a client listens to is set, unless the test sets it."""
    for name in SPOKEN:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
async def emulator():
    """A server that answers like OpenRouter's; every fault queued in it must be met."""
    async with Emulator() as running:
        yield running


@pytest.fixture
def eager():
    """A policy that waits next to nothing between its attempts, and tells about ambiguous uploads."""
    return RetryPolicy(first_delay=0.01, max_delay=5, ambiguous="raise")


@pytest.fixture
async def client_for(eager):
    """Make clients for servers (of anything with a base_url and an api_key); they are closed at the end."""
    async with AsyncExitStack() as stack:

        async def make(server, *, api_key=None, retry=eager, **arguments):
            options = {"base_url": server.base_url, "options": Options(retry=retry)} | arguments
            return await stack.enter_async_context(FilesClient(api_key or server.api_key, **options))

        yield make


@pytest.fixture
async def files(emulator, client_for):
    """A client for the emulator."""
    return await client_for(emulator)


@pytest.fixture
def perform(tmp_path):
    """Do any one operation with a client, on a file whose id is given; all of them send one request."""

    async def perform(operation, files, file_id):
        match operation:
            case "list":
                return [file async for file in files.list()]
            case "list_page":
                return await files.list_page()
            case "upload":
                return await files.upload(b"hello\n", filename="a.txt")
            case "retrieve":
                return await files.retrieve(file_id)
            case "delete":
                return await files.delete(file_id)
            case "download":
                return await files.download(file_id).read()
            case "download_to":
                return await files.download_to(file_id, tmp_path / "downloaded")

    return perform


def without_slowness(complaints):
    """Drop what asyncio's debug mode says about callbacks that a busy machine was slow with."""
    return re.sub(r"^Executing <.* took [\d.]+ seconds\n", "", complaints, flags=re.MULTILINE)


class Finished(NamedTuple):
    """How a script ended."""

    status: int
    output: str
    complaints: str


@pytest.fixture
def run_script(tmp_path):
    """Run a script in a Python that makes every warning an error; the server under test keeps running."""

    async def run(script, server, *arguments):
        environment = dict(os.environ, OPENROUTER_BASE_URL=server.base_url, OPENROUTER_API_KEY=server.api_key)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-X", "dev", "-W", "error", "-c", script, *arguments),
            env=environment,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, complaints = await asyncio.wait_for(process.communicate(), 30)
        return Finished(process.returncode, output.decode(), without_slowness(complaints.decode()))

    return run


@pytest.fixture
def unreachable():
    """A server that nobody runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield SimpleNamespace(base_url=f"http://127.0.0.1:{taken.getsockname()[1]}/api/v1", api_key="sk-or-v1-nobody")


@pytest.fixture
def trusted():
    """TLS contexts of a server on loopback and of a client that trusts it."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1", "files.test").configure_cert(server)
    authority.configure_trust(client)
    return server, client
