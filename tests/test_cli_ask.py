"""`ask`: a question to a model that works with files, as processes against an emulator."""

import asyncio
import json
import re
import signal

import pytest
from raw_server import RawServer, reply
from test_cli_process import called, cli, ended, eventually, piped, started, within

from openrouter_files.cli.serve_command import scripts_in
from openrouter_files.emulator import Call, Drop, Fail, Say, Stall, Status

MODEL = ("--model", "openai/gpt-5.2")
EDIT = Call("edit", filename="notes.md", old_string="old", new_string="new", new_filename="out/notes-2.md")


def script(*steps):
    return json.dumps(steps)


async def test_the_round_trip_without_a_key(tmp_path):
    """A text file is uploaded, edited by the model, found, streamed to disk, and is what the model made of it."""
    (tmp_path / "notes.md").write_text("# Notes\n\nthe old line\n")
    step = {"call": "edit", "filename": "notes.md", "old_string": "old", "new_string": "new"}
    (tmp_path / "edit.json").write_text(script(step, {"say": "I changed it."}))
    job = (
        "ask",
        "Renew",
        "it.",
        *MODEL,
        "--emulator",
        "--script",
        "edit.json",
        "--upload",
        "notes.md",
        "--save",
        "out",
    )
    done = await cli(*job, cwd=tmp_path)
    assert (done.status, done.results) == (0, "I changed it.\n")
    assert (tmp_path / "out" / "notes.md").read_text() == "# Notes\n\nthe new line\n"
    assert (tmp_path / "notes.md").read_text() == "# Notes\n\nthe old line\n"
    made, file = done.messages.splitlines()
    assert made == "1 file made:"
    assert re.fullmatch(r"  or_file_\w+  22 B  [-\d]+ [:\d]+  notes\.md  -> out/notes\.md", file)


async def test_the_round_trip_for_programs(emulator, tmp_path):
    """With --json one line holds the answer, its usage and the new files, with their paths."""
    await emulator.put("older.md", b"older")
    source = await emulator.put("notes.md", b"the old line\n", downloadable=False)
    emulator.script(EDIT, Say("Done."))
    save = ("--save", tmp_path / "out", "--keep-folders")
    done = await called("ask", "Do it.", *MODEL, "--file", "notes.md", *save, "--json", server=emulator)
    (told,) = map(json.loads, done.lines)
    assert (done.status, done.messages) == (0, "")
    assert (told["outcome"], told["text"], told["finish_reason"]) == ("answered", "Done.", "stop")
    assert told["usage"]["tool_calls_executed"] == 1
    (made,) = told["files"]
    assert made["id"] not in {source.id, None}
    assert made["path"] == str(tmp_path / "out" / "out" / "notes-2.md")
    assert (tmp_path / "out" / "out" / "notes-2.md").read_bytes() == b"the new line\n"


async def test_what_the_model_is_asked(emulator):
    """Prompt, system, stored files by id and by name, and more of the request reach the model in one message."""
    await emulator.put("a.txt", b"older")
    newest, other = await emulator.put("a.txt", b"newest"), await emulator.put("b.txt", b"b")
    emulator.script(Say("yes"))
    extra = ("--extra", '{"max_tokens": 9}', "--no-resolve-file-ids", "--no-stream", "--system", "Be short.")
    files = ("--file", "a.txt", "--file", other.id)
    done = await cli("ask", "Compare", "them.", *MODEL, *files, *extra, server=emulator)
    assert (done.status, done.results) == (0, "yes\n")
    (chat,) = emulator.chats
    assert chat.body["max_tokens"] == 9
    assert (chat.model, chat.stream, chat.resolves_files) == ("openai/gpt-5.2", False, False)
    system, user = chat.messages
    assert system == {"role": "system", "content": "Be short."}
    assert user["content"][0] == {"type": "text", "text": "Compare them."}
    assert [file.id for file in chat.files] == [newest.id, other.id]


class Slow(RawServer):
    """A server whose model says one word, and the next one when the test lets it."""

    def __init__(self):
        super().__init__(NOTHING, self._speak, NOTHING)
        self.goes_on = asyncio.Event()

    async def _speak(self, connection):
        await connection.request()
        await connection.send(reply(content_type="text/event-stream", content_length=None) + event("first"))
        await self.goes_on.wait()
        await connection.send(event(" last", "stop") + b"data: [DONE]\n\n")


NOTHING = reply(body={"data": [], "cursor": None})


def event(text, reason=None):
    return b"data: %s\n\n" % json.dumps({"choices": [{"delta": {"content": text}, "finish_reason": reason}]}).encode()


async def test_text_comes_as_it_is_said():
    """The first word is out before the model says the second one."""
    async with Slow() as server, started("ask", "Speak.", *MODEL, server=server) as process:
        assert await process.stdout.readexactly(5) == b"first"
        server.goes_on.set()
        done = await ended(process)
    assert (done.status, done.results) == (0, " last\n")


async def test_the_prompt_from_standard_input(emulator):
    """'-' at the end of the prompt is standard input, below the words before it."""
    emulator.script(Say("1"))
    emulator.script(Say("2"))
    await cli("ask", "Explain:", "-", *MODEL, stdin=b"line\n", server=emulator)
    await cli("ask", "-", *MODEL, stdin="é\n".encode(), server=emulator)
    assert [chat.messages[0]["content"][0]["text"] for chat in emulator.chats] == ["Explain:\n\nline", "é"]


async def test_what_others_upload_is_not_the_models(emulator):
    """What came before the question, or was uploaded during it, does not count as made by the model."""
    emulator.script(Call("write", filename="new.txt", content="new"), Say("ok"))
    emulator.queue("chat", Stall(1.5))
    await emulator.put("before.txt", b"before")
    asking = asyncio.create_task(called("ask", "Write.", *MODEL, "--json", server=emulator))
    await eventually(lambda: any(request.operation == "chat" for request in emulator.requests))
    await emulator.put("meanwhile.txt", b"meanwhile", downloadable=False)
    done = await asking
    assert [file["filename"] for file in json.loads(done.results)["files"]] == ["new.txt"]


async def test_a_name_that_is_taken_here(emulator, tmp_path):
    """What the model makes never replaces a file here, unless that is asked for."""
    (tmp_path / "a.txt").write_text("mine")
    for _ in range(2):
        emulator.script(Call("write", filename="a.txt", content="model's"), Say("ok"))
    await called("ask", "Write.", *MODEL, "--save", tmp_path, server=emulator)
    assert (tmp_path / "a.txt").read_text() == "mine"
    assert (tmp_path / "a (2).txt").read_text() == "model's"
    await called("ask", "Write.", *MODEL, "--save", tmp_path, "--overwrite", "replace", server=emulator)
    assert (tmp_path / "a.txt").read_text() == "model's"


async def test_a_file_that_cannot_be_saved(emulator, tmp_path):
    """The answer and the other files are told all the same, and the status says that something failed."""
    emulator.script(
        Call("write", filename="a.txt", content="a"), Call("write", filename="b.txt", content="b"), Say("ok")
    )
    emulator.queue("download", Status(400))
    done = await called("ask", "Write.", *MODEL, "--save", tmp_path, "--json", server=emulator)
    failed, answered = map(json.loads, done.lines)
    assert done.status == 5
    assert failed["outcome"] == "failed"
    assert [file["path"] is None for file in answered["files"]] == [True, False]
    assert failed["source"] == answered["files"][0]["id"]


async def test_a_listing_that_fails_does_not_cost_the_answer(emulator):
    """If the new files cannot be listed, the answer is told, and the status is that of the failure."""
    emulator.script(Say("dear words"))
    emulator.queue("list", Stall(0), Status(400))
    done = await called("ask", "Say.", *MODEL, "--json", server=emulator)
    failed, answered = map(json.loads, done.lines)
    assert (done.status, failed["outcome"], answered["text"]) == (1, "failed", "dear words")


@pytest.mark.parametrize("style", [(), ("--json",)])
async def test_an_error_in_mid_stream(emulator, style):
    """What was said before comes through, then one line says what happened and where the files are."""
    mark = await emulator.put("a.txt", b"a")
    emulator.script(Say("I begin"), Fail(code=502, message="gone"))
    done = await cli("ask", "Hi.", *MODEL, *style, server=emulator)
    assert done.status == 1
    (message,) = done.messages.splitlines()
    assert "gone" in message
    assert f"openrouter-files list --after {mark.id}" in message
    if style:
        cut, failed = map(json.loads, done.lines)
        assert (cut, failed["outcome"]) == ({"outcome": "cut off", "text": "I begin"}, "failed")
    else:
        assert done.results == "I begin\n"


async def test_a_lost_answer_is_not_asked_for_again(emulator):
    """A question that may have been worked on is not repeated; the line says where to look."""
    emulator.script(Call("write", filename="a.txt", content="a"), Say("done"))
    emulator.queue("chat", Drop(after_work=True))
    done = await called("ask", "Write.", *MODEL, server=emulator)
    assert done.status == 1
    assert "openrouter-files list" in done.messages
    assert len(emulator.chats) == 1


async def test_ctrl_c_says_where_to_look():
    """Ctrl-C ends with 130, ends the line, and says where the files are that were made so far."""
    async with Slow() as server, started("ask", "Hi.", *MODEL, server=server) as process:
        await process.stdout.readexactly(5)
        process.send_signal(signal.SIGINT)
        done = await ended(process)
    assert done == (130, "\n", "interrupted; what the model has made is in `openrouter-files list`\n")


async def test_a_reader_that_has_enough(emulator, tmp_path):
    """An answer into a pipe that is closed early ends quietly."""
    emulator.script(Say("line\n" * 30_000))
    done = await piped("$CLI ask -m x Hi | head -1; echo ${PIPESTATUS[0]}", emulator, tmp_path)
    assert (done.lines, done.messages) == (["line", "141"], "")


async def test_a_full_standard_output_is_one_line(emulator, tmp_path):
    """An answer that cannot be written is an error in one line."""
    emulator.script(Say("words"))
    done = await piped("$CLI ask -m x Hi > /dev/full", emulator, tmp_path)
    assert done.status == 1
    assert len(done.messages.splitlines()) == 1
    assert "No space left on device" in done.messages


async def test_a_folder_that_cannot_be_made_costs_no_question(emulator, tmp_path):
    """--save is tried before the model is asked."""
    (tmp_path / "file").write_text("")
    done = await called("ask", "Hi.", *MODEL, "--save", tmp_path / "file" / "out", server=emulator)
    assert done.status == 1
    assert emulator.chats == ()


async def test_a_file_that_is_not_there_costs_no_question(emulator):
    """What is neither an id nor a name ends with 3 before the model is asked."""
    done = await called("ask", "Hi.", *MODEL, "--file", "nix", server=emulator)
    assert done.status == 3
    assert emulator.chats == ()


async def test_a_model_that_did_not_end_is_told_about(emulator):
    """A finish reason other than stop is a message; --verbose tells the usage, --quiet nothing."""
    for _ in range(2):
        emulator.script(Say("half", finish_reason="length"))
    loud = await cli("ask", "Hi.", *MODEL, "--verbose", server=emulator)
    quiet = await cli("ask", "Hi.", *MODEL, "--quiet", server=emulator)
    assert "did not come to its end: length" in loud.messages
    assert "completion_tokens 1" in loud.messages
    assert quiet == (0, "half\n", "")


@pytest.mark.parametrize(
    ("given", "variable", "words"),
    [
        (["--workspace", "w"], "", "--workspace: chat has no such parameter"),
        (["--provider", "openai"], "", "--provider: chat has no such parameter"),
        ([], "w", "OPENROUTER_WORKSPACE_ID= openrouter-files ask"),
    ],
)
async def test_a_place_that_chat_cannot_be_told(emulator, given, variable, words):
    """A workspace, of the environment, too, or a provider is refused in words that say so; nobody is asked."""
    done = await cli("ask", "Write.", *MODEL, *given, server=emulator, OPENROUTER_WORKSPACE_ID=variable)
    assert (done.status, done.results, emulator.requests) == (2, "", ())
    (message,) = done.messages.splitlines()
    assert words in message


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
async def test_an_answer_of_200_that_holds_an_error(emulator, stream):
    """It is the error that it names, in one line, and the line says where to look for what was made."""
    emulator.script(Fail(code=429, message="busy", place="choice"))
    done = await cli("ask", "Write.", *MODEL, stream, server=emulator)
    assert (done.status, done.results) == (6, "")
    (message,) = done.messages.splitlines()
    assert "429 busy" in message
    assert "openrouter-files list" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "PROMPT"),
        (["Hi."], "--model"),
        (["Hi.", "-m", "x", "--extra", "[]"], "JSON object"),
        (["Hi.", "-m", "x", "--extra", "{"], "not JSON"),
        (["Hi.", "-m", "x", "--script", "edit.json"], "--emulator"),
        (["-", "Hi.", "-m", "x"], "at the end"),
        (["-", "-m", "x", "--api-key-file", "-"], "only once"),
        (["-", "-m", "x"], "empty"),
        (["", "-m", "x", "--emulator"], "empty"),
        (["Hi.", "-m", ""], "no model"),
        (["Hi.", "-m", "x", "--emulator", "--script", "two.json"], "one script"),
        (["Hi.", "-m", "x", "--emulator", "--script", "nix.json"], "nix.json: No such file"),
        (["Hi.", "-m", "x", "--workspace", "w"], "--workspace"),
    ],
)
async def test_what_makes_no_sense_is_wrong_usage(arguments, words, tmp_path):
    """A wrong usage is one line and status 2, and nobody is asked."""
    (tmp_path / "edit.json").write_text(script({"say": "hi"}))
    (tmp_path / "two.json").write_text(json.dumps([[{"say": "1"}], [{"say": "2"}]]))
    done = await cli("ask", *arguments, cwd=tmp_path)
    assert (done.status, done.results) == (2, "")
    (message,) = done.messages.splitlines()
    assert words in message


def test_scripts():
    """A script is a list of steps, or a list of such lists, one for each question."""
    steps = [{"call": "read", "file_id": "x"}, {"say": "hm", "finish_reason": "length"}, {"fail": 429, "message": "no"}]
    steps.append({"fail": "server_error", "place": "alone"})
    told = [Call("read", file_id="x"), Say("hm", finish_reason="length"), Fail(code=429, message="no")]
    told.append(Fail(code="server_error", place="alone"))
    assert scripts_in(json.dumps(steps)) == [told]
    assert scripts_in(json.dumps([steps, steps[:1]])) == [told, told[:1]]


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "[1]",
        '[{"tell": 1}]',
        '[{"call": "edit", "old": "x"}]',
        '[{"say": 1}]',
        "x",
        '[{"fail": 1}]',
        '[{"fail": 400, "place": "x"}]',
    ],
)
def test_what_is_no_script(text):
    """What is no script is refused, and not played in part."""
    with pytest.raises((ValueError, TypeError)):
        scripts_in(text)


def test_nothing_is_played_without_a_script():
    """Without a script the emulator's model says so, and that is an answer like another."""
    done = within("ask", "Hi.", *MODEL, "--emulator", "--json")
    assert done.status == 0
    assert "no script" in json.loads(done.results)["text"]
