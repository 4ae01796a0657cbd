"""A caller's choices: what is taken, what is refused, what is shown."""

import copy
import math
import pickle
import string

import pytest
from attrs import fields
from attrs.exceptions import FrozenInstanceError
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_files import NO_RETRIES, TRANSIENT_STATUSES, CallOptions, Options, RetryPolicy, Timeouts
from openrouter_files.options import check_header

NOT_FINITE = [math.inf, -math.inf, math.nan]


def test_what_holds_when_nothing_is_said():
    """The defaults, as they are documented."""
    assert Timeouts() == Timeouts(connect=30, idle=60, answer=120)
    assert RetryPolicy() == RetryPolicy(
        attempts=5, first_delay=0.5, max_delay=30, deadline=None, statuses=TRANSIENT_STATUSES, ambiguous="reconcile"
    )
    assert Options() == Options(workspace_id=None, provider=None, timeouts=Timeouts(), retry=RetryPolicy(), headers={})
    assert {408, 429, 500, 502, 503, 504, 524, 529} == TRANSIENT_STATUSES
    assert (NO_RETRIES.attempts, NO_RETRIES.ambiguous) == (1, "raise")


@pytest.mark.parametrize("value", [None, 0.001, 1, 10**6])
@pytest.mark.parametrize("name", ["connect", "idle", "answer"])
def test_timeouts(name, value):
    """A positive number of seconds, or None for ever."""
    assert getattr(Timeouts(**{name: value}), name) == value


@pytest.mark.parametrize("value", [0, -1, -0.0, *NOT_FINITE])
@pytest.mark.parametrize("name", ["connect", "idle", "answer"])
def test_timeouts_that_are_none(name, value):
    """The message names what was wrong."""
    with pytest.raises(ValueError, match=f"{name} must be a positive number of seconds"):
        Timeouts(**{name: value})


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        *(({"attempts": n}, "attempts must be at least 1") for n in (0, -1)),
        *(({"first_delay": n}, "first_delay must be zero or more") for n in (-1, *NOT_FINITE)),
        *(({"max_delay": n}, "max_delay must be zero or more") for n in (-0.1, *NOT_FINITE)),
        *(({"deadline": n}, "deadline must be a positive") for n in (0, -1, *NOT_FINITE)),
        *(({"ambiguous": v}, "ambiguous must be 'reconcile', 'repeat' or 'raise'") for v in ("", "Repeat", None)),
    ],
)
def test_policies_that_make_no_sense(choice, message):
    """They are refused when they are made, not when something fails."""
    with pytest.raises(ValueError, match=message):
        RetryPolicy(**choice)


@pytest.mark.parametrize(
    "choice",
    [
        {"attempts": 1},
        {"first_delay": 0},
        {"max_delay": 0},
        {"deadline": 0.1},
        {"ambiguous": "raise"},
        {"statuses": ()},
    ],
)
def test_policies_at_their_bounds(choice):
    """One attempt, no delay and no status are choices, too."""
    assert RetryPolicy(**choice) != RetryPolicy()


def test_statuses_are_a_set():
    """Any iterable of numbers does."""
    assert RetryPolicy(statuses=[503, 503]).statuses == frozenset({503})


@pytest.mark.parametrize("provider", [None, "openai", "anthropic"])
def test_providers(provider):
    """OpenRouter's storage, or one of two others."""
    assert Options(provider=provider).provider == provider


@pytest.mark.parametrize("provider", ["", "OpenAI", "google", 5])
def test_unknown_providers(provider):
    """A provider that the API does not know is a mistake of the caller."""
    with pytest.raises(ValueError, match="provider must be"):
        Options(provider=provider)


OWN = ["Authorization", "Connection", "Content-Length", "Content-Type", "Host", "Transfer-Encoding", "Accept-Encoding"]


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("spelt", [str.lower, str.upper, str.swapcase, str])
def test_own_headers_are_refused(name, spelt):
    """What the client says itself cannot be said otherwise, however it is spelt."""
    with pytest.raises(ValueError, match="is the client's own"):
        Options(headers={spelt(name): "x"})


@pytest.mark.parametrize("name", ["", " ", "a b", " a", "a:", "a\r\nb", "a\0", "a\x7f", "\x01", "é", "a\t", "\u2028"])
def test_names_that_are_no_header_names(name):
    """Nothing gets into a head that could end a line of it."""
    with pytest.raises(ValueError, match="is not a header name"):
        Options(headers={name: "x"})


@pytest.mark.parametrize("name", list('(),/;<=>?@[]{}"\\'))
def test_names_with_delimiters(name):
    """RFC 9110, 5.6.2: these separate names and are in none; servers answer 400 to them."""
    with pytest.raises(ValueError, match="is not a header name"):
        Options(headers={f"a{name}b": "x"})


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\n", "\r", "\0", "a\0b"])
def test_values_that_would_end_the_line(value):
    """The message names the header and does not hold its value."""
    with pytest.raises(ValueError, match="the value of header X-Secret holds") as caught:
        Options(headers={"X-Secret": f"hush{value}"})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("value", ["\x01", "a\x1b[2J", "\x7f", "\ud800"], ids=ascii)
def test_values_that_no_header_takes(value):
    """RFC 9110, 5.5: no control character but the tab; and half a character cannot be encoded."""
    with pytest.raises(ValueError, match="X-A"):
        Options(headers={"X-A": value})


def test_header_names_are_text():
    """Anything but a str is a TypeError."""
    with pytest.raises(TypeError):
        Options(headers={5: "x"})


@pytest.mark.parametrize("value", [5, b"x"])
def test_header_values_are_text(value):
    """Anything but a str is a TypeError."""
    with pytest.raises(TypeError):
        Options(headers={"X-A": value})


@pytest.mark.parametrize("value", ["", "x", "a b\tc", "é", "日本", '"quoted"; q=1'])
def test_values_that_travel(value):
    """Everything that stays on its line."""
    check_header("anthropic-version", value)
    assert Options(headers={"anthropic-version": value}).headers == {"anthropic-version": value}


@settings(max_examples=60)
@given(name=st.text(max_size=5), value=st.text(max_size=5))
def test_any_header_is_taken_or_refused(name, value):
    """Whatever it is, it is taken as it is or refused with a ValueError, and never ends its line."""
    try:
        headers = Options(headers={name: value}).headers
    except ValueError:
        return
    assert headers == {name: value}
    assert not set("\r\n\0") & set(name + value)
    assert set(name) <= set(string.printable) - set(string.whitespace)


def test_values_of_headers_are_not_shown():
    """They may be secrets; their names are not."""
    shown = repr(Options(headers={"X-Secret": "hush", "X-A": "quiet"}))
    assert "['X-A', 'X-Secret']" in shown
    assert "hush" not in shown
    assert "quiet" not in shown


@pytest.mark.parametrize("value", [Timeouts(), RetryPolicy(), Options()], ids=lambda v: type(v).__name__)
def test_choices_are_values(value):
    """They cannot be changed, and are equal if they say the same."""
    for attribute in fields(type(value)):
        with pytest.raises(FrozenInstanceError):
            setattr(value, attribute.name, getattr(value, attribute.name))
    assert value == type(value)()


def test_headers_cannot_be_changed():
    """Neither through the options nor through the dict that they were made of."""
    given = {"X-A": "1"}
    options = Options(headers=given)
    given["Authorization"] = "x"
    with pytest.raises(TypeError):
        options.headers["X-B"] = "2"
    assert options.headers == {"X-A": "1"}


@pytest.mark.parametrize("cls", [Timeouts, RetryPolicy, Options])
def test_choices_have_names(cls):
    """Nothing is told apart by its position."""
    with pytest.raises(TypeError):
        cls(1)


BASE = Options(workspace_id="w", headers={"X-A": "1"})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"workspace_id": None},
        {"workspace_id": "v", "provider": "openai"},
        {"timeouts": Timeouts(idle=None)},
        {"retry": NO_RETRIES},
        {"headers": {"X-B": "2"}},
        {"headers": {}},
    ],
)
def test_replace(changes):
    """What is named changes, headers as a whole; the rest and the original stay."""
    found = BASE.replace(changes)
    for attribute in fields(Options):
        assert getattr(found, attribute.name) == changes.get(attribute.name, getattr(BASE, attribute.name))
    assert Options(workspace_id="w", headers={"X-A": "1"}) == BASE


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"provider": "google"}, ValueError),
        ({"headers": {"host": "x"}}, ValueError),
        ({"headers": {"X-A": "\n"}}, ValueError),
        ({"workspace": "w"}, TypeError),
    ],
)
def test_replace_checks(changes, error):
    """A change is refused as the same choice would be at first."""
    with pytest.raises(error):
        BASE.replace(changes)


def test_the_keywords_of_a_call_are_the_fields_of_options():
    """``with_options`` offers what Options has."""
    assert set(CallOptions.__annotations__) == {attribute.name for attribute in fields(Options)}


@pytest.mark.parametrize("value", [Timeouts(idle=5), RetryPolicy(attempts=2), NO_RETRIES], ids=repr)
def test_choices_travel(value):
    """Timeouts and policies survive pickling and copying, and can be keys."""
    assert pickle.loads(pickle.dumps(value)) == value == copy.deepcopy(value)
    assert hash(value) == hash(copy.copy(value))


@pytest.mark.parametrize("journey", [lambda o: pickle.loads(pickle.dumps(o)), copy.deepcopy, lambda o: (hash(o), o)[1]])
def test_options_travel(journey):
    """So do options: a job hands them to its workers."""
    assert journey(BASE) == BASE
