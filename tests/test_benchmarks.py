"""The benchmarks run: a tiny round, against the server that needs nothing installed."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Milliseconds of one row: all others are faster than ours, and two were not measured.
PASSES = {"ours": [1.0, 2.0, 1.0], "bare": [0.5, 1.0, 0.5], "official": [2.0, 8.0]}
TOOK = {"ours": 200.0, "official": 100.0, "openai": 25.0, "bare": 50.0}

pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks" / "__main__.py").exists(), reason="the benchmarks are not part of this distribution"
)


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture
def report(monkeypatch):
    """What makes the tables; the benchmarks are beside the package, not in it."""
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.report")


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


def test_the_table_in_the_readme_is_that_of_the_last_run(tmp_path):
    """README.md tells what results/latest.json holds; `python -m benchmarks --readme` brings it up to date."""
    readme = (ROOT / "README.md").read_text()
    before, mark, rest = readme.partition("<!-- benchmarks -->\n")
    anew = tmp_path / "README.md"
    anew.write_text(before + mark + "an older table\n" + rest[rest.index("<!-- /benchmarks -->") :])
    done = run("--readme", str(anew))
    assert done.returncode == 0, done.stderr
    assert anew.read_text() == readme, "run: python -m benchmarks --readme"


def test_the_table_in_the_readme_tells_where_we_are_behind(report):
    """Who is faster than we are is named, and what was not measured leaves its place empty."""
    summary = {
        "http": {
            "list": {name: {"wall": {"median": took, "passes": [took]}} for name, took in TOOK.items()},
            "import": {},
        }
    }
    about = {"rounds": 1, "quick": False, "date": "2026-11-21 01:32 UTC", "machine": {"cores": 2}}
    told = report.in_readme("<!-- benchmarks -->\n<!-- /benchmarks -->", {"about": about, "summary": summary})
    assert "| 20,000 files listed in pages of 1,000 | 0.50 |  |  | 4.00 | 2.00 |  |  | 4.00 |\n" in told
    assert "Slower than another SDK: 20,000 files listed in pages of 1,000 (HTTP). " in told
    assert "faster in 1 of 1 measurements, curl in 0." in told
    assert "import" not in told


def test_ratios_are_those_of_what_was_measured_side_by_side(report):
    """A machine that becomes twice as slow in between makes nobody faster; passes before a failure count."""
    clients = {name: {"wall": {"passes": passes}} for name, passes in PASSES.items()}
    assert report.ratio(clients, "ours", "official") == 3
    assert report.ratio(clients, "ours", "bare") == 0.5
    assert report.ratio(clients, "ours", "curl") is None


def test_a_readme_without_marks_is_left_alone(report):
    """Where there is no place for the table, nothing is written."""
    with pytest.raises(ValueError, match="no marks"):
        report.in_readme("# Another one\n", {})
