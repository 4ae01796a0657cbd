"""The API key: who hands it out, and who gets to see it."""

import asyncio
import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_files import FilesClient
from openrouter_files.transport.key import Key

SECRET = "sk-or-v1-0123456789abcdef"


class Rotating:
    """Hands out a key of its own to each request."""

    def __init__(self):
        self.asked = 0

    def now(self):
        self.asked += 1
        return f"key-{self.asked}"

    async def soon(self):
        await asyncio.sleep(0)
        return self.now()

    def __call__(self):
        return self.now()


@pytest.mark.parametrize(
    "given",
    [
        SECRET,
        f"  {SECRET}\n",
        f"Bearer {SECRET}",
        f"bearer {SECRET}",
        f"BEARER   {SECRET} ",
        f" Bearer {SECRET}",
    ],
)
async def test_a_key_is_sent_as_bearer(given):
    """With the prefix once, whether or not it was given, and without the space around it."""
    assert await Key(given).bearer() == f"Bearer {SECRET}"
    assert await Key(lambda: given).bearer() == f"Bearer {SECRET}"


@pytest.mark.parametrize("given", ["bearer", "Bearer-token", "a", "!~"])
async def test_what_only_begins_like_the_prefix_is_a_key(given):
    """The prefix ends with a space."""
    assert await Key(given).bearer() == f"Bearer {given}"


@pytest.mark.parametrize("source", ["now", "soon", "__call__"])
async def test_a_function_is_asked_for_each_request(source):
    """Sync or async, a method or an object that can be called."""
    rotating = Rotating()
    key = Key(getattr(rotating, source) if source != "__call__" else rotating)
    assert rotating.asked == 0
    assert [await key.bearer(), await key.bearer()] == ["Bearer key-1", "Bearer key-2"]


async def test_what_returns_an_awaitable_is_awaited():
    """A partial or a lambda around an async function is no async function itself."""
    rotating = Rotating()
    assert await Key(lambda: rotating.soon()).bearer() == "Bearer key-1"  # noqa: PLW0108
    assert await Key(functools.partial(rotating.soon)).bearer() == "Bearer key-2"


REFUSED = ["", " ", "\n", "a b", "a\nb", "a\r\nX: y", "a\tb", "a\x00", "a\x7f", "clé", "\u200bkey", "k\ud800"]


@pytest.mark.parametrize("key", REFUSED)
async def test_keys_that_are_none(key):
    """A text that cannot travel is refused at once, one of a function when it is asked."""
    with pytest.raises(ValueError, match="the API key is empty or holds characters that no key has"):
        Key(key)
    with pytest.raises(ValueError, match="the API key is empty"):
        await Key(lambda: key).bearer()


@pytest.mark.parametrize("key", ["Bearer ", " bearer  "])
def test_a_prefix_without_a_key(key):
    """``f"Bearer {key}"`` of an empty key is an empty key."""
    with pytest.raises(ValueError, match="the API key is empty"):
        Key(key)


@pytest.mark.parametrize("key", [f"{SECRET}\n{SECRET}", f"Bearer {SECRET} {SECRET}", f"{SECRET}é"])
async def test_a_refused_key_is_not_shown(key):
    """Neither in the message nor in what led to it."""
    for make in (lambda: Key(key), lambda: FilesClient(key)):
        with pytest.raises(ValueError, match="the API key") as caught:
            make()
        assert SECRET[:10] not in str(caught.value) + repr(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None
    with pytest.raises(ValueError, match="the API key") as caught:
        await Key(lambda: key).bearer()
    assert SECRET[:10] not in repr(caught.value)


@pytest.mark.parametrize("key", [None, 5, b"sk-or", ["sk-or"]])
async def test_keys_are_text(key):
    """Anything but a str, or a function that returns one, is a TypeError that does not show it."""
    with pytest.raises(TypeError, match="api_key is a str or a function") as caught:
        Key(key)
    assert "sk-or" not in str(caught.value)
    with pytest.raises(TypeError, match="an API key is a str") as caught:
        await Key(lambda: key).bearer()
    assert "sk-or" not in str(caught.value)


async def test_what_a_function_raises_comes_through():
    """The caller's own error is the caller's."""

    def fails():
        raise LookupError("no key in the vault")

    with pytest.raises(LookupError, match="vault"):
        await Key(fails).bearer()


@pytest.mark.parametrize("key", [SECRET, lambda: SECRET], ids=["text", "function"])
def test_a_key_is_not_shown(key):
    """No repr holds it, neither of the key nor of the client."""
    for holder in (Key(key), FilesClient(key)):
        for shown in (repr(holder), str(holder), f"{holder}"):
            assert SECRET not in shown
    assert repr(Key(key)) == "Key(***)"


@settings(max_examples=80)
@given(text=st.text(max_size=8) | st.text(st.sampled_from("Bearr \t\nkey\x7fé"), max_size=12))
async def test_any_text_is_a_key_or_refused(text):
    """Whatever the text, the header is one that can travel, or a ValueError says no more than that."""
    try:
        sent = await Key(text).bearer()
    except ValueError as error:
        assert len(text) < 3 or text not in str(error)  # noqa: PT017  # both outcomes are right
        return
    assert sent.startswith("Bearer ")
    assert all("!" <= c <= "~" for c in sent.removeprefix("Bearer "))
    assert sent.removeprefix("Bearer ") in text
