"""serve."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import signal
import sqlite3
import warnings
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from .options import GeneralOption, Settings, Teaching, completed_as, run
from .output import Output
from .process import Exit, write_line

if TYPE_CHECKING:
    from openrouter_files.emulator import Emulator, Step


# ---- What the emulator's model is to do: steps in a JSON file.

Script: TypeAlias = "Sequence[Step]"
"""What the model does for one question."""


def _step(told: Any) -> Step:
    from openrouter_files.emulator import Call, Fail, Say  # noqa: PLC0415  # a web server, for those who want one

    step: dict[str, Any] = {**told} if isinstance(told, dict) else {}
    texts = {name: value for name, value in step.items() if isinstance(value, str)}
    if "call" in texts and len(texts) == len(step):
        return Call(texts.pop("call"), **texts)
    if "say" in texts:
        return Say(step.pop("say"), **step)
    if isinstance(step.get("fail"), int | str):
        return Fail(code=step.pop("fail"), **step)
    raise ValueError(f'{json.dumps(told)} is no step: say {{"call": ...}}, {{"say": ...}} or {{"fail": ...}}')


def _script(told: list[Any]) -> Script:
    return [_step(step) for step in told]


def scripts_in(text: str) -> list[Script]:
    """Read one script, which is a list of steps, or a list of scripts.

    Raises:
        ValueError: It is neither.
        TypeError: A step says something that no such step can say.
    """
    told: Any = json.loads(text)
    if not isinstance(told, list) or not told:
        raise ValueError("a script is a list of steps")
    parts: list[Any] = [*told]
    return [_script(part) for part in parts] if all(isinstance(part, list) for part in parts) else [_script(parts)]


def read(_context: click.Context, _option: click.Parameter, paths: tuple[str, ...] | str | None) -> list[Script]:
    """Read the value of an option, or its values."""
    given = (paths,) if isinstance(paths, str) else paths or ()
    return [script for path in given for script in _read(path)]


def _read(path: str) -> list[Script]:
    try:
        return scripts_in(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror}") from None
    except (ValueError, TypeError) as error:
        raise click.BadParameter(f"{path}: {error}") from None


# ---- `serve`: an emulator in a process of its own.

_HELP = """Run an emulator of the Files API until Ctrl-C or SIGTERM.

    When it is ready, it prints one JSON line on stdout: base_url, api_key, files (the id and the
    name of each --file), container_files if there are any (id, container_id, path), and pid.
    Without --store it forgets everything at the end.
    """

_EPILOG = """\b
Examples:
  openrouter-files serve --store files/ --file report.md
  openrouter-files serve --container-file sess_abc:out/r.csv=r.csv --script edit.json

\b
In a script:
  openrouter-files serve --file report.md > ready.json & until [ -s ready.json ]; do sleep 0.1; done
  export OPENROUTER_BASE_URL=$(jq -r .base_url ready.json) OPENROUTER_API_KEY=$(jq -r .api_key ready.json)
  openrouter-files list
  kill $(jq .pid ready.json)"""


def _container_files(
    _ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> list[tuple[str, str, str]]:
    """Take CONTAINER:PATH=LOCAL apart."""
    parts = [re.fullmatch(r"([^:]+):([^=]+)=(.+)", text) for text in given]
    if None in parts:
        raise click.BadParameter("a file of a container is CONTAINER:PATH=LOCAL: sess_abc:out/r.csv=r.csv")
    return [(part[1], part[2], part[3]) for part in parts if part]


@click.command("serve", cls=Teaching, help=_HELP, epilog=_EPILOG)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0, the default, takes a free one.")
@click.option(
    "--hostname", "hostnames", multiple=True, metavar="NAME",
    help="A name by which clients call it, besides the loopback's and its address. Repeatable.",
)  # fmt: skip
@click.option("--api-key", default="sk-or-v1-emulator", show_default=True, metavar="KEY", help="The key it accepts.")
@click.option(
    "--store",
    metavar="DIR",
    shell_complete=completed_as("dir"),
    help="A folder that keeps the files: one that it made, or an empty one.",
)
@click.option(
    "--file", "paths", multiple=True, metavar="PATH", shell_complete=completed_as("file"),
    help="A file that it made, and gives out. Repeatable.",
)  # fmt: skip
@click.option(
    "--container-file", "boxed", multiple=True, metavar="CONTAINER:PATH=LOCAL", callback=_container_files,
    help="A file inside a sandbox container. Repeatable.",
)  # fmt: skip
@click.option(
    "--script", "scripts", multiple=True, metavar="FILE", callback=read, shell_complete=completed_as("file"),
    help="What its model does for one chat request (see `ask --help`). Repeatable.",
)  # fmt: skip
@click.option("--seed-era", is_flag=True, help="Answer as the API did in its first weeks.")
@click.option("--emulator", cls=GeneralOption, is_flag=True, help="Nothing else is possible here.")
@click.option("--json", "_json", cls=GeneralOption, is_flag=True, help="Nothing else is printed here.")
@click.option("-q", "--quiet", cls=GeneralOption, is_flag=True, help="No messages but errors.")
@click.option("-v", "--verbose", cls=GeneralOption, is_flag=True, help="Show the traceback of an unexpected error.")
def command(  # noqa: D103
    *,
    host: str,
    port: int,
    hostnames: tuple[str, ...],
    api_key: str,
    store: str | None,
    paths: tuple[str, ...],
    boxed: list[tuple[str, str, str]],
    scripts: list[Script],
    seed_era: bool,
    emulator: bool,  # noqa: ARG001  # accepted by every command
    _json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    from openrouter_files.emulator import Emulator  # noqa: PLC0415  # a web server: not to show the help

    try:
        server = Emulator(host=host, port=port, hostnames=hostnames, api_key=api_key, store=store, seed_era=seed_era)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    for script in scripts:
        server.script(*script)
    return run(Settings(quiet=quiet, verbose=verbose), partial(_serve, server, paths, boxed))


def _stop_signal() -> asyncio.Event:
    """Return what is set by Ctrl-C and by SIGTERM: the usual end of a server, and no interruption."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl-C interrupts
            loop.add_signal_handler(number, stop.set)
    return stop


@asynccontextmanager
async def _running(server: Emulator, output: Output) -> AsyncGenerator[None]:
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            await server.start()
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(server.store)) from None
    except sqlite3.Error as error:
        raise OSError(f"{server.store}: {error}") from error
    try:
        for warning in told:
            output.say(f"openrouter-files: warning: {warning.message}".replace("an api_key", "one with --api-key"))
        yield
    finally:
        await server.stop()


async def _filled(server: Emulator, paths: Sequence[str], boxed: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """Give the server its files; return what is told about them."""
    made = [await server.put(Path(path).name, path) for path in paths]
    files = [{"id": file.id, "filename": file.filename} for file in made]
    if not boxed:
        return {"files": files}
    inside = [await server.put_in_container(container, path, Path(local)) for container, path, local in boxed]
    told = [{"id": file.id, "container_id": file.container_id, "path": file.path} for file in inside]
    return {"files": files, "container_files": told}


async def _serve(server: Emulator, paths: Sequence[str], boxed: Sequence[tuple[str, str, str]], output: Output) -> int:
    stop = _stop_signal()
    async with _running(server, output):
        filled = await _filled(server, paths, boxed)
        ready = {"base_url": server.base_url, "api_key": server.api_key, **filled, "pid": os.getpid()}
        write_line(json.dumps(ready))
        if output.watched:
            output.say(f"serving at {server.base_url}; Ctrl-C stops it")
        await stop.wait()
    return Exit.DONE
