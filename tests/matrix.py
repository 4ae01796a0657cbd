"""Runs the tests over Pythons, over the lowest and the newest versions of our libraries, and over both backoffs.

    python tests/matrix.py                                        all twelve cells, all tests
    python tests/matrix.py --python 3.12 --versions lowest tests/test_retries.py
    python tests/matrix.py --list

Each cell is a fresh virtual environment outside of the checkout, and a copy of the checkout. pip installs what
pyproject.toml names: the test group, and of what the package and its extras need the versions of the cell; the lowest
are the bounds that stand there. Pythons are looked for on PATH and among those of pyenv. The exit status is 0 if every
cell passed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from itertools import chain, product
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = ("3.11", "3.12", "3.13")
BACKOFFS = ("backoff", "python-backoff")
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", ".coverage*")


class Cell(NamedTuple):
    """One combination."""

    python: str
    versions: str
    backoff: str


class Outcome(NamedTuple):
    """What became of a cell."""

    passed: bool
    told: str
    seconds: float
    installed: str = ""


def say(text: str) -> None:
    """Print, now."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def lowest() -> dict[str, str]:
    """The least version of each library, of the extras, too, as pyproject.toml has it."""
    extras = PROJECT["optional-dependencies"].values()
    needed = [Requirement(line) for line in chain(PROJECT["dependencies"], *extras)]
    return {r.name: next(s.version for s in r.specifier if s.operator == ">=") for r in needed}


def interpreter(version: str) -> str | None:
    """A Python of that version, if there is one that runs."""
    pyenv = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python"), reverse=True)
    for candidate in (sys.executable, shutil.which(f"python{version}"), *map(str, pyenv)):
        probe = [str(candidate), "-c", "import sys, venv; print('%d.%d' % sys.version_info[:2])"]
        if candidate and subprocess.run(probe, capture_output=True, text=True, check=False).stdout.strip() == version:
            return candidate
    return None


class Bench:
    """A virtual environment and a copy of the checkout, for one cell."""

    def __init__(self, folder: Path, cell: Cell, base: str) -> None:
        self._folder = folder
        self._cell = cell
        self._project = folder / "checkout"
        self._python = str(folder / "venv" / "bin" / "python")
        self.log = folder / "log.txt"
        shutil.copytree(ROOT, self._project, ignore=NOT_COPIED)
        self._do(base, "-m", "venv", "--without-pip", str(folder / "venv"))

    def _do(self, *command: str) -> bool:
        surroundings = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
        with self.log.open("a") as log:
            log.write(f"$ {' '.join(command)}\n")
            log.flush()
            done = subprocess.run(
                command, cwd=self._project, env=surroundings, stdout=log, stderr=subprocess.STDOUT, check=False
            )
        return done.returncode == 0

    def _pip(self, *arguments: str) -> bool:
        return self._do(
            sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", self._python, *arguments
        )

    def install(self) -> bool:
        """Install what the cell says."""
        bounds = {name: version for name, version in lowest().items() if self._cell.versions == "lowest"}
        pins = self._folder / "pins.txt"
        pins.write_text("".join(f"{name}=={version}\n" for name, version in bounds.items()))
        extras = ",".join(PROJECT["optional-dependencies"])
        pinned = ("install", "--quiet", "--upgrade", "--constraint", str(pins))
        installed = self._pip(*pinned, "pip", "--editable", f".[{extras}]", "--group", "test")
        # Both bring a package `backoff`: the one that is not wanted has to go first.
        other = next(name for name in BACKOFFS if name != self._cell.backoff)
        return (
            installed
            and self._pip("uninstall", "--quiet", "--yes", *BACKOFFS)
            and self._pip(*pinned, self._cell.backoff)
            and not self._pip("show", "--quiet", other)
        )

    def versions(self) -> str:
        """What is installed of ours."""
        names = [name for name in lowest() if name not in BACKOFFS] + [self._cell.backoff]
        script = (
            "import sys; from importlib.metadata import version; print(*(f'{n} {version(n)}' for n in sys.argv[1:]))"
        )
        told = subprocess.run([self._python, "-c", script, *names], capture_output=True, text=True, check=True)
        return told.stdout.strip()

    def test(self, arguments: list[str]) -> bool:
        """Run pytest."""
        return self._do(self._python, "-m", "pytest", *arguments)


def run(cell: Cell, folder: Path, arguments: list[str]) -> Outcome:
    """Install and test one cell."""
    began = time.monotonic()
    base = interpreter(cell.python)
    if base is None:
        return Outcome(passed=False, told="there is no such Python here", seconds=0)
    bench = Bench(folder, cell, base)
    if not bench.install():
        return Outcome(passed=False, told=f"could not be installed: {bench.log}", seconds=time.monotonic() - began)
    passed = bench.test(arguments)
    last = bench.log.read_text().rstrip().rpartition("\n")[2].strip("= ")
    told = last if passed else f"{last}: {bench.log}"
    return Outcome(passed=passed, told=told, seconds=time.monotonic() - began, installed=bench.versions())


def chosen() -> tuple[list[Cell], argparse.Namespace]:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", nargs="+", default=PYTHONS, metavar="X.Y")
    parser.add_argument("--versions", nargs="+", default=("lowest", "newest"), choices=("lowest", "newest"))
    parser.add_argument("--backoff", nargs="+", default=BACKOFFS, choices=BACKOFFS)
    parser.add_argument("--workers", default="4", help="tests at once, as in pytest -n")
    parser.add_argument("--folder", type=Path, help="for environments and logs; default: a temporary one")
    parser.add_argument("--list", action="store_true", help="say which cells there are, and run none")
    parser.add_argument("tests", nargs="*", default=["tests"], help="files and options for pytest; options after --")
    told = parser.parse_args()
    return [Cell(*cell) for cell in product(told.python, told.versions, told.backoff)], told


def main() -> int:
    """Run the cells one after another and tell how it went."""
    cells, told = chosen()
    if told.list:
        say("\n".join(" ".join(cell) for cell in cells))
        return 0
    outcomes: dict[Cell, Outcome] = {}
    above = told.folder or Path(tempfile.mkdtemp(prefix="matrix-"))
    for cell in cells:
        folder = above / "-".join(cell)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        outcome = outcomes[cell] = run(cell, folder, ["-n", told.workers, *told.tests])
        say(f"{' '.join(cell):28} {'ok' if outcome.passed else 'FAILED':6} {outcome.seconds:5.0f} s  {outcome.told}")
        say(f"{'':45}{outcome.installed}")
        if outcome.passed:
            shutil.rmtree(folder)  # what failed is left to be looked at
    failed = [cell for cell, outcome in outcomes.items() if not outcome.passed]
    say(f"{len(cells) - len(failed)} of {len(cells)} cells passed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
