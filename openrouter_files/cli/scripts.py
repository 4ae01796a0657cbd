"""What the emulator's model is to do: steps in a JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openrouter_files.emulator import Step

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
