"""The pytest plugin, in runs of pytest of its own: under each runner of async tests, and without any."""

from __future__ import annotations

import inspect

import pytest

from openrouter_files import pytest_plugin

pytest_plugins = ["pytester"]

ASYNCIO = ("-p", "asyncio", "-o", "asyncio_default_fixture_loop_scope=function")
AUTO = (*ASYNCIO, "-o", "asyncio_mode=auto")
ON_ASYNCIO = """\
pytestmark = pytest.mark.anyio

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""

# What a suite has to do so that its async tests are run: options, and lines of the test file.
RUNNERS = {
    "pytest-asyncio": (AUTO, ""),
    "pytest-asyncio, strict": (ASYNCIO, "pytestmark = pytest.mark.asyncio\n"),
    "pytest-asyncio, one loop for all": ((*AUTO, "-o", "asyncio_default_test_loop_scope=session"), ""),
    "pytest-aiohttp": ((*AUTO, "-p", "aiohttp"), ""),
    "anyio": (("-p", "anyio"), ON_ASYNCIO),
}


@pytest.fixture
def run(pytester, monkeypatch):
    """Run tests in a pytest that loads our plugin by its entry point; a warning is an error."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("COLUMNS", "400")

    def run(source, *arguments):
        pytester.makepyfile(source)
        return pytester.runpytest_subprocess(
            "-p", "openrouter_files", "--strict-markers", "--strict-config", "-W", "error", *arguments
        )

    return run


def example():
    """The test file in the plugin's documentation."""
    documentation = inspect.cleandoc(pytest_plugin.__doc__)
    return inspect.cleandoc(documentation.partition("::\n")[2].partition("\n* ")[0])


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_example_passes_under_each_runner(run, runner):
    """The example of the documentation passes as it is printed, whatever runs async tests."""
    options, preparation = RUNNERS[runner]
    run(example().replace("\n\n\n", f"\n\n{preparation}\n", 1), *options).assert_outcomes(passed=3)


EVERYTHING = """
import pytest
from openrouter_files.emulator import Call, Drop, Say, Status

async def test_the_controls_answer_in_the_loop_of_the_test(openrouter_emulator, openrouter_files):
    made = await openrouter_emulator.put("made.md", b"x" * 1_000_000)
    assert await openrouter_emulator.content(made.id) == b"x" * 1_000_000
    assert await openrouter_files.download(made.id).read() == b"x" * 1_000_000
    await openrouter_emulator.put_in_container("sess_abc", "out.csv", b"a,b")
    assert [file.path async for file in openrouter_files.container("sess_abc").list()] == ["out.csv"]
    openrouter_emulator.queue("list", Status(503), Drop())
    assert [file.id async for file in openrouter_files.list()] == [made.id]
    assert [seen.status for seen in openrouter_emulator.requests if seen.operation == "list"] == [503, None, 200]
    openrouter_emulator.script(Call("list"), Say("Done."))
    assert (await openrouter_files.ask("List.", model="openai/gpt-5.2")).text == "Done."
    assert len(openrouter_emulator.chats) == len(openrouter_emulator.tool_calls) == 1
    openrouter_emulator.clear()
    assert openrouter_emulator.requests == openrouter_emulator.unmet == ()
"""


@pytest.mark.parametrize("runner", ["pytest-asyncio", "anyio"])
def test_the_emulator_is_controlled_from_the_loop_of_the_test(run, runner):
    """All that an emulator can do, it does for a test on another loop than its own."""
    options, preparation = RUNNERS[runner]
    run(EVERYTHING.replace("Status\n", f"Status\n{preparation}", 1), *options).assert_outcomes(passed=1)


PLAIN = """
import asyncio, os, sys
import pytest
from openrouter_files.emulator import Drop, Pass, Stall, Status

pytestmark = pytest.mark.openrouter_faults(list=Status(503))

async def count(files):
    return len([file async for file in files.list()])

@pytest.mark.openrouter_faults(list=[Drop()])
def test_no_runner_is_needed(openrouter_emulator, openrouter_files):
    asyncio.run(openrouter_emulator.put("made.md", b"x"))
    assert asyncio.run(count(openrouter_files)) == 1
    assert asyncio.run(count(openrouter_files)) == 1
    faults = [seen.fault for seen in openrouter_emulator.requests]
    assert faults == [Status(503), Drop(), None, None]

class TestClass:
    pytestmark = pytest.mark.openrouter_faults(list=(Drop(),))

    @pytest.mark.openrouter_faults(list=[Pass()], retrieve=[])
    def test_markers_add_up(self, openrouter_files, openrouter_emulator):
        assert [unmet.fault for unmet in openrouter_emulator.unmet] == [Status(503), Drop(), Pass()]
        assert asyncio.run(count(openrouter_files)) == 0

@pytest.mark.openrouter_emulator(api_key="sk-mine", host="127.0.0.1")
def test_the_environment_names_the_emulator(openrouter_emulator):
    from openrouter_files import FilesClient

    assert os.environ["OPENROUTER_API_KEY"] == openrouter_emulator.api_key == "sk-mine"
    assert os.environ["OPENROUTER_BASE_URL"] == openrouter_emulator.base_url
    assert os.environ["no_proxy"] == "internal,127.0.0.1"
    assert asyncio.run(count(FilesClient())) == 0

def test_the_environment_is_as_before():
    assert "OPENROUTER_API_KEY" not in os.environ
    assert "no_proxy" not in os.environ
    pytest.skip("and a test that is skipped meets nothing")
"""


def test_plain_tests_markers_and_the_environment(run, monkeypatch):
    """Tests need not be async; markers add up from the outside to the inside; proxies are kept out of the way."""
    monkeypatch.setenv("NO_PROXY", "internal")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    run(PLAIN).assert_outcomes(passed=3, skipped=1)


FAILING = """
import pytest
from openrouter_files.emulator import Say, Status

@pytest.mark.openrouter_faults(upload=[Status(503)])
def test_unmet(openrouter_files):
    pass

def test_unplayed(openrouter_emulator):
    openrouter_emulator.script(Say("Hello."))

@pytest.mark.openrouter_faults(upload=[Status(503)])
def test_without_the_fixture():
    pass

@pytest.mark.openrouter_faults(upload=[Status(503)])
def test_that_fails_by_itself(openrouter_emulator):
    assert "this" == "that"

@pytest.mark.openrouter_faults(uplaod=[Status(503)])
def test_no_operation(openrouter_emulator):
    pass

@pytest.mark.openrouter_faults(upload=[503])
def test_no_fault(openrouter_emulator):
    pass

def test_the_next_is_not_harmed(openrouter_emulator):
    assert openrouter_emulator.unmet == ()
"""


def test_what_was_prepared_in_vain_fails_the_test(run):
    """Unmet faults, unplayed scripts and slips in a marker are told by the test itself, and only once."""
    result = run(FAILING, "-rA", "--tb=short")
    result.assert_outcomes(failed=4, errors=2, passed=1)
    result.stdout.fnmatch_lines_random(
        [
            "FAILED *::test_unmet - Failed: FaultsNotMet: upload never met Status(status=503*",
            "FAILED *::test_unplayed - Failed: ScriptsNotPlayed: no chat request met*",
            "FAILED *::test_without_the_fixture - Failed: openrouter_faults: the test uses neither *",
            "FAILED *::test_that_fails_by_itself - AssertionError: assert 'this' == 'that'*",
            "ERROR *::test_no_operation - ValueError: openrouter_faults: 'uplaod' is no operation: list, upload*",
            "ERROR *::test_no_fault - TypeError: openrouter_faults: 503 is no fault of openrouter_files.emulator",
        ]
    )
    result.stdout.no_fnmatch_line("During handling of*")


IDLE = """
import sys

LIBRARIES = ("aiohttp", "attrs", "cattrs", "aiofiles", "backoff", "asyncio", "urllib.request")

def test_nothing_is_loaded(pytestconfig):
    ours = {name for name in sys.modules if name.startswith("openrouter_files.")}
    assert ours == {"openrouter_files.pytest_plugin", "openrouter_files.version"}
    assert not {library for library in LIBRARIES if library in sys.modules}
"""


def test_a_suite_that_does_not_use_it_pays_nothing(run):
    """The plugin loads nothing of the client, of the emulator and of their libraries before a test asks for it."""
    run(IDLE).assert_outcomes(passed=1)


def test_its_markers_and_fixtures_are_described(run):
    """`pytest --markers` and `pytest --fixtures` tell what there is."""
    markers = run("", "--markers").stdout
    markers.fnmatch_lines_random(["@pytest.mark.openrouter_faults(upload=*", "@pytest.mark.openrouter_emulator(*"])
    fixtures = run("", "--fixtures").stdout
    fixtures.fnmatch_lines(["openrouter_emulator -- *", "*A server*"])
    fixtures.fnmatch_lines(["openrouter_files -- *", "*A client*"])
