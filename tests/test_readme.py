"""README.md is true: its blocks run, its commands exist, its tables agree with the code."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from openrouter_files import errors
from openrouter_files.emulator import Emulator

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def runnable(block: str) -> str:
    """The block as a script: the recipes define main() and leave it to the reader to run it."""
    return block if "asyncio.run" in block else f"{block}\nimport asyncio\nasyncio.run(main())\n"


@pytest.fixture
async def server(tmp_path: Path):
    """An emulator with a file that can be downloaded."""
    async with Emulator() as emulator:
        await emulator.put("notes/from-a-model.md", b"# Notes\n\nwritten by a model\n")
        yield emulator


@pytest.mark.parametrize("block", blocks("python"), ids=lambda b: b.splitlines()[0][:40])
async def test_python_blocks_run(block: str, server: Emulator, tmp_path: Path):
    """Every Python block of the README runs as it is printed, against the emulator."""
    (tmp_path / "report.csv").write_text("a,b\n1,2\n")
    (tmp_path / "downloads").mkdir()
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "one.csv").write_text("a,b\n1,2\n")
    environment = {**os.environ, "OPENROUTER_API_KEY": server.api_key, "OPENROUTER_BASE_URL": server.base_url}

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "dev", "-W", "error", "-c", runnable(block)),
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert re.sub(r"^Executing <.* took [\d.]+ seconds\n", "", said.decode(), flags=re.MULTILINE) == ""


def test_the_tree_of_errors_names_them_all():
    """The tree in the README has every error class and no other."""
    tree = next(b for b in blocks("text") if b.startswith("FilesError"))
    named = set(re.findall(r"\b[A-Z]\w*(?:Error)\b", tree)) - {"TimeoutError"}
    assert named == {n for n, v in vars(errors).items() if isinstance(v, type) and issubclass(v, errors.FilesError)}


def test_the_two_commands_are_marked():
    """The gate finds the two commands by their marks."""
    assert re.search(r"<!-- demo -->\n```sh\n.+ demo\n```", README)
    assert re.search(r"<!-- tests -->\n```sh\n.+ pytest -n 4\n```", README)


def test_every_room_is_named():
    """The layout names every module and room of the package."""
    layout = next(b for b in blocks("text") if b.startswith("openrouter_files/"))
    inside = {p.name for p in (ROOT / "openrouter_files").iterdir() if not p.name.startswith(("_", "."))}
    assert {name for name in inside - {"py.typed", "version.py"} if name not in layout} == set()
