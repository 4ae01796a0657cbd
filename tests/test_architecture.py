"""Which layer may import which, and which library has which owner."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "openrouter_files"

# Layer -> the layers that it may import at run time. A folder is a layer, a module at the top one of its own.
VALUES = {"options", "models", "errors", "events"}
LAYERS: dict[str, set[str]] = {
    "version": set(),
    "models": set(),
    "errors": {"models"},
    "events": set(),
    "options": {"events"},
    "protocol": VALUES,
    "local": VALUES,
    "transport": {"protocol", "local", *VALUES},
    "transfers": {"transport", "local", "protocol", *VALUES},
    "client": {"transfers", "transport", "local", "protocol", "version", *VALUES},
    "bulk": {"client", "local", *VALUES},
    "__init__": {"bulk", "client", "transfers", "transport", "local", "protocol", "version", *VALUES},
    "emulator": set(),
    "cli": {"__init__", "emulator", "transport"},
    "fsspec": {"__init__"},
    "pytest_plugin": {"__init__", "emulator"},
    "__main__": {"cli"},
}

# Library -> the layers or modules that may import it.
OWNERS: dict[str, set[str]] = {
    "aiohttp": {"transport", "client", "emulator"},  # the client: for annotations of its arguments
    "aiofiles": {"local"},
    "backoff": {"transport/retry"},
    "cattrs": {"protocol/responses"},
    "msgspec": {"protocol/responses"},
    "click": {"cli"},
    "rich": {"cli"},
    "fsspec": {"fsspec"},
    "pytest": {"pytest_plugin"},
}

IMPURE = {"asyncio", "time", "random", "os", "secrets", "socket", "threading", "uuid"}
PURE = {"protocol", "models", "errors"}
# They prove that the public API is enough.
PUBLIC_ONLY = {"cli", "bulk", "fsspec", "pytest_plugin"}

MODULES = sorted(path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py"))
TREES = {module: ast.parse((PACKAGE / f"{module}.py").read_text()) for module in MODULES}


def layer(module: str) -> str:
    return module.split("/", maxsplit=1)[0]


def imports(module: str) -> list[tuple[str, str]]:
    """What a module imports: ``("", library)`` or ``("openrouter_files", layer)``; blocks for type checkers aside."""
    found: list[tuple[str, str]] = []
    guarded = [n for n in ast.walk(TREES[module]) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)]
    skipped = {id(inner) for node in guarded for part in node.body for inner in ast.walk(part)}
    for node in ast.walk(TREES[module]):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found += [("", alias.name.split(".")[0]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            path = [*module.split("/")[: -node.level], *(node.module.split(".") if node.module else [])]
            found += [("openrouter_files", layer("/".join([*path, alias.name]))) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            library, _, rest = node.module.partition(".")
            inside = rest.split(".")[0] if rest else "__init__"
            found.append(("openrouter_files", inside) if library == PACKAGE.name else ("", library))
    return found


def test_layers():
    """A module imports only from its own layer, and from those below it."""
    wrong = []
    for module in MODULES:
        for package, name in imports(module):
            target = name if name in LAYERS else "__init__"
            if package and target != layer(module) and target not in LAYERS[layer(module)]:
                wrong.append(f"{module} imports {name}")
    assert not wrong


def test_each_library_has_one_owner():
    """A third-party library is imported in one place."""
    wrong = [
        f"{module} imports {library}"
        for module in MODULES
        for package, library in imports(module)
        if not package and library in OWNERS and not {module, layer(module)} & OWNERS[library]
    ]
    assert not wrong


def test_pure_modules():
    """What the API says, the models and the errors await nothing and read no clock, chance or environment."""
    asynchronous = ast.Await | ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith
    for module in (m for m in MODULES if layer(m) in PURE):
        assert not {name for package, name in imports(module) if not package} & IMPURE, module
        assert not [n for n in ast.walk(TREES[module]) if isinstance(n, asynchronous)], module
        clock = {n.attr for n in ast.walk(TREES[module]) if isinstance(n, ast.Attribute)} & {"now", "utcnow", "today"}
        assert not clock, f"{module} is told the time"


def test_outer_layers_use_public_names():
    """They use no name that starts with an underscore but their own."""
    wrong = []
    for module in (m for m in MODULES if layer(m) in PUBLIC_ONLY):
        for node in ast.walk(TREES[module]):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
                public = ast.unparse(node) == "os._exit" or ast.unparse(node.value) in {"self", "cls", "super()"}
                wrong += [] if public else [f"{module}:{node.lineno} reaches for {node.attr}"]
            if isinstance(node, ast.ImportFrom) and node.level != 1 and node.module and node.module != "__future__":
                wrong += [f"{module} imports {a.name}" for a in node.names if a.name.startswith("_")]
    assert not wrong


def test_emulator_and_client_are_strangers():
    """Neither end knows the other: a mistake in shared code would be right on both ends."""
    ours = [m for m in MODULES if layer(m) not in {"emulator", "cli", "pytest_plugin", "__main__"}]
    assert not [m for m in ours if ("openrouter_files", "emulator") in imports(m)]


def test_the_host_is_spelt_right():
    """The misspelt host of the first documents stands nowhere in the project."""
    wrong = "open" + "touter"
    root = PACKAGE.parent
    for path in [p for p in root.rglob("*") if p.is_file() and ".git" not in p.parts and ".venv" not in p.parts]:
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".yml", ""}:
            assert wrong not in path.read_text(errors="ignore").lower(), path
