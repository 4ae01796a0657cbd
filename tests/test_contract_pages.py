"""Where the next page starts, and the walk from page to page."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_files import File, FilePage, InvalidResponseError, PageToken
from openrouter_files.protocol.responses import next_container_page, next_page
from openrouter_files.transfers.listing import walk

MORE = {"data": [], "has_more": True, "first_id": "a", "last_id": "z"}
LAST = MORE | {"has_more": False}


@pytest.mark.parametrize(
    ("page", "token"),
    [
        # the default shape and the seed's: the cursor alone decides
        (MORE | {"cursor": "c"}, PageToken("cursor", "c")),
        (MORE | {"_shape": "openrouter", "cursor": "c"}, PageToken("cursor", "c")),
        (LAST | {"_shape": "openrouter", "cursor": "c"}, PageToken("cursor", "c")),
        ({"cursor": "c"}, PageToken("cursor", "c")),
        (MORE | {"cursor": " c "}, PageToken("cursor", " c ")),
        (MORE | {"_shape": "openrouter", "cursor": None}, PageToken("after", "z")),
        (MORE | {"_shape": "openrouter", "cursor": ""}, PageToken("after", "z")),
        (MORE | {"_shape": "openrouter", "cursor": " \t"}, PageToken("after", "z")),
        (MORE | {"_shape": "openrouter", "cursor": 5}, PageToken("after", "z")),
        (MORE | {"_shape": "openrouter"}, PageToken("after", "z")),
        (MORE | {"cursor": None}, PageToken("after", "z")),
        # the OpenAI shape
        (MORE | {"_shape": "openai"}, PageToken("after", "z")),
        (MORE | {"_shape": "openai", "object": "list"}, PageToken("after", "z")),
        (MORE | {"object": "list"}, PageToken("after", "z")),
        (LAST | {"_shape": "openai"}, None),
        (LAST | {"object": "list"}, None),
        (MORE | {"_shape": "openai", "last_id": None, "data": [{"id": "y"}]}, PageToken("after", "y")),
        (MORE | {"_shape": "openai", "last_id": "", "data": [{"id": "y"}]}, PageToken("after", "y")),
        (MORE | {"_shape": "openai", "last_id": 7, "data": [{"id": "y"}]}, PageToken("after", "y")),
        (MORE | {"_shape": "openai", "has_more": "true"}, None),
        (MORE | {"_shape": "openai", "has_more": 1}, None),
        # the Anthropic shape
        (MORE | {"_shape": "anthropic"}, PageToken("after_id", "z")),
        (MORE, PageToken("after_id", "z")),
        (LAST | {"_shape": "anthropic"}, None),
        (LAST, None),
        ({"data": []}, None),
        ({"has_more": True, "data": [{"id": "x"}, {"id": "y"}]}, PageToken("after_id", "y")),
        # a cursor is followed wherever it is
        (MORE | {"_shape": "openai", "cursor": "c"}, PageToken("cursor", "c")),
        (MORE | {"_shape": "anthropic", "cursor": "c"}, PageToken("cursor", "c")),
        # the name of the shape counts more than its keys
        (MORE | {"_shape": "anthropic", "object": "list"}, PageToken("after_id", "z")),
        (MORE | {"_shape": None, "object": "list"}, PageToken("after", "z")),
        (MORE | {"_shape": ["openai"]}, PageToken("after_id", "z")),
    ],
)
def test_where_the_next_page_starts(page, token):
    """A cursor, else after the last item if there is more; everything else is the last page."""
    assert next_page(page) == token


@pytest.mark.parametrize(
    "page",
    [
        {"_shape": "anthropic", "has_more": True},
        MORE | {"_shape": "openai", "last_id": None},
        MORE | {"last_id": 7, "data": [{"id": ""}]},
        MORE | {"last_id": "", "data": [5]},
    ],
)
def test_more_without_a_start_is_an_error(page):
    """A page that says that there is more, and nothing that tells where, is no end of the listing."""
    with pytest.raises(ValueError, match=r"there are more files, .* @ \$\.last_id"):
        next_page(page)
    with pytest.raises(ValueError, match="there are more files"):
        next_container_page(page)


@pytest.mark.parametrize("data", [[], [{"id": "a"}]])
@pytest.mark.parametrize("shape", ["openrouter", "openai", "anthropic"])
def test_an_empty_page_may_lead_on(shape, data):
    """How many files a page holds says nothing about whether it is the last."""
    page = MORE | {"_shape": shape, "data": data} | ({"cursor": "c"} if shape == "openrouter" else {})
    assert next_page(page) is not None


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.none(), max_size=1)
KEYS = st.sampled_from(["_shape", "object", "cursor", "has_more", "last_id", "data"])


@settings(max_examples=80)
@given(page=st.dictionaries(KEYS, VALUES | st.sampled_from(["openai", "anthropic", "openrouter"])))
def test_any_page_has_a_next_one_or_none(page):
    """Whatever a page says, there is a token with a text that a query can hold, or none, or more without a start."""
    try:
        token = next_page(page)
    except ValueError:
        assert page["has_more"] is True
        return
    if token is not None:
        assert token.parameter in {"cursor", "after", "after_id"}
        assert token.value in [page.get("cursor"), page.get("last_id")]
        assert token.value


def file(name):
    return File(id=name, filename=name, size_bytes=1, created_at=datetime.min.replace(tzinfo=UTC))


def cursor(value):
    return None if value is None else PageToken("cursor", value)


class Pages:
    """A server's pages by the token that leads to them; remembers what it was asked for."""

    def __init__(self, pages):
        self._pages = pages
        self.asked = []

    async def at(self, token):
        self.asked.append(token)
        names, following = self._pages[token.value if token else None]
        return FilePage(data=tuple(map(file, names)), next=cursor(following))


async def walked(pages, start=None):
    return [f.id async for f in walk(pages.at, start)]


@pytest.mark.parametrize(
    ("pages", "names"),
    [
        ({None: ("", None)}, ""),
        ({None: ("ab", None)}, "ab"),
        ({None: ("ab", "1"), "1": ("c", None)}, "abc"),
        ({None: ("", "1"), "1": ("", "2"), "2": ("c", None)}, "c"),
        ({None: ("a", "1"), "1": ("", "2"), "2": ("", None)}, "a"),
        ({None: ("a", "1"), "1": ("a", None)}, "aa"),
    ],
    ids=["empty", "one page", "two pages", "empty pages lead on", "ends empty", "files may repeat, tokens not"],
)
async def test_a_walk_visits_every_page(pages, names):
    """All files of all pages in their order, empty pages included, each page asked for once."""
    server = Pages(pages)
    assert await walked(server) == list(names)
    assert len(server.asked) == len(pages)


async def test_a_walk_may_start_anywhere():
    """The first page asked for is the one that the caller names."""
    server = Pages({"1": ("c", None)})
    assert await walked(server, PageToken("cursor", "1")) == ["c"]


@pytest.mark.parametrize(
    ("pages", "names", "token"),
    [
        ({None: ("a", "1"), "1": ("b", "1")}, "ab", "1"),
        ({None: ("", "1"), "1": ("", "1")}, "", "1"),
        ({None: ("a", "1"), "1": ("b", "2"), "2": ("c", "1")}, "abc", "1"),
    ],
    ids=["to itself", "to itself, empty", "to an earlier page"],
)
async def test_a_listing_that_repeats_itself_ends_in_an_error(pages, names, token):
    """A page that leads back is an unreadable answer, told after its files were handed out."""
    server = Pages(pages)
    files = walk(server.at, None)
    assert [(await anext(files)).id for _ in names] == list(names)
    with pytest.raises(InvalidResponseError, match=rf"repeats itself: '{token}' @ \$\.cursor"):
        await anext(files)
    assert len(server.asked) == len(pages)


async def test_a_listing_that_leads_back_to_the_start_of_the_walk_ends():
    """A walk that began in the middle ends no later than when it comes by its start again."""
    server = Pages({"1": ("a", "2"), "2": ("b", "1")})
    with pytest.raises(InvalidResponseError):
        await walked(server, PageToken("cursor", "1"))
    assert len(server.asked) <= 3


async def test_pages_are_asked_for_as_they_are_needed():
    """The second page is not asked for before the first was used up."""
    server = Pages({None: ("ab", "1"), "1": ("c", None)})
    files = walk(server.at, None)
    assert [(await anext(files)).id, (await anext(files)).id] == ["a", "b"]
    assert len(server.asked) == 1
    await files.aclose()
    assert len(server.asked) == 1


async def test_an_error_on_the_way_comes_through():
    """What a page raises ends the walk as it is."""
    server = Pages({None: ("a", "gone")})
    with pytest.raises(KeyError):
        await walked(server)
