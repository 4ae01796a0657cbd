"""A process that forks jobs of uploads for a test to kill, so that each starts without importing anything.

Each line on stdin starts one. On stdout: ``born PID``, ``begun`` when it has settled what the last one
left behind, ``took N`` and the kinds of its outcomes if it came to its end, and ``gone STATUS``.
"""

import asyncio
import os
import signal
import sys
from collections import Counter

from openrouter_files import FilesClient, Options, RetryPolicy, uploading

POLICY = RetryPolicy(first_delay=0.05, max_delay=0.2)


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def job(folder, journal, base_url):
    kinds = Counter()
    files = FilesClient("sk-or-v1-emulator", base_url=base_url, options=Options(retry=POLICY))
    async with files, uploading(files, folder, journal=journal, concurrency=6) as outcomes:
        say("begun")
        async for outcome in outcomes:
            kinds[type(outcome).__name__] += 1
    say("took", kinds.total(), *kinds)


def work(arguments):
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        asyncio.run(job(*arguments))
    except KeyboardInterrupt:
        os._exit(130)
    except BaseException:  # noqa: BLE001 - a forked process must not go on as its parent
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def main(arguments):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # a newborn is interrupted when it can be
    for _ in sys.stdin:
        if not (pid := os.fork()):
            work(arguments)
        say("born", pid)
        say("gone", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
