"""The process of one measurement: reads a job from its argument, prints what it cost as JSON."""

import asyncio
import importlib
import json
import sys
import time

from benchmarks.clients import CLIENTS, IMPORTS
from benchmarks.job import Job
from benchmarks.meters import measured, peak


def _imported(job):
    """The import alone; asyncio and what measures are imported already, for all alike."""
    began, cpu = time.perf_counter(), time.process_time()
    exec(IMPORTS[job.client], {})  # a line of our own table
    return {"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu, "rss": peak()}


def _client(job):
    return importlib.import_module(f"benchmarks.clients.{CLIENTS[job.client][0]}").Client(job)


async def _first_call(job):
    client = _client(job)
    await (client.retrieve() if job.client == "curl" else client.warm())
    await client.aclose()


async def _work(client, job):
    if job.row == "list":
        seen = await client.list()
        if seen != job.count:
            raise RuntimeError(f"{seen} of {job.count} files were listed")
    elif job.row == "retrieve":
        await client.retrieve()
    elif job.row.endswith("_up"):
        await client.upload()
    else:
        await client.download()


async def _row(job):
    client = _client(job)
    await client.warm()
    cost = await measured(lambda: _work(client, job), children=job.client == "curl")
    await client.aclose()
    if job.row.endswith("_down"):
        job.check_downloads()
    return cost


def main():
    job = Job(**json.loads(sys.argv[1]))
    if job.row == "import":
        cost = _imported(job)
    elif job.row == "first_call":
        began, cpu = time.perf_counter(), time.process_time()
        asyncio.run(_first_call(job))
        cost = {"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu, "rss": peak()}
    else:
        cost = asyncio.run(_row(job))
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
