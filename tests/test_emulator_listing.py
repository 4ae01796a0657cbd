"""Pages of the emulator's listing."""

import base64
import json

import aiohttp
import pytest


@pytest.fixture
def listing(emulator):
    async def ask(headers=None, **query):
        headers = {"Authorization": f"Bearer {emulator.api_key}"} | (headers or {})
        async with aiohttp.request("GET", f"{emulator.base_url}/files", headers=headers, params=query) as answer:
            return answer.status, await answer.json()

    return ask


async def fill(emulator, count):
    return [(await emulator.put(f"{n}.txt", b"x")).id for n in range(count)]


def ids(page):
    return [entry["id"] for entry in page["data"]]


async def test_an_empty_workspace_is_an_empty_page(listing):
    """Nothing stored: an empty page, and null for both ids and the cursor."""
    assert await listing() == (
        200,
        {"_shape": "openrouter", "data": [], "has_more": False, "first_id": None, "last_id": None, "cursor": None},
    )


async def test_cursors_lead_through_all_files_in_the_order_of_creation(emulator, listing):
    """Following the cursor yields every file once, oldest first; the last page has none."""
    made = await fill(emulator, 7)
    _, page = await listing(limit=3)
    seen = [page]
    while page["cursor"] is not None:
        _, page = await listing(limit=3, cursor=page["cursor"])
        seen.append(page)
    assert [ids(page) for page in seen] == [made[:3], made[3:6], made[6:]]
    assert [page["has_more"] for page in seen] == [True, True, False]
    assert (seen[0]["first_id"], seen[0]["last_id"]) == (made[0], made[2])


async def test_a_full_last_page_has_no_cursor(emulator, listing):
    """A cursor never leads to an empty page: the official SDKs would stop there."""
    await fill(emulator, 3)
    _, page = await listing(limit=3)
    assert (len(page["data"]), page["has_more"], page["cursor"]) == (3, False, None)


async def test_a_cursor_is_base64_of_the_last_id(emulator, listing):
    """The cursor has the form of the two that OpenRouter published."""
    made = await fill(emulator, 2)
    _, page = await listing(limit=1)
    assert json.loads(base64.b64decode(page["cursor"])) == {"cursor": made[0]}


@pytest.mark.parametrize("name", ["after", "after_id"])
@pytest.mark.parametrize("headers", [{}, {"anthropic-version": "1"}, {"User-Agent": "OpenAI/Python"}])
async def test_a_listing_starts_after_an_id(emulator, listing, name, headers):
    """`after` and `after_id` start behind a file, in every shape."""
    made = await fill(emulator, 4)
    _, page = await listing(headers, **{name: made[1], "limit": 1})
    assert (ids(page), page["has_more"]) == ([made[2]], True)


async def test_pages_go_on_behind_a_deleted_file(emulator, listing):
    """A cursor keeps its place when the file it names is deleted meanwhile."""
    made = await fill(emulator, 4)
    _, page = await listing(limit=2)
    url = f"{emulator.base_url}/files/{made[1]}"
    async with aiohttp.request("DELETE", url, headers={"Authorization": f"Bearer {emulator.api_key}"}):
        pass
    assert ids((await listing(cursor=page["cursor"]))[1]) == made[2:]


async def test_one_hundred_is_the_default_and_one_thousand_the_most(emulator, listing):
    """Without a limit a page holds 100 files; 1000 may be asked for."""
    await fill(emulator, 101)
    assert len((await listing())[1]["data"]) == 100
    assert len((await listing(limit=1000))[1]["data"]) == 101


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "-1"},
        {"limit": "ten"},
        {"limit": ""},
        {"limit": "1.0"},
        {"limit": "\u0663"},
        {"order": "desc"},
        {"order": "ASC"},
        {"before_id": "or_file_x"},
        {"cursor": ""},
        {"cursor": "not base64"},
        {"cursor": base64.b64encode(b'{"cursor": 7}').decode()},
        {"cursor": base64.b64encode(b"[]").decode()},
        {"cursor": base64.b64encode(b"[" * 4000).decode()},
        {"cursor": base64.b64encode(b'{"cursor": "\\ud800"}').decode()},
        {"cursor": base64.b64encode(b'{"cursor": "\\u0000"}').decode()},
        {"cursor": base64.b64encode(b'{"cursor": "or_file_unknown"}').decode()},
        {"after": "or_file_unknown"},
        {"after_id": ""},
        {"after": "a", "after_id": "a"},
        {"cursor": "a", "after": "a"},
        {"provider": "openai"},
    ],
)
async def test_a_bad_query_is_400(listing, query):
    """What is out of bounds, not supported, contradictory or no token of ours answers 400."""
    status, answer = await listing(**query)
    assert (status, answer["error"]["code"]) == (400, 400)


async def test_order_asc_is_the_order_there_is(emulator, listing):
    """`order=asc` is accepted."""
    made = await fill(emulator, 2)
    assert ids((await listing(order="asc"))[1]) == made


async def test_a_place_in_another_workspace_is_no_place(emulator, listing):
    """A listing cannot start after a file of another workspace."""
    other = await emulator.put("a.txt", b"x", workspace_id=emulator.add_workspace())
    assert (await listing(after=other.id))[0] == 400
