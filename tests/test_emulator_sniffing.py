"""What the emulator takes content for."""

import io
import json
import random
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_files.emulator.sniffing import Examination

MP3_FRAME = b"\xff\xfb\x90\x00" + bytes(413)
MPEG2_FRAME = b"\xff\xf3\x40\x00" + bytes(100)


def archive(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for name in names:
            opened.writestr(name, "<xml/>")
    return file.getvalue()


def sniffed(content, piece=1 << 16):
    seen = Examination()
    for start in range(0, len(content), piece):
        seen.see(content[start : start + piece])
    return seen.mime_type(io.BytesIO(content))


OFFICE = "application/vnd.openxmlformats-officedocument."


@pytest.mark.parametrize(
    ("content", "mime_type"),
    [
        (b"%PDF-1.7\n", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "image/png"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
        (b"GIF89a\x01\x00", "image/gif"),
        (b"GIF87a\x01\x00", "image/gif"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"ID3\x04\x00\x00", "audio/mpeg"),
        (MP3_FRAME * 2, "audio/mpeg"),
        (MPEG2_FRAME * 2, "audio/mpeg"),
        (b"fLaC\x00\x00", "audio/flac"),
        (b"OggS\x00\x02", "audio/ogg"),
        (archive("[Content_Types].xml", "word/document.xml"), OFFICE + "wordprocessingml.document"),
        (archive("[Content_Types].xml", "xl/workbook.xml"), OFFICE + "spreadsheetml.sheet"),
        (archive("[Content_Types].xml", "ppt/presentation.xml"), OFFICE + "presentationml.presentation"),
        (b'{"a": 1}', "application/json"),
        (b" \n[1, 2]\n", "application/json"),
        (b'{\n "a": [\n  1\n ]\n}\n', "application/json"),
        (b'{"a": 1}\n{"a": 2}\n', "application/x-ndjson"),
        (b'[1]\r\n\r\n{"a": 2}', "application/x-ndjson"),
        (b"a,b\n1,2\n", "text/csv"),
        (b'name,said\nann,"yes, but"\n', "text/csv"),
        (b"# Title\n\ntext\n", "text/markdown"),
        (b"one\n- two\n", "text/markdown"),
        (b"```\ncode\n```\n", "text/markdown"),
        (b"see [here](https://example.org/)\n", "text/markdown"),
        (b"hello\n", "text/plain"),
        (b"{not json}\n", "text/plain"),
        (b'{"a": NaN}\n', "text/plain"),
        (b"42\n", "text/plain"),
        (b"a,b\n1,2,3\n", "text/plain"),
        (b"a,b\n", "text/plain"),
        (b'"a,b\n1,"2\n', "text/plain"),
        (b'{"a": 1}\nnot json\n', "text/plain"),
        (b"\xef\xbb\xbf[1]", "application/json"),
        ("naïve — 日本\n".encode(), "text/plain"),
        (b"\x1b[31mred\x1b[0m\t\x0c\n", "text/plain"),
        (b"[" * 100_000, "text/plain"),
        (b"[" + b"9" * 5000 + b"]", "application/json"),
    ],
)
def test_content_is_told_by_its_bytes(content, mime_type):
    """Each accepted type is recognised by what is in the file, in whatever pieces it comes."""
    assert sniffed(content) == mime_type
    assert len(content) > 4096 or sniffed(content, piece=1) == mime_type


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isommp42",
        b"\x7fELF\x02\x01\x01\x00",
        random.Random(7).randbytes(4096),
        archive("readme.txt"),
        b"PK\x03\x04 not an archive",
        b"MZ\x90\x00",
        b"\x1f\x8b\x08\x00",
        b"caf\xe9",
        b"caf\xc3",
        "text".encode("utf-16"),
        b"null \x00 byte",
        MP3_FRAME,
        b"\xff\xfb\xf0\x00" + MP3_FRAME,
        b"RIFF\x10\x00\x00\x00AVI LIST",
    ],
)
def test_other_content_has_no_accepted_type(content):
    """Films, programs, archives, other encodings and noise are none of the accepted types."""
    assert sniffed(content) is None


def test_long_text_is_judged_by_its_beginning():
    """Beyond a sample of 512 KiB the first part speaks for the whole."""
    rows = b"a,b\n" * 400_000
    assert sniffed(rows) == "text/csv"
    assert sniffed(b"plain words\n" * 200_000) == "text/plain"
    assert sniffed(b'{"a": 1}\n' * 200_000) == "application/x-ndjson"
    assert sniffed(b'{\n"a": [' + b"1,\n" * 500_000 + b"1]}") == "application/json"
    assert sniffed(b"[" + b'{"a": 1},' * 200_000 + b"1]") == "application/json"
    assert sniffed(b"[" + b"-1.5e3, " * 200_000 + b"1]") == "application/json"
    assert sniffed(b"[ true" + b" , null" * 200_000 + b"]") == "application/json"
    assert sniffed(b"[\r\n  {" + b'"a": 1,' * 200_000 + b"}]") == "application/json"
    assert sniffed(b"[1] is a reference, " + b"as is [2], " * 200_000) == "text/plain"


def test_a_byte_that_is_no_text_counts_wherever_it_is():
    """The last byte of a long text is looked at, too."""
    assert sniffed(b"plain words\n" * 200_000 + b"\x00") is None
    assert sniffed(b"plain words\n" * 200_000 + b"\xc3") is None


def test_a_sample_may_end_inside_a_character():
    """A character that lies across the end of the sample does no harm."""
    assert sniffed(b"x" + "é".encode() * 600_000) == "text/plain"


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=9).map(
        lambda value: [value]
    )
)
def test_json_is_json(value):
    """Any JSON array is recognised."""
    assert sniffed(json.dumps(value, ensure_ascii=False).encode("utf-8", "ignore")) == "application/json"


@given(st.text())
def test_text_always_has_a_type_unless_it_holds_controls(text):
    """Any text is some text, except with the control characters of binary files."""
    controls = set(map(chr, range(32))) - set("\t\n\f\r\x1b")
    content = text.encode()
    if content.startswith((b"%PDF-", b"PK\x03\x04")):
        return
    assert (sniffed(content) is None) == bool(controls & set(text))
