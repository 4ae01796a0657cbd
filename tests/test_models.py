"""What the API talks about, as values."""

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest
from attrs import evolve, fields
from attrs.exceptions import FrozenInstanceError

from openrouter_files import ContainerFile, DeletedFile, File, FilePage, PageToken, Progress

FILE = File(id="x", filename="data/r.csv", size_bytes=7, created_at=datetime(2025, 1, 1, tzinfo=UTC))
VALUES = [
    FILE,
    evolve(FILE, mime_type="text/csv", downloadable=True, extra={"a": [1]}),
    PageToken("cursor", "c"),
    FilePage(data=(FILE,), next=PageToken("after", "x")),
    FilePage(data=()),
    DeletedFile(id="x"),
    Progress(done=1, total=None),
]


def named(value):
    return type(value).__name__


@pytest.mark.parametrize("value", VALUES, ids=named)
def test_models_cannot_be_changed(value):
    """They are values: setting a field, or a new one, is an error."""
    for attribute in fields(type(value)):
        with pytest.raises(FrozenInstanceError):
            setattr(value, attribute.name, None)
    with pytest.raises((FrozenInstanceError, AttributeError)):
        value.another = 1


@pytest.mark.parametrize("value", VALUES, ids=named)
def test_models_travel(value):
    """They survive pickling and copying with all their fields, and can be members of sets."""
    for other in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
        assert other == value
        assert [getattr(other, a.name) for a in fields(type(value))] == [
            getattr(value, a.name) for a in fields(type(value))
        ]
        assert len({other, value}) == 1


@pytest.mark.parametrize("cls", [File, FilePage, DeletedFile, Progress])
def test_fields_have_names(cls):
    """Nothing is told apart by its position."""
    with pytest.raises(TypeError):
        cls("x")


def test_what_a_file_needs():
    """Four fields; what an answer may leave out is None, and nothing is unknown."""
    assert [getattr(FILE, n) for n in ("mime_type", "downloadable", "purpose", "status")] == [None] * 4
    assert FILE.extra == {}
    for name in ("id", "filename", "size_bytes", "created_at"):
        given = {n: getattr(FILE, n) for n in ("id", "filename", "size_bytes", "created_at") if n != name}
        with pytest.raises(TypeError, match=name):
            File(**given)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "y"},
        {"filename": "r.csv"},
        {"size_bytes": 8},
        {"created_at": datetime(2025, 1, 2, tzinfo=UTC)},
        {"mime_type": "text/csv"},
        {"downloadable": False},
        {"purpose": "batch"},
        {"status": "processed"},
    ],
)
def test_files_differ_by_what_is_known(change):
    """Each known field counts."""
    assert evolve(FILE, **change) != FILE
    assert next(iter(change)) in repr(evolve(FILE, **change))


def test_files_do_not_differ_by_what_is_unknown():
    """``extra`` is neither compared nor shown."""
    more = evolve(FILE, extra={"secret": 1})
    assert more == FILE
    assert hash(more) == hash(FILE)
    assert repr(more) == repr(FILE)


@pytest.mark.parametrize("cls", [File, ContainerFile])
@pytest.mark.parametrize(
    "change",
    [
        lambda extra: extra.__setitem__("a", 1),
        lambda extra: extra.setdefault("a", 1),
        lambda extra: extra.update(a=1),
        lambda extra: extra.__ior__({"a": 1}),
    ],
)
def test_nothing_unknown_stays_nothing(cls, change):
    """Files that share the same empty ``extra`` cannot get at each other through it; it is a dict for all else."""
    given = {"id": "a", "size_bytes": 1, "created_at": FILE.created_at}
    file = cls(**given, filename="a") if cls is File else cls(**given, path="a", container_id="c")
    for extra in (file.extra, copy.deepcopy(file).extra, pickle.loads(pickle.dumps(file)).extra):
        with pytest.raises(TypeError, match="cannot be changed"):
            change(extra)
        assert json.dumps(extra) == "{}"
        assert extra == {}


def test_the_same_moment_is_the_same_file():
    """An offset changes how a time is written, not which it is."""
    there = datetime(2025, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert evolve(FILE, created_at=there) == FILE


def test_a_page_ends_by_default():
    """A page that says nothing of a next one is the last."""
    assert FilePage(data=()).next is None


def test_tokens_differ_by_their_parameter():
    """The same id as ``after`` and as ``after_id`` leads to different questions."""
    assert PageToken("after", "x") != PageToken("after_id", "x")
    assert len({PageToken("after", "x"), PageToken("after", "x"), PageToken("after_id", "x")}) == 2
