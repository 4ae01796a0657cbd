"""The lines of --json are what `help json` says: each kind of line is made, and compared with its description."""

import json
import re

import pytest
from test_cli_process import called, cli, started, within

from openrouter_files.cli.output import LINES
from openrouter_files.emulator import Call, Fail, Say, Status

KINDS = {(line.command, line.outcome): line for line in LINES}


def check(told, command, outcome=""):
    """A line has all keys that are promised for its kind, and no others."""
    kind = KINDS[command, outcome]
    assert told.get("outcome", "") == outcome or not outcome
    assert set(kind.keys) <= told.keys() <= {*kind.keys, *kind.sometimes}, (command, outcome)


async def lines(*arguments, server, cwd=None):
    done = await called(*arguments, "--json", server=server, cwd=cwd)
    return [json.loads(line) for line in done.lines]


async def test_uploads(emulator, tmp_path):
    """Uploaded, skipped for each reason, refused, failed, and what a dry run tells."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "empty.txt").write_text("")
    job = ("upload", "a.txt", "--journal", "j")
    (rehearsed,) = await lines(*job, "--dry-run", server=emulator, cwd=tmp_path)
    check(rehearsed, "upload --dry-run", "would be uploaded")
    (uploaded,) = await lines(*job, server=emulator, cwd=tmp_path)
    check(uploaded, "upload", "uploaded")
    (skipped,) = await lines(*job, server=emulator, cwd=tmp_path)
    check(skipped, "upload", "skipped")
    twice = await lines("upload", "b.txt", "b.txt", server=emulator, cwd=tmp_path)
    check(next(told for told in twice if told["outcome"] != "uploaded"), "upload", "skipped")
    (refused,) = await lines("upload", "empty.txt", server=emulator, cwd=tmp_path)
    check(refused, "upload", "refused")
    emulator.queue("upload", Status(400))
    (failed,) = await lines("upload", "b.txt", server=emulator, cwd=tmp_path)
    check(failed, "every command", "failed")
    assert {"type", "message", "status", "code", "retry_after", "request_id"} == failed["error"].keys()


async def test_workspace_files(emulator, tmp_path):
    """Listed, shown, downloaded, skipped, pulled, deleted."""
    await emulator.put("a.txt", b"a")
    (listed,) = await lines("list", server=emulator)
    check(listed, "list")
    (shown,) = await lines("show", listed["id"], server=emulator)
    check(shown, "show")
    save = ("download", listed["id"], "--to", f"{tmp_path}/", "--overwrite", "skip")
    check((await lines(*save, server=emulator))[0], "download", "downloaded")
    check((await lines(*save, server=emulator))[0], "download", "skipped")
    check((await lines("download", "--all", *save[2:], server=emulator))[0], "download", "skipped")
    check((await lines("pull", tmp_path / "m", server=emulator))[0], "pull", "downloaded")
    check((await lines("pull", tmp_path / "m", server=emulator))[0], "pull", "skipped")
    check(
        (await lines("delete", listed["id"], "--dry-run", server=emulator))[0], "delete --dry-run", "would be deleted"
    )
    check((await lines("delete", listed["id"], server=emulator))[0], "delete", "deleted")
    check((await lines("show", listed["id"], server=emulator))[0], "every command", "failed")


async def test_asking(emulator, tmp_path):
    """An answer, with its files as in a list and their paths; and one that was cut off."""
    emulator.script(Call("write", filename="a.txt", content="a"), Say("ok"))
    (answered,) = await lines("ask", "Hi.", "-m", "x", "--save", tmp_path, server=emulator)
    check(answered, "ask", "answered")
    assert answered["files"][0].keys() == {*KINDS["list", ""].keys, "path"}
    assert answered["usage"].keys() == set(KINDS["ask", "answered"].note.partition("or ")[2].split(";")[0].split(", "))
    emulator.script(Say("I"), Fail())
    cut, failed = await lines("ask", "Hi.", "-m", "x", server=emulator)
    check(cut, "ask", "cut off")
    check(failed, "every command", "failed")


async def test_containers(emulator, tmp_path):
    """Listed, shown, downloaded, skipped, promoted."""
    await emulator.put_in_container("c", "a.txt", b"a")
    check((await lines("containers", "list", "c", server=emulator))[0], "containers list")
    check((await lines("containers", "show", "c", "a.txt", server=emulator))[0], "containers show")
    save = ("containers", "download", "c", "--all", "--to", f"{tmp_path}/", "--overwrite", "skip")
    check((await lines(*save, server=emulator))[0], "containers download", "downloaded")
    check((await lines(*save, server=emulator))[0], "containers download", "skipped")
    check((await lines("containers", "promote", "c", "a.txt", server=emulator))[0], "containers promote", "promoted")


async def test_the_rest(emulator, tmp_path):
    """Checks, the server that is ready, and the demo."""
    for told in await lines("doctor", server=emulator):
        check(told, "doctor")
    (tmp_path / "a.txt").write_text("a")
    async with started("serve", "--container-file", f"c:a.txt={tmp_path}/a.txt") as process:
        check(json.loads(await process.stdout.readline()), "serve")
    (told,) = await lines("demo", tmp_path, server=emulator)
    check(told, "demo")


def test_every_kind_of_line_is_told():
    """`help json` names each command, each outcome and each key."""
    told = within("help", "json").results
    for line in LINES:
        assert f"\n{line.command}\n" in told
        assert not line.outcome or f"  {line.outcome}: " in told
    assert {key for line in LINES for key in (*line.keys, *line.sometimes)} - set(re.findall(r"\w+", told)) == set()


@pytest.mark.parametrize("command", [("uplod",), ("list", "--limit", "0")])
async def test_wrong_usage_is_for_people_only(command):
    """Wrong usage prints no line for programs: they get the status."""
    done = await cli(*command, "--json")
    assert (done.status, done.results) == (2, "")
