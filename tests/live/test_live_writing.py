"""Questions to the real service that are answered by writing: small files, deleted again."""

import os
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from live_room import Room
from live_samples import SAMPLES

from openrouter_files import BadRequestError, NotFoundError, PayloadTooLargeError

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        os.environ.get("OPENROUTER_LIVE_WRITE") != "1", reason="set OPENROUTER_LIVE_WRITE=1 to let it write"
    ),
]

OPENAI = {"User-Agent": "OpenAI/Python 2.8.0"}
ANTHROPIC = {"anthropic-version": "2023-06-01"}
LARGEST = 104_857_600
PIECE = b"a" * (1 << 20)


@pytest.mark.parametrize("headers", [{}, OPENAI, ANTHROPIC], ids=["openrouter", "openai", "anthropic"])
async def test_shapes_of_receipts(room, wire, findings, headers):
    """The shape of what an upload and a deletion answer, for the headers of each SDK."""
    made = await room.post_file("shape.txt", headers=headers)
    gone = await wire.ask("DELETE", f"/files/{made.json['id']}", headers=headers)
    sender = next(iter(headers), "no header")
    findings.add("Q2", f"upload and deletion with {sender}", f"upload {made.shape}, deletion {gone.shape}", gone.told)


@pytest.mark.parametrize("kind", SAMPLES)
async def test_types(room, findings, kind):
    """The type that a content is said to have, or the status with which it is refused."""
    seen = await room.post_file("sample", SAMPLES[kind])
    answer = str(seen.json.get("mime_type")) if seen.status == 200 else str(seen.status)
    findings.add("Q5", kind, answer, seen.told)


@pytest.mark.parametrize(
    ("detail", "parts"),
    [
        ("`purpose` before the file", [("purpose", "batch", None), ("file", b"a\n", "a.txt")]),
        ("`purpose` behind the file", [("file", b"a\n", "a.txt"), ("purpose", "batch", None)]),
        ("`expires_after`", [("expires_after[seconds]", "3600", None), ("file", b"a\n", "a.txt")]),
        ("`file` twice", [("file", b"a\n", "a.txt"), ("file", b"b\n", "b.txt")]),
        ("no `file`", [("purpose", "batch", None)]),
        ("`file` of another name", [("document", b"a\n", "a.txt")]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_forms(room, findings, detail, parts):
    """The status of uploads with other parts than one file, and the purpose that the openai shape then names."""

    def fill(form):
        for name, content, filename in parts:
            form.add_field(name, content, filename=filename and room.name(filename))
        if not any(filename for _, _, filename in parts):
            form.add_field("also", b"", filename="")  # makes it a multipart form

    seen = await room.post(fill, headers=OPENAI)
    purpose = seen.json.get("purpose")
    findings.add("Q6", detail, f"{seen.status}, purpose {purpose}" if purpose else str(seen.status), seen.told)


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_a_life_at_a_provider(files, wire, broom, findings, provider):
    """Upload, metadata, listing and deletion at a provider, if there is a key for it, read by the client."""
    there = Room(files.with_options(provider=provider), wire, broom, {"provider": provider})
    detail = f"upload with provider={provider}"
    try:
        file = await there.upload("provider.txt")
    except BadRequestError as error:
        findings.add("Q7", detail, str(error.status), str(error))
        return
    try:
        newer = await there.upload("provider.txt")
        same = await there.files.retrieve(file.id) == file
        listed = [other.id async for other in there.files.list() if other.id in {file.id, newer.id}]
        answer = f"metadata {'same' if same else 'differ'}, type {file.mime_type}, downloadable {file.downloadable}"
        findings.add("Q7", detail, answer, f"id {file.id[:8]}...")
        order = {(file.id, newer.id): "oldest first", (newer.id, file.id): "newest first"}
        findings.add("Q7", f"order with provider={provider}", order.get(tuple(listed), "not both are listed"))
        for parameter in ("after", "after_id"):
            seen = await wire.get("/files", query=there.query | {parameter: file.id})
            behind = "goes on" if newer.id in {entry["id"] for entry in seen.entries} else "the newer file is not there"
            answer = behind if seen.status == 200 else str(seen.status)
            findings.add("Q7", f"`{parameter}=` an id just made with provider={provider}", answer, seen.told)
        with pytest.raises(NotFoundError):
            await files.retrieve(file.id)
    finally:
        await there.clean()


GOOD_NAMES = {
    "folders": "data/deep/r.csv",
    "a space": "a b.txt",
    "an umlaut": "grün.txt",
    "a combined umlaut": "gru\u0308n.txt",
    "an emoji": "\N{ROCKET}.txt",
    "right to left": "\N{HEBREW LETTER ALEF}.txt",
    "a percent sign": "100%.txt",
    "an escaped quote": "a%22b.txt",
    "an escaped line end": "a%0D%0Ab.txt",
    "a semicolon": "a;b.txt",
    "an apostrophe": "it's.txt",
    "a plus": "a+b.txt",
    "no extension": "README",
    "a leading dot": "x/.env",
    "a space at the end": "a.txt ",
}
BAD_NAMES = {
    "a quote": 'a"b.txt',
    "a backslash": "a\\b.txt",
    "a colon": "a:b.txt",
    "a question mark": "a?b.txt",
    "a star": "a*b.txt",
    "angles": "<a>.txt",
    "a pipe": "a|b.txt",
    "a line end": "a\nb.txt",
    "an empty segment": "a//b.txt",
    "a dot segment": "a/./b.txt",
    "a way up": "a/../b.txt",
    "a slash at the end": "a/",
}


@pytest.mark.parametrize("kind", GOOD_NAMES | BAD_NAMES)
async def test_names(room, files, findings, kind):
    """Whether a name comes back as it was sent by the client, or which status refuses it."""
    name = (GOOD_NAMES | BAD_NAMES)[kind]
    try:
        file = await room.upload(name)
    except (BadRequestError, ValueError) as error:
        status = error.status if isinstance(error, BadRequestError) else "refused by the client"
        findings.add("Q11", f"a name with {kind}", str(status), repr(error))
        return
    told = (await files.retrieve(file.id)).filename
    answer = "comes back" if told == room.name(name) else "comes back changed"
    findings.add("Q11", f"a name with {kind}", answer, ascii(told.removeprefix(room.name(""))))


@pytest.mark.parametrize("length", [255, 256])
@pytest.mark.parametrize("letter", ["a", "ü"], ids=["ascii", "umlauts"])
async def test_the_longest_name(room, findings, length, letter):
    """Whether names of 255 characters are taken, and longer ones refused."""
    seen = await room.post_file(letter * (length - len(room.name(""))))
    findings.add("Q11", f"a name of {length} characters like {letter}", str(seen.status), seen.told)


async def test_a_listing_shows_at_once_what_was_written(room, files, findings):
    """Creation order; read-after-write of listing and metadata; what is behind an id of ours, there or deleted."""
    made = [await room.upload(f"{n}.txt") for n in range(3)]
    listed = [file.id async for file in files.list() if file.filename.startswith(room.name(""))]
    mine, at_once = [file.id for file in made], [file_id for file_id in listed if file_id in room.ids]
    findings.add(
        "Q14", "of three uploads", "creation order" if at_once == mine else "another", f"{len(at_once)} listed"
    )
    findings.add("Also", "an upload is listed at once", "yes" if set(mine) <= set(listed) else "no")
    findings.add("Also", "metadata at once", "yes" if await files.retrieve(mine[2]) == made[2] else "differ")
    behind = [file.id async for file in files.list(after=mine[0])]
    findings.add("Also", "`after=` an id just made", "goes on" if behind[:2] == mine[1:] else "something else")
    await files.delete(mine[0])
    try:
        behind = [file.id async for file in files.list(after=mine[0])]
        answer = "goes on" if behind[:2] == mine[1:] else "something else"
    except (BadRequestError, NotFoundError) as error:
        answer = str(error.status)
    findings.add("Also", "`after=` an id just deleted", answer)


async def test_a_deletion_shows_at_once(room, files, wire, findings):
    """Deleted twice, a file is not found; nor are its metadata, nor is it listed."""
    file = await room.upload("gone.txt")
    await files.delete(file.id)
    with pytest.raises(NotFoundError):
        await files.delete(file.id)
    again, metadata = await wire.ask("DELETE", f"/files/{file.id}"), await wire.get(f"/files/{file.id}")
    listed = file.id in {other.id async for other in files.list()}
    findings.add("Also", "DELETE twice", str(again.status), again.told)
    findings.add("Also", "a deleted file", f"metadata {metadata.status}, {'listed' if listed else 'not listed'}")


@pytest.mark.parametrize(("kind", "path"), [("with a space", "a%20b"), ("of 257 characters", "x" * 257)])
async def test_deleting_ids_that_are_none(wire, findings, kind, path):
    """The status for deleting by an id outside of the documented pattern."""
    seen = await wire.ask("DELETE", f"/files/{path}")
    findings.add("Q12", f"DELETE of an id {kind}", str(seen.status), seen.told)


async def test_an_upload_is_described(room, wire, findings):
    """What is said of an upload: not downloadable, of the size it has, made now by the server's clock."""
    before = time.time()
    file = await room.upload("described.txt")
    seen = await wire.get(f"/files/{file.id}")
    assert (file.downloadable, file.size_bytes) == (False, 6)
    findings.add("Also", "the content of a fresh upload", str((await wire.get(f"/files/{file.id}/content")).status))
    clock = parsedate_to_datetime(seen.headers["date"]).timestamp() if "date" in seen.headers else time.time()
    age = clock - file.created_at.timestamp()
    near = -2 <= age <= time.time() - before + 2
    findings.add("Also", "`created_at` agrees with `Date`", "yes" if near else "no", f"{age:.3f} s before")
    told = str(seen.json.get("created_at"))
    findings.add("Also", "`created_at` has fractions of seconds", "yes" if "." in told else "no", told)
    assert file.created_at <= datetime.now(UTC) or not near


async def test_one_name_twice(room, findings):
    """Whether a second upload of a name, alike or not, is a file of its own."""
    for detail, contents in (("and content", (b"a\n", b"a\n")), ("and other content", (b"b\n", b"c\n"))):
        ids = {(await room.upload(f"twin {detail}.txt", content)).id for content in contents}
        findings.add("Q26", f"one name {detail}", {1: "one file", 2: "two files"}[len(ids)])


async def test_an_empty_file(room, findings):
    """The status for nothing."""
    seen = await room.post_file("empty.txt", b"")
    findings.add("Also", "an empty file", str(seen.status), seen.told)


@pytest.mark.skipif(
    os.environ.get("OPENROUTER_LIVE_LARGE") != "1", reason="set OPENROUTER_LIVE_LARGE=1: 100 MiB, twice"
)
@pytest.mark.parametrize("size", [LARGEST, LARGEST + 1])
async def test_the_largest_file(room, files, findings, size):
    """Whether 104,857,600 bytes are taken, and one more refused."""

    async def pieces():
        for start in range(0, size, len(PIECE)):
            yield PIECE[: size - start]

    room.broom.stores.add(None)
    try:
        file = await files.upload(pieces(), filename=room.name("large.txt"), size=size)
        room.ids.add(file.id)
        answer = "accepted"
    except PayloadTooLargeError as error:
        answer = str(error.status)
    findings.add("Also", f"a file of {size:,} bytes", answer)


@pytest.mark.skipif(not os.environ.get("OPENROUTER_LIVE_CONTAINER"), reason="OPENROUTER_LIVE_CONTAINER names none")
async def test_promoting_twice(room, files, findings):
    """Whether two promotions of one path are two files, and what a promotion looks like."""
    container = files.container(os.environ["OPENROUTER_LIVE_CONTAINER"])
    inside = [file async for file in container.list()]
    if not inside:
        pytest.skip("the container has no files")
    smallest = min(inside, key=lambda file: file.size_bytes)
    copies = []
    for _ in range(2):
        copies.append(await container.promote(smallest))
        room.ids.add(copies[-1].id)
    answer = "one file" if copies[0].id == copies[1].id else "two files"
    findings.add("Q20", "two promotions", answer, f"downloadable {copies[1].downloadable}, {copies[1].mime_type}")
    if smallest.size_bytes <= 1 << 20:
        assert await files.download(copies[1]).read() == await container.download(smallest).read()
