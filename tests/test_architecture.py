"""The arrows between modules, as a table: what may import what, and who owns which library."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "openrouter_files"

# Module or room -> the modules or rooms of the package that it may import. A name that stands for
# a folder covers all that is inside; modules of one room may import each other.
ARROWS: dict[str, set[str]] = {
    "version": set(),
    "waiting": set(),
    "errors": set(),
    "events": set(),
    "given": set(),
    "models": set(),
    "options": {"events", "given"},
    "contract": {"given", "models", "options", "errors"},
    "exchange": {"contract", "models", "options", "errors", "events", "waiting", "given", "settings"},
    "disk": {"models", "options", "errors", "waiting"},
    "settings": {"options", "given"},
    "reconciling": {"exchange", "contract", "models", "options", "errors"},
    "calls": {"reconciling", "exchange", "disk", "contract", "models", "options", "errors", "given"},
    "connected": {"reconciling", "exchange", "settings", "options", "version", "given"},
    "containers": {"calls", "reconciling", "exchange", "contract", "models", "options"},
    "files_tool": {"connected", "exchange", "contract", "models", "options", "errors"},
    "client": {"files_tool", "containers", "calls", "exchange", "disk", "contract", "models", "options", "errors"},
    "local_names": {"disk", "models"},
    "bulk": {"waiting", "given", "client", "containers", "local_names", "models", "options", "errors", "events"},
    "__init__": {
        "bulk",
        "client",
        "containers",
        "files_tool",
        "local_names",
        "contract",
        "calls",
        "disk",
        "exchange",
        "events",
        "models",
        "options",
        "errors",
        "version",
    },
    "emulator": set(),
    "cli": {"__init__", "emulator"},
    "fsspec": {"__init__"},
    "pytest_plugin": {"__init__", "emulator"},
    "__main__": {"cli"},
}

# Rooms whose modules may import each other.
ROOMS = {"contract", "exchange", "disk", "reconciling", "calls", "bulk", "emulator", "cli", "fsspec"}

# `doctor` tells which proxy counts: by the rules of the requests, not by rules of its own.
SHARED = {(f"cli/{module}", "exchange/proxies") for module in ("doctor_command", "checks", "probing")}

# Needed for an annotation only: never at run time.
ANNOTATIONS = {("errors", "models")}

# A library, too, that a module needs for annotations only.
ANNOTATED = {("connected", "aiohttp")}

# Library -> the modules or rooms that may import it.
OWNERS: dict[str, set[str]] = {
    "aiohttp": {"exchange", "connected", "emulator"},
    "aiofiles": {"disk"},
    "backoff": {"exchange/retry"},
    "cattrs": {"contract/converter"},
    "msgspec": {"contract/reading"},
    "click": {"cli"},
    "rich": {"cli"},
    "fsspec": {"fsspec/untyped"},
    "pytest": {"pytest_plugin"},
}

IMPURE = {"asyncio", "time", "random", "os", "secrets", "socket", "threading", "uuid"}
PURE = {"contract", "models", "errors"}
NOBODYS_ROOM = {"utils", "helpers", "common", "base", "types", "constants"}
# They prove that the public API is enough.
PUBLIC_ONLY = {"cli", "bulk", "fsspec", "pytest_plugin"}


def modules() -> list[str]:
    return sorted(p.relative_to(PACKAGE).with_suffix("").as_posix() for p in PACKAGE.rglob("*.py"))


def tree(module: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{module}.py").read_text())


def room(module: str) -> str:
    return module.split("/", maxsplit=1)[0]


def is_known(module: str) -> bool:
    return room(module) in ARROWS


def inner(module: str, node: ast.ImportFrom | ast.Import) -> set[str]:
    """The modules of the package that one import statement needs."""
    if isinstance(node, ast.Import):
        return {canonical(a.name.split(".")[1:]) for a in node.names if a.name.split(".")[0] == PACKAGE.name}
    if node.level:
        here = module.split("/")[: -node.level]
        path = here + (node.module.split(".") if node.module else [])
    elif node.module and node.module.split(".")[0] == PACKAGE.name:
        path = node.module.split(".")[1:]
    else:
        return set()
    return {canonical([*path, a.name]) for a in node.names}


def canonical(path: list[str]) -> str:
    """The module that a dotted path leads to, whether its end is a module or a name inside one."""
    for length in (len(path), len(path) - 1):
        candidate = "/".join(path[:length])
        if candidate and (PACKAGE / f"{candidate}.py").exists():
            return candidate
        if (PACKAGE / candidate / "__init__.py").exists():
            return f"{candidate}/__init__" if candidate else "__init__"
    raise AssertionError(f"an import of nothing: {'.'.join(path)}")


def imports(module: str) -> list[ast.Import | ast.ImportFrom]:
    return [n for n in ast.walk(tree(module)) if isinstance(n, ast.Import | ast.ImportFrom)]


def for_checkers(module: str) -> list[ast.Import | ast.ImportFrom]:
    """The imports under ``if TYPE_CHECKING``."""
    blocks = [n for n in ast.walk(tree(module)) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    return [n for block in blocks for n in block.body if isinstance(n, ast.Import | ast.ImportFrom)]


def libraries(module: str) -> set[str]:
    found: set[str] = set()
    for node in imports(module):
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[0] for a in node.names}
        elif not node.level and node.module:
            found.add(node.module.split(".")[0])
    return found


def allowed(module: str, needed: str) -> bool:
    mine, theirs = room(module), room(needed)
    if (module, needed) in SHARED:
        return True
    if (module, needed) in ANNOTATIONS:
        return needed in {n for node in for_checkers(module) for n in inner(module, node)}
    if mine == theirs and mine in ROOMS:
        return True
    return theirs in ARROWS[mine]


@pytest.mark.parametrize("module", modules())
def test_every_module_has_a_room(module: str):
    """A module lives in a room of the table, and in none that could hold anything."""
    assert is_known(module), f"{module} is in no room of ARROWS"
    assert not set(module.split("/")) & NOBODYS_ROOM


@pytest.mark.parametrize("module", modules())
def test_arrows(module: str):
    """A module imports only what the table allows."""
    needed = set().union(*(inner(module, n) for n in imports(module)), set())
    assert {n for n in needed if n != module and not allowed(module, n)} == set()


@pytest.mark.parametrize("module", modules())
def test_each_library_has_one_owner(module: str):
    """A third-party library is imported in its one room only."""
    for library in libraries(module) & set(OWNERS):
        assert module in OWNERS[library] or room(module) in OWNERS[library], f"{module} imports {library}"


@pytest.mark.parametrize(("module", "library"), sorted(ANNOTATED))
def test_what_only_annotations_need_is_imported_for_checkers_only(module: str, library: str):
    """At run time the library stays in its room."""
    needing, for_them = ([ast.unparse(n) for n in each(module)] for each in (imports, for_checkers))
    assert f"import {library}" in for_them
    assert [line for line in needing if library in line] == [line for line in for_them if library in line]


@pytest.mark.parametrize("module", [m for m in modules() if room(m) in PURE])
def test_pure_modules(module: str):
    """The contract, the models and the errors await nothing and read no clock, chance or environment."""
    assert not libraries(module) & IMPURE
    asynchronous = ast.Await | ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith
    assert not [n for n in ast.walk(tree(module)) if isinstance(n, asynchronous)]
    clock = {n.attr for n in ast.walk(tree(module)) if isinstance(n, ast.Attribute)} & {"now", "utcnow", "today"}
    assert not clock, "a pure module is told the time"


@pytest.mark.parametrize("module", [m for m in modules() if room(m) in PUBLIC_ONLY])
def test_rooms_on_public_names_only(module: str):
    """The outer rooms use no name that starts with an underscore except their own."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            owner = ast.unparse(node.value)
            public = ast.unparse(node) == "os._exit"  # in spite of its name
            assert public or owner in {"self", "cls", "super()"}, f"{module}:{node.lineno} reaches for {node.attr}"
    for node in imports(module):
        if isinstance(node, ast.ImportFrom) and not any(room(i) == room(module) for i in inner(module, node)):
            assert not [a.name for a in node.names if a.name.startswith("_") and not a.name.startswith("__")]


def test_emulator_and_client_are_strangers():
    """Neither end knows the other: a mistake in shared code would be right on both ends."""
    ours = {m for m in modules() if room(m) not in {"emulator", "cli", "pytest_plugin", "__main__"}}
    for module in ours:
        assert "emulator" not in {room(n) for node in imports(module) for n in inner(module, node)}


def test_the_host_is_spelt_right():
    """The misspelt host of the first documents stands nowhere in the project."""
    wrong = "open" + "touter"
    root = PACKAGE.parent
    for path in [p for p in root.rglob("*") if p.is_file() and ".git" not in p.parts and ".venv" not in p.parts]:
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".yml", ""}:
            assert wrong not in path.read_text(errors="ignore").lower(), path
