"""When, where and with what a run was made."""

import datetime as dt
import os
import platform
import ssl
from pathlib import Path

from .clients import CLIENTS, installed, version


def _processor():
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def described(server, rounds):
    """All that a reader needs to judge the numbers."""
    extra = {"aiohttp": version("bare")} if installed("bare") else {}
    extra |= {"msgspec": version("ours_speed")} if installed("ours_speed") else {}
    return {
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "rounds": rounds,
        "server": server,
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.release()}",
            "load": [round(load, 1) for load in os.getloadavg()],
        },
        "versions": {
            "python": platform.python_version(),
            "openssl": ssl.OPENSSL_VERSION,
            **extra,
            **{
                name: version(name) if installed(name) else "not installed"
                for name in CLIENTS
                if name not in {"ours_bulk", "ours_speed"}
            },
        },
    }
