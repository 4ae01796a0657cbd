"""Which paths the names of files make, as tables; no server is asked."""

from datetime import UTC, datetime, timedelta

import pytest

from openrouter_files import File
from openrouter_files.fsspec.listing import Listing, id_in, normal

DAY = datetime(2026, 11, 20, tzinfo=UTC)


def file(name, number=0, **fields):
    known = {"id": f"id{number}", "size_bytes": 10 + number, "created_at": DAY + timedelta(seconds=number)}
    return File(filename=name, **(known | fields))


def listing(*names):
    return Listing(file(name, number) for number, name in enumerate(names))


def names(entries):
    return [(entry["name"], entry["type"]) for entry in entries]


F, D = "file", "directory"


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("", [("a.txt", F), ("deep", D), ("reports", D)]),
        ("reports", [("reports/t.csv", F), ("reports/u.csv", F)]),
        ("deep", [("deep/er", D)]),
        ("deep/er", [("deep/er/x", F)]),
        ("a.txt", [("a.txt", F)]),
        ("@id", [("@id/id0", F), ("@id/id1", F), ("@id/id2", F), ("@id/id3", F)]),
    ],
)
def test_folders_come_from_names(path, inside):
    """A folder is there because a file's name has it; a file lists itself."""
    assert names(listing("reports/t.csv", "reports/u.csv", "a.txt", "deep/er/x").ls(path)) == inside


@pytest.mark.parametrize("path", ["b", "reports/t", "reports/t.csv/x", "deep/er/x/y", "rep"])
def test_what_no_name_has_is_not_there(path):
    """Parts of names are no paths."""
    found = listing("reports/t.csv", "deep/er/x")
    for question in (found.ls, found.info, found.file, found.versions):
        with pytest.raises(FileNotFoundError, match=path):
            question(path)


def test_an_empty_workspace_has_a_root():
    """A workspace without files lists nothing, and is no error."""
    assert listing().ls("") == []


def test_a_folder_is_no_file():
    """A folder has no versions, and asking it for a file says that it is a folder."""
    found = listing("reports/t.csv")
    assert found.info("reports") == {"name": "reports", "size": 0, "type": "directory"}
    assert found.versions("reports") == ()
    with pytest.raises(IsADirectoryError):
        found.file("reports")


def test_what_is_said_about_a_file():
    """A file's entry has what fsspec wants, and what only we know."""
    made = file("a/t.csv", 3, mime_type="text/csv", downloadable=True)
    assert Listing([made]).info("a/t.csv") == {
        "name": "a/t.csv",
        "size": 13,
        "type": "file",
        "created": made.created_at,
        "id": "id3",
        "filename": "a/t.csv",
        "mime_type": "text/csv",
        "downloadable": True,
        "older": [],
    }


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_path_means_the_newest_of_its_name(order):
    """Of files of one name, the newest counts, whatever the order of the listing; the older are named."""
    found = Listing(file("t.csv", number) for number in order)
    info = found.info("t.csv")
    assert (info["id"], info["older"]) == ("id2", ["id1", "id0"])
    assert found.file("t.csv").id == "id2"
    assert [f.id for f in found.versions("t.csv")] == ["id0", "id1", "id2"]
    assert names(found.ls("")) == [("t.csv", F)]


@pytest.mark.parametrize("newest_first", [False, True])
def test_within_a_second_the_order_of_the_listing_decides(newest_first):
    """Times have no fractions: an edit in the second of the upload is the newer one all the same."""
    made = [file("old", 0), file("t", 1), file("t", 2, created_at=DAY + timedelta(seconds=1)), file("new", 9)]
    assert Listing(made[::-1] if newest_first else made).file("t").id == "id2"


def test_a_file_goes_before_a_folder_of_its_name():
    """A name that is also a folder is a file, and the folder can still be listed."""
    found = listing("a", "a/b")
    assert names(found.ls("")) == [("a", F), ("a", D)]
    assert found.info("a")["type"] == F
    assert names(found.ls("a")) == [("a/b", F)]


@pytest.mark.parametrize("name", ["/a//b/", "a/b", "a/b/", "/a/b"])
def test_slashes_that_say_nothing_do_not_count(name):
    """Names of models may begin with a slash; the path does not, and the name is kept."""
    found = listing(name)
    assert found.info("a/b")["filename"] == name
    assert names(found.ls("a")) == [("a/b", F)]


@pytest.mark.parametrize("name", ["/", "//", "@id", "@id/x", "/@id/x"])
def test_a_name_that_makes_no_path_is_found_by_id(name):
    """Names that are none, or that look like an id, are only there by their id."""
    found = listing(name)
    assert found.ls("") == []
    assert names(found.ls("@id")) == [("@id/id0", F)]


@pytest.mark.parametrize(
    ("path", "file_id"),
    [("@id/or_file_1", "or_file_1"), ("@id", None), ("@id/", None), ("a/@id/b", None), ("@ids/b", None), ("", None)],
)
def test_paths_that_mean_ids(path, file_id):
    """The first folder says whether a path means an id."""
    assert id_in(path) == file_id


@pytest.mark.parametrize(("path", "same"), [("/a//b/", "a/b"), ("", ""), ("/", ""), ("a", "a"), ("../a/.", "../a/.")])
def test_normal_paths(path, same):
    """Slashes that say nothing are left out, and nothing else."""
    assert normal(path) == same
