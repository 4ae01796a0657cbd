"""The benchmarks run: a tiny round, against the server that needs nothing installed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks" / "__main__.py").exists(), reason="the benchmarks are not part of this distribution"
)


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_tiny_run_measures_and_reports(tmp_path):
    """Each client does its work in a process of its own; the table and the JSON tell of it with date and versions."""
    done = run(
        "--quick", "--lean", "--no-tls", "--out", str(tmp_path),
        *("--only", "small_up", "--only", "many_down", "--clients", "ours", "bare"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "latest.json").read_text())
    assert result["failures"] == []
    assert {"date", "server", "machine", "versions", "rounds"} <= result["about"].keys()
    for row in ("small_up", "many_down"):
        measured = result["summary"]["http"][row]
        assert measured.keys() == {"ours", "bare"}
        assert {"wall", "cpu", "rss", "stall"} <= measured["ours"].keys()
    assert done.stdout == (tmp_path / "latest.md").read_text()
    assert "## HTTP" in done.stdout


def test_what_is_missing_is_said_and_no_error(tmp_path):
    """A machine with none of the peers still gets its report: those who are missing are named."""
    hide = "import sys; sys.modules.update(openai=None, openrouter=None); from benchmarks.__main__ import main; "
    done = subprocess.run(
        [sys.executable, "-c", hide + f"sys.exit(main(['--quick','--lean','--no-tls','--only','import',"
         f"'--clients','official','openai','ours','--out',{str(tmp_path)!r}]))"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "openai: not installed" in done.stderr
    assert json.loads((tmp_path / "latest.json").read_text())["about"]["versions"]["official"] == "not installed"
