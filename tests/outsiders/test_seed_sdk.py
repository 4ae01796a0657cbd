"""The official Python SDK of the API's first weeks, driven against the seed-era emulator."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from seed_driver import FAULTS

from openrouter_files.emulator import Emulator, Pass, Status

RELEASE = "openrouter==1.0.0"
"""Built on 2026-07-20, between the first files (June 2026) and the shapes (29 July)."""

DRIVER = Path(__file__).with_name("seed_driver.py")
NAMES = {
    400: "BadRequestResponseError",
    401: "UnauthorizedResponseError",
    403: "ForbiddenResponseError",
    404: "NotFoundResponseError",
    413: "PayloadTooLargeResponseError",
    429: "TooManyRequestsResponseError",
    500: "InternalServerResponseError",
}


def cache():
    """Where the environment outlives a run: building it takes longer than all other tests."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (
        home / "openrouter-files-tests" / f"{RELEASE.replace('==', '-')}-py{sys.version_info[0]}{sys.version_info[1]}"
    )


def interpreter(folder):
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def works(python):
    """Whether an environment has the release."""
    asked = [python, "-c", "from importlib.metadata import version as v; print('openrouter==' + v('openrouter'))"]
    return (
        python.exists() and subprocess.run(asked, capture_output=True, check=False, text=True).stdout.strip() == RELEASE
    )


def build(folder):
    """Make an environment beside its place and move it there: another run may be doing the same."""
    draft = folder.with_name(f"{folder.name}-{os.getpid()}")
    command = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", RELEASE]
    try:
        venv.create(draft, clear=True, with_pip=True)
        subprocess.run([interpreter(draft), *command], capture_output=True, check=True, text=True, timeout=300)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@pytest.fixture(scope="session")
def python():
    """An interpreter whose environment has the seed-era SDK, made on the first run."""
    folder = cache()
    if not works(interpreter(folder)):
        try:
            build(folder)
        except (OSError, subprocess.SubprocessError) as problem:
            pytest.skip(f"{RELEASE} could not be installed: {getattr(problem, 'stderr', None) or problem}")
    return interpreter(folder)


async def drive(python, *arguments):
    """Run the driver, and read what it saw."""
    process = await asyncio.create_subprocess_exec(
        python, DRIVER, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, problems = await process.communicate()
    assert process.returncode == 0, problems.decode()[-2000:]
    return json.loads(out)


async def test_the_seed_era_sdk_lives_with_the_seed_era_emulator(python):
    """List with paging, upload, retrieve, delete, download and each error it declares, without one complaint."""
    async with Emulator(seed_era=True) as emulator:
        made = await emulator.put("made.txt", b"made by a model")
        # The good answers come first: as many requests of each operation as the driver's `life` makes.
        for operation, count in {"list": 2, "upload": 3, "retrieve": 1, "delete": 3, "download": 1}.items():
            emulator.queue(operation, *[Pass()] * count, *map(Status, FAULTS[operation]))
        seen = await drive(python, emulator.base_url, emulator.api_key, made.id)
    ids = [made.id, *(file["id"] for file in seen["life"]["made"])]
    assert seen["life"]["pages"] == [ids[:2], ids[2:]]
    assert seen["life"]["retrieved"] == seen["life"]["made"][0]
    assert seen["life"]["deleted"] == [{"id": file_id, "type": "file_deleted"} for file_id in ids[1:]]
    assert seen["life"]["content"] == "made by a model"
    assert seen["failures"] == {
        name: [[NAMES[status], status] for status in statuses] for name, statuses in FAULTS.items()
    }
