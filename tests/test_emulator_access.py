"""Keys and workspaces of the emulator: who sees what."""

import uuid

import aiohttp
import pytest

from openrouter_files.emulator import Emulator


async def status(emulator, path="/files", *, key, method="GET"):
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.request(method, emulator.base_url + path, headers=headers) as answer:
        return answer.status


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Bearer", "Basic sk-or-v1-emulator", ""])
async def test_a_request_without_a_good_key_is_401(emulator, authorization):
    """No key, an unknown one, or another scheme: 401 in the envelope."""
    headers = {} if authorization is None else {"Authorization": authorization}
    async with aiohttp.request("GET", f"{emulator.base_url}/files", headers=headers) as answer:
        assert answer.status == 401
        error = (await answer.json())["error"]
    assert error["code"] == 401
    assert (error["message"] == "Missing Authentication header") == (authorization is None)


async def test_bearer_is_matched_in_any_case(emulator):
    """The scheme's name may be written in any case."""
    headers = {"Authorization": f"bearer {emulator.api_key}"}
    async with aiohttp.request("GET", f"{emulator.base_url}/files", headers=headers) as answer:
        assert answer.status == 200


async def test_a_file_of_another_workspace_does_not_exist(emulator):
    """An id of another workspace answers 404 to metadata, deletion and download alike."""
    emulator.add_key("other")
    file = await emulator.put("a.txt", b"a")
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/content")):
        assert await status(emulator, f"/files/{file.id}{path}", key="other", method=method) == 404
    assert await status(emulator, f"/files/{file.id}", key=emulator.api_key) == 200


async def test_keys_of_one_workspace_see_the_same_files(emulator):
    """Two keys of a workspace share its files."""
    emulator.add_key("second", workspace_id=emulator.workspace_id)
    file = await emulator.put("a.txt", b"a")
    assert await status(emulator, f"/files/{file.id}", key="second") == 200


async def test_a_bound_key_stays_in_its_workspace(emulator):
    """A bound key gets 403 for naming another workspace, and 200 for naming its own."""
    own = emulator.add_key("bound")
    assert await status(emulator, f"/files?workspace_id={own}", key="bound") == 200
    assert await status(emulator, f"/files?workspace_id={emulator.workspace_id}", key="bound") == 403


async def test_an_unbound_key_may_name_any_workspace(emulator):
    """The default key acts on every workspace of the account, and only on those."""
    other = emulator.add_workspace()
    file = await emulator.put("a.txt", b"a", workspace_id=other)
    assert await status(emulator, f"/files/{file.id}?workspace_id={other.upper()}", key=emulator.api_key) == 200
    assert await status(emulator, f"/files/{file.id}", key=emulator.api_key) == 404
    assert await status(emulator, f"/files?workspace_id={uuid.uuid4()}", key=emulator.api_key) == 403
    assert emulator.files(other) == (file,)
    assert emulator.files(emulator.workspace_id) == ()


async def test_a_workspace_id_is_checked_when_it_is_made(emulator):
    """A workspace id that is no UUID is a mistake of the caller."""
    with pytest.raises(ValueError, match="UUID"):
        emulator.add_key("k", workspace_id="mine")


async def test_a_workspace_id_may_be_spelt_in_any_case(emulator):
    """A key, and what a test asks for, may name a workspace in capitals."""
    workspace = str(uuid.uuid4())
    assert emulator.add_key("loud", workspace_id=workspace.upper()) == workspace
    file = await emulator.put("a.txt", b"a", workspace_id=workspace.upper())
    assert await status(emulator, f"/files/{file.id}", key="loud") == 200
    assert emulator.files(workspace.upper()) == (file,)


@pytest.mark.parametrize("key", ["", " ", "two words", "k\n", "clé"])
def test_a_key_that_no_request_can_show_is_a_mistake(key):
    """A key is ASCII without white space: another would be refused for ever."""
    with pytest.raises(ValueError, match="ASCII"):
        Emulator(api_key=key)
    with pytest.raises(ValueError, match="ASCII"):
        Emulator().add_key(key)


async def test_in_region_hosts_refuse_everything():
    """An in-region host answers 403 to every operation, but 401 to a bad key."""
    async with Emulator(region=True) as emulator:
        paths = [("GET", "/files"), ("POST", "/files"), ("GET", "/files/x"), ("DELETE", "/files/x")]
        for method, path in [*paths, ("GET", "/files/x/content")]:
            assert await status(emulator, path, key=emulator.api_key, method=method) == 403
        assert await status(emulator, key="wrong") == 401


async def test_the_first_reason_to_refuse_is_the_one_told():
    """Key before region before parameters before workspace before what the body holds."""
    unknown = uuid.uuid4()
    async with Emulator() as emulator:
        assert await status(emulator, "/files?limit=0", key="wrong") == 401
        assert await status(emulator, f"/files?limit=0&workspace_id={unknown}", key=emulator.api_key) == 400
        assert await status(emulator, f"/files?workspace_id={unknown}", key=emulator.api_key, method="POST") == 403
        assert await status(emulator, "/files", key=emulator.api_key, method="POST") == 400
