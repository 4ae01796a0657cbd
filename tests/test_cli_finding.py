"""What an argument of `upload` stands for: patterns as tables, files on a real disk."""

import os

import pytest

from openrouter_files.cli.finding import find
from openrouter_files.cli.patterns import Patterns

ALL = Patterns()


@pytest.mark.parametrize(
    ("name", "include", "exclude", "wanted"),
    [
        ("a.csv", (), (), True),
        ("a.csv", ("*.csv",), (), True),
        ("deep/a.csv", ("*.csv",), (), True),
        ("a.txt", ("*.csv", "*.md"), (), False),
        ("deep/a.csv", ("deep/*",), (), True),
        ("deep/er/a.csv", ("deep/*.csv",), (), True),
        ("a/deep/b.csv", ("deep/*",), (), False),
        ("docs/a.md", ("docs",), (), True),
        ("docs/a.md", ("docs/",), (), True),
        ("a.csv", (), ("*.csv",), False),
        ("tmp/a.csv", (), ("tmp",), False),
        ("x/tmp/a.csv", (), ("tmp",), False),
        ("x/tmp/a.csv", (), ("x/tmp",), False),
        ("tmp.csv", (), ("tmp",), True),
        ("a.csv", ("*.csv",), ("a.*",), False),
        ("A.CSV", ("*.csv",), (), False),
    ],
)
def test_patterns(name, include, exclude, wanted):
    """A pattern means files of that name or path, and all below a folder of it; exclusion is stronger."""
    assert Patterns(include=include, exclude=exclude).want(name) is wanted


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with some files."""
    monkeypatch.chdir(tmp_path)
    for name in ("data/a.csv", "data/deep/b.csv", "data/.hidden/c.csv", "data/[x].csv", "top.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def named(given, patterns=ALL, **how):
    return [finding.name for finding in find(given, patterns, **how)]


def test_a_folder(folder):
    """A folder stands for all that is inside, by path, hidden files only if they are wanted."""
    assert named("data") == ["[x].csv", "a.csv", "deep/b.csv"]
    assert named("data/", Patterns(hidden=True)) == [".hidden/c.csv", "[x].csv", "a.csv", "deep/b.csv"]


def test_links_do_not_lead_in_circles(folder):
    """A link to a file is a file; a link to a folder is left alone."""
    (folder / "data/loop").symlink_to(folder)
    (folder / "data/link.csv").symlink_to(folder / "top.txt")
    assert named("data") == ["[x].csv", "a.csv", "deep/b.csv", "link.csv"]


def test_a_pattern(folder):
    """A pattern stands for what it matches, named from its fixed part on; a file of that very name comes first."""
    assert sorted(named("data/*.csv")) == ["[x].csv", "a.csv"]
    assert sorted(named("data/**/*.csv")) == ["[x].csv", "a.csv", "deep/b.csv"]
    assert named("data/[x].csv") == ["[x].csv"]


def test_names(folder):
    """A file is named without its folders, or with them if they are to be kept and lead nowhere else."""
    assert named("data/deep/b.csv") == ["b.csv"]
    assert named("./data/deep/b.csv", keep_folders=True) == ["data/deep/b.csv"]
    assert named("data/../top.txt", keep_folders=True) == ["top.txt"]
    assert named(str(folder / "top.txt"), keep_folders=True) == ["top.txt"]


def test_what_is_not_there(folder):
    """What cannot be found is a finding with an error, not an exception."""
    (lost,) = find("nix.txt", ALL)
    (unmatched,) = find("*.nix", ALL)
    assert str(lost.error.strerror) == "No such file or directory"
    assert str(unmatched.error.strerror) == "no file matches"


def test_a_folder_that_disappears(folder):
    """A folder that goes away while it is walked fails by itself; what lies beside it is found."""
    found = find("data", ALL)
    first = next(found)
    (folder / "data/deep/b.csv").unlink()
    (folder / "data/deep").rmdir()
    rest = list(found)
    assert (first.name, [finding.name for finding in rest]) == ("[x].csv", ["a.csv", "deep/"])
    assert isinstance(rest[1].error, FileNotFoundError)


def test_folders_are_walked_not_listed(folder):
    """The first file is found before the next folder is opened."""
    found = find("data", ALL)
    next(found)
    (folder / "data/deep/late.csv").write_text("late")
    assert "deep/late.csv" in [finding.name for finding in found]


def test_pipes_have_no_size(folder):
    """A pipe with a name is a file whose size only reading tells."""
    os.mkfifo("pipe")
    (finding,) = find("pipe", ALL)
    assert (finding.size, finding.error) == (None, None)
