"""A client of a subclass stays one, with what the subclass added, whatever is made of it."""

import copy

import pytest

from openrouter_files import FilesClient, delete_many, download_many, pull, upload_many


class Tagged(FilesClient):
    """A subclass with an attribute, a slot, and methods that need both."""

    __slots__ = ("folder",)

    def __init__(self, *arguments, prefix, **more):
        super().__init__(*arguments, **more)
        self.prefix, self.folder = prefix, "f"

    async def upload(self, source, *, filename=None, **more):
        return await super().upload(source, filename=f"{self.prefix}/{self.folder}/{filename}", **more)

    async def delete(self, file_id, **more):
        return await super().delete(file_id.removeprefix(self.prefix), **more)

    async def download_to(self, file, *arguments, **more):
        assert (self.prefix, self.folder) == ("team", "f")
        return await super().download_to(file, *arguments, **more)


@pytest.fixture
async def tagged(emulator):
    async with Tagged(emulator.api_key, base_url=emulator.base_url, prefix="team") as files:
        yield files


@pytest.mark.parametrize("change", [lambda files: files.with_options(workspace_id=None), copy.copy])
async def test_another_client_of_it_has_what_it_added(tagged, emulator, change):
    """with_options and copy.copy keep attributes and slots, share the connections, and leave the first as it was."""
    other = change(change(tagged))
    assert type(other) is Tagged
    await other.upload(b"x\n", filename="a.txt")
    other.prefix = "others"
    await tagged.upload(b"x\n", filename="b.txt")
    assert [file.filename for file in emulator.files()] == ["team/f/a.txt", "team/f/b.txt"]


async def test_bulk_jobs_call_its_methods(tagged, emulator, tmp_path):
    """upload_many, download_many, pull and delete_many work with a client of a subclass as it is."""
    (tmp_path / "a.txt").write_text("x\n")
    made = await emulator.put("made.txt", b"x\n")
    uploaded = (await upload_many(tagged, [tmp_path / "a.txt"])).uploaded
    assert [each.file.filename for each in uploaded] == ["team/f/a.txt"]
    assert len((await download_many(tagged, [made.id], tmp_path / "d")).downloaded) == 1
    assert len((await pull(tagged, tmp_path / "p")).downloaded) == 1
    assert len((await delete_many(tagged, [f"team{made.id}"])).deleted) == 1
