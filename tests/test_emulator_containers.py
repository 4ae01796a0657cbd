"""The emulator's container files, driven by a bare HTTP client."""

import base64

import aiohttp
import pytest

from openrouter_files.emulator import ContainerStored, Drop, Emulator, FaultsNotMet, Status

PATHS = ("a.txt", "out/b.csv", "out/deep/c.txt", "z.txt")


@pytest.fixture
async def session(emulator):
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {emulator.api_key}"}) as opened:
        yield opened


async def ask(session, emulator, path="", method="GET", box="sess_abc", **options):
    async with session.request(method, f"{emulator.base_url}/containers/{box}/files{path}", **options) as answer:
        return answer.status, await answer.json()


async def fill(emulator, paths=PATHS, box="sess_abc"):
    return [await emulator.put_in_container(box, path, path.encode()) for path in paths]


async def pages(session, emulator, **query):
    """Every page, by the rule of the API: go on after `last_id` while there is more."""
    found = [(await ask(session, emulator, params=query))[1]]
    while found[-1]["has_more"]:
        found.append((await ask(session, emulator, params={**query, "after": found[-1]["last_id"]}))[1])
        assert found[-1]["last_id"] != found[-2]["last_id"]
    return found


def listed(page):
    return [entry["path"] for entry in page["data"]]


async def test_a_container_file_is_put_and_retrieved(emulator, session):
    """A file that a test puts has the documented object, with the path in its id."""
    put = await emulator.put_in_container("sess_abc", "out/report.csv", b"a,b\n1,2\n")
    assert put == ContainerStored(
        id="cfile_b3V0L3JlcG9ydC5jc3Y",
        container_id="sess_abc",
        path="out/report.csv",
        size_bytes=8,
        created_at=put.created_at,
        workspace_id=emulator.workspace_id,
        sha256="492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470",
    )
    assert await ask(session, emulator, f"/{put.id}") == (
        200,
        {
            "id": "cfile_b3V0L3JlcG9ydC5jc3Y",
            "object": "container.file",
            "container_id": "sess_abc",
            "bytes": 8,
            "created_at": int(put.created_at.timestamp()),
            "path": "out/report.csv",
            "source": "assistant",
        },
    )


async def test_a_file_at_the_same_path_takes_the_place_of_the_one_before(emulator, session):
    """A container has one file per path: the newer content is what is served under the same id."""
    first = await emulator.put_in_container("sess_abc", "a.txt", b"old")
    second = await emulator.put_in_container("sess_abc", "a.txt", b"newer")
    _, page = await ask(session, emulator)
    assert (first.id, [entry["bytes"] for entry in page["data"]]) == (second.id, [5])


async def test_files_come_in_the_order_of_their_paths(emulator, session):
    """The listing is lexicographic by path, whatever the order in which the files were made."""
    await fill(emulator, ("b", "é", "a/x", "a", "a.b", "B"))
    _, page = await ask(session, emulator)
    assert listed(page) == ["B", "a", "a.b", "a/x", "b", "é"]
    assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
    assert (page["object"], page["has_more"]) == ("list", False)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
async def test_pages_show_every_file_once(emulator, session, limit):
    """Without a scan limit pages are full, and the last one has no more."""
    await fill(emulator)
    seen = [listed(page) for page in await pages(session, emulator, limit=limit)]
    assert seen == [list(PATHS[start : start + limit]) for start in range(0, 4, limit)]


async def test_a_scan_bound_page_may_be_empty_although_there_is_more():
    """With a scan limit a page may end at a directory marker: nothing in it, `last_id` elsewhere, and more to come."""
    async with Emulator(scan_limit=1) as emulator, aiohttp.ClientSession() as session:
        session.headers["Authorization"] = f"Bearer {emulator.api_key}"
        await fill(emulator)
        found = await pages(session, emulator)
    assert [listed(page) for page in found] == [["a.txt"], [], ["out/b.csv"], [], ["out/deep/c.txt"], ["z.txt"]]
    markers = [page["last_id"] for page in found if not page["data"]]
    assert markers == ["cfile_" + base64.urlsafe_b64encode(p).decode().rstrip("=") for p in (b"out/", b"out/deep/")]
    assert [page["first_id"] for page in found if not page["data"]] == [None, None]


@pytest.mark.parametrize("scan_limit", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_scan_bound_pages_lose_nothing(scan_limit, limit):
    """However few positions a page looks at, following `last_id` shows every file once and stops."""
    async with Emulator(scan_limit=scan_limit) as emulator, aiohttp.ClientSession() as session:
        session.headers["Authorization"] = f"Bearer {emulator.api_key}"
        await fill(emulator)
        found = await pages(session, emulator, limit=limit)
    assert [path for page in found for path in listed(page)] == list(PATHS)
    assert all(len(page["data"]) <= limit for page in found)
    assert all(page["last_id"] is not None for page in found)


async def test_a_listing_starts_after_any_position(emulator, session):
    """`after` may be the id of a file, also of one that is gone, or a directory marker."""
    await fill(emulator)
    for path, rest in (("out/b.csv", PATHS[2:]), ("out/", PATHS[1:]), ("out/bb", PATHS[2:]), ("zz", ())):
        after = "cfile_" + base64.urlsafe_b64encode(path.encode()).decode().rstrip("=")
        assert listed((await ask(session, emulator, params={"after": after}))[1]) == list(rest)


async def test_an_unknown_container_is_an_empty_page(emulator, session):
    """A container that nobody knows has no files, which is no error; a file of it is 404."""
    empty = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    assert await ask(session, emulator, box="gen_nobody") == (200, empty)
    assert (await ask(session, emulator, "/cfile_YQ", box="gen_nobody"))[0] == 404


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"after": ""}, {"after": "cfile_!"}, {"after": "YQ"}]
)
async def test_a_bad_query_is_400(emulator, session, query):
    """A limit out of bounds and a position that is none answer 400."""
    status, answer = await ask(session, emulator, params=query)
    assert (status, answer["error"]["code"]) == (400, 400)


@pytest.mark.parametrize("file_id", ["cfile_YQ", "cfile_", "cfile_YQ==", "cfile_/", "or_file_x", "cfile__w", "YQ"])
@pytest.mark.parametrize(("method", "end"), [("GET", ""), ("GET", "/content"), ("POST", "/promote")])
async def test_an_id_of_nothing_is_404(emulator, session, file_id, method, end):
    """Unknown and malformed ids answer 404 to metadata, content and promotion."""
    quoted = aiohttp.client.URL.build(path=file_id, encoded=False).raw_path.replace("/", "%2F")
    url = aiohttp.client.URL(f"{emulator.base_url}/containers/sess_abc/files/{quoted}{end}", encoded=True)
    async with session.request(method, url) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (404, 404)


@pytest.mark.parametrize("size", [0, 5, 600_000])
async def test_content_is_downloaded(emulator, session, size):
    """The content of a container file comes whole, as octets, with its length."""
    put = await emulator.put_in_container("sess_abc", "a.bin", b"\x00" * size)
    async with session.get(f"{emulator.base_url}/containers/sess_abc/files/{put.id}/content") as answer:
        assert (answer.status, answer.content_type) == (200, "application/octet-stream")
        assert (answer.content_length, await answer.read()) == (size, b"\x00" * size)


@pytest.mark.parametrize(
    ("content", "mime_type"),
    [(b"a,b\n1,2\n", "text/csv"), (b"\x7fELF\x00\x01", "application/octet-stream"), (b"\x00" * 600_000, None)],
)
async def test_promotion_copies_any_content(emulator, session, content, mime_type):
    """A promoted file is a new, downloadable file of the workspace, named by its path and typed by its content."""
    put = await emulator.put_in_container("sess_abc", "out/report", content)
    status, file = await ask(session, emulator, f"/{put.id}/promote", "POST")
    stored = emulator.files()[0]
    assert (status, file["id"], file["_shape"]) == (200, stored.id, "openrouter")
    assert (file["filename"], file["size_bytes"], file["downloadable"]) == ("out/report", len(content), True)
    assert file["mime_type"] == (mime_type or "application/octet-stream")
    assert await emulator.content(file["id"]) == content


async def test_a_promotion_is_independent_and_new_each_time(emulator, session):
    """Two promotions make two files; what happens to the container's file later does not reach them."""
    put = await emulator.put_in_container("sess_abc", "a.txt", b"one")
    made = [(await ask(session, emulator, f"/{put.id}/promote", "POST"))[1]["id"] for _ in range(2)]
    await emulator.put_in_container("sess_abc", "a.txt", b"two")
    assert [file.id for file in emulator.files()] == made
    assert [await emulator.content(file_id) for file_id in made] == [b"one", b"one"]


async def test_a_promotion_speaks_the_shape_that_is_asked_for(emulator, session):
    """`anthropic-version` gives the promoted file in the anthropic shape."""
    put = await emulator.put_in_container("sess_abc", "a.txt", b"x")
    _, file = await ask(session, emulator, f"/{put.id}/promote", "POST", headers={"anthropic-version": "1"})
    assert file["_shape"] == "anthropic"


async def test_promotion_has_the_limits_of_a_file_and_of_the_workspace():
    """More than a file may have is 413, more than the workspace holds 403; the container itself has no such limits."""
    async with Emulator(max_file_bytes=10, quota_bytes=15) as emulator, aiohttp.ClientSession() as session:
        session.headers["Authorization"] = f"Bearer {emulator.api_key}"
        large, fits = [await emulator.put_in_container("c", f"{size}", b"x" * size) for size in (11, 10)]
        for put, status in ((large, 413), (fits, 200), (fits, 403)):
            assert (await ask(session, emulator, f"/{put.id}/promote", "POST", box="c"))[0] == status
        assert len(emulator.files()) == 1


async def test_containers_belong_to_their_workspace(emulator, session):
    """Another workspace's container of the same id is another container, and its files are not the workspace's."""
    theirs = emulator.add_key("other")
    put = await emulator.put_in_container("sess_abc", "a.txt", b"theirs", workspace_id=theirs)
    assert (await ask(session, emulator))[1]["data"] == []
    assert (await ask(session, emulator, f"/{put.id}"))[0] == 404
    other = {"Authorization": "Bearer other"}
    assert listed((await ask(session, emulator, headers=other))[1]) == ["a.txt"]
    await ask(session, emulator, f"/{put.id}/promote", "POST", headers=other)
    assert [file.workspace_id for file in emulator.files()] == [theirs]


async def test_a_container_file_is_no_workspace_file(emulator, session):
    """Container files are not in the listing of the workspace, and count for no quota there."""
    await emulator.put_in_container("sess_abc", "a.txt", b"x")
    assert emulator.files() == ()
    async with session.get(f"{emulator.base_url}/files") as answer:
        assert (await answer.json())["data"] == []


async def test_a_promotion_whose_answer_is_lost_is_done(emulator, session):
    """A fault after the work leaves one promoted file behind, for an error and for silence alike."""
    put = await emulator.put_in_container("sess_abc", "a.txt", b"x")
    emulator.queue("promote", Status(500, after_work=True), Drop(after_work=True), Status(503))
    assert (await ask(session, emulator, f"/{put.id}/promote", "POST"))[0] == 500
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await ask(session, emulator, f"/{put.id}/promote", "POST")
    assert (await ask(session, emulator, f"/{put.id}/promote", "POST"))[0] == 503
    assert len(emulator.files()) == 2


async def test_each_operation_has_its_name(emulator, session):
    """Faults and the log call the four operations by their names."""
    put = await emulator.put_in_container("sess_abc", "a.txt", b"x")
    names = ("list_container", "retrieve_container", "download_container", "promote")
    for name in names:
        emulator.queue(name, Status(503))
    for method, path in (
        ("GET", ""),
        ("GET", f"/{put.id}"),
        ("GET", f"/{put.id}/content"),
        ("POST", f"/{put.id}/promote"),
    ):
        assert (await ask(session, emulator, path, method))[0] == 503
    assert tuple(received.operation for received in emulator.requests) == names


async def test_a_fault_of_a_container_has_to_be_met():
    """A fault for a container operation that no request asked for fails the test."""
    with pytest.raises(FaultsNotMet, match="promote never met"):
        async with Emulator() as emulator:
            emulator.queue("promote", Drop())


@pytest.mark.parametrize("path", ["", "/x/files/", "/x", "/x/files/y/z", "/x/files/y/content/z", "//files"])
async def test_other_paths_are_unknown(emulator, session, path):
    """Paths beside the four operations answer 404 with HTML."""
    url = aiohttp.client.URL(f"{emulator.base_url}/containers{path}", encoded=True)
    async with session.get(url) as answer:
        assert (answer.status, answer.content_type) == (404, "text/html")


@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("DELETE", "/cfile_YQ"), ("GET", "/cfile_YQ/promote")])
async def test_a_wrong_method_is_405(emulator, session, method, path):
    """There is no upload and no deletion, and a promotion is a POST."""
    assert (await ask(session, emulator, path, method))[0] == 405


async def test_the_seed_era_had_no_containers():
    """In the seed era the paths do not exist: 404, as a page."""
    async with Emulator(seed_era=True) as emulator:
        async with aiohttp.request("GET", f"{emulator.base_url}/containers/c/files") as answer:
            seen = (answer.status, answer.content_type)
        assert seen == (404, "text/html")


async def test_strangers_and_regions_are_refused():
    """401 without a key, 403 on an in-region host, as for every operation."""
    async with Emulator(region=True) as emulator, aiohttp.ClientSession() as session:
        for key, status in (("wrong", 401), (emulator.api_key, 403)):
            assert (await ask(session, emulator, headers={"Authorization": f"Bearer {key}"}))[0] == status


async def test_a_folder_keeps_containers(tmp_path):
    """With a store, container files are there again the next time, and large ones come from disk."""
    async with Emulator(store=tmp_path) as emulator:
        await emulator.put_in_container("c", "large", b"x" * 600_000)
        await emulator.put("a.txt", b"x")
    async with Emulator(store=tmp_path) as emulator, aiohttp.ClientSession() as session:
        session.headers["Authorization"] = f"Bearer {emulator.api_key}"
        assert listed((await ask(session, emulator, box="c"))[1]) == ["large"]
        assert [file.filename for file in emulator.files()] == ["a.txt"]
