"""What is given out: the wheel and the sdist, what they hold and ask for, and that they work where nothing else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import matrix
import pytest

ROOT = Path(__file__).parent.parent
FIVE = {"aiohttp", "attrs", "cattrs", "aiofiles", "backoff"}
# Rooms whose modules need more than the five, and say so in the extras or by being a plugin.
ROOMS_WITH_NEEDS = {"cli", "fsspec", "pytest_plugin"}


def test_the_lowest_versions_are_tested():
    """Whatever the package or an extra asks for, with a bound, is installed at that bound by the matrix."""
    lowest = matrix.lowest()
    assert lowest.keys() >= FIVE | {"python-backoff", "click", "rich", "msgspec", "fsspec"}
    assert lowest["click"] == "8.2.1"  # 8.2.0 loses what a test captured of stderr


def run(*command, cwd):
    """Run a command in an environment of its own making; its output, if it worked."""
    surroundings = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV", "PYTEST"))
    }
    done = subprocess.run(command, cwd=cwd, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(project, folder, *targets):
    """Build distributions of a project, without isolation: the backend is here, and no index is asked for it."""
    options = [option for target in targets for option in ("-t", target)]
    run(sys.executable, "-m", "hatchling", "build", "-d", str(folder), *options, cwd=project)


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """The wheel and the sdist of this checkout."""
    folder = tmp_path_factory.mktemp("distributions")
    build(ROOT, folder, "sdist", "wheel")
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sources(folder):
    """The files of the package, as they lie in a checkout."""
    found = (path for path in (folder / "openrouter_files").rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix() for path in found if "__pycache__" not in path.parts}


def test_the_wheel_holds_the_package_and_nothing_else(distributions):
    """Every module and the mark of a typed package; no test, no benchmark."""
    held = contents(distributions[0])
    inside = {name for name in held if ".dist-info/" not in name}
    assert inside == sources(ROOT)
    assert held["openrouter_files/py.typed"] == b""


def test_the_wheel_asks_for_the_five(distributions):
    """Five libraries, one of them under two names; all else is an extra."""
    held = contents(distributions[0])
    described = message_from_bytes(next(text for name, text in held.items() if name.endswith("METADATA")))
    asked = [line.partition(";") for line in described.get_all("Requires-Dist")]
    always = {name.partition(">")[0] for name, _, condition in asked if "extra ==" not in condition}
    assert always == FIVE | {"python-backoff"}
    conditions = {name.partition(">")[0]: condition.strip() for name, _, condition in asked if "backoff" in name}
    assert conditions == {"backoff": "python_version < '3.14'", "python-backoff": "python_version >= '3.14'"}
    assert described["Requires-Python"] == ">=3.11"
    assert described.get_payload().startswith("# openrouter-files")


def test_the_sdist_holds_the_tests_and_builds_the_same_wheel(distributions, tmp_path):
    """Who has the sdist can test it, and build from it what was built from the checkout, to the byte."""
    wheel, sdist = distributions
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (project,) = tmp_path.iterdir()
    for name in ("README.md", "CHANGELOG.md", "pyproject.toml", "benchmarks/__main__.py", "tests/conftest.py"):
        assert (project / name).read_bytes() == (ROOT / name).read_bytes()
    assert {p.name for p in (project / "tests").glob("*.py")} == {p.name for p in (ROOT / "tests").glob("*.py")}
    build(project, tmp_path / "again", "wheel")
    (again,) = (tmp_path / "again").glob("*.whl")
    assert contents(again) == contents(wheel)


FIRST_STEPS = """
import sys

before = set(sys.modules)
import openrouter_files
loaded = {name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)
assert loaded == {"openrouter_files"}, loaded

import asyncio, importlib, json, pkgutil
from openrouter_files import FilesClient
from openrouter_files.emulator import Emulator

async def main():
    async with Emulator() as emulator, FilesClient(emulator.api_key, base_url=emulator.base_url) as files:
        stored = await files.upload(b"hello", filename="hello.txt")
        assert await emulator.content(stored.id) == b"hello"

asyncio.run(main())
lacking = {}
for module in pkgutil.walk_packages(openrouter_files.__path__, "openrouter_files.", onerror=lambda _: None):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        lacking[module.name] = error.name.partition(".")[0]
print(json.dumps(lacking))
"""

A_TEST = """
import asyncio

def test_it_is_there(openrouter_emulator, openrouter_files):
    asyncio.run(openrouter_files.upload(b"hello", filename="hello.txt"))
    assert [file.filename for file in openrouter_emulator.files()] == ["hello.txt"]
"""


class CleanEnvironment:
    """A virtual environment with nothing in it, not even pip."""

    def __init__(self, folder):
        venv.create(folder, with_pip=False, symlinks=True)
        self.folder = folder
        self.python = str(folder / "bin" / "python")

    def install(self, *what):
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", self.python)
        run(*pip, "install", "--quiet", *map(str, what), cwd=self.folder)
        listed = json.loads(run(*pip, "list", "--format=json", cwd=self.folder))
        return {entry["name"] for entry in listed}


@pytest.mark.index
def test_it_works_where_nothing_else_is(distributions, tmp_path):
    """The wheel brings the five and what they need; it works with them, and says what the command line needs."""
    clean = CleanEnvironment(tmp_path / "clean")
    with_the_five = clean.install(*FIVE)
    assert clean.install(distributions[0]) == with_the_five | {"openrouter-files"}

    lacking = json.loads(run(clean.python, "-X", "dev", "-W", "error", "-c", FIRST_STEPS, cwd=tmp_path))
    assert {name.split(".")[1] for name in lacking} == ROOMS_WITH_NEEDS
    assert set(lacking.values()) <= {"click", "rich", "fsspec", "pytest"}

    command = [str(clean.folder / "bin" / "openrouter-files"), "list"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == "the command line needs: pip install 'openrouter-files[cli]'\n"

    clean.install("pytest")
    (tmp_path / "test_it.py").write_text(A_TEST)
    assert "1 passed" in run(clean.python, "-m", "pytest", "-W", "error", "test_it.py", cwd=tmp_path)
