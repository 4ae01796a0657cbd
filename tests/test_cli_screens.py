"""Screenshots as text: what a person sees on a terminal of 24 lines, colours included."""

import asyncio
import re
import signal

import pyte
import pytest
from test_cli_ask import Slow
from test_cli_process import eventually
from test_cli_terminal import Terminal

from openrouter_files.emulator import Call, Say, Stall, Status, Trickle

# What differs from run to run, in the width that it has.
VARIES = (
    (r"or_file_\w{24}", "or_file_************************"),
    (r"req_\w{24}", "req_************************"),
    (r"cfile_[\w-]+", lambda found: "cfile_".ljust(len(found[0]), "*")),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "2026-11-21 12:00"),
    (r"\d+\.\d+ s \(.*\)", "0.1 s (...)"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:80"),
    (r"answered in \d+ ms", "answered in 7 ms"),
    (r"(?<=\d B )\S+ k?B/s", "9 B/s"),
)


def screen(terminal, columns=100):
    """A terminal that has seen what this one has."""
    shown = pyte.Screen(columns, 24)
    pyte.Stream(shown).feed(terminal.seen)
    return shown


def screenshot(terminal, columns=100):
    """The lines that are not empty, without what varies."""
    text = "\n".join(line.rstrip() for line in screen(terminal, columns).display if line.strip())
    for pattern, instead in VARIES:
        text = re.sub(pattern, instead, text)
    return text


def colours(terminal, word):
    """The colours of the first place where a word stands on the screen."""
    shown = screen(terminal)
    y = next(y for y, line in enumerate(shown.display) if word in line)
    x = shown.display[y].index(word)
    return {shown.buffer[y][place].fg for place in range(x, x + len(word))}


async def seen(arguments, server, folder, status=0, **more):
    """Run a command on a terminal to its end, and return the terminal."""
    async with Terminal(arguments, server, folder, columns=100, **more) as terminal:
        assert await terminal.ended() == status
    return terminal


async def test_the_files_of_a_container(emulator, tmp_path):
    """A table; what would act on the terminal is written out."""
    await emulator.put_in_container("sess_abc", "note.txt", b"note\n")
    await emulator.put_in_container("sess_abc", "out/\x1b[2Jr.csv", b"a,b\n" * 500)
    terminal = await seen(["containers", "list", "sess_abc"], emulator, tmp_path)
    assert (
        screenshot(terminal).replace("─" * 69, "─" * 68)  # before 14.3 rich drew it so long
        == r"""
id                          size  created           path
────────────────────────────────────────────────────────────────────
cfile_***********            5 B  2026-11-21 12:00  note.txt
cfile_******************  2.0 kB  2026-11-21 12:00  out/\x1b[2Jr.csv""".removeprefix("\n")
    )


LONG = "reports/2026/the-figures-of-all-branches-and-subsidiaries.csv"
EIGHTY = {
    "list": """\
id                                  size  created           name
────────────────────────────────────────────────────────────────────────────────
or_file_************************  2.0 kB  2026-11-21 12:00  reports/2…iaries.csv
or_file_************************     5 B  2026-11-21 12:00  \\x1b[2J.txt""",
    "list -l": """\
id                                 size created    type       get name
────────────────────────────────────────────────────────────────────────────────
or_file_************************ 2.0 kB 2026-11-21 text/csv   yes report…ies.csv
or_file_************************    5 B 2026-11-21 text/plain yes \\x1b[2J.txt""",
    "upload .": """\
uploading 1/1 ━━ 2/2 B 9 B/s
id                                size  created           name
────────────────────────────────────────────────────────────────────────────────
or_file_************************   2 B  2026-11-21 12:00  reports/20…diaries.csv
1 file uploaded, 2 B in 0.1 s (9 B/s)""",
    "demo . --emulator": """\
server      an embedded emulator (as you wished)
uploading 1/1 ━━ 2/2 B 9 B/s
uploaded    1 file, 2 B in 0.1 s (9 B/s), 8 at once
listed      2 files in 0.1 s; the newest:
id                                   size  created           name
────────────────────────────────────────────────────────────────────────────────
or_file_************************      2 B  2026-11-21 12:00  reports/2…aries.csv
or_file_************************  16.8 MB  2026-11-21 12:00  reports/b…erver.txt
downloading 1/1 ━━ 16.8/16.8 MB 9 B/s
downloaded  by-the-server.txt, 16.8 MB in 0.1 s (9 B/s): the same bytes
deleted     ...-subsidiaries.csv: the server does not know it any more
in all      1 uploaded, 1 downloaded, 1 deleted; 16.8 MB in 0.1 s""",
}


def measured(shot):
    """A screenshot without what was measured."""
    for pattern, instead in (
        (r"\d{4}-\d\d-\d\d(?! 12:00)", "2026-11-21"),
        (r"\d+\.\d+ s\b", "0.1 s"),
        (r"\(\.\.\.\)|\([\d.]+ [kM]?B/s\)", "(9 B/s)"),
        (r"[\d.]+ [kM]?B/s", "9 B/s"),
        (r"━+", "━━"),
    ):
        shot = re.sub(pattern, instead, shot)
    return shot


@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "C"}], ids=["", "C"])
@pytest.mark.parametrize("job", EIGHTY)
async def test_eighty_columns(job, locale, emulator, tmp_path):
    """On 80 columns each row is one line, with its whole id; long names are shortened in the middle."""
    await emulator.put(LONG, b"a,b\n" * 500)
    await emulator.put("\x1b[2J.txt", b"note\n")
    (tmp_path / LONG).parent.mkdir(parents=True)
    (tmp_path / LONG).write_text("x\n")
    async with Terminal(job.split(), emulator, tmp_path, columns=80, **locale) as terminal:
        assert await terminal.ended() == 0
    assert measured(screenshot(terminal, 80)) == EIGHTY[job]


async def test_an_answer_and_what_it_made(emulator, tmp_path):
    """A question, the answer, a bar for what is saved, and where it is."""
    (tmp_path / "notes.md").write_text("the old line\n")
    emulator.script(
        Call("edit", filename="notes.md", old_string="old", new_string="new", new_filename="new.md"),
        Say("I renewed it.\nNothing \x1b[31melse changed."),
    )
    job = ["ask", "-m", "openai/gpt-5.2", "--upload", "notes.md", "Renew it.", "--save", "out"]
    terminal = await seen(job, emulator, tmp_path)
    assert (
        screenshot(terminal)
        == """\
asking openai/gpt-5.2 ...
I renewed it.
Nothing \\x1b[31melse changed.
saving 1/1 ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 13/13 B 9 B/s
1 file made:
  or_file_************************  13 B  2026-11-21 12:00  new.md  -> out/new.md"""
    )


async def test_a_model_that_is_interrupted(tmp_path):
    """Ctrl-C in the middle of an answer: what was said stays on the screen, and one line says where to look."""
    async with Slow() as server, Terminal(["ask", "-m", "x", "Hi."], server, tmp_path, columns=100) as terminal:
        await eventually(lambda: "first" in terminal.text)
        terminal.type("\x03")
        assert await terminal.ended() == 130
    assert (
        screenshot(terminal).replace("^C", "")
        == """\
asking x ...
first
interrupted; what the model has made is in `openrouter-files list`"""
    )


async def test_a_doctor_with_colours(emulator, tmp_path):
    """Each status has its colour; NO_COLOR takes it, and leaves the words."""
    terminal = await seen(["doctor"], emulator, tmp_path)
    shot = screenshot(terminal).splitlines()
    assert shot[-5:] == [
        "ok    base url   http://127.0.0.1:80/api/v1 (OPENROUTER_BASE_URL)",
        "ok    proxy      none",
        "ok    reachable  answered in 7 ms",
        "ok    clock      as the server's, within seconds",
        "ok    access     the key may list the workspace, which is empty",
    ]
    assert colours(terminal, "ok") == {"green"}
    grey = await seen(["doctor"], emulator, tmp_path, NO_COLOR="1")
    assert colours(grey, "ok") == {"default"}
    assert screenshot(grey).splitlines() == shot


@pytest.mark.parametrize("arguments", [["list"], ["doctor"], ["containers", "list", "c"]])
async def test_no_colours_if_they_are_not_wanted(arguments, emulator, tmp_path):
    """With NO_COLOR no command chooses a colour for anything."""
    await emulator.put("a.txt", b"a")
    await emulator.put_in_container("c", "a.txt", b"a")
    terminal = await seen(arguments, emulator, tmp_path, NO_COLOR="1")
    shown = screen(terminal)
    assert {shown.buffer[y][x].fg for y in range(24) for x in range(100)} == {"default"}


async def test_a_download_under_way(emulator, tmp_path):
    """A bar for the job and one for the file; Ctrl-C leaves nothing half and says how to go on."""
    stored = await emulator.put("big.txt", b"x" * 4_000_000)
    emulator.queue("download", Trickle(pause=0.3, piece=400_000))
    job = ["download", stored.id, "--to", f"{tmp_path}/"]
    async with Terminal(job, emulator, tmp_path, columns=100) as terminal:
        await eventually(lambda: re.search(r"big\.txt +━", screenshot(terminal)))
        shot = screenshot(terminal).splitlines()
        terminal.type("\x03")
        assert await terminal.ended() == 130
    assert re.fullmatch(
        r"downloading 0/1 [━╸╺]* +[\d.]+ [kM]?B/4\.0 MB .*|downloading 0/1 [━╸╺]* +[\d.]+/4\.0 MB .*", shot[0]
    )
    assert re.fullmatch(r"  big\.txt +[━╸╺]* *[\d.]+( kB)?/4\.0 MB", shot[1])
    assert "1 file cut off" in screenshot(terminal)
    assert "the same command with --overwrite skip goes on" in screenshot(terminal)
    assert list(tmp_path.iterdir()) == []


async def test_an_interrupted_upload_says_what_would_help(emulator, tmp_path):
    """Without a journal an interrupted upload says that one would help to go on."""
    (tmp_path / "a.txt").write_text("a")
    emulator.queue("upload", Stall(60))
    async with Terminal(["upload", "a.txt"], emulator, tmp_path, columns=100) as terminal:
        await eventually(lambda: len(emulator.requests) == 1)
        terminal.type("\x03")
        assert await terminal.ended() == 130
    assert "with --journal FILE the same command could go on" in screenshot(terminal)


async def test_troubles_are_one_line_each(emulator, unreachable, tmp_path):
    """A typo, a wrong key, no network, a file that is not there: one line with what to do, on a terminal, too."""
    quick = ["--retries", "0"]
    shots = await asyncio.gather(
        seen(["uplaod", "x"], emulator, tmp_path, 2),
        seen(["list", *quick], emulator, tmp_path, 4, OPENROUTER_API_KEY="sk-or-v1-wrong"),
        seen(["list", *quick], unreachable, tmp_path, 1),
        seen(["show", "nix", *quick], emulator, tmp_path, 3),
    )
    typo, key, network, missing = map(screenshot, shots)
    assert typo.replace("\n", "") == (
        "openrouter-files: error: no such command 'uplaod': did you mean 'upload'?; see `openrouter-files --help`"
    )
    assert key.replace("\n", "").endswith("check OPENROUTER_API_KEY or --api-key-file")
    assert "openrouter-files doctor" in network.replace("\n", "")
    assert missing.startswith("openrouter-files: error: nix: 404")
    assert all(shot.count("error:") == 1 for shot in (typo, key, network, missing))


async def test_quiet_on_a_terminal(emulator, tmp_path):
    """--quiet leaves the results, and nothing of bars or messages."""
    (tmp_path / "a.txt").write_text("a")
    terminal = await seen(["upload", "a.txt", "--quiet"], emulator, tmp_path)
    assert "uploading" not in terminal.text
    assert "uploaded" not in terminal.text
    assert emulator.files()[0].id in terminal.text


async def test_retries_are_told_above_the_bar(emulator, tmp_path):
    """With --verbose each retry is a line that stays, above the bar; the key is in none."""
    stored = await emulator.put("a.txt", b"a")
    emulator.queue("download", Status(503), Status(503))
    terminal = await seen(["download", stored.id, "--to", "a.txt", "--verbose"], emulator, tmp_path)
    shot = terminal.text
    assert 0 < shot.index("attempt 2 of 5") < shot.index("attempt 3 of 5") < shot.index("downloading 1/1 ━")
    assert emulator.api_key not in terminal.text


async def test_terminated_in_the_middle(emulator, tmp_path):
    """SIGTERM ends a bar like Ctrl-C does, with 143."""
    (tmp_path / "a.txt").write_text("a")
    emulator.queue("upload", Stall(60))
    async with Terminal(["upload", "a.txt"], emulator, tmp_path) as terminal:
        await eventually(lambda: len(emulator.requests) == 1)
        terminal.process.send_signal(signal.SIGTERM)
        assert await terminal.ended() == 143
    assert "terminated" in terminal.text
