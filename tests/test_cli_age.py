"""`--older-than` and `--pattern`: pure tables."""

from datetime import UTC, datetime, timedelta

import pytest

from openrouter_files import File
from openrouter_files.cli.delete_command import Doomed, overview
from openrouter_files.cli.options import moment

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30d", NOW - timedelta(days=30)),
        ("12h", NOW - timedelta(hours=12)),
        ("45m", NOW - timedelta(minutes=45)),
        ("2w", NOW - timedelta(weeks=2)),
        ("2026-01-31", datetime(2026, 1, 31).astimezone()),
        ("2026-01-31T10:00:00+02:00", datetime(2026, 1, 31, 8, tzinfo=UTC)),
    ],
)
def test_moments(text, expected):
    """A span counts back from now; a date is a day of the local calendar."""
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5h", "yesterday", "99999999999d", "2026-02-30"])
def test_what_is_no_age(text):
    """Anything else is refused."""
    with pytest.raises((ValueError, OverflowError)):
        moment(text, NOW)


def file(name, age=0):
    return File(id=f"id of {name}", filename=name, size_bytes=1000, created_at=NOW - timedelta(days=age))


@pytest.mark.parametrize(
    ("name", "patterns", "meant"),
    [
        ("a.tmp", ("*.tmp",), True),
        ("deep/er/a.tmp", ("*.tmp",), True),
        ("tmp/keep.txt", ("tmp*",), False),
        ("tmp/gone.txt", ("tmp/*",), True),
        ("a.txt", ("*.tmp", "a.*"), True),
        ("A.TMP", ("*.tmp",), False),
    ],
)
def test_names(name, patterns, meant):
    """A pattern is compared with the last part of a name; with a slash inside, with the whole."""
    assert Doomed(patterns=patterns).want(file(name)) is meant


def test_both_have_to_hold():
    """Of name and age, what was said has to hold."""
    doomed = Doomed(patterns=("*.tmp",), before=NOW - timedelta(days=5))
    assert [doomed.want(file(name, age)) for name, age in (("a.tmp", 6), ("a.tmp", 4), ("a.txt", 6))] == [1, 0, 0]


def test_the_overview_is_short():
    """Of many files the first are shown, and the rest is counted."""
    lines = [*overview([file(f"{number}") for number in range(30)])]
    assert lines[0] == "30 files, 30.0 kB:"
    assert lines[-1] == "  ... and 10 more"
    assert len(lines) == 22
