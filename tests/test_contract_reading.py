"""Bytes into models: what msgspec reads is what the converter reads, and long pages are read in steps."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from raw_server import FILE

from openrouter_files import ContainerFile, File, FilePage, InvalidResponseError
from openrouter_files.models import ContainerPage
from openrouter_files.protocol.responses import READING_ERRORS, read_page, structure
from openrouter_files.protocol.responses import read_as as read

pytest.importorskip("msgspec", reason="what msgspec reads is compared, and it is not installed")

SOME = st.sampled_from([None, True, False, 0, 1, -1, 1.0, 2**70, 1e300, "", "2026-11-20T12:34:56", "é\x7f", [], {}])
TIMES = st.datetimes().map(lambda moment: moment.isoformat()) | st.from_regex(
    r"20\d\d-[01]\d-[0-3]\d[Tt ][012]\d:[0-5]\d(:[0-6]\d)?(\.\d{1,9})?([Zz]|[+-]0\d:?00)?", fullmatch=True
)
KEYS = st.sampled_from([*FILE, "bytes", "object", "status", "checksum"])
FILES = st.builds(
    lambda changes, gone, time: {k: v for k, v in (FILE | time | changes).items() if k not in gone},
    st.dictionaries(KEYS, SOME, max_size=2), st.sets(KEYS, max_size=1), st.builds(lambda t: {"created_at": t}, TIMES),
)  # fmt: skip
PAGES = st.builds(
    lambda data, rest: {"data": data} | rest,
    st.lists(FILES, max_size=3),
    st.dictionaries(
        st.sampled_from(["cursor", "has_more", "first_id", "last_id", "_shape", "object", "total"]),
        st.sampled_from([None, True, False, "", " ", "abc", "openai", "anthropic", "openrouter", 3]),
        max_size=4,
    ),
)


def outcome(reader):
    """What a reader makes of an answer; None if it cannot be read."""
    try:
        return reader()
    except (InvalidResponseError, *READING_ERRORS):
        return None


def agree(cls, body):
    """Whether what msgspec parses is read as what the standard library parses."""
    return outcome(lambda: read(cls, body)) == outcome(lambda: structure(json.loads(body, strict=False), cls))


@settings(max_examples=300)
@given(value=FILES)
@example(value=FILE)
@example(value=FILE | {"created_at": "2026-11-20T12:34:56.1234567Z"})
@example(value=FILE | {"created_at": "2026-11-20t12:34:56.1234564z"})
@example(value=FILE | {"created_at": "2026-12-31T23:59:59.9999995-01:30"})
@example(value=FILE | {"_shape": "anthropic"})
@example(value=FILE | {"_shape": "openai"})
@example(value=FILE | {"type": "folder"})
def test_a_file_is_the_same_with_msgspec(value):
    """Whatever is missing, new or of another type in a file."""
    assert agree(File, json.dumps(value).encode())


@settings(max_examples=200)
@given(value=PAGES)
@example(value={"data": [FILE], "cursor": "abc", "has_more": True, "first_id": "or_file_1", "last_id": "or_file_1"})
@example(value={"data": [FILE], "has_more": True, "last_id": "or_file_1"})
def test_a_page_is_the_same_with_msgspec(value):
    """Whatever a page says about the next one, and whatever is in it."""
    assert agree(FilePage, json.dumps(value).encode())


@pytest.mark.parametrize(
    "text",
    [
        '{"size_bytes": 1.0}',
        '{"size_bytes": 1e3}',
        '{"size_bytes": 1E400}',
        '{"size_bytes": NaN}',
        '{"size_bytes": 123456789012345678901234567890}',
        '{"size_bytes": -0}',
        '{"id": "a", "id": "b"}',
        '{"id": "\\ud800"}',
        '{"id": "\\ud83d\\ude00"}',
        '{"id": "a\tb"}',
        '{"id": "\\u0000"}',
        '{"downloadable": null}',
    ],
)
def test_odd_json_is_the_same_with_msgspec(text):
    """Numbers, escapes and repeated keys that parsers disagree about."""
    whole = json.dumps(FILE)[:-1] + ", " + text[1:]
    for body in (
        whole.encode(),
        b"\xef\xbb\xbf" + whole.encode(),
        whole.encode("utf-16"),
        whole.encode() + b" \n",
        b"",
    ):
        assert agree(File, body)


def steps(cls, value):
    """How often the reading of a page paused, and what it came to."""
    reading, pauses = read_page(cls, json.dumps(value).encode()), 0
    while True:
        try:
            next(reading)
        except StopIteration as end:
            return pauses, end.value
        pauses += 1


@pytest.mark.parametrize("count", [0, 1, 127, 128, 129, 1000])
def test_a_long_page_is_read_in_steps(count):
    """In as many as it takes, and to the same page."""
    value = {"data": [FILE | {"id": f"or_file_{n}"} for n in range(count)], "cursor": "abc", "total": count}
    pauses, page = steps(FilePage, value)
    assert page == read(FilePage, json.dumps(value).encode())
    assert pauses == 1 + -(-count // 128)


def test_a_page_of_a_container_is_read_in_steps():
    """Likewise."""
    inside = {"id": "cfile_1", "container_id": "c", "path": "a.txt", "bytes": 3, "created_at": 1763640000}
    pauses, page = steps(ContainerPage, {"data": [inside] * 200, "has_more": False})
    assert (pauses, len(page.data), type(page.data[0])) == (3, 200, ContainerFile)


def test_a_page_of_bad_rows_tells_of_the_first():
    """What is wrong with a hundred thousand rows need not be said of each; the error stays small."""
    with pytest.raises(InvalidResponseError) as caught:
        steps(FilePage, {"data": [FILE] * 200 + [{"id": "x" * 5000, "bytes": "y" * 5000}] * 1000})
    assert caught.value.problems[0] == "required field missing @ $.data[200].filename"
    assert len(caught.value.problems) <= 100
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("piece", [b"[],", b"{},", b"0,", b'{"a":{"b":{}}},'])
def test_json_of_too_many_pieces_is_refused(piece):
    """A short answer can be made of so many values that to read it would hold up everything else."""
    body = b'{"data": [' + piece * 250_000 + b"0]}"
    with pytest.raises(InvalidResponseError, match="more than 200000 values") as caught:
        list(read_page(FilePage, body))
    assert caught.value.body == body[:10_000]
    with pytest.raises(InvalidResponseError, match="more than 200000 values"):
        read(File, body)


def test_the_size_is_taken_from_where_it_is_known():
    """Of two names for the size of a file, one that says null does not hide the other."""
    assert read(File, json.dumps(FILE | {"size_bytes": None, "bytes": 7}).encode()).size_bytes == 7
    assert read(File, json.dumps(FILE | {"size_bytes": 7, "bytes": None}).encode()).size_bytes == 7


@pytest.mark.parametrize("value", [{"data": [FILE] * 200 + [{}]}, {"data": {}}, [], {}, {"data": None}, None, "x"])
def test_an_unreadable_page_says_the_same_in_steps(value):
    """With the place of what is wrong counted from the beginning of the page."""
    with pytest.raises(InvalidResponseError) as at_once:
        read(FilePage, json.dumps(value).encode())
    with pytest.raises(InvalidResponseError) as in_steps:
        steps(FilePage, value)
    assert in_steps.value.problems == at_once.value.problems
