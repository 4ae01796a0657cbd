"""The emulator's own reading of forms, without a socket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_files.emulator.multipart import (
    FormEnded,
    FormReader,
    MalformedFormError,
    PartBegun,
    PartData,
    boundary_of,
)

HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'


def read(*pieces, boundary=b"b"):
    """The parts of a form as (name, filename, data), and whether it ended."""
    reader, parts = FormReader(boundary), []
    for piece in pieces:
        for event in reader.feed(piece):
            match event:
                case PartBegun():
                    parts.append([event.name, event.filename, b""])
                case PartData():
                    parts[-1][2] += event.data
                case FormEnded():
                    pass
    return [tuple(part) for part in parts], reader.ended


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data; boundary="a b:c"', b"a b:c"),
        ("Multipart/Form-Data;charset=utf-8;Boundary=----x", b"----x"),
        ("multipart/form-data; boundary=\udcff\udcfe", b"\xff\xfe"),
    ],
)
def test_a_boundary_is_announced_in_the_content_type(content_type, boundary):
    """Quoted or not, in any case, among other parameters."""
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/mixed; boundary=b", "multipart/form-data"])
def test_without_a_boundary_it_is_no_form(content_type):
    """Another content type, or a form that announces no boundary, cannot be read."""
    with pytest.raises(MalformedFormError):
        boundary_of(content_type)


@given(
    content=st.binary() | st.lists(st.sampled_from([b"\r\n", b"--", b"b", b"-", b"\r", b"\n--b"])).map(b"".join),
    sizes=st.lists(st.integers(1, 9)),
)
def test_the_pieces_of_a_body_do_not_matter(content, sizes):
    """However a body is cut into pieces, the part's bytes are the same."""
    if b"\r\n--b" in b"\r\n" + content:
        return
    body, pieces = HEAD + content + b"\r\n--b--\r\n", []
    for size in sizes:
        pieces.append(body[:size])
        body = body[size:]
    assert read(*pieces, body) == ([("file", "a", content)], True)


def test_fields_and_files_come_in_order():
    """A form may hold more than the file; a field has no filename."""
    field = b"--b\r\ncontent-disposition: form-data; name=purpose\r\n\r\nbatch\r\n"
    file = HEAD + b"hello\r\n--b--\r\nepilogue"
    assert read(b"preamble\r\n" + field + file) == ([("purpose", None, b"batch"), ("file", "a", b"hello")], True)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("dir/a é.txt".encode(), "dir/a é.txt"),
        (b"a%22b%0D%0Ac", 'a"b\r\nc'),
        (b"50%25 %2F %0a", "50%25 %2F %0a"),
        (b"a;b=c", "a;b=c"),
        (b"", ""),
    ],
)
def test_filenames_are_unescaped_as_browsers_escape_them(raw, name):
    """Raw UTF-8; `%22`, `%0D` and `%0A` are decoded, nothing else is."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="' + raw + b'"\r\n\r\n'
    assert read(head + b"x\r\n--b--")[0] == [("file", name, b"x")]


@pytest.mark.parametrize(
    "body",
    [
        HEAD.replace(b"Content-Disposition", b"Content-Type") + b"x\r\n--b--",
        HEAD.replace(b"form-data", b"attachment") + b"x\r\n--b--",
        HEAD.replace(b'name="file"; ', b"") + b"x\r\n--b--",
        HEAD.replace(b'"a"', b'"a\\"b"') + b"x\r\n--b--",
        HEAD.replace(b'"a"', b'"\xff"') + b"x\r\n--b--",
        HEAD + b"x\r\n--bad--",
        HEAD.replace(b"\r\n\r\n", b"\r\nX: " + b"y" * 20_000 + b"\r\n\r\n") + b"x\r\n--b--",
        HEAD.replace(b"\r\n\r\n", b"\r\nX: " + b"y" * 20_000),
    ],
)
def test_a_malformed_form_is_told(body):
    """A part without its header, with a backslash escape, not in UTF-8, with an endless head or a broken boundary."""
    with pytest.raises(MalformedFormError):
        read(body)


@pytest.mark.parametrize("body", [b"", b"--b", HEAD, HEAD + b"x", HEAD + b"x\r\n--b", HEAD + b"x\r\n--b\r\n"])
def test_a_form_without_its_closing_boundary_has_not_ended(body):
    """A body that stops early is no complete form."""
    assert not read(body)[1]
