"""The form around a file, read back by parsers that others wrote."""

import email
import email.policy
import io
import re
from contextlib import closing

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol
from hypothesis import example, given, settings
from hypothesis import strategies as st
from python_multipart import MultipartParser, create_form_parser
from werkzeug.formparser import parse_form_data

from openrouter_files.protocol.multipart import encode_filename, frame
from openrouter_files.transport.body import Body

BOUNDARY = "b" * 32
CONTROLS = [chr(c) for c in [*range(32), *range(127, 160)] if chr(c) not in "\r\n"]


def formed(filename="a.txt", content_type=None, boundary=BOUNDARY):
    return frame(filename=filename, content_type=content_type, boundary=boundary)


def escaped(filename):
    """What WHATWG puts on the wire; most parsers leave it at that."""
    return filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def test_the_form_byte_for_byte():
    """One part named ``file``, with its type, between two boundaries."""
    form = formed("dir/a é.txt", "text/plain")
    assert form.content_type == f"multipart/form-data; boundary={BOUNDARY}"
    assert form.head.decode() == (
        f"--{BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="file"; filename="dir/a é.txt"\r\n'
        "Content-Type: text/plain\r\n\r\n"
    )
    assert form.tail == f"\r\n--{BOUNDARY}--\r\n".encode()


@pytest.mark.parametrize(
    ("filename", "sent"),
    [
        ("report.pdf", "report.pdf"),
        ("data/2025/r.csv", "data/2025/r.csv"),
        ("résumé 日本 🎉.txt", "résumé 日本 🎉.txt"),
        ('say "hi".txt', "say %22hi%22.txt"),
        ("a\r\nb\nc\rd", "a%0D%0Ab%0Ac%0Dd"),
        ("100%.txt", "100%.txt"),
        ("a%22b", "a%22b"),
        ("a\\b", "a\\b"),
        ("a'b;c=d,e", "a'b;c=d,e"),
        (" . ", " . "),
        ("\u00a0\u2028\ufeff", "\u00a0\u2028\ufeff"),
        ("x" * 10_000, "x" * 10_000),
    ],
)
def test_filenames_are_escaped_as_browsers_do(filename, sent):
    """Raw UTF-8, slashes and backslashes as they are; only quotes and line ends are escaped."""
    assert encode_filename(filename) == sent
    assert f'filename="{sent}"\r\n'.encode() in formed(filename).head


@pytest.mark.parametrize("control", CONTROLS, ids=lambda c: f"{ord(c):#04x}")
@pytest.mark.parametrize("shape", ["{}", "a{}b", "{}.txt"])
def test_control_characters_are_refused(shape, control):
    """No control character gets into a head; the message shows it escaped."""
    with pytest.raises(ValueError, match="control character") as caught:
        formed(shape.format(control))
    assert control not in str(caught.value)


@pytest.mark.parametrize(
    ("filename", "message"),
    [("", "pass filename="), ("a\ud800", "not Unicode"), ("\udcff.txt", "not Unicode"), ("\udfff", "not Unicode")],
)
def test_names_that_are_no_text_are_refused(filename, message):
    """An empty name, and half a character as it comes from a disk that is not UTF-8, cannot be sent."""
    with pytest.raises(ValueError, match=message):
        formed(filename)


@pytest.mark.parametrize(
    "content_type", ["text/csv", "text/plain; charset=utf-8", "application/vnd.a+json", "a/b;c", "!#$&^_.+-/x"]
)
def test_content_types_travel(content_type):
    """A type and its parameters stand in the part as they were given."""
    assert f"\r\nContent-Type: {content_type}\r\n\r\n".encode() in formed(content_type=content_type).head


@pytest.mark.parametrize("content_type", [None, ""])
def test_without_a_type_it_is_bytes(content_type):
    """The server reads the type from the content anyway."""
    assert b"\r\nContent-Type: application/octet-stream\r\n\r\n" in formed(content_type=content_type).head


@pytest.mark.parametrize(
    "content_type", ["text", "text/", "/csv", "a b/c", "text/csv\r\nX: y", "text/csv; a\nb", "text/é", "a/b;\x7f"]
)  # fmt: skip
def test_types_that_would_break_the_head_are_refused(content_type):
    """A line break or a character that no header takes does not get into the form."""
    with pytest.raises(ValueError, match="is not a content type"):
        formed(content_type=content_type)


@pytest.mark.parametrize("boundary", ["", "a b", "a\r\nb", 'a"', "é", "x" * 71, "a\n"])
def test_boundaries_that_are_none_are_refused(boundary):
    """One to seventy of the characters that need no quotes here."""
    with pytest.raises(ValueError, match="is not a boundary"):
        formed(boundary=boundary)


@pytest.mark.parametrize("boundary", ["b", "x" * 70, "0'()+_,-./:=?Z"])
def test_boundaries_that_are_some(boundary):
    """The bounds of the rule, and all its characters."""
    assert formed(boundary=boundary).tail == f"\r\n--{boundary}--\r\n".encode()


def read_by_werkzeug(form, content):
    body = form.head + content + form.tail
    given = {
        "wsgi.input": io.BytesIO(body),
        "REQUEST_METHOD": "POST",
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": form.content_type,
    }
    fields, files = parse_form_data(given)[1:]
    assert (list(fields), list(files)) == ([], ["file"])
    with closing(files["file"].stream) as stream:
        return files["file"].filename, stream.read()


def read_by_python_multipart(form, content):
    files = []
    parser = create_form_parser({"Content-Type": form.content_type.encode()}, None, files.append)
    parser.write(form.head + content + form.tail)
    parser.finalize()
    (file,) = files
    file.file_object.seek(0)
    with closing(file):
        assert file.field_name == b"file"
        return file.file_name.decode(), file.file_object.read()


def raw_head_by_python_multipart(form, content):
    """The header lines of the one part, not yet taken apart, and its content."""
    lines, data, ended = [b""], [], []

    def header(block, start, end):
        lines[-1] += block[start:end]

    parser = MultipartParser(
        form.content_type.partition("boundary=")[2].encode(),
        {
            "on_header_field": header,
            "on_header_value": header,
            "on_header_end": lambda: lines.append(b""),
            "on_part_data": lambda block, start, end: data.append(block[start:end]),
            "on_part_end": lambda: ended.append("part"),
            "on_end": lambda: ended.append("form"),
        },
    )
    parser.write(form.head + content + form.tail)
    assert ended == ["part", "form"]
    return lines, b"".join(data)


async def read_by_aiohttp(form, content):
    stream = aiohttp.StreamReader(BaseProtocol(None), 2**16)
    stream.feed_data(form.head + content + form.tail)
    stream.feed_eof()
    reader = aiohttp.MultipartReader({"Content-Type": form.content_type}, stream)
    part = await reader.next()
    found = part.filename, bytes(await part.read())
    assert part.name == "file"
    assert await reader.next() is None
    return found


def read_by_the_standard_library(form, content):
    head = f"Content-Type: {form.content_type}\r\n\r\n".encode()
    whole = email.message_from_bytes(head + form.head + content + form.tail, policy=email.policy.compat32)
    (part,) = whole.get_payload()
    return part.get_payload(decode=True)


def without_backslashes(name):
    # Parsers take them for escapes, although WHATWG sends them as they are; see the test of the raw head.
    return name.replace("\\", "")


def aiohttp_can_read(name):
    # It splits at semicolons inside quotes, too, and joins only two pieces again.
    return name.strip("/") and name.count(";") <= 1


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
TRAPS = st.sampled_from(
    ['"', "\r", "\n", "\r\n", "%22", "%", ";", "=", "'", "/", "..", "*", "\\", "filename=", BOUNDARY, "--", " "]
)
NAMES = st.lists(TEXT | TRAPS, min_size=1, max_size=6).map("".join).filter(bool)
LINES = st.sampled_from(
    [b"\r\n", b"\r", b"\n", b"--", b"-", BOUNDARY[:-1].encode(), b"\r\n--" + BOUNDARY[1:].encode(), b"\x00", b"\xff"]
)
CONTENTS = st.binary(max_size=50) | st.lists(LINES, max_size=8).map(b"".join)


def free_of_boundary(content):
    """A boundary drawn at random is in no file; one of b's may be in a made one."""
    return f"--{BOUNDARY}".encode() not in content


CONTENTS = CONTENTS.filter(free_of_boundary)
HOSTILE = [
    '"; filename="other.txt',
    "a\r\n\r\n--" + BOUNDARY + "--\r\n",
    "utf-8''x",
    "=?utf-8?q?x?=",
    "%",
    ";",
    " a ",
    "é",
    "🎉",
]


def hostile(test):
    for name in HOSTILE:
        test = example(name=name, content=b"\r\n--" + BOUNDARY[:-1].encode() + b"\r\nx\r\n--")(test)
    return test


@settings(max_examples=50, deadline=None)
@given(name=NAMES.map(without_backslashes).filter(bool), content=CONTENTS)
@hostile
def test_werkzeug_reads_the_form(name, content):
    """Any name and content come back; this parser undoes the escape of quotes, too."""
    assert read_by_werkzeug(formed(name), content) == (escaped(name).replace("%22", '"'), content)


@settings(max_examples=50, deadline=None)
@given(name=NAMES.map(without_backslashes).filter(bool), content=CONTENTS)
@hostile
def test_python_multipart_reads_the_form(name, content):
    """Any name and content come back, with the escapes as they were sent."""
    assert read_by_python_multipart(formed(name), content) == (escaped(name), content)


@settings(max_examples=50, deadline=None)
@given(name=NAMES.map(without_backslashes).filter(aiohttp_can_read), content=CONTENTS)
async def test_aiohttp_reads_the_form(name, content):
    """Any name with at most one semicolon, and any content, come back; this parser takes leading slashes off."""
    assert await read_by_aiohttp(formed(name), content) == (escaped(name).lstrip("/"), content)


@settings(max_examples=40, deadline=None)
@given(name=NAMES, content=CONTENTS)
@hostile
def test_the_standard_library_reads_the_content(name, content):
    """The mail parser of Python finds one part with the same bytes, whatever the name."""
    assert read_by_the_standard_library(formed(name), content) == content


@settings(max_examples=60)
@given(name=NAMES, content=CONTENTS)
@example(name="a\\", content=b"")
@example(name='\\"', content=b"")
@hostile
def test_any_name_stays_in_its_line(name, content):
    """Whatever the name, the part has two header lines, and the first gives the name back as WHATWG reads it."""
    lines, data = raw_head_by_python_multipart(formed(name), content)
    assert [line.decode() for line in lines] == [
        f'Content-Dispositionform-data; name="file"; filename="{escaped(name)}"',
        "Content-Typeapplication/octet-stream",
        "",
    ]
    assert re.fullmatch(rb'[^"\r\n]*', lines[0].partition(b'filename="')[2][:-1])
    assert data == content


@settings(max_examples=60)
@given(name=st.text(max_size=12) | st.text(st.sampled_from([*CONTROLS, "a", "�", '"', "\n"]), max_size=4))
def test_any_text_is_sent_or_refused(name):
    """Whatever the name, a form is built that can be encoded, or a ValueError says why not."""
    try:
        form = formed(name)
    except ValueError:
        assert not name or any(c in CONTROLS or "\ud800" <= c <= "\udfff" for c in name)
    else:
        assert form.head.count(b"\r\n") == 4


async def pieces_of(content, cut):
    for start in range(0, len(content), cut):
        yield memoryview(content)[start : start + cut]


@settings(max_examples=40, deadline=None)
@given(name=NAMES, content=CONTENTS, cut=st.integers(1, 20))
async def test_the_length_is_known_beforehand(name, content, cut):
    """The Content-Length is said before a byte of the file is read, and is what goes out."""
    body = Body(formed(name), len(content), pieces_of(content, cut))
    promised = body.size
    assert promised == len(b"".join([piece async for piece in body.pieces()]))


async def test_the_length_of_a_large_form():
    """Also when the content does not travel in one write with its form."""
    content = bytes(600_000)
    body = Body(formed("é.bin"), len(content), pieces_of(content, 100_000))
    promised = body.size
    sent = b"".join([piece async for piece in body.pieces()])
    assert promised == len(sent)
    assert read_by_python_multipart(formed("é.bin"), content) == ("é.bin", content)
