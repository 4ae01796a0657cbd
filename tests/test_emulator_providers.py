"""`provider=`: the emulator's stores of the providers' own files."""

import re

import aiohttp
import pytest

from openrouter_files.emulator import Emulator

FILM = b"\x00\x00\x00\x18ftypmp42"
OPERATIONS = (
    ("GET", "/files"),
    ("POST", "/files"),
    ("GET", "/files/x"),
    ("DELETE", "/files/x"),
    ("GET", "/files/x/content"),
)
PREFIXES = {"openai": "file-", "anthropic": "file_"}


@pytest.fixture
async def emulator():
    async with Emulator(providers=("openai", "anthropic")) as running:
        yield running


@pytest.fixture
async def ask(emulator):
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {emulator.api_key}"}) as session:

        async def ask(method, path, provider, *, content=None, headers=None, **query):
            form = None
            if content is not None:
                form = aiohttp.FormData()
                form.add_field("file", content, filename="a.bin")
            url, query = emulator.base_url + path, query if provider is None else {"provider": provider} | query
            async with session.request(method, url, params=query, data=form, headers=headers) as answer:
                is_json = answer.content_type == "application/json"
                return answer.status, await answer.json() if is_json else await answer.read()

        yield ask


async def fill(emulator, provider, count=5):
    return [(await emulator.put(f"{n}.txt", b"x", provider=provider)).id for n in range(count)]


def ids(answer):
    return [entry["id"] for entry in answer[1]["data"]]


@pytest.mark.parametrize("provider", PREFIXES)
async def test_a_file_lives_its_life_at_a_provider(emulator, ask, provider):
    """All five operations work on the provider's store, in its shape and with ids of its kind."""
    status, made = await ask("POST", "/files", provider, content=b"hello\n")
    assert (status, made["_shape"]) == (200, provider)
    assert re.fullmatch(PREFIXES[provider] + "[0-9A-Za-z]{24}", made["id"])
    assert await ask("GET", f"/files/{made['id']}", provider) == (200, made)
    listed = (await ask("GET", "/files", provider))[1]
    assert (listed["_shape"], listed["data"], "cursor" in listed) == (provider, [made], False)
    assert (await ask("GET", f"/files/{made['id']}/content", provider))[0] == 400
    status, receipt = await ask("DELETE", f"/files/{made['id']}", provider)
    assert (status, receipt["_shape"], receipt["id"]) == (200, provider, made["id"])
    assert emulator.files(provider=provider) == ()


@pytest.mark.parametrize("provider", PREFIXES)
async def test_content_that_the_provider_made_is_downloaded(emulator, ask, provider):
    """A downloadable file of a provider comes as octets."""
    made = await emulator.put("a.bin", b"\x00" * 600_000, provider=provider)
    assert await ask("GET", f"/files/{made.id}/content", provider) == (200, b"\x00" * 600_000)
    assert await emulator.content(made.id) == b"\x00" * 600_000


async def test_headers_do_not_change_a_providers_shape(ask):
    """The shape is the provider's, whoever seems to ask."""
    answer = await ask("GET", "/files", "openai", headers={"anthropic-version": "2023-06-01"})
    assert answer[1]["_shape"] == "openai"


async def test_stores_are_apart(emulator, ask):
    """A file is in the store that it was put in and in no other: not the workspace's, nor the other provider's."""
    made = {provider: (await emulator.put("a.txt", b"x", provider=provider)).id for provider in (None, *PREFIXES)}
    for provider, file_id in made.items():
        assert ids(await ask("GET", "/files", provider)) == [file_id]
        assert [file.id for file in emulator.files(provider=provider)] == [file_id]
        strangers = [other for other in made if other != provider]
        assert {(await ask("GET", f"/files/{file_id}", other))[0] for other in strangers} == {404}


async def test_each_workspace_has_its_own_files_at_a_provider(emulator, ask):
    """`workspace_id` and `provider` go together."""
    other = emulator.add_workspace()
    made = await emulator.put("a.txt", b"x", workspace_id=other, provider="openai")
    assert (made.workspace_id, emulator.files(other, provider="openai")) == (other, (made,))
    assert ids(await ask("GET", "/files", "openai")) == []
    assert ids(await ask("GET", "/files", "openai", workspace_id=other)) == [made.id]


async def test_openai_pages_by_after(emulator, ask):
    """The openai store goes on after the last id, in both orders."""
    made = await fill(emulator, "openai")
    assert ids(await ask("GET", "/files", "openai", after=made[1], limit=2)) == made[2:4]
    newest = await ask("GET", "/files", "openai", order="desc", limit=2)
    assert (ids(newest), newest[1]["has_more"]) == ([made[4], made[3]], True)
    older = await ask("GET", "/files", "openai", order="desc", after=made[3])
    assert (ids(older), older[1]["has_more"]) == (made[2::-1], False)


async def test_anthropic_pages_by_after_id_and_before_id(emulator, ask):
    """The anthropic store goes on after the last id, and back before the first, always in the same order."""
    made = await fill(emulator, "anthropic")
    assert ids(await ask("GET", "/files", "anthropic", after_id=made[1], limit=2)) == made[2:4]
    back = await ask("GET", "/files", "anthropic", before_id=made[3], limit=2)
    assert (ids(back), back[1]["has_more"], back[1]["first_id"]) == (made[1:3], True, made[1])
    first = await ask("GET", "/files", "anthropic", before_id=made[1])
    assert (ids(first), first[1]["has_more"]) == (made[:1], False)


@pytest.mark.parametrize(
    ("provider", "query"),
    [
        ("openai", {"after_id": "x"}),
        ("openai", {"before_id": "x"}),
        ("openai", {"cursor": "x"}),
        ("openai", {"order": "random"}),
        ("openai", {"after": "file-unknown"}),
        ("anthropic", {"after": "x"}),
        ("anthropic", {"cursor": "x"}),
        ("anthropic", {"order": "desc"}),
        ("anthropic", {"before_id": "file_unknown"}),
        ("anthropic", {"after_id": "a", "before_id": "a"}),
        ("anthropic", {"limit": "0"}),
        ("OpenAI", {}),
        ("", {}),
        ("mistral", {}),
    ],
)
async def test_a_bad_query_is_400(ask, provider, query):
    """What a provider has not, and a provider that there is not, answer 400."""
    assert (await ask("GET", "/files", provider, **query))[0] == 400


@pytest.mark.parametrize("provider", PREFIXES)
async def test_rules_of_the_workspace_do_not_hold_at_a_provider(provider):
    """A provider takes what the workspace refuses by type, and fills no quota of the workspace; emptiness is 400."""
    async with Emulator(providers=(provider,), quota_bytes=4) as emulator, aiohttp.ClientSession() as session:
        url = f"{emulator.base_url}/files?provider={provider}"
        for content, status in ((FILM, 200), (b"", 400)):
            form = aiohttp.FormData()
            form.add_field("file", content, filename="a.mp4")
            async with session.post(url, data=form, headers={"Authorization": f"Bearer {emulator.api_key}"}) as answer:
                assert answer.status == status
        assert emulator.files(provider=provider)[0].mime_type == "application/octet-stream"


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_without_a_key_for_the_provider_it_is_400(method, path):
    """A provider is configured by its name, before or during a run; another one stays 400."""
    async with Emulator() as emulator, aiohttp.ClientSession() as session:
        session.headers["Authorization"] = f"Bearer {emulator.api_key}"
        seen = []
        for provider in ("openai", "anthropic"):
            async with session.request(method, f"{emulator.base_url}{path}?provider={provider}") as answer:
                seen.append((answer.status, "provider key" in await answer.text()))
            emulator.configure_provider("anthropic")
        assert seen[0] == (400, True)
        assert seen[1][1] is False


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_a_failing_provider_is_502(emulator, ask, method, path):
    """Every operation answers 502 while the provider fails; the workspace's own files are not concerned."""
    emulator.fail_provider("openai")
    assert (await ask(method, path, "openai"))[0] == 502
    assert (await ask("GET", "/files", None))[0] == (await ask("GET", "/files", "anthropic"))[0] == 200
    emulator.fail_provider("openai", failing=False)
    assert (await ask(method, path, "openai"))[0] != 502


async def test_an_unknown_provider_is_a_mistake_of_the_test():
    """A name that is no provider's is refused when the emulator is made, and later."""
    with pytest.raises(ValueError, match="mistral"):
        Emulator(providers=("mistral",))
    with pytest.raises(ValueError, match="mistral"):
        Emulator().configure_provider("mistral")
