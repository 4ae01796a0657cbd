"""Questions to the real service that are answered by reading; see conftest.py for how to ask them."""

import base64
import secrets
import uuid
from itertools import pairwise

import pytest

from openrouter_files import NotFoundError, PageToken

pytestmark = pytest.mark.live

NOBODY = "or_file_" + "0" * 24
OPENAI = {"User-Agent": "OpenAI/Python 2.8.0"}
STAINLESS = {"x-stainless-lang": "python"}
ANTHROPIC = {"anthropic-version": "2023-06-01"}
OPEN = "open"
DOWNLOADS = 1 << 20


def held(headers):
    """The headers of a request in one line."""
    return ", ".join(f"{name}: {value}" for name, value in headers.items()) or "no header"


@pytest.mark.parametrize("headers", [{}, OPENAI, STAINLESS, ANTHROPIC, STAINLESS | ANTHROPIC], ids=held)
async def test_the_shape_follows_the_headers(wire, findings, headers):
    """The shape of a listing for the headers of each SDK, and whether it is named on the listing and its entries."""
    seen = await wire.get("/files", query={"limit": "3"}, headers=headers)
    findings.add("Q1", f"the shape for {held(headers)}", seen.shape, seen.told)
    shapes = sorted({str(entry.get("_shape", "absent")) for entry in seen.entries}) or ["no entry"]
    findings.add("Q2", f"listing with {held(headers)}", f"list {seen.shape}, entries {' and '.join(shapes)}", seen.told)


@pytest.mark.parametrize("headers", [OPENAI, STAINLESS, ANTHROPIC], ids=held)
async def test_every_shape_is_paged_to_the_same_files(files, some, findings, headers):
    """The client reads the same files, page by page, in whatever shape."""
    shaped, ids = files.with_options(headers=headers), []
    async for file in shaped.list(page_size=2):
        ids.append(file.id)
        if len(ids) == 5:
            break
    same = ids == [file.id for file in some[:5]]
    findings.add("Also", f"pages of 2 with {held(headers)}", "the same files" if same else "other files", str(len(ids)))
    assert same


@pytest.mark.parametrize("headers", [{}, OPENAI, ANTHROPIC], ids=held)
async def test_metadata_has_the_shape_too(wire, some, findings, headers):
    """The shape of one file's metadata for the headers of each SDK."""
    answer, told = OPEN, "the workspace is empty"
    if some:
        seen = await wire.get(f"/files/{some[0].id}", headers=headers)
        answer, told = seen.shape, seen.told
    findings.add("Q2", f"metadata with {held(headers)}", answer, told)


async def test_old_ids(wire, some, findings):
    """Whether the id of today, in the format of the first weeks, is found."""
    answer, told = OPEN, "no id begins with or_file_"
    for file in some[:1]:
        if file.id.startswith("or_file_"):
            seen = await wire.get(f"/files/{file.id.removeprefix('or_')}")
            answer, told = str(seen.status), seen.told
    findings.add("Q3", "`or_file_X` asked for as `file_X`", answer, told)


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_a_listing_at_a_provider(wire, findings, provider):
    """What a provider's store answers: refused for want of a key, or in which shape, with which ids."""
    seen = await wire.get("/files", query={"provider": provider, "limit": "2"})
    answer = str(seen.status)
    if seen.status == 200:
        ids = sorted({str(entry.get("id"))[:5] for entry in seen.entries})
        answer += f", {seen.shape}, cursor {'yes' if 'cursor' in seen.json else 'no'}"
        answer += f", ids {' '.join(ids)}..." if ids else ", no file"
    findings.add("Q7", f"listing with provider={provider}", answer, seen.told)


async def smallest_download(files, some):
    """A file that may be downloaded and is not large, if there is one."""
    fitting = [file for file in some if file.downloadable and 3 <= file.size_bytes <= DOWNLOADS]
    return min(fitting, key=lambda file: file.size_bytes, default=None)


async def test_headers_of_a_download(files, wire, some, findings):
    """Which headers come with a content, and that the client reads it whole."""
    file = await smallest_download(files, some)
    if file is None:
        findings.add("Q9", "media type", OPEN, "no downloadable file of 3 bytes to 1 MiB")
        return
    seen = await wire.get(f"/files/{file.id}/content", headers={"Accept": "application/octet-stream"})
    for name in ("content-type", "content-length", "etag", "last-modified", "accept-ranges", "content-disposition"):
        findings.add("Q9", f"`{name}`", "yes" if name in seen.headers else "no", seen.headers.get(name, ""))
    findings.add("Q9", "media type", seen.kind, seen.told)
    assert len(await files.download(file).read()) == file.size_bytes


async def test_ranges_of_a_download(files, wire, some, findings):
    """Whether a part of a content can be asked for."""
    file = await smallest_download(files, some)
    if file is None:
        findings.add("Q9", "`Range: bytes=1-`", OPEN, "no downloadable file of 3 bytes to 1 MiB")
        return
    whole = await wire.get(f"/files/{file.id}/content")
    seen = await wire.get(f"/files/{file.id}/content", headers={"Range": "bytes=1-"})
    right = seen.body == (whole.body[1:] if seen.status == 206 else whole.body)
    answer = {200: "200, ignored", 206: "206, a part"}.get(seen.status, str(seen.status))
    findings.add("Q9", "`Range: bytes=1-`", answer, f"{seen.told} {seen.headers.get('content-range', '')}")
    assert right


async def test_what_was_uploaded_is_not_downloaded(wire, some, findings):
    """The status for the content of an upload."""
    upload = next((file for file in some if file.downloadable is False), None)
    answer, told = OPEN, "no file that is not downloadable"
    if upload is not None:
        seen = await wire.get(f"/files/{upload.id}/content")
        answer, told = str(seen.status), seen.told
    findings.add("Also", "content of an upload", answer, told)


async def test_an_unknown_container(wire, findings):
    """What a container that nobody knows lists."""
    seen = await wire.get(f"/containers/sess_{secrets.token_hex(10)}/files")
    answer = str(seen.status)
    if seen.status == 200:
        answer += f", {len(seen.entries)} files, has_more {seen.json.get('has_more')}"
    findings.add("Q10", "listing", answer, seen.told)


async def test_a_file_of_an_unknown_container(files, findings):
    """A file of a container that nobody knows is not found."""
    container = files.container(f"sess_{secrets.token_hex(10)}")
    with pytest.raises(NotFoundError) as caught:
        await container.retrieve("cfile_b3V0L3JlcG9ydC5jc3Y")
    findings.add("Q10", "metadata of a file in it", str(caught.value.status), str(caught.value))


def cursor_after(file_id):
    """A cursor as the documents' examples have it."""
    return base64.b64encode(f'{{"cursor":"{file_id}"}}'.encode()).decode()


@pytest.mark.parametrize(
    "query",
    [
        {"before_id": "ID"},
        {"order": "desc"},
        {"order": "sideways"},
        {"cursor": "CURSOR", "after": "ID"},
        {"after": "ID", "after_id": "ID"},
        {"cursor": "%%%"},
        {"cursor": "CURSOR OF NOBODY"},
        {"after": NOBODY},
        {"after_id": NOBODY},
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "many"},
        {"workspace_id": "nonsense"},
        {"provider": "mistral"},
        {"unheard_of": "1"},
    ],
    ids=str,
)
async def test_parameters_that_are_refused(wire, some, findings, query):
    """The status for each parameter that is unsupported, malformed, or beside another."""
    own = some[0].id if some else NOBODY
    values = {"ID": own, "CURSOR": cursor_after(own), "CURSOR OF NOBODY": cursor_after(NOBODY)}
    seen = await wire.get("/files", query={name: values.get(value, value) for name, value in query.items()})
    words = {NOBODY: "ID OF NOBODY"}
    detail = " with ".join(f"`{name}={words.get(value, value)}`" for name, value in query.items())
    needs_a_file = not {"ID", "CURSOR"}.isdisjoint(query.values())
    findings.add("Q11", detail, OPEN if needs_a_file and not some else str(seen.status), seen.told)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("unknown", NOBODY),
        ("with a space", "a%20b"),
        ("with a slash", "or_file_a%2Fb"),
        ("with a dot", "or_file_a.b"),
        ("with an umlaut", "%C3%A4"),
        ("of 257 characters", "x" * 257),
    ],
)
async def test_ids_that_are_none(wire, findings, kind, path):
    """The status of metadata and content for ids outside of the documented pattern."""
    metadata, content = await wire.get(f"/files/{path}"), await wire.get(f"/files/{path}/content")
    question = "Q12" if kind == "unknown" else "Q19"
    findings.add(question, f"an id {kind}", f"metadata {metadata.status}, content {content.status}", metadata.told)


async def test_an_unknown_workspace(wire, findings):
    """The status for a workspace id that nobody has."""
    seen = await wire.get("/files", query={"workspace_id": str(uuid.uuid4())})
    findings.add("Q13", "a random uuid", str(seen.status), seen.told)


async def test_the_order_of_the_listing(some, findings):
    """Whether the listing goes by the time of creation, and whether ids go along with it."""
    times, ids = [file.created_at for file in some], [file.id for file in some]
    answer = next((word for word, holds in orders(times).items() if holds), "neither")
    by_id = ids == sorted(ids)
    findings.add("Q14", "of what is there", answer, f"{len(some)} files; ids {'are' if by_id else 'are not'} sorted")


def orders(times):
    """What can be said about the times of a listing, the first that holds counts."""
    return {
        OPEN: len(times) < 2,
        "oldest first": all(a <= b for a, b in pairwise(times)),
        "newest first": all(a >= b for a, b in pairwise(times)),
    }


async def test_which_check_comes_first(wire, findings):
    """Of two failing checks, the one that answers."""
    bad, stranger = {"limit": "0"}, {"workspace_id": str(uuid.uuid4())}
    for detail, query, with_key in (
        ("no key, and a bad limit", bad, False),
        ("a bad limit, and an unknown workspace", bad | stranger, True),
    ):
        seen = await wire.get("/files", query=query, with_key=with_key)
        findings.add("Q15", detail, str(seen.status), seen.told)


@pytest.mark.parametrize("headers", [{}, OPENAI, ANTHROPIC], ids=held)
async def test_the_envelope_of_errors(wire, findings, headers):
    """Whose envelope a 404 has, for the headers of each SDK."""
    seen = await wire.get(f"/files/{NOBODY}", headers=headers)
    error = seen.json.get("error")
    envelope = "none"
    if isinstance(error, dict):
        envelope = "Anthropic's" if seen.json.get("type") == "error" else "OpenAI's" if "type" in error else "another"
        if error.get("code") == seen.status and isinstance(error.get("message"), str):
            envelope = "OpenRouter's"
    keys = f"keys {sorted(seen.json)}, of the error {sorted(error) if isinstance(error, dict) else 'none'}"
    findings.add("Q16", f"a 404 with {held(headers)}", envelope, keys)


@pytest.mark.parametrize("accept", ["text/html", "application/octet-stream", "image/png"])
async def test_accept(wire, findings, accept):
    """What is answered to somebody who accepts something else."""
    seen = await wire.get("/files", query={"limit": "1"}, headers={"Accept": accept})
    findings.add("Q23", f"a listing for {accept}", f"{seen.status} {seen.kind}", seen.told)


async def test_another_header_for_the_key(wire, findings):
    """Whether the key may come the way that Anthropic's SDKs send it."""
    headers = ANTHROPIC | {"x-api-key": wire.key}
    seen = await wire.get("/files", query={"limit": "1"}, headers=headers, with_key=False)
    findings.add("Q25", "the key in `x-api-key`", str(seen.status), seen.told)


async def test_no_key_and_a_wrong_one(wire, findings):
    """The status without a key, and with one that nobody has."""
    for detail, headers in (("no key", {}), ("a wrong key", {"Authorization": "Bearer sk-or-v1-nobody"})):
        seen = await wire.get("/files", headers=headers, with_key=False)
        findings.add("Also", detail, str(seen.status), seen.told)


async def test_an_unknown_path(wire, findings):
    """What is answered for a path that is no operation."""
    seen = await wire.get("/files/a/b/c")
    findings.add("Also", "an unknown path", f"{seen.status} {seen.kind}", seen.told)


async def test_headers_of_answers(wire, findings):
    """Whether answers tell the time, which reconciling needs, and carry an id to quote."""
    seen = await wire.get("/files", query={"limit": "1"})
    findings.add("Also", "`Date` on a listing", "yes" if "date" in seen.headers else "no", seen.headers.get("date", ""))
    names = ("x-request-id", "request-id", "x-generation-id", "cf-ray")
    carried = [name for name in names if name in seen.headers]
    findings.add("Also", "an id of the request", ", ".join(carried) or "none", seen.told)


async def test_the_form_of_cursors(wire, findings):
    """Whether a cursor is base64 of an id, as in the documents' examples."""
    seen = await wire.get("/files", query={"limit": "1"})
    cursor, answer = seen.json.get("cursor"), OPEN
    if cursor:
        expected = cursor_after(seen.json.get("last_id"))
        answer = "base64 of the last id" if cursor == expected else "another form"
    findings.add("Also", "cursors", answer, str(cursor))


@pytest.mark.parametrize("parameter", ["after", "after_id"])
async def test_a_listing_goes_on_after_an_id_of_ours(files, some, findings, parameter):
    """Whether the listing can start behind a file that is there: reconciling looks there for what is new."""
    if len(some) < 2:
        findings.add("Also", f"`{parameter}=` an id that is there", OPEN, "fewer than two files")
        return
    page = await files.list_page(limit=1, cursor=PageToken(parameter, some[0].id))
    answer = "goes on" if [file.id for file in page.data] == [some[1].id] else "does something else"
    findings.add("Also", f"`{parameter}=` an id that is there", answer, f"{len(page.data)} files")


async def test_the_largest_page(files, wire, findings):
    """Whether pages of 1,000 are taken, and how many files one has that asks for no number."""
    page, plain = await files.list_page(limit=1000), await wire.get("/files")
    findings.add("Also", "`limit=1000`", "accepted", f"{len(page.data)} files")
    more = plain.json.get("has_more") is True
    findings.add("Also", "files in a page by default", str(len(plain.entries)) if more else OPEN, plain.told)
