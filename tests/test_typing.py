"""What users write is accepted by strict type checkers, and their mistakes are not."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SAMPLES = {path.name: path.read_text() for path in sorted((HERE / "typing_samples").glob("*.py"))}
PACKAGE = HERE.parent / "openrouter_files"


def mistakes():
    """The lines of the sample that are wrong on purpose."""
    lines = SAMPLES["rejected.py"].splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Both checkers, at work on copies of the samples, outside of the project and its settings."""
    folder = tmp_path_factory.mktemp("samples")
    for name, text in SAMPLES.items():
        (folder / name).write_text(text)
    settings = {"include": ["."], "typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    commands = {
        "mypy": ["mypy", "--strict", "--python-version", "3.11", "--cache-dir", os.devnull, *SAMPLES],
        "pyright": ["pyright", "--outputjson", "--pythonpath", sys.executable],
    }
    processes = {
        name: subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for name, command in commands.items()
    }
    yield processes
    for process in processes.values():
        process.kill()
        process.communicate()


def output(process):
    try:
        return "\n".join(process.communicate(timeout=120))
    except subprocess.TimeoutExpired:
        return ""


@pytest.fixture(scope="module")
def mypy(running):
    """File, line and words of everything that mypy has something against."""
    said = output(running["mypy"])
    if "No module named mypy" in said:
        pytest.skip("mypy is not installed")
    found = re.findall(r"^(.+?):(\d+): error: (.*)$", said, re.MULTILINE)
    assert found, said
    return [(path, int(line), message) for path, line, message in found]


@pytest.fixture(scope="module")
def pyright(running):
    """The same for pyright."""
    said = output(running["pyright"])
    if '"generalDiagnostics"' not in said:
        pytest.skip("pyright cannot run here: it is not installed, or has neither Node.js nor a way to get it")
    found = json.loads(said[said.index("{") : said.rindex("}") + 1])["generalDiagnostics"]
    errors = [d for d in found if d["severity"] == "error"]
    return [(Path(d["file"]).name, d["range"]["start"]["line"] + 1, d["message"]) for d in errors]


def against(found, name):
    return [(line, message) for path, line, message in found if path == name]


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_what_users_write_is_accepted(request, checker):
    """Strict, without a cast or a comment, and with exactly the types that are promised."""
    assert against(request.getfixturevalue(checker), "accepted.py") == []


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_any_set_of_statuses_is_accepted(request, checker):
    """As a set, a tuple, or what is transient and some more."""
    assert against(request.getfixturevalue(checker), "accepted_statuses.py") == []


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_mistakes_are_found(request, checker):
    """Each of them, and nothing else in the sample."""
    found = dict(against(request.getfixturevalue(checker), "rejected.py"))
    assert mistakes() - found.keys() == set(), "not found"
    assert {line: message for line, message in found.items() if line not in mistakes()} == {}


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_the_package_itself_is_silent(request, checker):
    """Whoever checks code that uses it hears nothing about the package."""
    assert {path for path, _, _ in request.getfixturevalue(checker)} <= set(SAMPLES)


def test_the_package_says_that_it_is_typed():
    """The marker that checkers look for is part of it."""
    assert (PACKAGE / "py.typed").is_file()
