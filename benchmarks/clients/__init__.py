"""The clients that are measured: each a module with a class ``Client``, imported in the measured process only."""

import importlib.metadata
import importlib.util
import shutil
import subprocess

# Name -> module here, what must be installed, and what the tables call it. The order is that of the tables.
CLIENTS = {
    "ours": ("ours", "openrouter_files", "openrouter_files"),
    "ours_bulk": ("ours_bulk", "openrouter_files", "openrouter_files, bulk"),
    "ours_speed": ("ours_speed", "msgspec", "openrouter_files[speed]"),
    "official": ("official", "openrouter", "openrouter (official)"),
    "openai": ("openai_sdk", "openai", "openai"),
    "bare": ("bare", "aiohttp", "bare aiohttp (floor)"),
    "bare_speed": ("bare_speed", "msgspec", "bare aiohttp, msgspec"),
    "curl": ("curl", None, "curl"),
}

# What "import" means for each.
IMPORTS = {
    "ours": "import openrouter_files",
    "official": "import openrouter",
    "openai": "import openai",
    "bare": "import aiohttp, attrs, cattrs",
}

# The rows that a client cannot do, or does no differently than another one of ours.
WITHOUT = {
    "ours_bulk": {"import", "first_call", "big_up", "big_down", "retrieve", "list"},
    "ours_speed": {
        *("import", "first_call", "small_up", "mid_up", "big_up", "big_down", "many_down"),
    },
    "bare_speed": {
        *("import", "first_call", "small_up", "mid_up", "big_up", "big_down", "many_down", "retrieve"),
    },
    "curl": {"import"},
}

# Those who do nothing but the work itself; the other ones are libraries.
FLOORS = {"bare", "bare_speed", "curl"}


def installed(name):
    """Whether a client can be measured here."""
    needed = CLIENTS[name][1]
    if needed is None:
        return shutil.which(name) is not None
    try:
        return importlib.util.find_spec(needed) is not None
    except ValueError:  # it was hidden: sys.modules says None
        return False


def version(name):
    """The version of a client's distribution, as text."""
    if CLIENTS[name][1] is None:
        said = subprocess.run([name, "--version"], capture_output=True, text=True, check=False)
        return " ".join(said.stdout.split()[1:2])
    return importlib.metadata.version(CLIENTS[name][1].replace("_", "-"))


def does(name, row):
    """Whether a client takes part in a row."""
    return row not in WITHOUT.get(name, set())
