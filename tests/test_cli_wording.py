"""How sizes, speeds and strangers' names read: pure tables."""

import pytest

from openrouter_files.cli import formatting as wording


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (104_857_600, "104.9 MB"),
        (10_737_418_240, "10.7 GB"),
        (10**13, "10000.0 GB"),
    ],
)
def test_sizes(count, words):
    """Bytes read in powers of 1,000, and never as 1000.0 of a unit."""
    assert wording.size(count) == words


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("report é 漢字 🙂.md", "report é 漢字 🙂.md"),
        ("a\tb\nc", r"a\tb\nc"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("exe.\u202egpj", r"exe.\u202egpj"),
        ("bad\udcff", r"bad\udcff"),
        ("\x9b2J", r"\x9b2J"),
        ("[bold]markup[/bold]", "[bold]markup[/bold]"),
    ],
)
def test_names_only_show(name, shown):
    """What would act on a terminal, or break a line in two, is written out; the rest is left as it is."""
    assert wording.plain(name) == shown


def test_pace():
    """A speed counts bytes and, of several files, files; no time at all divides nothing."""
    assert wording.pace(1, 1_000_000, 0.5) == "0.50 s (2.0 MB/s)"
    assert wording.pace(50, 312_400, 0.42) == "0.42 s (743.8 kB/s, 119 files/s)"
    assert wording.pace(1, 0, 0).startswith("0.00 s")
