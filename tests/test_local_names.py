"""Where a file will land, before it is asked for."""

import pytest

from openrouter_files import local_path

NAMES = ["a.txt", "x/y/a.txt", "a:b.txt", "con.txt", "x//y.txt", "../evil.txt", "...", "n" * 300]


@pytest.mark.parametrize("keep_folders", [False, True])
@pytest.mark.parametrize("name", NAMES)
async def test_it_is_where_download_to_puts_it(emulator, files, tmp_path, name, keep_folders):
    """The path is that of ``download_to``, or its complaint, for files of the workspace and of containers."""
    file = await files.retrieve((await emulator.put(name, b"content")).id)
    await emulator.put_in_container("c", name, b"content")
    box = files.container("c")
    (boxed,) = [file async for file in box.list()]
    for one, save in ((file, files.download_to), (boxed, box.download_to)):
        folder = tmp_path / type(one).__name__
        folder.mkdir()
        try:
            expected = local_path(one, folder, keep_folders=keep_folders)
        except ValueError:
            assert keep_folders
            with pytest.raises(ValueError, match="leads out"):
                await save(one, folder, keep_folders=keep_folders)
        else:
            assert list(folder.iterdir()) == []
            assert await save(one, folder, keep_folders=keep_folders) == expected
