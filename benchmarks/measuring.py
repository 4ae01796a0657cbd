"""Carrying out a plan: each measurement in a process of its own, rounds interleaved."""

import compileall
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_PATIENCE = 300
# What takes so many seconds is measured once a round, and that counts for each of its passes. A short row took
# five on a busy machine: one bad moment must not count three times.
_LONG = 10.0
# What would lead the clients elsewhere, or make them trust other authorities.
_SILENCED = ("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY")


def compile_ours():
    """Compile the package, as pip does with all that it installs: else first_call would measure the compiler."""
    compileall.compile_dir(_ROOT / "openrouter_files", quiet=2)


class FailedMeasurement(Exception):  # noqa: N818
    """A client did not do its work; the message is the end of what it said."""


def _environment(authority):
    kept = {k: v for k, v in os.environ.items() if k.upper() not in _SILENCED and not k.startswith("OPENROUTER_")}
    kept["PYTHONPATH"] = str(_ROOT)
    return kept | ({"SSL_CERT_FILE": authority} if authority else {})


def measure(job, authority=None):
    """Carry out one job; return what it cost."""
    out = Path(job["out"])
    out.mkdir()
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.worker", json.dumps(job)],
            cwd=_ROOT, env=_environment(authority), capture_output=True, text=True, timeout=_PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise FailedMeasurement(f"not done after {_PATIENCE} s") from None
    finally:
        shutil.rmtree(out)
    if done.returncode:
        raise FailedMeasurement(done.stderr.strip()[-400:] or f"exit status {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


class Plan:
    """What is measured, in which order: all clients of a row after each other, then the next round."""

    def __init__(self, folder, server, *, schemes, clients, sources, quick):
        self._folder, self._server = folder, server
        self._schemes, self._clients, self._sources, self._quick = schemes, clients, sources, quick
        self.costs = {scheme: {row.name: {} for row in sources} for scheme in schemes}
        self.failures = {}

    def round(self, number, say):
        """Measure everything, what is short in several passes; who begins changes with each."""
        for scheme in self._schemes:
            for row in self._sources:
                for i in range(1 if self._quick else row.passes):
                    self._pass(scheme, row, number * row.passes + i, say)

    def _pass(self, scheme, row, number, say):
        names = self._clients(row.name)
        first = number % len(names)
        for name in names[first:] + names[:first]:
            done = self.costs[scheme][row.name].get(name, [])
            if number % row.passes and done and done[-1]["wall"] > _LONG:
                done.append(done[-1])
            else:
                self._one(scheme, row, name, say)

    def _one(self, scheme, row, name, say):
        if (scheme, row.name, name) in self.failures or (row.name == "import" and scheme != self._schemes[0]):
            return
        try:
            cost = measure(self._job(scheme, row, name), self._server.authority if scheme == "https" else None)
        except FailedMeasurement as error:
            self.failures[scheme, row.name, name] = str(error)
            say(f"{scheme:5} {row.name:10} {name:9} FAILED: {error}")
            return
        self.costs[scheme][row.name].setdefault(name, []).append(cost)
        say(f"{scheme:5} {row.name:10} {name:9} " + "  ".join(f"{k} {v:.3f}" for k, v in cost.items()))

    def _job(self, scheme, row, name):
        return {
            "row": row.name,
            "client": name,
            "origin": self._server.origins[scheme],
            "count": row.times(quick=self._quick),
            "size": row.size,
            "concurrency": row.concurrency,
            "sources": str(self._sources[row]),
            "out": str(self._folder / "out"),
        }
