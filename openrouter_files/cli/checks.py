"""What `doctor` finds out: one value per check, and the checks that need no network."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen

from .exits import Exit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from openrouter_files.exchange.proxies import Proxy

Status = Literal["ok", "warn", "fail", "skip"]


@frozen(kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: In a word.
        found: What is so, for people.
        advice: What to do about it; empty for nothing.
        facts: For programs.
        exit: What the status of the command is if this failed first.
    """

    name: str
    status: Status
    found: str
    advice: str = ""
    facts: Mapping[str, Any] = field(factory=dict[str, Any])
    exit: Exit = Exit.ERROR

    def json(self) -> dict[str, Any]:
        """Return it as a JSON line shows it."""
        told = {"check": self.name, "status": self.status, "message": self.found, "advice": self.advice or None}
        return {**told, **self.facts}


_DISTRIBUTION = "openrouter-files"
_REQUIREMENT = re.compile(r"([\w.-]+)>=([\d.]+)")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", text)[:3])


# The same library under its old and its new name: pip asks for one of them, either will do.
_TWINS = {"backoff": "python-backoff", "python-backoff": "backoff"}


def _required() -> Iterator[tuple[str, str]]:
    """Yield the libraries that the package asks for here, and their least versions."""
    newer = _numbers(platform.python_version()) >= (3, 14)
    for line in requires(_DISTRIBUTION) or ():
        wanted = _REQUIREMENT.match(line)
        if wanted and ("extra ==" not in line or "'cli'" in line) and _is_meant(wanted[1], newer=newer):
            yield wanted[1], wanted[2]


def _is_meant(name: str, *, newer: bool) -> bool:
    twin = _TWINS.get(name)
    if twin is None or (_installed(name) is None) == (_installed(twin) is None):
        return twin is None or (name == "python-backoff") == newer
    return _installed(name) is not None


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def versions() -> Check:
    """Look at the package, Python, and the libraries below."""
    found = {_DISTRIBUTION: _installed(_DISTRIBUTION), "python": platform.python_version()}
    required = dict(_required()) if found[_DISTRIBUTION] else {}
    found |= {name: _installed(name) for name in required}
    missing = [name for name in required if found[name] is None]
    old = [n for n, least in required.items() if (has := found[n]) is not None and _numbers(has) < _numbers(least)]
    return Check(
        name="versions",
        status="fail" if missing else "warn" if old else "ok",
        found=", ".join(f"{name} {number or 'missing'}" for name, number in found.items()),
        advice="pip install --upgrade 'openrouter-files[cli]'" if missing or old else "",
        facts={"versions": found},
    )


def key(value: str | None, origin: str) -> Check:
    """Look at a key; nothing of it is told."""
    if value is None:
        advice = "set OPENROUTER_API_KEY, or pass --api-key-file FILE"
        return Check(name="key", status="fail", found="there is none", advice=advice, exit=Exit.KEY_REFUSED)
    if any(c.isspace() or c in "'\"" for c in value):
        found = f"from {origin}, with white space or quotes in it"
        return Check(name="key", status="fail", found=found, advice="take them away", exit=Exit.KEY_REFUSED)
    if not value.startswith("sk-or-"):
        found = f"from {origin}; it does not start like a key of OpenRouter's (sk-or-)"
        return Check(name="key", status="warn", found=found, advice="look whether it is another service's")
    return Check(name="key", status="ok", found=f"from {origin}")


def proxy(way: Proxy | None, *, refused: bool) -> Check:
    """Look at the way that requests take; a login in it is not told."""
    if way is None:
        why = " (--no-proxy)" if refused else ""
        return Check(name="proxy", status="ok", found=f"none{why}", facts={"proxy": None})
    found = f"{way.url}{', with a login' if way.headers else ''}, from the environment"
    return Check(name="proxy", status="ok", found=found, facts={"proxy": way.url})
