"""Pages read by a pattern: what it reads is what json and the converter read, and it reads what servers send."""

import json
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from raw_server import FILE

from openrouter_files import File, FilePage
from openrouter_files.contract import alike
from openrouter_files.contract.converter import READING_ERRORS, structure
from openrouter_files.contract.reading import read

AROUND = {"cursor": "abc", "has_more": True, "first_id": "or_file_1", "last_id": "or_file_1", "_shape": "openrouter"}
MORE, LESS = {"sha256": "00"}, {key: value for key, value in FILE.items() if key != "mime_type"}
COMPACT, SPACED = (",", ":"), (", ", ": ")

TEXTS = st.text(max_size=8) | st.sampled_from(
    ['"', "\\", '","id":"', '"data":[', "}", "},{", "data", "\u00a0", "\x7f", "\n"]
)
NUMBERS = st.integers(-1, 10**20) | st.just(1.0)
MOMENTS = (
    st.builds(lambda moment, zone: moment.isoformat() + zone, st.datetimes(), st.sampled_from(["Z", "z", "+00:00", ""]))
    | st.sampled_from(["2026-11-20T12:34:56.1234567Z", "20261120T123456.1234567Z", "2026-11-20Z", "Z"])
    | TEXTS
)
CHANGES = {
    "id": TEXTS,
    "filename": TEXTS,
    "mime_type": TEXTS | st.none(),
    "size_bytes": NUMBERS,
    "created_at": MOMENTS,
    "downloadable": st.booleans() | st.none(),
    "type": TEXTS | st.none(),
    "_shape": st.sampled_from(["openrouter", "anthropic", "openai", "", None]),
}
FILES = st.sampled_from([*CHANGES]).flatmap(lambda key: CHANGES[key].map(lambda value: FILE | {key: value}))
ODD = st.dictionaries(st.sampled_from([*FILE, "sha256", "data"]), TEXTS | NUMBERS | st.none(), max_size=1)
REST = st.dictionaries(st.sampled_from([*AROUND, "total", "data"]), TEXTS | st.none() | st.just([]) | st.just([FILE]))


def body_of(page, separators=COMPACT, **how):
    return json.dumps(page, separators=separators, **how).encode("utf-8", "surrogatepass")


TWO = body_of({"data": [FILE, FILE | {"id": "b", "size_bytes": 2}]})


def same(listed, page):
    """Whether a page comes to the same when its files are made; that they can be made was proven before."""
    return listed.last_id == page.data[-1].id and listed.whole() == page


def agree(body):
    """Whether the pattern reads what the converter reads, or leaves it alone."""
    try:
        quick = alike.read(body)
    except ValueError:
        return True
    try:
        return quick is None or same(quick, structure(json.loads(body, strict=False), FilePage))
    except READING_ERRORS:
        return False


PAGES = st.builds(
    lambda files, odd, order, before, after: {
        **before,
        "data": [{key: file[key] for key in order} for file in files] + [FILE | odd] * bool(odd),
        **after,
    },
    files=st.lists(FILES, min_size=1, max_size=3),
    odd=ODD,
    order=st.permutations(list(FILE)),
    before=REST,
    after=REST,
)


@settings(max_examples=500)
@given(page=PAGES, separators=st.sampled_from([COMPACT, SPACED, (" , ", " : ")]), escaped=st.booleans())
def test_a_page_is_the_same_by_pattern(page, separators, escaped):
    """Whatever is in the files and around them, in whatever order and spaces."""
    assert agree(body_of(page, separators, ensure_ascii=escaped))


@given(st.lists(FILES, min_size=1, max_size=3), st.data())
def test_a_spoilt_page_is_not_read(files, draw):
    """One byte more, one less, or another one: never another page than json would find."""
    body = bytearray(body_of({"data": files, **AROUND}, ensure_ascii=False))
    at = draw.draw(st.integers(0, len(body) - 1))
    with_it = draw.draw(st.sampled_from([b"", b'"', b",", b"[", b"]", b"{", b"}", b"\\", b"0", b" ", b"\n", b"\xff"]))
    body[at : at + draw.draw(st.integers(0, 1))] = with_it
    assert agree(bytes(body))


@pytest.mark.parametrize("separators", [COMPACT, SPACED])
@pytest.mark.parametrize("order", [list(FILE), sorted(FILE)])
@pytest.mark.parametrize(
    "change", [{}, {"mime_type": None}, {"downloadable": None}, {"filename": "é \U0001f600 '}{[],:"}]
)
def test_what_servers_send_is_read_by_pattern(separators, order, change):
    """Compact or not, in any order of the keys, with any text that needs no escapes; here nothing is left to json."""
    data = [{key: (FILE | change | {"id": f"or_file_{n}"})[key] for key in order} for n in range(3)]
    for page in ({"data": data, **AROUND}, {**AROUND, "data": data}, {"data": data[:1], "cursor": None}):
        for ending in (b"", b"\n", b" \r\n"):
            body = body_of(page, separators, ensure_ascii=False) + ending
            assert same(alike.read(body), structure(json.loads(body, strict=False), FilePage))
            assert all(type(file) is File for file in alike.read(body).data)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"data":[]}',
        body_of([{"data": [FILE]}]),
        body_of({"page": {"data": [FILE]}, "cursor": None}),
        body_of({"page": {"data": [FILE]}, "data": []}),
        body_of({"data": [FILE]})[:-1] + b',"data":[]}',
        body_of({"data": [FILE]})[:-1] + b',"d\\u0061ta":[]}',
        body_of({"data": [FILE]})[:-1],
        body_of({"data": [FILE]}) + b"}",
        body_of({"data": [FILE]}) + b"\x0b",
        b'{"data":[5]}',
        b'{"data":["{"]}',
        *(body_of({"data": data}) for data in ([FILE | MORE, FILE], [FILE, FILE | MORE], [LESS, FILE], [FILE, LESS])),
        body_of({"data": [FILE | {"size_bytes": -1}, FILE]}),
        body_of({"data": [FILE, dict(reversed(FILE.items()))]}),
        TWO.replace(b',"id":"b"', b',"id":"b","id":"c"'),
        TWO.replace(b":2,", b":02,"),
        TWO.replace(b":2,", b":-0,"),
        TWO.replace(b":2,", b":2.0,"),
        TWO.replace(b"}]", b"},]"),
        TWO.replace(b"},{", b"}{"),
        TWO.replace(b'"b"', b'"\\u0062"'),
        b"\xef\xbb\xbf" + body_of({"data": [FILE]}),
        json.dumps({"data": [FILE]}).encode("utf-16"),
        b'{"a":' + b"[" * 100_000 + b',"data":[' + body_of(FILE) + b"]}",
    ],
)
def test_what_is_not_alike_is_left_to_json(body):
    """Nothing is found where json would find something else, or nothing at all."""
    with suppress(ValueError, RecursionError):
        assert alike.read(body) is None


@pytest.mark.parametrize("odd", ["\x00", "\n", "\t", "\x1f"])
def test_a_control_character_in_a_name_does_no_harm(odd):
    """JSON has them escaped; who does not escape them is understood all the same, with a pattern and without."""
    body = TWO.replace(b'"b"', f'"{odd}"'.encode())
    assert [file.id for file in alike.read(body).data] == [FILE["id"], odd]
    assert same(alike.read(body), read(FilePage, body))
    assert read(File, body_of(FILE).replace(FILE["id"].encode(), odd.encode())).id == odd


@example(body=b'{"data":[{')
@given(st.binary(max_size=40))
def test_anything_else_is_left_to_json(body):
    """Bytes from anywhere."""
    assert agree(body)
