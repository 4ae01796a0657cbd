"""`containers`: the files inside sandbox containers, against an emulator."""

import json
import re
import signal

import pytest
from test_cli_process import called, cli, ended, eventually, piped, started

from openrouter_files import FilesClient
from openrouter_files.emulator import Drop, Status, Trickle, Truncate

BOX = "sess_abc"


@pytest.fixture
async def box(emulator):
    """A container with a report in a folder and a note; by path the ids of both."""
    contents = {"out/report.csv": b"a,b\n1,2\n", "note.txt": b"note\n"}
    return {path: (await emulator.put_in_container(BOX, path, data)).id for path, data in contents.items()}


def inside(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_a_list_for_pipes(emulator, box):
    """In a pipe there is one id per line, by path; --long has tabs, --limit is a number of files."""
    short = await called("containers", "list", BOX, server=emulator)
    assert (short.status, short.lines) == (0, [box["note.txt"], box["out/report.csv"]])
    long = await called("containers", "list", BOX, "--long", "--limit", "1", server=emulator)
    id_, size, time, source, path = long.results.rstrip("\n").split("\t")
    assert (id_, size, source, path) == (box["note.txt"], "5", "assistant", "note.txt")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", time)


async def test_a_container_that_nobody_knows(emulator):
    """It is empty, and that is no error."""
    assert await called("containers", "list", "sess_other", server=emulator) == (0, "", "no files\n")


async def test_show(emulator, box):
    """Files are named by path or by id, and what is not there is 3, or 5 among others."""
    named = await called("containers", "show", BOX, "note.txt", box["out/report.csv"], "--json", server=emulator)
    assert [json.loads(line)["path"] for line in named.lines] == ["note.txt", "out/report.csv"]
    plain = await called("containers", "show", BOX, "note.txt", server=emulator)
    assert "path\tnote.txt\nsize_bytes\t5\n" in plain.results
    assert (await called("containers", "show", BOX, "nix", server=emulator)).status == 3
    assert (await called("containers", "show", BOX, "nix", "note.txt", server=emulator)).status == 5


async def test_download(emulator, box, tmp_path):
    """A file goes to a path, into a folder under a safe name, and never over what is there unless that is said."""
    to_path = await called("containers", "download", BOX, "note.txt", "--to", tmp_path / "n.txt", server=emulator)
    assert (to_path.status, to_path.results) == (0, f"{tmp_path}/n.txt\n")
    assert "1 file downloaded, 5 B in" in to_path.messages
    everything = ("containers", "download", BOX, "--all", "--to", f"{tmp_path}/new/", "--keep-folders")
    first = await called(*everything, "--json", server=emulator)
    assert [json.loads(line)["filename"] for line in first.lines] == ["note.txt", "out/report.csv"]
    assert inside(tmp_path / "new") == {"note.txt": b"note\n", "out/report.csv": b"a,b\n1,2\n"}
    again = await called(*everything, server=emulator)
    assert again.status == 5
    assert "note.txt: " in again.messages
    assert "--overwrite" in again.messages
    skipped = await called(*everything, "--overwrite", "skip", server=emulator)
    assert skipped == (0, "", "2 already there\n")


async def test_download_to_standard_output(emulator, box):
    """--to - writes the bytes and nothing else."""
    done = await cli("containers", "download", BOX, "out/report.csv", "note.txt", "--to", "-", server=emulator)
    assert done == (0, "a,b\n1,2\nnote\n", "")


async def test_half_a_file_is_none(emulator, box, tmp_path):
    """A transfer that breaks leaves nothing behind and is one line."""
    emulator.queue("download_container", Truncate(3))
    done = await called(
        "containers", "download", BOX, "note.txt", "--retries", "0", server=emulator, cwd=tmp_path
    )  # fmt: skip
    assert done.status == 1
    assert inside(tmp_path) == {}
    assert done.messages.startswith("openrouter-files: error: note.txt: ")


async def test_an_interrupted_download(emulator, tmp_path):
    """Ctrl-C leaves no half file and says how to go on."""
    await emulator.put_in_container(BOX, "big.txt", b"x" * 5_000_000)
    emulator.queue("download_container", Trickle(pause=0.05, piece=65_536))
    job = ("containers", "download", BOX, "--all")
    async with started(*job, server=emulator, cwd=tmp_path) as process:
        await eventually(lambda: any(path.stat().st_size for path in tmp_path.glob("*.part-*")))
        process.send_signal(signal.SIGINT)
        done = await ended(process)
    assert (done.status, inside(tmp_path)) == (130, {})
    assert done.messages == "interrupted; the same command with --overwrite skip goes on\n"


async def test_promote(emulator, box):
    """Results are the ids of the copies; names are the paths."""
    done = await called("containers", "promote", BOX, "note.txt", box["out/report.csv"], server=emulator)
    assert done.status == 0
    assert {file.id: file.filename for file in emulator.files()} == dict(
        zip(done.lines, ["note.txt", "out/report.csv"], strict=True)
    )


async def test_a_lost_answer_does_not_promote_twice(emulator, box):
    """A promotion whose answer was lost is looked for, and its id is the result."""
    emulator.queue("promote", Drop(after_work=True))
    done = await called("containers", "promote", BOX, "note.txt", server=emulator)
    assert (done.status, done.lines) == (0, [file.id for file in emulator.files()])


@pytest.mark.parametrize("others", [[], ["out/report.csv"]])
async def test_a_promotion_in_doubt_is_7(emulator, box, others):
    """If nobody can tell whether a copy was made, the status is 7, also among others, and the line says what to do."""
    emulator.queue("promote", Drop(after_work=True))
    doubt = ("--ambiguous", "raise", "--json")
    done = await called("containers", "promote", BOX, "note.txt", *others, *doubt, server=emulator)
    assert done.status == 7
    failed = json.loads(done.lines[0])
    assert (failed["error"]["type"], failed["source"]) == ("AmbiguousUploadError", "note.txt")
    assert "openrouter-files list" in done.messages
    assert len(done.lines) == 1 + len(others)


async def test_a_refused_key_is_4(emulator, box):
    """A wrong key ends the command at once: it would be refused for all files."""
    emulator.queue("promote", Status(401))
    done = await called("containers", "promote", BOX, "note.txt", "out/report.csv", server=emulator)
    assert (done.status, emulator.files()) == (4, ())


async def test_a_reader_that_has_enough(emulator, tmp_path):
    """`containers list | head -1` is quiet."""
    for number in range(600):
        await emulator.put_in_container(BOX, f"{number:04}-{'long' * 30}.txt", b"x")
    done = await piped(f"$CLI containers list {BOX} --json | head -1; echo ${{PIPESTATUS[0]}}", emulator, tmp_path)
    assert (done.messages, done.lines[1]) == ("", "141")


async def test_from_one_command_to_the_next(emulator, box, tmp_path):
    """What `list` prints, `promote` and then `download` take."""
    line = f"$CLI containers list {BOX} | xargs $CLI containers promote {BOX} | xargs $CLI download --to new/"
    done = await piped(line, emulator, tmp_path)
    assert done.status == 0
    assert inside(tmp_path / "new") == {"note.txt": b"note\n", "report.csv": b"a,b\n1,2\n"}


async def test_served_for_a_terminal(tmp_path):
    """`serve` puts files into containers and scripts its model, and tells about them when it is ready."""
    (tmp_path / "r.csv").write_text("a,b\n")
    (tmp_path / "s.json").write_text('[{"say": "scripted"}]')
    wanted = ("--container-file", f"{BOX}:out/r.csv=r.csv", "--script", "s.json")
    async with started("serve", *wanted, cwd=tmp_path) as process:
        told = json.loads(await process.stdout.readline())
        (file,) = told["container_files"]
        assert (file["container_id"], file["path"]) == (BOX, "out/r.csv")
        async with FilesClient(told["api_key"], base_url=told["base_url"]) as files:
            assert await files.container(BOX).download(file["id"]).read() == b"a,b\n"
            assert (await files.ask("Hi.", model="x")).text == "scripted"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lst", BOX], "'list'"),
        (["list"], "CONTAINER"),
        (["list", BOX, "--workspace", "w"], "--workspace"),
        (["show", BOX], "FILE"),
        (["download", BOX], "--all"),
        (["download", BOX, "a", "--all"], "--all"),
        (["download", BOX, "a", "b", "--to", "c"], "folder"),
        (["download", BOX, "a", "--to", "-", "--json"], "--json"),
        (["download", BOX, "--all", "--to", "-"], "folder"),
        (["list", "..", "--emulator"], "container id"),
    ],
)
async def test_what_makes_no_sense_is_wrong_usage(arguments, words):
    """A wrong usage is one line and status 2."""
    done = await cli("containers", *arguments)
    assert (done.status, done.results) == (2, "")
    (message,) = done.messages.splitlines()
    assert words in message


@pytest.mark.parametrize("given", ["sess_abc", "sess_abc:out.txt", ":a=b", "sess_abc:=b"])
async def test_what_is_no_container_file(given):
    """`serve --container-file` says how it is spelt."""
    done = await cli("serve", "--container-file", given)
    assert done.status == 2
    assert "CONTAINER:PATH=LOCAL" in done.messages
