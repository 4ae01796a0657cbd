"""Answers that say no, and how long they ask to wait."""

import json
import math
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import openrouter_files as package
from openrouter_files import APIError, ServerError
from openrouter_files.options import TRANSIENT_STATUSES, Options
from openrouter_files.protocol import requests as operations
from openrouter_files.protocol.failures import decisive, error, retry_after
from openrouter_files.transport import retry as call
from openrouter_files.transport.http import Reply

NOW = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
JSON = {"content-type": "application/json"}

CLASSES = {
    400: package.BadRequestError,
    401: package.AuthenticationError,
    402: APIError,
    403: package.PermissionDeniedError,
    404: package.NotFoundError,
    405: APIError,
    408: APIError,
    409: APIError,
    413: package.PayloadTooLargeError,
    418: APIError,
    422: APIError,
    429: package.RateLimitError,
    499: package.ClientClosedRequestError,
    500: package.InternalServerError,
    501: ServerError,
    502: package.BadGatewayError,
    503: package.ServiceUnavailableError,
    504: ServerError,
    524: ServerError,
    529: ServerError,
    599: ServerError,
    304: APIError,
    302: APIError,
    102: APIError,
    600: APIError,
    999: APIError,
}
OPERATIONS = {
    "list": operations.list_files(Options()),
    "upload": operations.upload_file(Options()),
    "retrieve": operations.retrieve_file(Options(), "x"),
    "delete": operations.delete_file(Options(), "x"),
}


def envelope(status, message="words", **more):
    return json.dumps({"error": {"code": status, "message": message, **more}, "user_id": None}).encode()


def meant(status, body=b"", headers=JSON):
    return error(status, headers, body, NOW)


@pytest.mark.parametrize(("status", "cls"), CLASSES.items())
@pytest.mark.parametrize("body", [b"", b"<html>", None], ids=["empty", "html", "envelope"])
def test_every_status_has_its_class(status, cls, body):
    """The class follows the status, whatever the body."""
    found = meant(status, envelope(status) if body is None else body)
    assert type(found) is cls
    assert (found.status, found.code) == (status, status)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize("status", sorted(CLASSES))
def test_the_table_holds_for_every_operation(operation, status):
    """No operation has statuses of its own, and the error names the request."""
    with pytest.raises(CLASSES[status]) as caught:
        call.read(operation, Reply(status=status, headers=JSON, body=envelope(status), sends=1, hide=bytes))
    assert type(caught.value) is CLASSES[status]
    assert caught.value.request == (operation.request.method, operation.request.path)


@pytest.mark.parametrize("status", [500, 502, 504, 524, 529])
def test_a_failed_server_may_have_done_it(status):
    """After a 5xx nobody knows whether a POST or DELETE was done; a GET did nothing."""
    assert call.failure(OPERATIONS["upload"].request, status, JSON, b"", bytes).maybe_processed
    assert call.failure(OPERATIONS["delete"].request, status, JSON, b"", bytes).maybe_processed
    assert not call.failure(OPERATIONS["list"].request, status, JSON, b"", bytes).maybe_processed


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 429, 499])
def test_a_refusal_did_nothing(status):
    """A 4xx says that it was not done."""
    assert not call.failure(OPERATIONS["upload"].request, status, JSON, b"", bytes).maybe_processed


def test_an_unavailable_server_did_nothing():
    """A 503 declines: nothing was stored."""
    assert not call.failure(OPERATIONS["upload"].request, 503, JSON, b"", bytes).maybe_processed


@pytest.mark.parametrize("code", sorted(TRANSIENT_STATUSES))
def test_a_400_may_wrap_what_failed_further_up(code):
    """Then the class follows the code inside, and the status stays what it was."""
    found = meant(400, envelope(code))
    assert type(found) is CLASSES[code]
    assert (found.status, found.code) == (400, code)
    assert f"(code {code})" in str(found)


@pytest.mark.parametrize("code", [0, 1, 401, 403, 404, 413, 501, 999, -1])
def test_a_400_with_another_code_is_a_bad_request(code):
    """Only transient failures are wrapped; another number is the server's own affair, but kept."""
    found = meant(400, envelope(code))
    assert type(found) is package.BadRequestError
    assert found.code == code


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_only_a_400_wraps(status):
    """A status that says what it means is not overruled by its body."""
    assert type(meant(status, envelope(502))) is CLASSES[status]
    assert decisive(status, 502) == status


@pytest.mark.parametrize("code", ["503", 503.0, True, None, [503], {"code": 503}])
def test_a_code_that_is_no_number(code):
    """Only an integer is a code; all else leaves the status alone."""
    found = meant(400, envelope(code))
    assert type(found) is package.BadRequestError
    assert found.code == 400


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (envelope(404, "No such file"), "No such file"),
        (b'{"type":"error","error":{"type":"not_found_error","message":"gone"}}', "gone"),
        (b'{"error":{"message":"only words"}}', "only words"),
        (envelope(404, "  two\r\nlines\t and \x0b more\u2028 "), "two lines and more"),
        (envelope(404, "x" * 500), "x" * 500),
        (envelope(404, "x" * 501), "x" * 500 + "..."),
        (envelope(404, "word " * 1_000_000), ("word " * 100)[:500] + "..."),
        (envelope(404, ""), "Not Found"),
        (envelope(404, " \n "), "Not Found"),
        (envelope(404, None), "Not Found"),
        (envelope(404, ["a"]), "Not Found"),
        (b'{"error": "a string"}', "Not Found"),
        (b'{"error": null}', "Not Found"),
        (b'{"error": []}', "Not Found"),
        (b'{"detail": "FastAPI"}', "Not Found"),
        (b"[]", "Not Found"),
        (b"null", "Not Found"),
        (b"5", "Not Found"),
        (b"", "Not Found"),
        (b'{"error": {"mess', "Not Found"),
        (b"[" * 100_000, "Not Found"),
        (b'{"error":{"code":' + b"9" * 5_000 + b"}}", "Not Found"),
        (b"\xff\xfe\x00", "Not Found"),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_the_message_is_a_line(body, message):
    """The server's words in one line of at most 500 characters, or the name of the status."""
    found = meant(404, body)
    assert type(found) is package.NotFoundError
    assert found.message == message
    assert str(found) == f"404 {message}"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("text/html", "Not Found (the answer is text/html, not JSON)"),
        ("text/html; charset=utf-8", "Not Found (the answer is text/html, not JSON)"),
        ("application/json", "Not Found"),
        ("application/problem+json", "Not Found"),
        ("", "Not Found"),
        (" ; ", "Not Found"),
        ("text/\udcff\x1b[31m", "Not Found (the answer is text/ [31m, not JSON)"),
    ],
)
def test_an_answer_that_is_not_json_says_what_it_is(kind, message):
    """A page of a proxy or a wrong base URL is told apart from the API's own answer."""
    assert meant(404, b"<html><body>long page", {"content-type": kind}).message == message


@pytest.mark.parametrize(
    ("status", "location", "message"),
    [
        (302, "https://other.example/a", "Found: the redirect to other.example is not followed"),
        (308, "/login", "Permanent Redirect: the redirect to elsewhere is not followed"),
        (301, "", "Moved Permanently"),
        (404, "https://other.example/a", "Not Found"),
        (302, "https://o\udcff\x1bther.example/a", "Found: the redirect to o ther.example is not followed"),
    ],
)
def test_a_redirect_that_is_not_followed_says_where_it_leads(status, location, message):
    """The host only: a storage link may be a secret."""
    assert meant(status, b"", {"location": location}).message == message


@pytest.mark.parametrize("location", ["http://[", "//[::1", "https://a]b/"])
def test_a_redirect_to_nowhere(location):
    """A Location that is no URL is still an answer with its status."""
    assert meant(302, b"", {"location": location}).status == 302


def test_a_redirect_with_a_login_keeps_it():
    """A password in a Location does not get into a message."""
    assert "secret" not in str(meant(302, b"", {"location": "https://user:secret@other.example/"}))


def test_an_unknown_status_says_so():
    """A status that nobody registered has words, too."""
    assert str(meant(799)) == "799 unknown status"


def test_metadata():
    """What the server adds is kept as it came; anything but an object is none."""
    assert meant(400, envelope(400, metadata={"k": [1]})).metadata == {"k": [1]}
    assert meant(400, envelope(400, metadata=None)).metadata == {}
    assert meant(400, envelope(400, metadata="x")).metadata == {}


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, None),
        ({"x-request-id": "a", "cf-ray": "b"}, "a"),
        ({"cf-ray": "b", "request-id": "c"}, "c"),
        ({"x-generation-id": "d", "cf-ray": "b"}, "d"),
        ({"cf-ray": "b"}, "b"),
        ({"x-request-id": " ", "cf-ray": "b"}, "b"),
        ({"x-request-id": "a\udcffb\x1b[31m"}, "a b [31m"),
        ({"x-request-id": "\udcff"}, None),
    ],
)
def test_what_to_quote_to_support(headers, found):
    """The best of the ids that the answer carries."""
    assert meant(500, b"", headers).request_id == found


DATE = datetime(2025, 1, 1, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("1", 1),
        ("120", 120),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("2.", 2),
        ("999999999", 999_999_999),
        ("Wed, 01 Jan 2025 00:01:00 GMT", 60),
        ("Wednesday, 01-Jan-25 00:01:00 GMT", 60),
        ("Tue, 31 Dec 2024 23:59:00 GMT", 0),
        ("Wed, 01 Jan 2025 01:01:00 +0100", 60),
    ],
)
def test_how_long_to_wait(value, seconds):
    """Seconds, or one of the date forms; what lies behind us is no wait."""
    assert retry_after({"retry-after": value}, NOW) == seconds


@pytest.fixture
def move(monkeypatch):
    """Moves this machine to another time zone for the length of a test."""

    def to(zone):
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield to
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("zone", "value"),
    [
        ("America/New_York", "Wed, 01 Jan 2025 00:01:00 GMT"),
        ("America/New_York", "Wednesday, 01-Jan-25 00:01:00 GMT"),
        ("UTC", "Wed Jan  1 00:01:00 2025"),
        ("America/New_York", "Wed Jan  1 00:01:00 2025"),
        ("Asia/Tokyo", "Wed Jan  1 00:01:00 2025"),
        ("Asia/Tokyo", "Wed, 01 Jan 2025 00:01:00 -0000"),
    ],
)
def test_dates_are_universal(move, zone, value):
    """All three forms of RFC 9110 mean the same moment wherever the client runs."""
    move(zone)
    assert retry_after({"retry-after": value}, NOW) == 60


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "-5", "+5", "inf", "Infinity", "nan", "soon", "1e3", "0x10", "1,5", "1 2", "1_000", ".5"),
        *("9" * 16, "9" * 30, "9" * 5_000, "\u0665", "\uff15", "\u00b2", "5\u0660", "1\x00"),
        *("Wed", ", ", "Wed,", "GMT", "Wed, 99 Foo 2025", ":::", "1 Jan", "01 Jan 2025"),
        *("Wed, 01 Jan 2025 99:99:99 GMT",),
        *("Wed, 31 Feb 2025 00:00:00 GMT", "Wed, 01 Jan 99999 00:00:00 GMT", "Wed, 01 Jan 2025 00:01:00 +999999"),
    ],
    ids=lambda value: repr(value[:40]),
)  # fmt: skip
def test_what_says_nothing_about_waiting(value):
    """Nonsense is as good as nothing, and never an exception."""
    found = retry_after({"retry-after": value}, NOW)
    assert found is None or (value == "01 Jan 2025" and found == 0)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "0"}, 0),
        ({"retry-after-ms": "1.5"}, 0.0015),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"retry-after-ms": "-1", "retry-after": "9"}, 9),
        ({"retry-after-ms": "", "retry-after": "9"}, 9),
        ({"retry-after-ms": "Wed, 01 Jan 2025 00:01:00 GMT"}, None),
        ({}, None),
    ],
)
def test_milliseconds_win(headers, seconds):
    """``retry-after-ms`` counts before ``Retry-After``, if it can be read."""
    assert retry_after(headers, NOW) == seconds


WORDS = st.sampled_from(
    [
        *(
            "Wed",
            ",",
            "01",
            "Jan",
            "2025",
            "25",
            "00:01:00",
            ":",
            "-",
            ".",
            "9",
            "am",
            "pm",
            "\x00",
            "(",
            ")",
            "\u0665",
        ),
        *("GMT", "EST", "+0100", "-0000", "+9999", "Z"),
    ]
)


@settings(max_examples=150)
@given(value=st.text(max_size=40) | st.lists(WORDS, max_size=9).map(" ".join), name=st.sampled_from(["", "-ms"]))
@example(value="0 0 0 0 0", name="")
def test_any_text_asks_for_a_wait_or_for_none(value, name):
    """Whatever the header holds, the answer is a finite number of seconds, or None."""
    found = retry_after({f"retry-after{name}": value}, NOW)
    assert found is None or (math.isfinite(found) and found >= 0)


@given(seconds=st.integers(-(10**9), 10**9))
def test_dates_and_seconds_agree(seconds):
    """A date is as far away as the clock says."""
    value = format_datetime(datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=seconds), usegmt=True)
    assert retry_after({"retry-after": value}, NOW) == max(0, seconds)


ENVELOPE_KEYS = st.sampled_from(["error", "code", "message", "metadata", "x"])
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ENVELOPE_KEYS, inner),
    max_leaves=8,
)
BODIES = (
    st.binary(max_size=30) | ANY_JSON.map(lambda v: json.dumps(v).encode()) | st.builds(envelope, ANY_JSON, ANY_JSON)
)


@settings(max_examples=80)
@given(status=st.integers(100, 999), body=BODIES)
def test_any_body_keeps_the_status(status, body):
    """Whatever a bad answer holds, it is an error of its status, told in one line."""
    found = meant(status, body)
    assert isinstance(found, APIError)
    assert found.status == status
    assert isinstance(found.code, int)
    assert len(str(found).splitlines()) == 1
