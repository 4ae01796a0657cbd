"""The table of what failed, and what to do about it: pure tables."""

import pytest

from openrouter_files import AmbiguousUploadError, Failed, File, LocalFile, NotFoundError, RateLimitError, Refused
from openrouter_files.cli.job import Troubles, trouble_of

SOURCE = LocalFile("data/a.txt", "a.txt")


def table(*outcomes):
    troubles = Troubles()
    for outcome in outcomes:
        troubles.add(trouble_of(outcome))
    return list(troubles.table(1000))


def refused(path, reason="too large", detail="far too large"):
    return Refused(source=LocalFile(path, path), reason=reason, detail=detail)


def test_groups_by_what_to_do():
    """Files with the same remedy stand together under it, each with what the remedy does not say."""
    limited = Failed(source=SOURCE, error=RateLimitError("slow down", status=429, retry_after=7))
    assert table(refused("b"), limited, refused("long/c")) == [
        "3 files of 1,000 failed:",
        "  too large: split it; 104,857,600 bytes are the most",
        "    b       far too large",
        "    long/c  far too large",
        "  rate limited: try again later, or with a lower --concurrency",
        "    data/a.txt  429 slow down (retry after 7 s)",
    ]


def test_what_all_of_a_kind_share_is_said_once():
    """The list of the types is in the remedy, and not behind every file."""
    lines = table(refused("a.exe", "type", "the content is none of: ..."))
    assert lines[1].startswith("  type: the service accepts PDF")
    assert lines[2] == "    a.exe"


@pytest.mark.parametrize(("kinds", "rows"), [(1, 20), (2, 20), (5, 20)])
def test_not_too_many(kinds, rows):
    """At most twenty rows are shown, some of each kind, and the rest is counted."""
    reasons = ["too large", "type", "name", "empty", "unreadable"][:kinds]
    lines = table(*(refused(f"{n}", reason) for n in range(100) for reason in reasons))
    assert len([line for line in lines if line.startswith("    ") and "..." not in line]) == rows
    assert [line for line in lines if "..." in line] == [f"    ... and {100 - rows // kinds} more"] * kinds


def test_candidates_are_named():
    """Of an ambiguous upload the ids to look at are told, to people and to programs."""
    file = File(id="or_file_1", filename="a.txt", size_bytes=1, created_at=None)
    trouble = trouble_of(Failed(source=SOURCE, error=AmbiguousUploadError("may be stored", candidates=[file])))
    assert trouble.words == "may be stored (or_file_1)"
    assert trouble.exit == 7
    assert trouble.json["error"]["candidates"] == ["or_file_1"]


def test_for_programs():
    """Programs know a file by its path or id, and a refusal by its reason."""
    file = File(id="or_file_1", filename="a.txt", size_bytes=1, created_at=None)
    lost = trouble_of(Failed(source=file, error=NotFoundError("gone", status=404)))
    assert (lost.json["outcome"], lost.json["source"], lost.json["error"]["status"]) == ("failed", "or_file_1", 404)
    assert trouble_of(refused("b")).json == {
        "outcome": "refused", "error": {"type": "Refused", "message": "far too large"},
        "source": "b", "filename": "b", "reason": "too large",
    }  # fmt: skip


def test_nothing_acts_on_the_terminal():
    """A name that would act on the terminal is written out, in the table and in the line."""
    trouble = trouble_of(refused("\x1b[2J", detail="bad\nname"))
    assert "\x1b" not in trouble.line
    assert table(refused("\x1b[2J"))[2] == r"    \x1b[2J  far too large"
