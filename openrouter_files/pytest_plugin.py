r"""Fixtures for tests of code that uses this package: a server on loopback, and a client for it.

pytest finds them by itself. They work in tests of any kind: async ones, whatever runs them (pytest-asyncio,
pytest-aiohttp, anyio on asyncio), and plain ones. A complete test file::

    import pytest

    from openrouter_files import FilesClient
    from openrouter_files.emulator import Drop, Status


    async def publish(report: bytes) -> str:  # the code under test: it takes key and URL from the environment
        async with FilesClient() as files:
            return (await files.upload(report, filename="report.md")).id


    async def test_it_publishes(openrouter_emulator):
        file_id = await publish(b"# All is well\n")
        assert openrouter_emulator.content(file_id) == b"# All is well\n"


    @pytest.mark.openrouter_faults(upload=[Status(429, retry_after=0.1), Drop(after_work=True)])
    async def test_it_publishes_once(openrouter_emulator):
        await publish(b"# All is well\n")
        assert len(openrouter_emulator.files()) == 1


    @pytest.mark.openrouter_emulator(ranges=True)
    async def test_what_a_model_wrote_can_be_read(openrouter_emulator, openrouter_files):
        made = openrouter_emulator.put("notes.md", b"# Notes\n")
        assert await openrouter_files.download(made.id).read() == b"# Notes\n"

* ``openrouter_emulator``: a PlainEmulator, in a thread of its own, new for each test; its controls need no ``await``.
  While it is there, OPENROUTER_API_KEY and OPENROUTER_BASE_URL name it, so that no test reaches the real service by
  mistake.
* ``openrouter_files``: a FilesClient for it, whose retries wait for hundredths of a second.
* ``@pytest.mark.openrouter_faults(upload=[...], list=[...])``: what goes wrong, as in ``Emulator.queue``; markers of a
  module or a class come first. A fault that no request met fails the test, and so does a script that was not played.
* ``@pytest.mark.openrouter_emulator(...)``: arguments of the Emulator.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, get_args

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from . import FilesClient
    from .emulator import Emulator, Fault, PlainEmulator

_MARKERS = (
    "openrouter_faults(upload=[...], ...): what goes wrong, by operation; what is not met fails the test",
    "openrouter_emulator(...): arguments of the Emulator that the fixture openrouter_emulator makes",
)
_EMULATOR: pytest.StashKey[Emulator] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Let a test fail that did not do what it was prepared for."""
    result = yield
    in_vain = _in_vain(item)
    if in_vain is not None:
        pytest.fail(in_vain, pytrace=False)
    return result


def _in_vain(item: pytest.Item) -> str | None:
    """What was prepared and did not happen; None if all did."""
    emulator = item.stash.get(_EMULATOR, None)
    if emulator is None:
        marked = item.get_closest_marker("openrouter_faults") is not None
        return "openrouter_faults: the test uses neither openrouter_emulator nor openrouter_files" if marked else None
    try:
        emulator.check()
    except AssertionError as error:
        return f"{type(error).__name__}: {error}"
    return None


@pytest.fixture
def openrouter_emulator(request: pytest.FixtureRequest) -> Iterator[PlainEmulator]:
    """A server that answers like OpenRouter's, for one test; the environment names it, its faults are the marker's."""
    # Not before a test asks for it: a suite that never does pays for no import.
    from .emulator import Emulator, FaultsNotMet, ScriptsNotPlayed  # noqa: PLC0415

    test: pytest.Item = request.node
    marker = test.get_closest_marker("openrouter_emulator")
    told = suppress(FaultsNotMet, ScriptsNotPlayed)  # the test itself has failed with it
    with told, Emulator(**(marker.kwargs if marker else {})) as emulator, _named_by_the_environment(emulator):
        for faults in reversed([*test.iter_markers("openrouter_faults")]):
            _queue(emulator, faults.kwargs)
        test.stash[_EMULATOR] = emulator
        yield emulator


@pytest.fixture
def openrouter_files(openrouter_emulator: PlainEmulator) -> FilesClient:
    """A client for the emulator; the loop that uses it closes its connections in the end."""
    from . import FilesClient, Options, RetryPolicy  # noqa: PLC0415

    quick = Options(retry=RetryPolicy(first_delay=0.01))
    return FilesClient(openrouter_emulator.api_key, base_url=openrouter_emulator.base_url, options=quick)


@contextmanager
def _named_by_the_environment(emulator: Emulator) -> Generator[None]:
    spared = filter(None, (os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), emulator.host))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OPENROUTER_API_KEY", emulator.api_key)
        environment.setenv("OPENROUTER_BASE_URL", emulator.base_url)
        environment.setenv("no_proxy", ",".join(spared))
        yield


def _queue(emulator: Emulator, faults: Mapping[str, Sequence[Fault] | Fault]) -> None:
    """Queue what a marker says; a slip in it must not look like a fault that was met."""
    from .emulator import Fault, Operation  # noqa: PLC0415

    known: dict[str, Operation] = {operation: operation for operation in get_args(Operation)}
    for operation, queued in faults.items():
        if operation not in known:
            raise ValueError(f"openrouter_faults: {operation!r} is no operation: {', '.join(known)}")
        for fault in (queued,) if isinstance(queued, Fault) else queued:
            if not isinstance(fault, Fault):  # pyright: ignore[reportUnnecessaryIsInstance]  # a marker is not typed
                raise TypeError(f"openrouter_faults: {fault!r} is no fault of openrouter_files.emulator")
            emulator.queue(known[operation], fault)
