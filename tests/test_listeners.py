"""on_progress, on_event and on_outcome are called, never awaited: an async one is refused, not ignored."""

# ruff: noqa: PLR0917 - fixtures and the columns of a table are many

import asyncio
from functools import partial

import pytest

from openrouter_files import Options, delete_many, deleting, download_many, downloading, pull, upload_many, uploading


async def hear(news):
    raise AssertionError(f"nobody awaits this: {news}")


async def hear_in_pieces(news):
    yield news


class Hearer:
    async def __call__(self, news):
        await hear(news)

    async def hear(self, news):
        await hear(news)


ASYNC = {
    "an async function": hear,
    "an async generator function": hear_in_pieces,
    "an object that is called": Hearer(),
    "a method": Hearer().hear,
    "a partial": partial(hear, "news"),
    "a partial of a partial of an object": partial(partial(Hearer())),
}
ONE = {
    "on_progress": {
        "upload": lambda files, folder, hear: files.upload(b"x\n", filename="a.txt", on_progress=hear),
        "download_to": lambda files, folder, hear: files.download_to("f", folder / "a", on_progress=hear),
        "box.download_to": lambda files, folder, hear: files.container("c").download_to(
            "f", folder / "a", on_progress=hear
        ),
        "uploading": lambda files, folder, hear: entered(uploading(files, [folder / "a.txt"], on_progress=hear)),
        "downloading": lambda files, folder, hear: entered(downloading(files, ["f"], folder, on_progress=hear)),
        "deleting": lambda files, folder, hear: entered(deleting(files, ["f"], on_progress=hear)),
        "upload_many": lambda files, folder, hear: upload_many(files, [folder / "a.txt"], on_progress=hear),
        "download_many": lambda files, folder, hear: download_many(files, ["f"], folder, on_progress=hear),
        "delete_many": lambda files, folder, hear: delete_many(files, ["f"], on_progress=hear),
        "pull": lambda files, folder, hear: pull(files, folder, on_progress=hear),
    },
    "on_outcome": {
        "upload_many": lambda files, folder, hear: upload_many(files, [folder / "a.txt"], on_outcome=hear),
        "download_many": lambda files, folder, hear: download_many(files, ["f"], folder, on_outcome=hear),
        "delete_many": lambda files, folder, hear: delete_many(files, ["f"], on_outcome=hear),
        "pull": lambda files, folder, hear: pull(files, folder, on_outcome=hear),
    },
    "on_event": {
        "with_options": lambda files, folder, hear: files.with_options(on_event=hear).list_page(),
        "Options": lambda files, folder, hear: asyncio.sleep(0, Options(on_event=hear)),
        "ask": lambda files, folder, hear: files.with_options(on_event=hear).ask("?", model="m"),
    },
}


async def entered(job):
    async with job as outcomes:
        async for _ in outcomes:
            pass


@pytest.mark.parametrize("kind", ASYNC)
@pytest.mark.parametrize(("name", "call"), [(name, call) for name, calls in ONE.items() for call in calls])
async def test_an_async_listener_is_refused_before_anything_is_sent(files, emulator, tmp_path, name, call, kind):
    """A TypeError in the name of the argument, whatever it is that is async; the server hears nothing."""
    (tmp_path / "a.txt").write_text("x\n")
    with pytest.raises(TypeError, match=f"^{name} is called, not awaited"):
        await ONE[name][call](files, tmp_path, ASYNC[kind])
    assert not emulator.requests


def unseen(news):
    """Return what nobody can know before the call."""
    return hear(news)


TOLD = {
    "on_progress of an upload": lambda files, made, path: files.upload(path, on_progress=unseen),
    "on_progress of a download": lambda files, made, path: files.download_to(made, f"{path}.copy", on_progress=unseen),
    "on_event": lambda files, made, path: files.with_options(on_event=unseen).retrieve(made),
    "on_event of a job": lambda files, made, path: delete_many(files.with_options(on_event=unseen), [made]),
    "on_outcome": lambda files, made, path: upload_many(files, [path], on_outcome=unseen),
    "on_progress of a job": lambda files, made, path: upload_many(files, [path], on_progress=unseen),
}


async def told(call):
    report = await call
    raise report.failed[0].error


@pytest.mark.parametrize("case", TOLD)
async def test_a_function_that_turns_out_to_be_async_is_told(files, emulator, tmp_path, case):
    """Its coroutine is closed, and a TypeError says so; in a job, it may be the outcome of the file."""
    path = tmp_path / "a.txt"
    path.write_text("x\n")
    made = await emulator.put("made.txt", b"x\n")
    with pytest.raises(TypeError, match=f"^{case.partition(' ')[0]} is called, not awaited"):
        await told(TOLD[case](files, made.id, path))


async def test_a_listener_may_start_a_task(files, emulator):
    """What it returns goes on by itself and is left alone."""
    heard = []
    tasks = []

    async def note(progress):
        heard.append(progress.done)

    def start(progress):
        tasks.append(asyncio.create_task(note(progress)))
        return tasks[-1]

    await files.upload(b"hello\n", filename="a.txt", on_progress=start)
    await asyncio.gather(*tasks)
    assert heard == [6]
