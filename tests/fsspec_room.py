"""A workspace behind ``openrouter://``: an emulator on a loop of its own, and file systems for it."""

import asyncio

import fsspec

from openrouter_files.fsspec import OpenRouterFileSystem

ONCE = {"attempts": 1, "ambiguous": "raise"}


class Room:
    """An emulator as tests of the sync face use it."""

    def __init__(self, emulator):
        self.emulator = emulator
        self.options = {"api_key": emulator.api_key, "base_url": emulator.base_url}

    def fs(self, **options):
        """A file system of its own, whose failures come at once."""
        return OpenRouterFileSystem(**({"retry": ONCE, "skip_instance_cache": True} | self.options | options))

    def open(self, path, mode="rb", **options):
        """A file by its URL."""
        return fsspec.open(f"openrouter://{path}", mode, **(self.options | options))

    def put(self, path, content=b"hello\n", **how):
        """Let a model have written a file; return its id."""
        return asyncio.run(self.emulator.put(path, content, **how)).id

    def content(self, path):
        """The bytes of the newest file of a name, uploaded ones included."""
        ids = [file.id for file in self.emulator.files() if file.filename == path]
        return asyncio.run(self.emulator.content(ids[-1]))

    def names(self):
        """The names of all files, sorted."""
        return sorted(file.filename for file in self.emulator.files())

    def seen(self):
        """Method and path of the requests since the last look, without the prefix of all paths."""
        found = [(r.method, r.path.removeprefix("/api/v1")) for r in self.emulator.requests]
        self.emulator.clear()
        return found
