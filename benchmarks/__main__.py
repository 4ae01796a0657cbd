"""The command: measure, print the table, keep it.

``python -m benchmarks --quick`` takes about a minute, the whole run some minutes per round. Nothing is
installed: clients that are missing are reported as such, and without nginx a lean server of ours answers.
"""

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path

from . import plot, report
from .bulk import measured_jobs
from .clients import CLIENTS, does, installed
from .machine import described
from .material import make
from .measuring import Plan, compile_ours
from .rows import ROWS
from .servers import site
from .servers.running import server

_RESULTS = Path(__file__).parent / "results"
_README = Path(__file__).parent.parent / "README.md"


def _arguments(given):
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, help="interleaved rounds (5; with --quick 1)")
    parser.add_argument("--only", action="append", choices=[*ROWS, "bulk"], metavar="ROW", help="measure these rows")
    parser.add_argument("--clients", nargs="+", choices=list(CLIENTS), default=list(CLIENTS), metavar="CLIENT")
    parser.add_argument("--tls", action=argparse.BooleanOptionalAction, default=None, help="only over TLS, or without")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--lean", action="store_true", help="our own server even if nginx is installed")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer (our own server)")
    parser.add_argument("--out", type=Path, help=f"where results go (whole runs: {_RESULTS.name}/; else nowhere)")
    parser.add_argument(
        "--readme", type=Path, nargs="?", const=_README, metavar="FILE",
        help="measure nothing: write the table of the last whole run into README.md",
    )  # fmt: skip
    options = parser.parse_args(given)
    options.rounds = options.rounds or (1 if options.quick else 5)
    return options


def _say(text):
    print(text, file=sys.stderr, flush=True)


def _schemes(options, running):
    wanted = {None: ("http", "https"), True: ("https",), False: ("http",)}[options.tls]
    for scheme in wanted:
        if scheme not in running.origins:
            _say(f"no {scheme}: neither trustme nor openssl is installed")
    return [scheme for scheme in wanted if scheme in running.origins]


def _measured(options, folder, running):
    rows = [row for row in ROWS.values() if not options.only or row.name in options.only]
    sources = {
        row: make(folder, row, row.times(quick=options.quick)) if row.name.endswith("_up") else "" for row in rows
    }
    clients = [name for name in options.clients if installed(name)]
    for name in set(options.clients) - set(clients):
        _say(f"{name}: not installed")
    plan = Plan(
        folder, running, schemes=_schemes(options, running), sources=sources, quick=options.quick,
        clients=lambda row: [name for name in clients if does(name, row)],
    )  # fmt: skip
    for number in range(options.rounds if rows else 0):
        plan.round(number, _say)
        _say(f"round {number + 1} of {options.rounds} is done")
    return plan


def _run(options):
    compile_ours()
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as made:
        folder = Path(made)
        for name in ("site", "server"):
            (folder / name).mkdir()
        contents = (
            {"mid", "big"} if not options.only else {n.partition("_")[0] for n in options.only} & {"big"} | {"mid"}
        )
        site.build(folder / "site", listed=ROWS["list"].times(quick=options.quick), contents=contents)
        with server(folder / "server", folder / "site", lean=options.lean, delay=options.delay) as running:
            plan = _measured(options, folder, running)
            bulk = []
            if "ours_bulk" in options.clients and (not options.only or "bulk" in options.only):
                bulk = measured_jobs(folder, running, quick=options.quick, say=_say)
    about = described(running.name, options.rounds) | {"quick": options.quick, "delay": options.delay}
    summary = report.summaries(plan.costs)
    return {"about": about, "summary": summary, "bulk": bulk, "failures": plan.failures}


def _keep(result, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "latest.md").write_text(report.markdown(result))
    failures = [{"scheme": s, "row": r, "client": c, "why": why} for (s, r, c), why in result["failures"].items()]
    (folder / "latest.json").write_text(json.dumps(result | {"failures": failures}, indent=1) + "\n")
    if not plot.draw(result["summary"], folder / "latest.svg"):
        _say("no plot: matplotlib is not installed")


def _tell(readme):
    """Bring README.md up to date with the results that are kept."""
    result = json.loads((_RESULTS / "latest.json").read_text())
    readme.write_text(report.in_readme(readme.read_text(), result))


def main(given=None):
    """Return the exit status: 1 if a client of ours failed."""
    options = _arguments(given)
    if options.readme:
        _tell(options.readme)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server ends, too
    result = _run(options)
    print(report.markdown(result), end="")
    whole = not (options.quick or options.only or options.tls is not None or options.delay)
    if options.out or whole:
        _keep(result, options.out or _RESULTS)
    return int(any(name.startswith("ours") for _, _, name in result["failures"]))


if __name__ == "__main__":
    sys.exit(main())
