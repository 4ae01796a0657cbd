"""README.md is true: its recipes run as printed, its command lines are understood, its tables agree with the code."""

from __future__ import annotations

import asyncio
import importlib.metadata
import inspect
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import openrouter.containers
import openrouter.errors
import openrouter.files
import pytest
from attrs import fields_dict
from test_cli_help import ALL, LEAVES, segments

import openrouter_files
from openrouter_files import FilesClient, Options, RetryPolicy, Timeouts, errors
from openrouter_files import options as settings
from openrouter_files.cli.help_command import ENVIRONMENT
from openrouter_files.cli.process import LEGEND, Exit
from openrouter_files.client import ContainerFiles
from openrouter_files.emulator import Call, Emulator, Say, Status
from openrouter_files.protocol import failures as statuses

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def section(title: str) -> str:
    """What is below a heading, up to the next one of its level."""
    return re.split(r"^## ", README.partition(f"\n## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def rows(title: str) -> list[list[str]]:
    """The cells of the tables of a section, without their headings."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    headings = [number - 1 for number, line in enumerate(lines) if line.startswith("|--")]
    return [row for number, row in enumerate(cells) if not {number, number - 1} & set(headings)]


class Recipe(NamedTuple):
    """What a recipe prints, what it leaves in the workspace, and what its readers would do after it."""

    prints: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    then: str = ""


SERVICE = """
import io
from types import SimpleNamespace

app, content = SimpleNamespace(state=SimpleNamespace()), io.BytesIO(b"hello")
upload = SimpleNamespace(file=content, read=content.read, filename="hello.txt")
async with lifespan(app):
    print(await publish(SimpleNamespace(app=app), upload))
"""
SPANS = """
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

class Printer(SpanExporter):
    def export(self, spans):
        for span in spans:
            print(span.name, *(span.attributes[name] for name in ("url.path", "http.response.status_code", "attempt")))

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(Printer()))
trace.set_tracer_provider(provider)
await files.with_options(on_event=record).upload("report.csv")
"""

RECIPES = {
    "Upload, list, delete": Recipe((r"or_file_\w+ 8 text/csv$", r"notes/from-a-model.md 20\d\d-")),
    "Upload from anywhere": Recipe(("8 of 8 bytes$",), ("2026/report.csv", "table.csv", "rows.csv", "tail.csv")),
    "Download to disk, as a stream, or a part": Recipe(
        ("downloads/from-a-model.md 28 application/octet-stream$", "28$", "b'Notes'$", "downloads/t.csv 8 ")
    ),
    "Timeouts, retries, errors": Recipe((r"404 .+ req_\w+$",)),
    "Thousands of files, killed and resumed": Recipe((r"1 stored, 0 done before, Statistics\(",), ("one.csv",)),
    "Fetch what models wrote, from the workspace and from a container": Recipe(
        ("2 0 True$", "downloads/report.csv$", r"File\(id='or_file_\w+', filename='out/report.csv'"),
        ("out/report.csv",),
    ),
    "Ask a model, and read what it made": Recipe(
        (r"Done. Usage\(", r"downloads/notes.md # Notes$", "the right line$"), ("notes.md", "notes.md")
    ),
    "One client for a service": Recipe((r"or_file_\w+$",), ("hello.txt",), SERVICE),
    "pandas, dask, and all that opens files by URL": Recipe(
        ("0  1  2$", r"\['reports/t.csv'\] or_file_", "a,b$"),
    ),
    "Spans for OpenTelemetry": Recipe(("POST /files 200 1$",), ("report.csv", "report.csv"), SPANS),
}

# Runs a recipe as `python -m asyncio` would: `await` may stand outside of functions, and `files` is there.
RUNNER = """
import ast, asyncio, inspect, sys
from openrouter_files import FilesClient

recipe, then = sys.argv[1:]

async def run(names):
    async with FilesClient() as names["files"]:
        for source in (recipe, then):
            result = eval(compile(source, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
            if inspect.isawaitable(result):
                await result

exec(recipe) if "asyncio.run" in recipe else asyncio.run(run({"__name__": "recipe"}))
"""


def recipes() -> dict[str, str]:
    """The recipes by their titles."""
    return dict(
        re.findall(r"^### \d+\. (.+?)\n.*?```python\n(.*?)```", section("Ten recipes"), re.DOTALL | re.MULTILINE)
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder, after the lines that are printed before the recipes: nothing else is made for them."""
    (lines,) = blocks("sh", section("Ten recipes"))
    subprocess.run(["sh", "-euc", lines], cwd=tmp_path, check=True)
    return tmp_path


@pytest.fixture
async def server():
    """An emulator with files that can be downloaded, and a container with one."""
    async with Emulator() as emulator:
        await emulator.put("notes/from-a-model.md", b"# Notes\n\nwritten by a model\n")
        await emulator.put("reports/t.csv", b"a,b\n1,2\n")
        await emulator.put_in_container("sess_abc", "out/report.csv", b"a,b\n1,2\n")
        yield emulator


async def python(folder: Path, *arguments: str, **variables: str) -> str:
    """Run Python in a folder; return what it printed, once it has ended well and has not complained."""
    silent = {name: value for name, value in os.environ.items() if not name.startswith(("OPENROUTER_", "PYTEST_"))}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "dev", "-W", "error", *arguments),
        cwd=folder,
        env={**silent, "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    printed, complained = await process.communicate()
    assert process.returncode == 0, complained.decode() + printed.decode()
    assert re.sub(r"^Executing <.* took [\d.]+ seconds\n", "", complained.decode(), flags=re.MULTILINE) == ""
    return printed.decode()


def test_there_are_ten_recipes():
    """Ten recipes are printed, and each of them is known here."""
    assert recipes().keys() == RECIPES.keys()
    assert len(RECIPES) == 10


@pytest.mark.parametrize("title", RECIPES)
async def test_a_recipe_runs(title: str, server: Emulator, folder: Path):
    """Each recipe runs as it is printed, prints what it should and stores what it should."""
    expected, before = RECIPES[title], {file.id for file in server.files()}
    if ".ask(" in recipes()[title]:
        server.script(
            Call("edit", filename="notes.md", old_string="the line", new_string="the right line"), Say("Done.")
        )
    key, url = server.api_key, server.base_url
    printed = await python(
        folder, "-c", RUNNER, recipes()[title], expected.then, OPENROUTER_API_KEY=key, OPENROUTER_BASE_URL=url
    )
    for line in expected.prints:
        assert re.search(f"^{line}", printed, re.MULTILINE), printed
    assert sorted(file.filename for file in server.files() if file.id not in before) == sorted(expected.stores)


async def test_the_emulator_runs_as_printed(folder: Path):
    """The example with the emulator needs nothing else."""
    example, _ = blocks("python", section("Testing your own code"))
    await python(folder, "-c", RUNNER, example, "", OPENROUTER_API_KEY="sk-of-nobody")


async def test_the_example_of_a_test_file_passes(folder: Path):
    """The test file that is printed passes under pytest-asyncio as it is said there."""
    _, example = blocks("python", section("Testing your own code"))
    (folder / "test_publish.py").write_text(example)
    plugins = ("-p", "openrouter_files", "-p", "asyncio", "-p", "no:cacheprovider")
    options = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function", "--strict-markers")
    told = await python(folder, "-m", "pytest", *plugins, *options, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert "2 passed" in told


async def test_the_fields_of_the_log_are_those(caplog: pytest.LogCaptureFixture):
    """A line of the log carries the fields that are named, and no other of ours."""
    caplog.set_level(logging.INFO, "openrouter_files")
    async with Emulator() as emulator:
        emulator.queue("list", Status(503))
        quick = Options(retry=RetryPolicy(first_delay=0.01))
        async with FilesClient(emulator.api_key, base_url=emulator.base_url, options=quick) as files:
            await files.list_page()
    (line,) = (record for record in caplog.records if record.name == "openrouter_files")
    named = set(re.findall(r"`(openrouter_\w+)`", section("Ten recipes").partition("The logger ")[2]))
    assert named - {"openrouter_files"} == {name for name in vars(line) if name.startswith("openrouter_")}


def tree() -> str:
    return next(b for b in blocks("text") if b.startswith("FilesError"))


def test_the_tree_of_errors_names_them_all():
    """The tree in the README has every error class and no other."""
    named = set(re.findall(r"\b[A-Z]\w*(?:Error)\b", tree())) - {"TimeoutError"}
    assert named == {n for n, v in vars(errors).items() if isinstance(v, type) and issubclass(v, errors.FilesError)}


def test_the_tree_of_errors_is_that_of_the_code():
    """Each class stands below its base, beside its status, and with the attributes that it adds."""
    bases = {"├": errors.FilesError, "└": errors.FilesError, "│": errors.APIError}
    for line in tree().splitlines()[1:]:
        first, *others = (
            getattr(errors, name) for name in re.findall(r"\b[A-Z]\w+Error\b", line) if name != "TimeoutError"
        )
        base = first if "(" in line or "also" in line else bases[line[0]]
        assert first.__bases__ == (bases[line[0]],)
        assert all(base in other.__bases__ for other in others)
    assert issubclass(errors.TransportTimeoutError, TimeoutError)
    for name, status in re.findall(r"(\w+Error) (\d{3})", tree()):
        assert type(statuses.error(int(status), {}, b"", 0.0)).__name__ == name
    for name, attributes in re.findall(r"(\w+Error) .*?((?: \.\w+)+)$", tree(), re.MULTILINE):
        described = inspect.getsource(getattr(errors, name))
        assert set(attributes.replace(".", "").split()) <= {*re.findall(r"\w+", described)}


def test_the_settings_are_all_there():
    """Each argument of the client and each option is in the table, with its variable, and nothing else."""
    table = rows("Settings")
    named = {name for first, *_ in table for name in re.findall(r"`(\w+)`", first)}
    arguments = inspect.signature(FilesClient).parameters.keys() - {"options"}
    assert named == arguments | fields_dict(Options).keys()
    variables = set(re.findall(r"OPENROUTER_\w+", "".join(row[1] for row in table)))
    assert variables == set(re.findall(r"\bOPENROUTER_\w+", inspect.getsource(settings)))


def test_the_defaults_are_those_of_the_code():
    """What the table calls a default is one."""
    defaults = dict(zip(*(list(column) for column in list(zip(*rows("Settings"), strict=True))[::2]), strict=True))
    assert eval(defaults["`retry`"].strip("`")) == RetryPolicy()
    assert eval(defaults["`timeouts`: seconds of silence"].strip("`")) == Timeouts()
    assert defaults["`base_url`"].strip("`") == settings.BASE_URL
    parameters = inspect.signature(FilesClient).parameters
    assert (parameters["allow_plain_http"].default, parameters["max_connections"].default) == (False, 100)
    assert next(value for name, value in defaults.items() if "max_connections`" in name).endswith(", no, 100")
    assert parameters["trust_env"].default is True


def test_the_variables_of_the_command_line_are_all_there():
    """Each variable that `help environment` tells of is named here, too."""
    told = set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", ENVIRONMENT))
    assert told - set(re.findall(r"`([A-Z_]+)`", README)) == set()


def test_the_exit_statuses_are_those_of_the_code():
    """The table has every exit status, in the words of `help exit-status`."""
    told = dict(re.findall(r"\b(\d+) +([^;\n]+)", LEGEND))
    cells = [pair for row in rows("Command line") for pair in (row[:2], row[2:])]
    table = {status: meaning for status, meaning in cells if status}
    assert {int(status) for status in table} == set(Exit)
    assert {status: meaning.partition(";")[0] for status, meaning in table.items()} == told


def command_lines() -> list[list[str]]:
    """The words of each call of the program in the section about it."""
    (lines,) = blocks("sh", section("Command line"))
    calls = [words for line in lines.splitlines() for words in segments(line.replace('"$(', "").replace(')"', ""))]
    return [words[words.index("openrouter-files") + 1 :] for words in calls]


@pytest.mark.parametrize("words", command_lines(), ids=" ".join)
def test_a_command_line_is_understood(words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch):
    """The command lines are ones that the program understands."""
    monkeypatch.chdir(folder)
    path = tuple(words[:2]) if tuple(words[:2]) in LEAVES else tuple(words[:1])
    ALL[path].make_context(path[-1], words[len(path) :])


def test_the_commands_are_all_there():
    """The list of commands is the program's."""
    named = re.findall(r"`([a-z]+)`", section("Command line").partition(";")[0])
    assert named == [path[0] for path in ALL if len(path) == 1]


def dotted(cell: str, heads: dict[str, object], before: str) -> tuple[list[tuple[object, str]], str]:
    """The names in a cell, each with what has it; ``.name`` is of the last one named, in a row above if need be."""
    found = []
    for head, name in re.findall(r"`([\w()]*)\.(\w+)`", cell.replace("files.container(id)", "box")):
        before = head or before
        found.append((heads[before], name))
    return found, before


def takes(function: Callable[..., object]) -> set[str]:
    """The names of its parameters."""
    return {*inspect.signature(function).parameters}


THERE = {"files": openrouter.files.Files, "containers": openrouter.containers.Containers, "errors": openrouter.errors}
HERE = {"files": FilesClient, "box": ContainerFiles}


def test_the_names_of_the_official_sdk_are_right():
    """What is said to be in the official Python SDK is there, with its async twin; what replaces it is here."""
    there = here = ""
    for python_name, _, _, ours in rows("Coming from the official SDK"):
        theirs, there = dotted(python_name, THERE, there)
        replaced, here = dotted(python_name if ours == "the same" else ours, HERE, here)
        for owner, name in theirs:
            assert getattr(owner, name if owner is openrouter.errors else f"{name}_async")
        assert all(getattr(owner, name) for owner, name in replaced)
        assert set(re.findall(r"(?<=`)(\w+)=", python_name)) <= takes(openrouter.OpenRouter) | takes(
            THERE["files"].list
        )
        assert set(re.findall(r"(?<=`)(\w+)=", ours)) <= takes(FilesClient)
        assert all(hasattr(openrouter_files, name) for name in re.findall(r"`([A-Z]\w+)", ours))
    assert f"Python {importlib.metadata.version('openrouter')}," in README


def test_the_two_commands_are_marked():
    """The gate finds the two commands by their marks."""
    assert re.search(r"<!-- demo -->\n```sh\n.+ demo\n```", README)
    assert re.search(r"<!-- tests -->\n```sh\n.+ pytest -n 4\n```", README)


def test_every_room_is_named():
    """The layout names every module and room of the package, in twenty lines at most."""
    layout = next(b for b in blocks("text") if b.startswith("openrouter_files/"))
    inside = {p.name for p in (ROOT / "openrouter_files").iterdir() if not p.name.startswith(("_", "."))}
    assert {name for name in inside - {"py.typed", "version.py"} if name not in layout} == set()
    named = re.findall(r"\w+(?:\.py|/)", layout.partition("tests/")[0])
    assert {name.rstrip("/") for name in named} - {"openrouter_files"} <= inside
    assert len(layout.splitlines()) <= 20
