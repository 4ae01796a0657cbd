"""The emulator's `openrouter:files` tool: what the scripted model's calls really do."""

import aiohttp
import pytest

from openrouter_files.emulator import Call, Emulator, Say
from openrouter_files.emulator.chat import LARGEST_TEXT

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "go"}], "tools": [{"type": "openrouter:files"}]}


async def use(emulator, *calls, key=None):
    """Have the model make calls in one request; the calls that were made, and what the usage says."""
    emulator.script(*calls, Say("done"))
    before, headers = len(emulator.tool_calls), {"Authorization": f"Bearer {key or emulator.api_key}"}
    async with aiohttp.request(
        "POST", f"{emulator.base_url}/chat/completions", json=REQUEST, headers=headers
    ) as answer:
        assert answer.status == 200, await answer.text()
        usage = (await answer.json())["usage"]["server_tool_use_details"]
    return emulator.tool_calls[before:], usage


async def result_of(emulator, call, **options):
    """The result of one call that goes well."""
    (made,), usage = await use(emulator, call, **options)
    assert made.error is None
    assert usage == {"tool_calls_requested": 1, "tool_calls_executed": 1}
    return made.result


async def error_of(emulator, call, **options):
    """The error of one call that does not, which leaves nothing behind."""
    before = emulator.files()
    (made,), usage = await use(emulator, call, **options)
    assert (set(made.output), emulator.files()) == ({"error"}, before)
    assert usage == {"tool_calls_requested": 1, "tool_calls_executed": 0}
    return made.error


def metadata(file):
    return {
        "_shape": "openrouter",
        "id": file.id,
        "type": "file",
        "filename": file.filename,
        "mime_type": file.mime_type,
        "size_bytes": file.size_bytes,
        "created_at": f"{file.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "downloadable": True,
    }


async def test_list_shows_the_metadata_of_the_workspace(emulator):
    """Without a filter all files are listed, with one those whose name contains it."""
    first, second = [await emulator.put(name, b"x") for name in ("data/a.txt", "b.txt")]
    await emulator.put("c.txt", b"x", workspace_id=emulator.add_workspace())
    assert await result_of(emulator, Call("list")) == {"files": [metadata(first), metadata(second)]}
    assert await result_of(emulator, Call("list", filename_filter="data/")) == {"files": [metadata(first)]}
    assert await result_of(emulator, Call("list", filename_filter="DATA")) == {"files": []}


async def test_read_gives_the_text(emulator):
    """A file is read by id or by name; what it holds comes as text."""
    file = await emulator.put("data/é.txt", "héllo\r\n".encode(), downloadable=False)
    wanted = {"id": file.id, "filename": "data/é.txt", "content": "héllo\r\n"}
    assert await result_of(emulator, Call("read", file_id=file.id)) == wanted
    assert await result_of(emulator, Call("read", filename="data/é.txt")) == wanted


async def test_a_name_means_the_newest_file_an_id_is_preferred(emulator):
    """Of files with the same name the newest is meant; a file_id beside a filename wins."""
    old, new = [await emulator.put("a.txt", content) for content in (b"old", b"new")]
    assert (await result_of(emulator, Call("read", filename="a.txt")))["id"] == new.id
    assert (await result_of(emulator, Call("read", filename="a.txt", file_id=old.id)))["id"] == old.id


async def test_write_makes_a_new_downloadable_file(emulator):
    """Each write is a new file with its folders in its name, typed by its content."""
    made = [await result_of(emulator, Call("write", filename="out/a.csv", content="a,b\n1,é\n")) for _ in range(2)]
    assert made == [metadata(file) for file in emulator.files()]
    assert {file["mime_type"] for file in made} == {"text/csv"}
    assert await emulator.content(made[1]["id"]) == "a,b\n1,é\n".encode()


async def test_edit_is_copy_on_write(emulator):
    """An edit makes a new file of the same name and tells both ids; the source stays as it is."""
    source = await emulator.put("a.txt", b"one two\n", downloadable=False)
    edited = await result_of(emulator, Call("edit", file_id=source.id, old_string="two", new_string="tvö"))
    kept, made = emulator.files()
    assert edited == {**metadata(made), "file_id": made.id, "source_file_id": source.id}
    assert (kept, made.filename) == (source, "a.txt")
    assert await emulator.content(source.id) == b"one two\n"
    assert await emulator.content(made.id) == "one tvö\n".encode()


async def test_an_edit_may_rename_and_delete_text(emulator):
    """`new_filename` names the copy, an empty `new_string` takes text away."""
    await emulator.put("a.txt", b"one two\n")
    call = Call("edit", filename="a.txt", old_string=" two", new_string="", new_filename="b/c.txt")
    made = await result_of(emulator, call)
    assert (made["filename"], await emulator.content(made["id"])) == ("b/c.txt", b"one\n")


@pytest.mark.parametrize(
    ("old", "says"),
    [("three", "not found"), ("", "not found"), ("o", "more than one"), ("aa", "more than one")],
)
async def test_an_edit_needs_a_single_match(emulator, old, says):
    """Text that is absent, or at more than one place, overlapping ones included, is an error that says which."""
    await emulator.put("a.txt", b"one two aaa\n")
    assert says in await error_of(emulator, Call("edit", filename="a.txt", old_string=old, new_string="x"))


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (Call("read"), "file_id or filename"),
        (Call("edit", old_string="a", new_string="b"), "file_id or filename"),
        (Call("edit", filename="a.txt", new_string="b"), "old_string"),
        (Call("edit", filename="a.txt", old_string="a"), "new_string"),
        (Call("write", filename="a.txt"), "content"),
        (Call("write", content="x"), "filename"),
    ],
)
async def test_a_missing_field_is_named(emulator, call, field):
    """A call that lacks what its operation needs is told so."""
    await emulator.put("a.txt", b"a\n")
    assert await error_of(emulator, call) == f"Missing required field: {field}"


@pytest.mark.parametrize("operation", ["delete", "LIST", "", "rename"])
async def test_there_are_four_operations(emulator, operation):
    """Any other operation is an error that names the four."""
    assert "list, read, write, edit" in await error_of(emulator, Call(operation))


@pytest.mark.parametrize("operation", ["read", "edit"])
async def test_a_file_of_another_workspace_is_not_found(emulator, operation):
    """Unknown ids and names, and those of other workspaces, are not found."""
    theirs = await emulator.put("a.txt", b"a", workspace_id=emulator.add_workspace())
    for target in ({"file_id": theirs.id}, {"filename": "a.txt"}, {"file_id": "or_file_x"}):
        call = Call(operation, **target, old_string="a", new_string="b")
        assert (await error_of(emulator, call)).startswith("File not found: ")


async def test_the_tool_works_in_the_keys_workspace(emulator):
    """What the model writes belongs to the workspace of the key that asked."""
    theirs = emulator.add_key("other")
    await result_of(emulator, Call("write", filename="a.txt", content="x"), key="other")
    assert [file.workspace_id for file in emulator.files()] == [theirs]
    assert emulator.tool_calls[0].workspace_id == theirs


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\x00\x01", b"%PDF-1.7\n", b"\x89PNG\r\n\x1a\n", b"caf\xe9"])
async def test_binary_files_are_refused(emulator, content):
    """What is no UTF-8 text is neither read nor edited."""
    file = await emulator.put("a.bin", content)
    for call in (Call("read", file_id=file.id), Call("edit", file_id=file.id, old_string="P", new_string="Q")):
        assert "UTF-8" in await error_of(emulator, call)


async def test_text_has_a_limit(emulator):
    """20 MiB are read and written, a byte more is not."""
    for size, is_good in ((LARGEST_TEXT, True), (LARGEST_TEXT + 1, False)):
        file = await emulator.put("a.txt", b"x" * size)
        read, written = (
            await use(emulator, Call("read", file_id=file.id), Call("write", filename="b", content="x" * size))
        )[0]
        assert (read.error is None, written.error is None) == (is_good, is_good)
    assert LARGEST_TEXT == 20 * 1024 * 1024


@pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", "../a", "a|b", "a\nb", "x" * 256])
async def test_names_follow_the_rules_of_uploads(emulator, name):
    """A written or renamed file needs a name that an upload might have."""
    await emulator.put("a.txt", b"a\n")
    assert "Filename" in await error_of(emulator, Call("write", filename=name, content="x"))
    assert "Filename" in await error_of(
        emulator, Call("edit", filename="a.txt", old_string="a", new_string="b", new_filename=name)
    )


async def test_half_a_surrogate_pair_is_no_text(emulator):
    """Text that has no UTF-8 is an error, not a broken file."""
    assert "UTF-8" in await error_of(emulator, Call("write", filename="a.txt", content="\ud800"))


async def test_what_the_tool_writes_counts_for_the_quota():
    """A file for which the workspace has no room is an error to the model."""
    async with Emulator(quota_bytes=10) as emulator:
        await result_of(emulator, Call("write", filename="a", content="x" * 10))
        assert "quota" in await error_of(emulator, Call("write", filename="b", content="x"))


async def test_a_call_keeps_its_arguments(emulator):
    """A test sees each call with the arguments that the model gave, and no others."""
    (made,), _ = await use(emulator, Call("write", filename="a.txt", content=""))
    assert made.call.arguments == {"operation": "write", "filename": "a.txt", "content": ""}


async def test_the_seed_era_speaks_its_own_shape():
    """In the seed era metadata has no `_shape`, and new ids are of that time."""
    headers = {"x-openrouter-file-ids": "openrouter"}
    async with Emulator(seed_era=True) as emulator:
        emulator.script(Call("write", filename="a.txt", content="x"))
        headers |= {"Authorization": f"Bearer {emulator.api_key}"}
        async with aiohttp.request("POST", f"{emulator.base_url}/chat/completions", json=REQUEST, headers=headers):
            pass
        written = emulator.tool_calls[0].result
        assert (written["id"], "_shape" in written) == (emulator.files()[0].id, False)
        assert written["id"].startswith("file_")
