"""JSON into models, by tables and by any JSON there is."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cattrs import ClassValidationError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openrouter_files import DeletedFile, File, FilePage, InvalidResponseError, PageToken
from openrouter_files.protocol import responses as converter
from openrouter_files.protocol.responses import read_as as read

MODELS = [File, FilePage, DeletedFile]

SEED = {
    "id": "file_011CNha8iCJcU1wXNR6q4V8w",
    "type": "file",
    "filename": "document.pdf",
    "mime_type": "application/pdf",
    "size_bytes": 1024000,
    "created_at": "2025-01-01T00:00:00Z",
    "downloadable": False,
}
OPENROUTER = {"_shape": "openrouter", **SEED, "id": "or_file_011CNha8iCJcU1wXNR6q4V8w"}
ANTHROPIC = {**OPENROUTER, "_shape": "anthropic"}
OPENAI = {
    "_shape": "openai",
    "id": "or_file_011CNha8iCJcU1wXNR6q4V8w",
    "object": "file",
    "bytes": 1024000,
    "created_at": 1735689600,
    "filename": "document.pdf",
    "purpose": "user_data",
    "status": "processed",
}
SHAPES = {"seed": SEED, "openrouter": OPENROUTER, "openai": OPENAI, "anthropic": ANTHROPIC}
NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)


def body_of(value):
    return json.dumps(value).encode()


def outcome(cls, body):
    """The model that an answer is read into, or the error that says why not."""
    try:
        return read(cls, body)
    except InvalidResponseError as error:
        return error


def problems(cls, value):
    """What is wrong with an answer, or with bytes that are none."""
    with pytest.raises(InvalidResponseError) as caught:
        read(cls, value if isinstance(value, bytes) else body_of(value))
    return caught.value.problems


@pytest.mark.parametrize("raw", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("named", [True, False], ids=["_shape", "no _shape"])
def test_every_shape_reads_into_one_file(raw, named):
    """Whatever the shape, and whether or not it is named, what all shapes say comes out the same."""
    raw = raw if named else {k: v for k, v in raw.items() if k != "_shape"}
    file = read(File, body_of(raw))
    assert (file.id, file.filename, file.size_bytes, file.created_at) == (
        raw["id"],
        "document.pdf",
        1_024_000,
        NEW_YEAR,
    )
    assert file.extra == {}


@pytest.mark.parametrize("shape", ["seed", "openrouter", "anthropic"])
def test_shapes_with_a_media_type(shape):
    """These say what the content is and whether it may be downloaded, and have no purpose or status."""
    file = read(File, body_of(SHAPES[shape]))
    assert (file.mime_type, file.downloadable, file.purpose, file.status) == ("application/pdf", False, None, None)


def test_the_openai_shape():
    """This one has a purpose and a status, and leaves open what the content is and whether it may be downloaded."""
    file = read(File, body_of(OPENAI))
    assert (file.mime_type, file.downloadable, file.purpose, file.status) == (None, None, "user_data", "processed")


def test_an_unknown_shape_is_read_by_its_keys():
    """A name for the shape that is new stands in nobody's way."""
    assert read(File, body_of(OPENROUTER | {"_shape": "gemini"})) == read(File, body_of(OPENROUTER))
    assert read(File, body_of(OPENAI | {"_shape": ["?"]})) == read(File, body_of(OPENAI))


@pytest.mark.parametrize(
    ("sent", "read_as"),
    [
        ({"bytes": 7}, 7),
        ({"size_bytes": 7}, 7),
        ({"bytes": 5, "size_bytes": 7}, 7),
        ({"bytes": "lots", "size_bytes": 0}, 0),
    ],
)
def test_the_size_has_two_names(sent, read_as):
    """``bytes`` counts where ``size_bytes`` is missing, and never beside it."""
    raw = {k: v for k, v in OPENROUTER.items() if k != "size_bytes"} | sent
    assert read(File, body_of(raw)).size_bytes == read_as


@pytest.mark.parametrize(
    ("sent", "moment"),
    [
        ("2025-01-01T00:00:00Z", NEW_YEAR),
        ("2025-01-01T00:00:00.000Z", NEW_YEAR),
        ("2025-01-01T02:30:00+02:30", NEW_YEAR),
        ("2024-12-31T19:00:00-05:00", NEW_YEAR),
        ("2025-01-01T00:00:00", NEW_YEAR),
        ("2025-01-01 00:00:00", NEW_YEAR),
        ("2025-01-01", NEW_YEAR),
        ("2025-01-01T00:00:00.25Z", NEW_YEAR + timedelta(milliseconds=250)),
        ("2025-01-01t00:00:00z", NEW_YEAR),
        ("2025-01-01T00:00:00.000001Z", NEW_YEAR + timedelta(microseconds=1)),
        ("2025-01-01T00:00:00.0000014Z", NEW_YEAR + timedelta(microseconds=1)),
        ("2025-01-01T00:00:00.0000015Z", NEW_YEAR + timedelta(microseconds=2)),
        ("2024-12-31T23:59:59.999999999Z", NEW_YEAR),
        ("2025-01-01T01:00:00.0000019+01:00", NEW_YEAR + timedelta(microseconds=2)),
        (1735689600, NEW_YEAR),
        (1735689600.5, NEW_YEAR + timedelta(milliseconds=500)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_are_aware(sent, moment):
    """ISO 8601 with Z, an offset or none (then it is UTC), or Unix seconds; to the nearest microsecond."""
    file = read(File, body_of(OPENROUTER | {"created_at": sent}))
    assert file.created_at == moment
    assert file.created_at.utcoffset() is not None


def test_an_offset_is_kept():
    """The time is not moved to UTC: what the server said stays visible."""
    file = read(File, body_of(OPENROUTER | {"created_at": "2025-01-01T02:30:00+02:30"}))
    assert file.created_at.tzinfo == timezone(timedelta(hours=2, minutes=30))


@pytest.mark.parametrize("missing", ["mime_type", "downloadable", "purpose", "status", "type", "object", "_shape"])
@pytest.mark.parametrize("raw", SHAPES.values(), ids=SHAPES)
def test_what_may_be_missing_may_be_null(raw, missing):
    """Nothing but the four fields that make a file is required, and null says as much as absence."""
    without = {k: v for k, v in raw.items() if k != missing}
    assert read(File, body_of(without)) == read(File, body_of(raw | {missing: None}))


def test_unknown_fields_are_kept():
    """They are in ``extra`` as they came, and what the model says already is not."""
    extra = {"sha256": "ab", "expires_at": None, "nested": {"a": [1, 2.5]}, "extra": "x", "bytes_left": 1}
    assert read(File, body_of(OPENROUTER | extra)).extra == extra
    assert read(File, body_of(OPENAI | extra)).extra == extra


def test_unknown_fields_stay_out_of_equality_and_sight():
    """A field of next year makes no other file, and does not clutter its repr."""
    plain, more = read(File, body_of(OPENROUTER)), read(File, body_of(OPENROUTER | {"sha256": "ab"}))
    assert plain == more
    assert hash(plain) == hash(more)
    assert "sha256" not in repr(more)
    assert "extra" not in repr(more)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("id", 5, "expected str, got int @ $.id"),
        ("id", None, "expected str, got NoneType @ $.id"),
        ("filename", ["a"], "expected str, got list @ $.filename"),
        ("filename", None, "expected str, got NoneType @ $.filename"),
        ("size_bytes", "lots", "expected int, got str @ $.size_bytes"),
        ("size_bytes", "12", "expected int, got str @ $.size_bytes"),
        ("size_bytes", 12.0, "expected int, got float @ $.size_bytes"),
        ("size_bytes", True, "expected int, got bool @ $.size_bytes"),
        ("created_at", True, "expected a time, got bool @ $.created_at"),
        ("created_at", {}, "expected a time, got dict @ $.created_at"),
        ("created_at", "soon", "Invalid isoformat string: 'soon' @ $.created_at"),
        ("mime_type", 1, "expected str, got int @ $.mime_type"),
        ("downloadable", "no", "expected bool, got str @ $.downloadable"),
        ("downloadable", 0, "expected bool, got int @ $.downloadable"),
        ("purpose", {}, "expected str, got dict @ $.purpose"),
        ("status", False, "expected str, got bool @ $.status"),
    ],
)
def test_what_is_there_is_strict(field, value, problem):
    """No value is bent to fit: the wrong type is a problem that names its path."""
    assert problems(File, OPENROUTER | {field: value}) == (problem,)


@pytest.mark.parametrize("field", ["id", "filename", "size_bytes", "created_at"])
def test_what_is_required(field):
    """Each of the four is named when it is missing."""
    raw = {k: v for k, v in OPENROUTER.items() if k != field}
    assert problems(File, raw) == (f"required field missing @ $.{field}",)


@pytest.mark.parametrize("field", ["size_bytes", "created_at"])
def test_what_the_server_does_not_know_is_none(field):
    """A null hides neither the file nor the others of its page."""
    page = converter.structure({"data": [OPENROUTER, OPENROUTER | {field: None}]}, FilePage)
    assert [getattr(file, field) is None for file in page.data] == [False, True]
    assert converter.structure(OPENAI | {"bytes": None}, File).size_bytes is None


def test_paths_speak_the_language_of_the_answer():
    """Where the answer says ``bytes``, so does the path."""
    assert problems(File, OPENAI | {"bytes": "lots"}) == ("expected int, got str @ $.bytes",)
    assert problems(FilePage, {"data": [OPENAI | {"bytes": "9"}]}) == ("expected int, got str @ $.data[0].bytes",)


def test_all_problems_are_named():
    """Not only the first one, and inside a page each with its place."""
    page = {"data": [OPENROUTER, {"id": 1, "filename": "f", "size_bytes": 1}, 5]}
    assert set(problems(FilePage, page)) == {
        "expected str, got int @ $.data[1].id",
        "required field missing @ $.data[1].created_at",
        "expected an object, got int @ $.data[2]",
    }


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        ({}, "required field missing @ $.data"),
        ({"data": None}, "expected an array @ $.data"),
        ({"data": {}}, "expected an array @ $.data"),
        ({"data": "files"}, "expected an array @ $.data"),
        ([], "expected an object, got list @ $"),
        (None, "expected an object, got NoneType @ $"),
    ],
)
def test_what_is_no_page(page, problem):
    """An answer without an array of files is no page, not an empty one."""
    assert problems(FilePage, page) == (problem,)


def test_a_page():
    """It holds the files in the order of the answer, and where the next page starts."""
    page = read(FilePage, body_of({"data": [OPENAI, SEED], "cursor": "abc", "next": "not ours"}))
    assert page == FilePage(
        data=(read(File, body_of(OPENAI)), read(File, body_of(SEED))), next=PageToken("cursor", "abc")
    )


def test_an_empty_page():
    """No files and nowhere to go."""
    page = {"_shape": "anthropic", "data": [], "has_more": False, "first_id": None, "last_id": None}
    assert read(FilePage, body_of(page)) == FilePage(data=(), next=None)


@pytest.mark.parametrize(
    "receipt",
    [
        {"id": "x"},
        {"id": "x", "type": "file_deleted"},
        {"_shape": "openrouter", "id": "x", "type": "file_deleted"},
        {"_shape": "anthropic", "id": "x", "type": "file_deleted"},
        {"_shape": "openai", "id": "x", "object": "file", "deleted": True},
    ],
)
def test_receipts(receipt):
    """All shapes of a receipt say which file is gone."""
    assert read(DeletedFile, body_of(receipt)) == DeletedFile(id="x")


@pytest.mark.parametrize("said", [False, None, "true", 1])
def test_a_receipt_that_takes_it_back(said):
    """A receipt that does not plainly say ``deleted`` where it says something is none."""
    assert problems(DeletedFile, {"id": "x", "deleted": said}) == ("the server says it did not delete @ $.deleted",)


@pytest.mark.parametrize("cls", MODELS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"<html>not found</html>",
        b'{"id": "or_fi',
        b'{"id": "x",}',
        b"\xff\xfe\xfa",
        b"[" * 100_000,
        b'{"data":' * 100_000,
        b"9" * 5_000,
        b'{"size_bytes":' + b"9" * 5_000 + b"}",
        b"nul",
        b"\x00",
        b'{"id": "\\u12"}',
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_not_json(cls, body):
    """Empty, cut, damaged, bottomless and numberless answers are unreadable answers, with their body kept."""
    with pytest.raises(InvalidResponseError, match=r"not JSON: .* @ \$") as caught:
        read(cls, body)
    assert caught.value.body == body[:10_000]


@pytest.mark.parametrize(
    "created_at",
    ["1e999", "-1e999", "NaN", "1e300", "-1e300", "9" * 400, "99999999999999", "-99999999999999", '"99999-01-01"'],
)
def test_times_out_of_this_world(created_at):
    """What no calendar holds is a problem of that field."""
    body = body_of(OPENROUTER | {"created_at": 0}).replace(b'"created_at": 0', f'"created_at": {created_at}'.encode())
    assert [p.rpartition(" @ ")[2] for p in problems(File, body)] == ["$.created_at"]


@pytest.mark.parametrize("depth", [500, 5_000])
def test_deep_nesting_in_unknown_fields(depth):
    """What is nested too deeply to be read is an unreadable answer; what can be read is kept."""
    body = body_of(OPENROUTER)[:-1] + b', "deep": ' + b"[" * depth + b"]" * depth + b"}"
    found = outcome(File, body)
    assert "nested too deeply" in str(found) if isinstance(found, InvalidResponseError) else "deep" in found.extra


def test_the_error_keeps_the_id():
    """The body of an unreadable answer is kept, so that the id of what was stored is not lost."""
    with pytest.raises(InvalidResponseError) as caught:
        read(File, body_of(OPENROUTER | {"size_bytes": "lots"}))
    assert OPENROUTER["id"].encode() in caught.value.body


def one_line(text):
    return len(text.splitlines()) == 1 and text.isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
KEYS = st.sampled_from([*OPENROUTER, *OPENAI, "data", "cursor", "has_more", "last_id", "deleted", "next", "extra"])
SOUND = st.sampled_from(list(SHAPES.values()))


def spoiled(value):
    """A sound object with some of its fields replaced by anything, or gone."""
    changes = st.dictionaries(KEYS, JSON | SOUND, max_size=3)
    return st.builds(lambda raw, new, gone: {k: v for k, v in {**raw, **new}.items() if k not in gone},
                     value, changes, st.sets(KEYS, max_size=1))  # fmt: skip


FILES = SOUND | spoiled(SOUND)
PAGES = spoiled(st.fixed_dictionaries({"data": st.lists(FILES | JSON, max_size=3)}))
ANSWERS = JSON | FILES | PAGES


@settings(max_examples=120)
@given(value=ANSWERS, cls=st.sampled_from(MODELS))
@example(value={"id": "x", "deleted": float("nan")}, cls=DeletedFile)
@example(value={"data": [{"bytes": float("inf")}]}, cls=FilePage)
def test_any_json_is_read_or_unreadable(value, cls):
    """Whatever JSON a server may send becomes the model, or one kind of error, with paths."""
    found = outcome(cls, body_of(value))
    if isinstance(found, InvalidResponseError):
        assert found.problems
        assert all(" @ $" in problem for problem in found.problems), found.problems
        assert one_line(str(found))
    else:
        assert type(found) is cls


@settings(max_examples=60)
@given(body=st.binary(max_size=60) | st.builds(lambda v, n: body_of(v)[:n], ANSWERS, st.integers(0, 80)))
@pytest.mark.parametrize("cls", MODELS)
def test_any_bytes_are_read_or_unreadable(cls, body):
    """Bytes that are no JSON, or the beginning of some, raise nothing else either."""
    found = outcome(cls, body)
    assert type(found) is cls or found.body == body


def structured(structure, value, cls):
    try:
        return structure(value, cls)
    except (*converter.READING_ERRORS, ClassValidationError):
        return None


@settings(max_examples=120)
@given(value=ANSWERS, cls=st.sampled_from(MODELS))
def test_the_fast_converter_and_the_detailed_one_agree(value, cls):
    """What the fast one reads, the detailed one reads as the same; what it refuses, the other refuses."""
    fast = structured(converter._fast.structure, value, cls)
    assert fast == structured(converter._detailed().structure, value, cls)


@pytest.mark.parametrize(
    ("cls", "value"),
    [
        (File, OPENROUTER | {"created_at": "x" * 100_000}),
        (FilePage, {"data": [{}] * 1000}),
    ],
    ids=["a long value", "many problems"],
)
def test_an_unreadable_answer_is_told_in_a_line(cls, value):
    """However much is wrong, the message stays one that a person can read."""
    with pytest.raises(InvalidResponseError) as caught:
        read(cls, body_of(value))
    assert len(str(caught.value)) < 3_000
