"""What the emulator takes in, and what it refuses."""

import asyncio
import hashlib
import io
import re
import tracemalloc

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_files.emulator import Emulator
from openrouter_files.emulator.errors import Refusal
from openrouter_files.emulator.multipart import check_filename

MIB = 1 << 20
LINE = b"0123456789abcde\n"


@pytest.fixture
async def emulator():
    async with Emulator(max_file_bytes=2 * MIB) as running:
        yield running


def headers_of(emulator, **more):
    return {"Authorization": f"Bearer {emulator.api_key}", "Content-Type": "multipart/form-data; boundary=b", **more}


def body(content=b"hello\n", filename='filename="a.txt"', name="file"):
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"; {filename}\r\n\r\n'
    return head.encode() + content + b"\r\n--b--\r\n"


async def post(emulator, data, **headers):
    url = f"{emulator.base_url}/files"
    data = io.BytesIO(data) if isinstance(data, bytes) else data
    async with aiohttp.request("POST", url, data=data, headers=headers_of(emulator, **headers)) as answer:
        return answer.status, await answer.json()


async def settled(condition, seconds=5.0):
    """Wait until a condition holds that other tasks and threads bring about."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def drafts(folder):
    return list((folder / "incoming").iterdir())


async def test_a_chunked_body_is_taken(emulator):
    """A body without Content-Length, in many small pieces, is stored like any other."""

    async def trickle():
        data = body(LINE * 3)
        for start in range(0, len(data), 7):
            yield data[start : start + 7]

    assert (await post(emulator, trickle()))[0] == 200
    assert emulator.requests[0].headers["transfer-encoding"] == "chunked"
    assert await emulator.content(emulator.files()[0].id) == LINE * 3


@pytest.mark.parametrize("size", [1, 512 * 1024, 512 * 1024 + 1, 2 * MIB])
async def test_content_is_stored_as_it_came(emulator, size):
    """Small or large, up to the limit inclusive, the bytes, their number and their hash are kept."""
    content = (LINE * (size // 16 + 1))[:size]
    status, answer = await post(emulator, body(content))
    assert (status, answer["size_bytes"]) == (200, size)
    assert await emulator.content(answer["id"]) == content
    assert emulator.files()[0].sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("extra", [1, MIB, 20 * MIB])
async def test_a_file_over_the_limit_is_413(emulator, extra):
    """One byte over the limit or many: 413 in the envelope, nothing stored, and the connection survives."""
    status, answer = await post(emulator, body((LINE * ((2 * MIB + extra) // 16 + 1))[: 2 * MIB + extra]))
    assert (status, answer["error"]["code"]) == (413, 413)
    assert emulator.files() == ()


async def test_a_chunked_body_over_the_limit_is_413(emulator):
    """A body whose length nobody announced is refused once it is too long."""

    async def endless():
        yield body()[:-9]
        for _ in range(5):
            yield LINE * (MIB // 16)

    assert (await post(emulator, endless()))[0] == 413


async def test_an_empty_file_is_400(emulator):
    """There is no empty file."""
    assert await post(emulator, body(b"")) == (400, {"error": {"code": 400, "message": "File is empty"}})


async def test_a_type_that_is_not_accepted_is_400(emulator):
    """A film is refused, in the words seen from the service."""
    status, answer = await post(emulator, body(b"\x00\x00\x00\x18ftypmp42\x00\x00"))
    assert status == 400
    assert answer["error"]["message"].startswith("File type is not allowed. The type is determined from the file")


async def test_the_name_and_the_declared_type_do_not_decide(emulator):
    """A PDF that is called .txt and declared as text is a PDF."""
    data = body(b"%PDF-1.4\n").replace(b"\r\n\r\n", b"\r\nContent-Type: text/plain\r\n\r\n", 1)
    assert (await post(emulator, data))[1]["mime_type"] == "application/pdf"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no form",
        body(name="data"),
        body(filename="x=y"),
        body(filename='filename=""'),
        body()[:-7] + body(),
        body()[:-9],
        body(filename='filename="a\\"b"'),
    ],
)
async def test_a_form_without_exactly_one_named_file_is_400(emulator, data):
    """No form, no part called file, two of them, one without a name, or one that breaks off."""
    assert (await post(emulator, data))[0] == 400
    assert emulator.files() == ()


async def test_a_body_of_another_type_is_400(emulator):
    """JSON is no upload."""
    assert (await post(emulator, b"{}", **{"Content-Type": "application/json"}))[0] == 400


async def test_other_fields_are_ignored(emulator):
    """Fields beside the file do no harm, before it or behind it."""
    field = b'--b\r\nContent-Disposition: form-data; name="expires_after"\r\n\r\n3600\r\n'
    assert (await post(emulator, field + body()[:-7] + field + b"--b--\r\n"))[0] == 200


async def test_size_is_told_before_emptiness_name_type_and_room():
    """Of several reasons to refuse an upload the first is told: size, emptiness, name, type, quota."""
    bad_name, film = 'filename="a|b"', b"\x00\x00\x00\x18ftypmp42"
    async with Emulator(max_file_bytes=100, quota_bytes=5) as emulator:
        assert (await post(emulator, body(b"\x00" * 101, bad_name)))[0] == 413
        assert "empty" in (await post(emulator, body(b"", bad_name)))[1]["error"]["message"]
        assert "Filename" in (await post(emulator, body(film, bad_name)))[1]["error"]["message"]
        assert "type" in (await post(emulator, body(film)))[1]["error"]["message"]
        assert (await post(emulator, body(b"hello\n")))[0] == 403


async def test_the_quota_may_be_filled_and_is_freed_by_deletion():
    """A workspace holds its quota inclusive; one byte more is 403; a deletion gives the bytes back."""
    async with Emulator(quota_bytes=12) as emulator:
        file = (await post(emulator, body(b"hello\n")))[1]
        assert (await post(emulator, body(b"hello\n")))[0] == 200
        assert (await post(emulator, body(b"x")))[0] == 403
        url = f"{emulator.base_url}/files/{file['id']}"
        async with aiohttp.request("DELETE", url, headers=headers_of(emulator)):
            pass
        assert (await post(emulator, body(b"hello\n")))[0] == 200


async def test_uploads_at_once_share_the_quota():
    """Of many uploads at the same moment exactly as many are stored as there is room for, each with its own id."""
    async with Emulator(quota_bytes=60) as emulator:
        answers = await asyncio.gather(*[post(emulator, body()) for _ in range(25)])
        assert sorted(status for status, _ in answers) == [200] * 10 + [403] * 15
        assert len({file.id for file in emulator.files()}) == 10


async def test_the_quota_is_per_workspace():
    """What one workspace holds does not count in another."""
    async with Emulator(quota_bytes=6) as emulator:
        await post(emulator, body())
        emulator.add_key("other")
        assert (await post(emulator, body(), Authorization="Bearer other"))[0] == 200


@pytest.mark.parametrize("name", ["a", "a/b/c.txt", "é 日本.md", "...", "a..b", "x" * 255, "..a/b.."])
def test_good_filenames_pass(name):
    """Folders, any script and dots inside a segment are fine, up to 255 characters."""
    check_filename(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 256,
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "./a",
        'a"b',
        "a\\b",
        "a\nb",
        "a\x7fb",
        *(f"a{c}" for c in "<>:|?*"),
    ],
)
def test_bad_filenames_are_400(name):
    """Too short, too long, an empty or dotted segment, or a forbidden character."""
    with pytest.raises(Refusal) as refused:
        check_filename(name)
    assert refused.value.status == 400


@given(st.text(max_size=300))
def test_a_filename_passes_exactly_by_the_rules(name):
    """The rules, said another way, agree on any text."""
    segment = r"""(?!\.{1,2}(?:/|\Z))[^<>:"|?*\\/\x00-\x1f\x7f-\x9f]+"""
    good = re.fullmatch(rf"{segment}(?:/{segment})*", name) is not None and len(name) <= 255
    try:
        check_filename(name)
    except Refusal:
        assert not good
    else:
        assert good


async def test_a_hundred_mebibytes_cost_no_memory():
    """An upload of the largest size passes through the emulator in pieces."""

    async def largest():
        yield body(b"")[:-9]
        piece = LINE * (MIB // 32)
        for _ in range(200):
            yield piece
        yield b"\r\n--b--\r\n"

    async with Emulator() as emulator:
        tracemalloc.start()
        status, answer = await post(emulator, largest())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (status, answer["size_bytes"]) == (200, 104_857_600)
    assert peak < 8 * MIB


async def test_an_upload_that_breaks_off_leaves_nothing(tmp_path):
    """A client that goes away in mid-upload leaves neither a file nor a draft of one."""
    async with Emulator(store=tmp_path) as emulator:
        _, writer = await asyncio.open_connection(emulator.host, emulator.port)
        data = body(LINE * 100_000)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers_of(emulator).items())
        writer.write(
            f"POST /api/v1/files HTTP/1.1\r\nHost: [::1]\r\n{head}Content-Length: {len(data)}\r\n\r\n".encode()
        )
        writer.write(data[:1_200_000])
        await writer.drain()
        await settled(lambda: drafts(tmp_path))
        writer.transport.abort()
        await settled(lambda: not drafts(tmp_path))
        assert emulator.files() == ()
        assert emulator.requests[0].status is None


async def test_stopping_in_mid_upload_leaves_no_draft(tmp_path):
    """The emulator can be stopped while content arrives, and takes nothing of it along."""
    async with Emulator(store=tmp_path) as emulator:
        _, writer = await asyncio.open_connection(emulator.host, emulator.port)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers_of(emulator).items())
        writer.write(f"POST /api/v1/files HTTP/1.1\r\nHost: [::1]\r\n{head}Content-Length: 9000000\r\n\r\n".encode())
        writer.write(body(LINE * 100_000)[:1_200_000])
        await settled(lambda: drafts(tmp_path))
    writer.transport.abort()
    assert drafts(tmp_path) == []
    assert list((tmp_path / "blobs").iterdir()) == []


async def test_a_refused_upload_is_not_asked_for_its_body(emulator):
    """`Expect: 100-continue` is answered by the refusal itself, and by 100 when the body is wanted."""
    assert (await post(emulator, body(), Expect="100-continue"))[0] == 200
    _, writer = streams = await asyncio.open_connection(emulator.host, emulator.port)
    writer.write(b"POST /api/v1/files HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
    assert (await streams[0].readline()).startswith(b"HTTP/1.1 401")
    writer.transport.abort()
