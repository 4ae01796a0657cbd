"""What users write, and type checkers must take as it is: strict, and with the types that are promised."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any, assert_type

import aiofiles
import aiohttp  # a sample of what users write

from openrouter_files import (
    NO_RETRIES,
    AmbiguousUploadError,
    APIError,
    DeletedFile,
    Download,
    File,
    FilePage,
    FilesClient,
    FilesError,
    InvalidResponseError,
    NotFoundError,
    Options,
    PageToken,
    Progress,
    RateLimitError,
    RetryPolicy,
    Timeouts,
    TransportTimeoutError,
)
from openrouter_files.emulator import Content, Emulator, PlainEmulator, StoredFile


async def new_key() -> str:
    """A key that is fetched from somewhere."""
    return "sk-or-v1-x"


def making(session: aiohttp.ClientSession) -> tuple[FilesClient, ...]:
    """All the ways to make a client."""
    options = Options(
        workspace_id="w",
        provider="openai",
        timeouts=Timeouts(connect=1, idle=None, answer=2.5),
        retry=RetryPolicy(attempts=2, deadline=60, ambiguous="raise"),
        headers={"anthropic-version": "2023-06-01"},
    )
    return (
        FilesClient(),
        FilesClient("sk-or-v1-x", base_url="http://localhost:1/api/v1", http_referer="x", app_title="y"),
        FilesClient(new_key, app_categories=["a", "b"], options=options),
        FilesClient(lambda: "sk-or-v1-x", app_categories="a,b", session=session, trust_env=False),
        FilesClient().with_options(workspace_id=None, retry=NO_RETRIES, headers={}).with_options(provider="anthropic"),
    )


async def chunks() -> AsyncIterator[bytes]:
    """A file that comes as it is made."""
    yield b"a"


def show(progress: Progress) -> None:
    """What a progress bar does."""
    assert_type(progress.done, int)
    assert_type(progress.total, int | None)


async def uploading(files: FilesClient, handle: IO[bytes]) -> None:
    """Everything that can be uploaded."""
    assert_type(await files.upload("report.pdf"), File)
    await files.upload(Path("report.pdf"), filename="data/r.csv", content_type="text/csv", on_progress=show)
    await files.upload(b"a", filename="a")
    await files.upload(bytearray(b"a"), filename="a")
    await files.upload(memoryview(b"a"), filename="a")
    await files.upload(io.BytesIO(b"a"), filename="a")
    await files.upload(handle, on_progress=lambda progress: progress.done)
    await files.upload(chunks(), filename="a", size=1)
    with Path("a").open("rb") as file:
        await files.upload(file)
    async with aiofiles.open("a", "rb") as asynchronous:
        await files.upload(asynchronous)


async def listing(files: FilesClient) -> list[File]:
    """All files, and one page."""
    assert_type(files.list(), AsyncGenerator[File])
    async for file in files.list(page_size=None, after="x"):
        assert_type(file, File)
    page = await files.list_page(limit=10, cursor="c")
    assert_type(page, FilePage)
    assert_type(page.next, PageToken | None)
    assert_type(page.data, tuple[File, ...])
    await files.list_page(cursor=page.next)
    return [file async for file in files.list()]


async def one(files: FilesClient) -> None:
    """What is known of a file."""
    file = await files.retrieve("or_file_x")
    assert_type(file, File)
    assert_type(file.id, str)
    assert_type(file.size_bytes, int | None)
    assert_type(file.created_at, datetime | None)
    assert_type(file.mime_type, str | None)
    assert_type(file.downloadable, bool | None)
    assert_type(file.extra, Mapping[str, Any])
    assert_type(await files.delete(file.id, missing_ok=True), DeletedFile)
    assert len({file}) == 1


async def downloading(files: FilesClient, file: File) -> bytes:
    """All the ways to get a file."""
    async with files.download(file.id) as download:
        assert_type(download, Download)
        assert_type(download.size, int | None)
        async for chunk in download:
            assert_type(chunk, bytes)
    async for chunk in files.download(file):
        assert_type(chunk, bytes)
    assert_type(await files.download_to(file, "out.bin"), Path)
    await files.download_to(file.id, Path("out"), overwrite="rename", fsync=True, on_progress=show)
    return await files.download(file).read()


async def failing(files: FilesClient) -> float | None:
    """What an error says."""
    try:
        await files.retrieve("or_file_x")
    except NotFoundError as error:
        assert_type(error.status, int)
        assert_type(error.request, tuple[str, str] | None)
    except RateLimitError as error:
        return error.retry_after
    except APIError as error:
        assert_type(error.metadata, Mapping[str, Any])
        assert_type(error.request_id, str | None)
    except InvalidResponseError as error:
        assert_type(error.problems, tuple[str, ...])
        assert_type(error.body, bytes)
    except AmbiguousUploadError as error:
        assert_type(error.candidates, tuple[File, ...])
    except TransportTimeoutError as error:
        assert_type(error.maybe_processed, bool)
    except FilesError as error:
        assert_type(error.attempts, int)
    return None


class Mine(FilesClient):
    """A client with a method more."""

    async def newest(self) -> File | None:
        """The last file of the listing."""
        newest = None
        async for file in self.list():
            newest = file
        return newest


async def deriving() -> None:
    """Who derives from the client gets that class back."""
    async with Mine("sk-or-v1-x") as files:
        assert_type(files, Mine)
        assert_type(files.with_options(workspace_id="w"), Mine)
        assert_type(await files.newest(), File | None)


def controlling() -> None:
    """An emulator under plain code: its controls need no await."""
    with Emulator() as emulator:
        assert_type(emulator, PlainEmulator)
        emulator.put("a.md", b"# A")
        made = emulator.put("a.md", b"# A")
        assert_type(made, StoredFile)
        assert_type(emulator.content(made.id), Content)
        data: bytes = emulator.content(made.id)
        emulator.put_in_container("sess", "a", data)
        emulator.stop()
        emulator.start()
        assert_type(asyncio.run(emulator.put("b.md", b"# B")), StoredFile)


async def controlling_and_waiting() -> None:
    """An emulator under async code, on its loop and on another."""
    async with Emulator() as emulator:
        assert_type(emulator, Emulator)
        made = await emulator.put("a.md", b"# A")
        assert_type(made, StoredFile)
        assert_type(await emulator.content(made.id), bytes)
        await asyncio.gather(emulator.put("a", b"a"), emulator.put("b", b"b"))
    with Emulator() as other:
        assert_type(await other.put("a.md", b"# A"), StoredFile)
