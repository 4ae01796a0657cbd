"""Jobs of many small files: how fast at which concurrency, and whether memory grows with their number."""

from .material import make
from .measuring import FailedMeasurement, measure
from .rows import ROWS


def measured_jobs(folder, server, *, quick, say):
    """Return what each job cost, with its count and concurrency."""
    few, many = (200, 2000) if quick else (2000, 20_000)
    sources = make(folder / "bulk", ROWS["small_up"], many)
    plan = [(few, 32), *((many, concurrency) for concurrency in (1, 8, 32, 128))]
    return [cost for count, most in plan if (cost := _one(folder, server, sources, (count, most), say))]


def _one(folder, server, sources, size, say):
    count, concurrency = size
    job = {
        "row": "small_up", "client": "ours_bulk", "origin": server.origins["http"], "count": count,
        "size": ROWS["small_up"].size, "concurrency": concurrency, "sources": str(sources), "out": str(folder / "out"),
    }  # fmt: skip
    try:
        cost = measure(job) | {"count": count, "concurrency": concurrency}
    except FailedMeasurement as error:
        say(f"bulk {count} at {concurrency} FAILED: {error}")
        return None
    say("bulk  " + "  ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in cost.items()))
    return cost
