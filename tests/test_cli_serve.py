"""`serve`: an emulator in a process of its own."""

import asyncio
import json
import signal
import socket

import aiohttp
from test_cli_process import cli, ended, started

from openrouter_files import FilesClient


async def ready(process):
    """The line that a server prints when it can be used."""
    return json.loads(await asyncio.wait_for(process.stdout.readline(), 20))


async def test_one_line_when_it_is_ready(tmp_path):
    """The ready line holds all that a script needs; each --file can be downloaded."""
    (tmp_path / "out.md").write_text("made by a model")
    (tmp_path / "two.txt").write_text("2")
    arguments = ("--file", tmp_path / "out.md", "--file", tmp_path / "two.txt", "--api-key", "sk-test")
    async with started("serve", *arguments) as process:
        told = await ready(process)
        assert set(told) == {"base_url", "api_key", "files", "pid"}
        assert told["base_url"].startswith("http://127.0.0.1:")
        assert told["base_url"].endswith("/api/v1")
        assert (told["api_key"], told["pid"]) == ("sk-test", process.pid)
        assert [file["filename"] for file in told["files"]] == ["out.md", "two.txt"]
        async with FilesClient("sk-test", base_url=told["base_url"]) as files:
            assert await files.download(told["files"][0]["id"]).read() == b"made by a model"
        process.terminate()
        assert await ended(process) == (0, "", "")


async def test_ctrl_c_is_its_usual_end():
    """Ctrl-C, as SIGTERM, ends it with 0, quietly, and the port is free again."""
    async with started("serve", "--host", "127.0.0.1", "--port", "0") as process:
        told = await ready(process)
        process.send_signal(signal.SIGINT)
        assert await ended(process) == (0, "", "")
    port = int(told["base_url"].split(":")[2].split("/")[0])
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


async def test_a_store_lasts(tmp_path):
    """--store keeps the files from one run to the next."""
    ids = []
    for _ in range(2):
        async with started("serve", "--store", tmp_path / "kept") as process:
            told = await ready(process)
            async with FilesClient(told["api_key"], base_url=told["base_url"]) as files:
                ids.append([file.id async for file in files.list()])
                ids[-1] or await files.upload(b"kept", filename="kept.txt")
            process.terminate()
            await ended(process)
    assert [len(found) for found in ids] == [0, 1]


async def test_a_folder_that_is_not_a_store_is_one_line(tmp_path):
    """--store with a folder of something else is refused in one line that says what to do, and leaves it alone."""
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "letter.txt").write_text("Dear Sir")
    done = await cli("serve", "--store", tmp_path)
    words = "not empty, and no store of the emulator: choose an empty folder"
    assert done == (1, "", f"openrouter-files: error: {tmp_path}: {words}\n")
    assert [path.name for path in tmp_path.rglob("*")] == ["incoming", "letter.txt"]


async def test_the_well_known_key_beyond_this_machine():
    """--host of all addresses is told about in one line, unless the key is not the one that everybody knows."""
    for key, lines in (((), 1), (("--api-key", "sk-of-its-own"), 0)):
        async with started("serve", "--host", "0.0.0.0", *key) as process:
            await ready(process)
            process.terminate()
            done = await ended(process)
        assert (done.status, len(done.messages.splitlines())) == (0, lines)
        assert ("openrouter-files: warning: " in done.messages, "--api-key" in done.messages) == (lines == 1,) * 2


async def test_names_that_it_has():
    """A client may call it by a --hostname; a name that it was not told is refused."""
    async with started("serve", "--hostname", "emulator") as process:
        told = await ready(process)
        for name, status in (("emulator", 200), ("evil.example", 421)):
            headers = {"Host": name, "Authorization": f"Bearer {told['api_key']}"}
            async with aiohttp.request("GET", f"{told['base_url']}/files", headers=headers) as answer:
                assert answer.status == status


async def test_clients_that_leave_early_are_not_told_about():
    """A client that goes in the middle of its upload, or does not wait for an answer, leaves nothing on stderr."""
    async with started("serve") as process:
        told = await ready(process)
        address, _, _ = told["base_url"].removeprefix("http://").partition("/")
        head = f"HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {told['api_key']}\r\n"
        form = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9999\r\n\r\n--x\r\nContent-Disp"
        asked = json.dumps({"model": "x", "stream": True, "messages": [{"role": "user", "content": "Hi."}]})
        chat = f"POST /api/v1/chat/completions {head}Content-Length: {len(asked)}\r\n\r\n{asked}"
        for request in (f"POST /api/v1/files {head}{form}", chat, f"GET /api/v1/files {head}\r\n" * 50):
            for _ in range(10):
                _, writer = await asyncio.open_connection(*address.split(":"))
                writer.write(request.encode())
                writer.close()
        await asyncio.sleep(0.5)
        process.terminate()
        assert await ended(process) == (0, "", "")


async def test_the_first_weeks(tmp_path):
    """--seed-era answers with the ids of the API's first weeks."""
    (tmp_path / "a.txt").write_text("a")
    async with started("serve", "--seed-era", "--file", tmp_path / "a.txt") as process:
        (file,) = (await ready(process))["files"]
    assert file["id"].startswith("file_")


async def test_what_cannot_be_served_is_one_line(tmp_path):
    """A taken port, a file that is not there, a store that is no folder: one line, status 1."""
    (tmp_path / "file").write_text("")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ends = await asyncio.gather(
            cli("serve", "--port", taken.getsockname()[1]),
            cli("serve", "--file", tmp_path / "nix"),
            cli("serve", "--store", tmp_path / "file"),
        )
    assert [(done.status, done.results, len(done.messages.splitlines())) for done in ends] == [(1, "", 1)] * 3


async def test_a_store_in_use_is_one_line(tmp_path):
    """A folder that another emulator has open is refused."""
    async with started("serve", "--store", tmp_path / "kept") as process:
        await ready(process)
        done = await cli("serve", "--store", tmp_path / "kept")
    assert done.status == 1
    assert len(done.messages.splitlines()) == 1


async def test_a_store_that_is_no_folder_is_told_as_such(tmp_path):
    """What has the store's name is named, without advice that is for downloads."""
    (tmp_path / "file").write_text("")
    done = await cli("serve", "--store", tmp_path / "file")
    assert done.messages == f"openrouter-files: error: {tmp_path / 'file'}: Not a directory\n"


async def test_a_key_that_no_client_can_show_is_wrong_usage():
    """An empty key, or one of two words, would lock everybody out."""
    ends = await asyncio.gather(cli("serve", "--api-key", ""), cli("serve", "--api-key", "two words"))
    assert [(done.status, done.results) for done in ends] == [(2, "")] * 2
    assert all("without white space" in done.messages for done in ends)


async def test_no_address_is_wrong_usage():
    """An empty --host is nowhere to listen."""
    done = await cli("serve", "--host", "")
    assert (done.status, done.results, len(done.messages.splitlines())) == (2, "", 1)
