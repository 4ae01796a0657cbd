"""What no checker may take: each line that ends in ``# wrong`` is a mistake, and no other is."""

from __future__ import annotations

import io
from collections.abc import Iterator  # a sample of what users write
from datetime import UTC, datetime

from openrouter_files import APIError, File, FilesClient, Options, RetryPolicy, Timeouts
from openrouter_files.emulator import Emulator


def chunks() -> Iterator[bytes]:
    """A generator that is not async."""
    yield b"a"


async def mistakes(files: FilesClient, file: File) -> None:
    """One mistake to a line."""
    FilesClient(5)  # wrong
    FilesClient("key", "https://openrouter.ai/api/v1")  # wrong
    FilesClient(base_url=5)  # wrong
    FilesClient(retries=3)  # wrong
    await files.upload(None)  # wrong
    await files.upload(5)  # wrong
    await files.upload(io.StringIO("text"))  # wrong
    await files.upload(chunks())  # wrong
    await files.upload("a", "b")  # wrong
    await files.upload("a", filename=b"b")  # wrong
    await files.upload("a", on_progress=lambda: None)  # wrong
    await files.retrieve(file)  # wrong
    await files.retrieve(5)  # wrong
    await files.delete("x", True)  # wrong
    await files.list_page(limit="5")  # wrong
    await files.list()  # wrong
    for _ in files.list():  # wrong
        pass
    await files.download_to(file, "x", overwrite="append")  # wrong
    await files.download(file)  # wrong
    files.with_options(workspace="w")  # wrong
    files.with_options(provider="google")  # wrong
    files.with_options(timeouts=5)  # wrong
    files.with_options(retry=None)  # wrong
    files.with_options(headers={"a": 5})  # wrong
    Options("w")  # wrong
    Options(provider="google")  # wrong
    RetryPolicy(ambiguous="maybe")  # wrong
    Timeouts(total=5)  # wrong
    file.id = "y"  # wrong
    file.sha256  # noqa: B018  # wrong
    file.size_bytes + "1"  # wrong
    file.mime_type.upper()  # wrong
    File(id="x", filename="f", size_bytes="1", created_at=datetime.now(UTC))  # wrong
    APIError("x")  # wrong
    async with Emulator() as emulator:
        emulator.put("a", b"a")  # wrong
        emulator.put("a", "a").id  # noqa: B018  # wrong
