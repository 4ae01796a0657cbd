"""Local names for what strangers named."""

import ntpath
import os
import unicodedata
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openrouter_files.local.targets import inside, numbered, safe_name, safe_parts


def safe(filename, otherwise="or_file_1"):
    return safe_name(filename, otherwise=otherwise)


def is_reserved(name):
    """Whether Windows takes the name for a device, as Python sees it."""
    is_device = getattr(ntpath, "isreserved", None)
    return is_device(name) if is_device else PureWindowsPath(name).is_reserved()


@pytest.mark.parametrize(
    ("filename", "local"),
    [
        # harmless already
        ("report.pdf", "report.pdf"),
        ("résumé 日本 🎉.txt", "résumé 日本 🎉.txt"),
        ("a b (1).tar.gz", "a b (1).tar.gz"),
        (".bashrc", ".bashrc"),
        ("no ending", "no ending"),
        ("-rf", "-rf"),
        ("~", "~"),
        ("a..b", "a..b"),
        ("$HOME;`id`&'", "$HOME;`id`&'"),
        # folders, absolute paths, drives, climbing
        ("data/r.csv", "r.csv"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\Windows\\win.ini", "win.ini"),
        ("C:win.ini", "C_win.ini"),
        ("\\\\server\\share\\x", "x"),
        ("\\\\?\\C:\\x", "x"),
        ("folder/", "folder"),
        ("folder\\//", "folder"),
        ("a/..", "or_file_1"),
        ("./x", "x"),
        ("file:///x", "x"),
        ("a.txt:stream", "a.txt_stream"),
        # nothing left
        ("", "or_file_1"),
        (".", "or_file_1"),
        ("..", "or_file_1"),
        ("...", "or_file_1"),
        (" ", "or_file_1"),
        (". .", "or_file_1"),
        ("/", "or_file_1"),
        ("\\/\\", "or_file_1"),
        ("___", "or_file_1"),
        ("???", "or_file_1"),
        ("\x00\x01", "or_file_1"),
        ("\u202e\u200b\ufeff", "or_file_1"),
        ("\u3000\u00a0", "or_file_1"),
        # characters that a system chokes on, or that cannot be seen
        ('a<b>c:d"e|f?g*h', "a_b_c_d_e_f_g_h"),
        ("a\x00b\x1fc\x7fd\x9fe", "abcde"),
        ("a\nb\r\nc\td", "abcd"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\u200bb\u2066c\ufeffd\u00ade", "abcde"),
        ("a\ud800b\udcff", "ab"),
        # joiners are spelling between letters (Persian, Sinhala, emoji), and nothing elsewhere; direction marks go
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.txt",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.txt",
        ),
        ("\u0dc1\u0dca\u200d\u0dbb\u0dd3.txt", "\u0dc1\u0dca\u200d\u0dbb\u0dd3.txt"),
        ("\U0001f468\u200d\U0001f469.txt", "\U0001f468\u200d\U0001f469.txt"),
        ("\u200da\u200c.t\u200cxt\u200d", "a.t\u200cxt"),
        ("a\u200d\u200cb", "ab"),
        ("a\u200f\u200d\u200eb", "a\u200db"),
        ("\u200d", "or_file_1"),
        # what Windows takes off at the end, and everybody at the start
        ("name.", "name"),
        ("name. . .", "name"),
        ("name ", "name"),
        ("  name", "name"),
        (".. name", ".. name"),
        # devices
        ("con", "_con"),
        ("CON.txt", "_CON.txt"),
        ("nul.tar.gz", "_nul.tar.gz"),
        ("Com1", "_Com1"),
        ("LPT9.log", "_LPT9.log"),
        ("com\u00b9.txt", "_com\u00b9.txt"),
        ("CONIN$", "_CONIN$"),
        ("aux.", "_aux"),
        ("con/x", "x"),
        ("console.txt", "console.txt"),
        ("acon", "acon"),
        ("com10", "com10"),
        (".con", ".con"),
    ],
    ids=ascii,
)
def test_local_names(filename, local):
    """One harmless component, as near to what was meant as it gets."""
    assert safe(filename) == local


@pytest.mark.parametrize(
    ("otherwise", "local"),
    [("or_file_1", "or_file_1"), ("../x", "x"), ("con", "_con"), *((text, "file") for text in ("", "..", "?", "file"))],
)  # fmt: skip
def test_when_nothing_is_left(otherwise, local):
    """The second choice is made safe like the first, and there is a last one."""
    assert safe("", otherwise) == safe("..", otherwise) == safe("???", otherwise) == local


@pytest.mark.parametrize(
    ("filename", "local"),
    [
        ("x" * 220, "x" * 220),
        ("x" * 221, "x" * 220),
        ("x" * 300 + ".pdf", "x" * 216 + ".pdf"),
        ("é" * 300 + ".tar.gz", "é" * 108 + ".gz"),
        ("日" * 300 + ".txt", "日" * 72 + ".txt"),
        ("🎉" * 300, "🎉" * 55),
        ("x." + "y" * 300, "x." + "y" * 218),
        ("." + "x" * 300, "." + "x" * 219),
        ("x" * 300 + ".sixteen__letters", "x" * 203 + ".sixteen__letters"),
        ("x" * 300 + ".seventeen_letters", "x" * 220),
        ("x" + "." * 300 + "pdf", "x.pdf"),
        ("x" * 10 + " " * 300 + ".pdf", "x" * 10 + ".pdf"),
    ],
    ids=lambda text: ascii(text[:3] + text[-5:]),
)
def test_long_names(filename, local):
    """Cut in the middle, between characters, so that the ending still says what it is."""
    assert safe(filename) == local


@pytest.mark.parametrize("filename", ["con .txt", "NUL  .tar.gz", "con" + " " * 300 + ".txt"],
                         ids=lambda text: ascii(text[:8]))  # fmt: skip
def test_devices_in_disguise(filename):
    """Windows ignores spaces before the dot, and a cut may bring a device to light."""
    assert not is_reserved(safe(filename))


HOSTILE = ["/", "\\", ".", "..", " ", "\u3000", "\xa0", ":", "con", "NUL", "com1", "\x00", "\n", "\u202e", "\u200d", "\ud800", "\udcff", "é", "🎉", "x" * 120, ".txt", "_", "?", "~", "\u2028"]  # fmt: skip  # noqa: E501
NAMES = st.text(max_size=30) | st.lists(st.sampled_from(HOSTILE), max_size=6).map("".join) | st.text(
    st.characters(categories=["Cs", "Cf", "Cc", "Zs", "Lo", "Po"]), max_size=400
)  # fmt: skip


@settings(max_examples=200)
@given(filename=NAMES, otherwise=NAMES)
@example(filename="../" * 100, otherwise="..")
def test_any_name_becomes_a_harmless_one(filename, otherwise):
    """Whatever a stranger calls a file: one component, that fits and can be encoded, and can be seen."""
    name = safe(filename, otherwise)
    assert name
    assert name not in {".", ".."}
    assert not set('<>:"|?*\\/') & set(name)
    assert not [c for c in name if unicodedata.category(c) in {"Cc", "Cf", "Cs"} and c not in "\u200c\u200d"]
    assert len(name.encode()) + len(".part-12345678") <= 255
    assert name[-1] not in " ."
    assert Path(name).name == os.path.basename(name) == name  # noqa: PTH119  # both must agree
    assert PureWindowsPath(name).name == name
    assert not PureWindowsPath(name).drive
    assert (Path("/home/me/folder") / name).parent == Path("/home/me/folder")


@settings(max_examples=200)
@given(filename=NAMES, otherwise=NAMES)
@example(filename="a\u3000.", otherwise="")
@example(filename="con" + " " * 300 + ".txt", otherwise="")
def test_a_safe_name_is_safe(filename, otherwise):
    """Making it safe once more changes nothing, and no system takes it for a device."""
    name = safe(filename, otherwise)
    assert safe(name) == name
    assert not is_reserved(name)


def test_inside_a_folder(tmp_path):
    """The name that a server chose lies in the folder that the caller chose."""
    assert inside(tmp_path, "../../x/report.pdf", otherwise="id") == tmp_path / "report.pdf"
    assert inside(str(tmp_path), "..", otherwise="id") == tmp_path / "id"


@pytest.mark.parametrize(
    ("filename", "parts"),
    [
        ("report.pdf", ("report.pdf",)),
        ("data/2025/r.csv", ("data", "2025", "r.csv")),
        ("data\\r.csv", ("data", "r.csv")),
        ("./data//r.csv", ("data", "r.csv")),
        ("data/", ("data",)),
        ("con/nul.txt", ("_con", "_nul.txt")),
        ("ab:c/c?d", ("ab_c", "c_d")),
        ("x/.. /y", ("x", "id", "y")),
        ("", ("id",)),
        (".", ("id",)),
    ],
)
def test_names_with_folders(filename, parts):
    """Each component is made safe on its own."""
    assert safe_parts(filename, otherwise="id") == parts


@pytest.mark.parametrize(
    "filename", ["/x", "\\x", "//server/x", "C:/x", "c:x", "..", "../x", "a/../../x", "a\\..\\x", "x/.."]
)
def test_names_that_lead_out(filename):
    """Absolute, with a drive, or climbing: refused, not repaired."""
    with pytest.raises(ValueError, match="leads out of its folder"):
        safe_parts(filename, otherwise="id")


@settings(max_examples=80)
@given(filename=NAMES)
def test_any_name_with_folders_stays_inside(filename):
    """Whatever it is, what is not refused lies below the folder."""
    try:
        parts = safe_parts(filename, otherwise="id")
    except ValueError:
        return
    folder = Path("/home/me/folder")
    assert parts
    assert folder in Path(os.path.normpath(folder.joinpath(*parts))).parents
    assert folder.joinpath(*parts).parts == (*folder.parts, *parts)


@pytest.mark.parametrize(
    ("name", "number", "found"),
    [
        ("report.pdf", 2, "report (2).pdf"),
        ("a.tar.gz", 10, "a.tar (10).gz"),
        ("README", 3, "README (3)"),
        (".bashrc", 2, ".bashrc (2)"),
        ("a (2).txt", 3, "a (2) (3).txt"),
    ],
)
def test_numbers(name, number, found):
    """Before the ending, which says what it is."""
    assert numbered(name, number) == found
