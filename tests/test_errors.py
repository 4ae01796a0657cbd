"""The tree of errors: as it is drawn, and as it travels."""

import builtins
import copy
import importlib
import inspect
import pickle
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import openrouter_files as package
from openrouter_files import errors
from openrouter_files.errors import (
    AmbiguousUploadError,
    APIError,
    FilesError,
    IncompleteDownloadError,
    InvalidResponseError,
    SourceError,
    TransportError,
    TransportTimeoutError,
)
from openrouter_files.protocol import failures as statuses

FILE = package.File(id="x", filename="f", size_bytes=1, created_at=datetime(2025, 1, 1, tzinfo=UTC))


def classes():
    """All error classes of the module, by name."""
    return {name: c for name, c in vars(errors).items() if inspect.isclass(c) and issubclass(c, FilesError)}


def drawn():
    """Each class of the drawing with its parent and what stands beside it."""
    parents, found = [], {}
    for line in errors.__doc__.splitlines():
        match = re.fullmatch(r"    ([\u2502\u251c\u2514\u2500 ]*)(\w+Error) +(.*)", line)
        if match:
            depth = len(match[1]) // 4
            parents[depth:] = [match[2]]
            found[match[2]] = (parents[depth - 1] if depth else None, match[3])
    return found


def test_the_drawing_is_the_tree():
    """Each class stands in the drawing under the class that it derives from, and no other does."""
    ours = {
        name: next((b.__name__ for b in c.__bases__ if issubclass(b, FilesError)), None)
        for name, c in classes().items()
    }
    assert {name: parent for name, (parent, _) in drawn().items()} == ours


def test_the_drawing_names_the_statuses():
    """The number beside a class is the status that it stands for."""
    numbers = {name: int(beside) for name, (_, beside) in drawn().items() if beside.isdigit()}
    assert len(numbers) == 10
    assert {name: type(statuses.error(status, {}, b"", 0)).__name__ for name, status in numbers.items()} == dict(
        zip(numbers, numbers, strict=True)
    )


def test_the_drawing_names_the_builtin():
    """Who catches the timeouts of asyncio catches ours; no other error of ours is a builtin one."""
    assert "TimeoutError" in drawn()["TransportTimeoutError"][1]
    builtin = {c for c in vars(builtins).values() if inspect.isclass(c) and issubclass(c, Exception)} - {Exception}
    also = {name: {b.__name__ for b in c.__mro__ if b in builtin} for name, c in classes().items()}
    assert {name: bases for name, bases in also.items() if bases} == {
        "TransportTimeoutError": {"TimeoutError", "OSError"}
    }


def test_every_error_is_public():
    """All of them can be caught by their public names, and end in Error."""
    assert {c.__name__ for c in classes().values()} <= set(package.__all__)
    assert all(name.endswith("Error") for name in classes())


@pytest.mark.parametrize("name", package.__all__)
def test_public_names_are_there_and_documented(name):
    """Every name of ``__all__`` can be imported, and every class of it says in a sentence what it is."""
    found = getattr(package, name)
    if inspect.isclass(found):
        assert found.__doc__
        assert found.__doc__ != getattr(found.__base__, "__doc__", None)
        assert found.__doc__.strip().splitlines()[0].endswith((".", ":", ";")), found.__doc__.splitlines()[0]


def test_public_names_are_all_there():
    """``__all__`` names what the package offers, sorted, each once, and nothing private."""
    assert len(set(package.__all__)) == len(package.__all__)
    assert [n for n in package.__all__ if n.startswith("_")] == ["__version__"]
    here = {n for n, v in vars(package).items() if getattr(v, "__module__", "").startswith("openrouter_files.")}
    assert {n for n in here if not n.startswith("_")} <= set(package.__all__)


@pytest.mark.parametrize("name", ["FilesClient", "Download"])
def test_public_methods_are_documented(name):
    """Each public method and property says what it does."""
    cls = getattr(package, name)
    for attribute, value in inspect.getmembers(cls):
        if not attribute.startswith("_") and (callable(value) or isinstance(value, property)):
            assert value.__doc__, f"{name}.{attribute}"


def test_the_version_is_a_version():
    """Three numbers, perhaps more; the build and the User-Agent read the same."""
    assert re.fullmatch(r"\d+\.\d+\.\d+(?:[.\w]+)?", package.__version__)
    assert importlib.import_module("openrouter_files.version").__version__ == package.__version__


EXAMPLES = [
    FilesError("it failed"),
    APIError("words", status=418),
    *(cls("words", status=400, code=503, metadata={"k": [1]}, retry_after=1.5, request_id="r")
      for cls in classes().values() if issubclass(cls, APIError)),
    TransportError("POST /files: cut"),
    TransportTimeoutError("GET /files: no complete answer in time"),
    InvalidResponseError(["a @ $.b", "c @ $.d"], b"{" * 20_000),
    AmbiguousUploadError("who knows", candidates=[FILE]),
    IncompleteDownloadError("cut", received=3, expected=None),
    SourceError("report.pdf grew"),
]  # fmt: skip


def travelled(error):
    """The error after each of the journeys that errors make."""
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        yield pickle.loads(pickle.dumps(error, protocol))
    yield copy.copy(error)
    yield copy.deepcopy(error)


def named(error):
    return type(error).__name__


@pytest.mark.parametrize("error", EXAMPLES, ids=named)
def test_errors_travel(error):
    """From process to process and as copies, with their text, their attributes and their notes."""
    error.request, error.attempts, error.maybe_processed = ("POST", "/files"), 3, True
    error.add_note("gave up after 3 attempts in 1.0 s")
    for other in travelled(error):
        assert type(other) is type(error)
        assert other is not error
        assert (str(other), other.args, vars(other)) == (str(error), error.args, vars(error))
        assert other.__notes__[-1] == "gave up after 3 attempts in 1.0 s"


@pytest.mark.parametrize("error", EXAMPLES, ids=named)
def test_errors_are_told_in_a_line(error):
    """What str() gives is one line, and not empty."""
    assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize("error", EXAMPLES, ids=named)
def test_errors_can_be_raised_again(error):
    """An error is caught by its class and by the root."""
    with pytest.raises(type(error)) as caught:
        raise error
    assert isinstance(caught.value, FilesError)


def test_an_error_knows_nothing_at_first():
    """Until the call fills it in: no request, no attempts, and nothing was done."""
    error = FilesError("x")
    assert (error.maybe_processed, error.request, error.attempts) == (False, None, 0)
    assert AmbiguousUploadError("x").maybe_processed


def test_a_copy_does_not_share_its_notes_with_the_deep_one():
    """What is added to a deep copy is not added to the original."""
    error = FilesError("x")
    error.add_note("a")
    copy.deepcopy(error).add_note("b")
    assert error.__notes__ == ["a"]


TEXT = st.text(max_size=20)
VALUES = st.recursive(st.none() | st.booleans() | st.integers() | TEXT, lambda i: st.lists(i, max_size=2), max_leaves=3)


@settings(max_examples=80)
@given(
    error=st.builds(
        APIError,
        TEXT,
        status=st.integers(100, 999),
        code=st.none() | st.integers(),
        metadata=st.none() | st.dictionaries(TEXT, VALUES, max_size=2),
        retry_after=st.none() | st.floats(0, 10**9),
        request_id=st.none() | TEXT,
    )
    | st.builds(InvalidResponseError, st.lists(TEXT, max_size=3), st.binary(max_size=30))
    | st.builds(IncompleteDownloadError, TEXT, received=st.integers(), expected=st.none() | st.integers())
    | st.builds(AmbiguousUploadError, TEXT, candidates=st.lists(st.just(FILE), max_size=2))
    | st.builds(TransportTimeoutError, TEXT)
    | st.builds(SourceError, TEXT, VALUES),
    notes=st.lists(TEXT, max_size=2),
)
def test_any_error_travels(error, notes):
    """Whatever an error holds arrives."""
    for note in notes:
        error.add_note(note)
    for other in travelled(error):
        assert (type(other), str(other), other.args, vars(other)) == (type(error), str(error), error.args, vars(error))


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"status": 404}, "404 gone"),
        ({"status": 400, "code": 400}, "400 gone"),
        ({"status": 400, "code": 503}, "400 gone (code 503)"),
        ({"status": 429, "retry_after": 2.0}, "429 gone (retry after 2 s)"),
        ({"status": 429, "retry_after": 0.25}, "429 gone (retry after 0.25 s)"),
        ({"status": 429, "retry_after": 0.0}, "429 gone (retry after 0 s)"),
        ({"status": 500, "request_id": "r-1"}, "500 gone (request id r-1)"),
        (
            {"status": 400, "code": 429, "retry_after": 1, "request_id": "r"},
            "400 gone (code 429) (retry after 1 s) (request id r)",
        ),
    ],
)
def test_what_an_api_error_says(more, text):
    """Status, words, and what helps: the code inside, the wait, the id for support."""
    assert str(APIError("gone", **more)) == text


@pytest.mark.parametrize(("code", "found"), [(None, 404), (404, 404), (0, 0), (503, 503)])
def test_without_a_code_the_status_is_it(code, found):
    """A code of zero is one."""
    assert APIError("x", status=404, code=code).code == found


def test_an_unreadable_answer_says_what_is_wrong():
    """All problems in a line, and no more of the body than is good to keep."""
    error = InvalidResponseError(["a @ $.b", "c @ $.d"], b"x" * 10_001)
    assert str(error) == "unreadable answer: a @ $.b; c @ $.d"
    assert error.problems == ("a @ $.b", "c @ $.d")
    assert error.body == b"x" * 10_000


def test_candidates_do_not_change():
    """A caller's list that grows later does not."""
    candidates = [FILE]
    error = AmbiguousUploadError("x", candidates=candidates)
    candidates.append(FILE)
    assert error.candidates == (FILE,)
