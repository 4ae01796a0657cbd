"""What an argument of `upload` stands for, on a real disk."""

import os

import pytest

from openrouter_files.cli.upload_command import find

ALL = {"include": (), "exclude": (), "hidden": False}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with some files."""
    monkeypatch.chdir(tmp_path)
    for name in ("data/a.csv", "data/deep/b.csv", "data/.hidden/c.csv", "data/[x].csv", "top.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


async def findings(given, wanted=ALL, **how):
    return [finding async for finding in find(given, wanted, **how)]


async def named(given, wanted=ALL, **how):
    return [finding.name for finding in await findings(given, wanted, **how)]


async def test_a_folder(folder):
    """A folder stands for all that is inside, by path, hidden files only if they are wanted."""
    assert await named("data") == ["[x].csv", "a.csv", "deep/b.csv"]
    assert await named("data/", {**ALL, "hidden": True}) == [".hidden/c.csv", "[x].csv", "a.csv", "deep/b.csv"]


async def test_links_do_not_lead_in_circles(folder):
    """A link to a file is a file; a link to a folder is left alone."""
    (folder / "data/loop").symlink_to(folder)
    (folder / "data/link.csv").symlink_to(folder / "top.txt")
    assert await named("data") == ["[x].csv", "a.csv", "deep/b.csv", "link.csv"]


async def test_a_pattern(folder):
    """A pattern stands for what it matches, named from its fixed part on; a file of that very name comes first."""
    assert sorted(await named("data/*.csv")) == ["[x].csv", "a.csv"]
    assert sorted(await named("data/**/*.csv")) == ["[x].csv", "a.csv", "deep/b.csv"]
    assert await named("data/[x].csv") == ["[x].csv"]


async def test_a_pattern_does_not_go_round_in_circles(folder):
    """Below ** links to folders are not followed, in a circle or not; the parts before it may be links."""
    (folder / "data/loop").symlink_to(folder / "data")
    (folder / "link").symlink_to(folder / "data")
    assert sorted(await named("data/**/*.csv")) == ["[x].csv", "a.csv", "deep/b.csv"]
    assert sorted(await named("l*/**/*.csv")) == ["link/[x].csv", "link/a.csv", "link/deep/b.csv"]


@pytest.mark.parametrize(
    ("pattern", "hidden", "found"),
    [
        ("data/**", False, ["[x].csv", "a.csv", "deep/b.csv"]),
        ("data/**", True, [".hidden/c.csv", "[x].csv", "a.csv", "deep/b.csv"]),
        ("data/**/b.csv", False, ["deep/b.csv"]),
        ("data/**/deep/*", False, ["deep/b.csv"]),
        ("data/**/.hidden/*", False, [".hidden/c.csv"]),
        ("data/.h*/*", False, [".hidden/c.csv"]),
        ("data/**/c.csv", False, ["**/c.csv"]),
        ("data/*/**/b.csv", False, ["deep/b.csv"]),
    ],
)
async def test_patterns_of_any_depth(folder, pattern, hidden, found):
    """** stands for any number of folders, hidden ones only if they are wanted or their dot is written."""
    names = sorted(await named(pattern, {**ALL, "hidden": hidden}))
    assert names == (found if found != ["**/c.csv"] else ["data/**/c.csv"])  # nothing matches: that is told


async def test_names(folder):
    """A file is named without its folders, or with them if they are to be kept and lead nowhere else."""
    assert await named("data/deep/b.csv") == ["b.csv"]
    assert await named("./data/deep/b.csv", keep_folders=True) == ["data/deep/b.csv"]
    assert await named("data/../top.txt", keep_folders=True) == ["top.txt"]
    assert await named(str(folder / "top.txt"), keep_folders=True) == ["top.txt"]


async def test_what_is_not_there(folder):
    """What cannot be found is a finding with an error, not an exception."""
    (lost,) = await findings("nix.txt")
    (unmatched,) = await findings("*.nix")
    assert str(lost.error.strerror) == "No such file or directory"
    assert str(unmatched.error.strerror) == "no file matches"


async def test_pipes_have_no_size(folder):
    """A pipe that is named is a file whose size only reading tells; one inside a folder is not waited for."""
    os.mkfifo("data/pipe")
    (finding,) = await findings("data/pipe")
    assert (finding.size, finding.error, finding.stream) == (None, None, True)
    assert not [finding for given in ("data", "data/*") for finding in await findings(given) if finding.stream]
