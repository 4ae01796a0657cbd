"""What is sent: requests, their targets, and the operations of the API."""

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from yarl import URL

from openrouter_files import DeletedFile, File, FilePage, Options, PageToken
from openrouter_files.protocol import requests as operations
from openrouter_files.protocol.requests import BYTES, JSON, Operation, Request, segment

NOTHING = Options()
SCOPED = Options(workspace_id="w 1&x=y", provider="openai")
SCOPE = (("workspace_id", "w 1&x=y"), ("provider", "openai"))
FILE = b'{"id":"x","filename":"f","size_bytes":1,"created_at":0}'

BY_ID = {
    "retrieve": ("GET", "/files/{}", lambda file_id: operations.retrieve_file(NOTHING, file_id).request),
    "delete": ("DELETE", "/files/{}", lambda file_id: operations.delete_file(NOTHING, file_id).request),
    "download": ("GET", "/files/{}/content", lambda file_id: operations.file_content(NOTHING, file_id)),
}


@pytest.mark.parametrize(
    ("request_", "method", "target", "accept", "idempotent"),
    [
        (operations.list_files(NOTHING).request, "GET", "/files", JSON, True),
        (operations.upload_file(NOTHING).request, "POST", "/files", JSON, False),
        (operations.retrieve_file(NOTHING, "or_file_1").request, "GET", "/files/or_file_1", JSON, True),
        (operations.delete_file(NOTHING, "or_file_1").request, "DELETE", "/files/or_file_1", JSON, True),
        (operations.file_content(NOTHING, "or_file_1"), "GET", "/files/or_file_1/content", BYTES, True),
    ],
    ids=["list", "upload", "retrieve", "delete", "download"],
)
def test_the_five_operations(request_, method, target, accept, idempotent):
    """Method, target and what is asked for; what nobody asked to say is not sent."""
    assert (request_.method, request_.target) == (method, target)
    assert (request_.accept, request_.idempotent, request_.headers) == (accept, idempotent, ())


@pytest.mark.parametrize(
    "request_",
    [
        operations.list_files(SCOPED).request,
        operations.upload_file(SCOPED).request,
        operations.retrieve_file(SCOPED, "x").request,
        operations.delete_file(SCOPED, "x").request,
        operations.file_content(SCOPED, "x"),
    ],
    ids=["list", "upload", "retrieve", "delete", "download"],
)
def test_every_operation_says_whose_files(request_):
    """Workspace and provider go with each request, encoded."""
    assert request_.query == SCOPE
    assert request_.target.endswith("?workspace_id=w%201%26x%3Dy&provider=openai")


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ({}, ()),
        ({"limit": 1}, (("limit", "1"),)),
        ({"limit": 1000}, (("limit", "1000"),)),
        ({"cursor": PageToken("cursor", "c==")}, (("cursor", "c=="),)),
        ({"cursor": PageToken("after", "a")}, (("after", "a"),)),
        ({"cursor": PageToken("after_id", "a"), "limit": 5}, (("limit", "5"), ("after_id", "a"))),
    ],
)
def test_the_query_of_a_page(arguments, query):
    """The page's size and start, and never two ways to say where it starts."""
    assert operations.list_files(NOTHING, **arguments).request.query == query
    assert operations.list_files(SCOPED, **arguments).request.query == query + SCOPE


@pytest.mark.parametrize("limit", [0, -1, 1001, 10**9])
def test_page_sizes_out_of_bounds_are_refused(limit):
    """Before anything is sent."""
    with pytest.raises(ValueError, match=f"limit must be between 1 and 1000, not {limit}"):
        operations.list_files(NOTHING, limit=limit)


@pytest.mark.parametrize("limit", [1.0, 2.5, True, "5", b"5"])
def test_a_page_size_is_a_whole_number(limit):
    """What would be sent as another text than digits is refused before anything is sent."""
    with pytest.raises(TypeError, match=f"limit is an int or None, not {type(limit).__name__}"):
        operations.list_files(NOTHING, limit=limit)


@pytest.mark.parametrize(
    ("operation", "body", "model"),
    [
        (operations.list_files(NOTHING), b'{"data":[]}', FilePage),
        (operations.upload_file(NOTHING), FILE, File),
        (operations.retrieve_file(NOTHING, "x"), FILE, File),
        (operations.delete_file(NOTHING, "x"), b'{"id":"x"}', DeletedFile(id="x")),
        (operations.delete_file(NOTHING, "x"), b"", DeletedFile(id="x")),
        (operations.delete_file(NOTHING, "x"), b" \n", DeletedFile(id="x")),
    ],
    ids=["list", "upload", "retrieve", "delete", "delete, no body", "delete, blank body"],
)
def test_operations_read_their_answers(operation, body, model):
    """Each knows which model its answer is."""
    assert isinstance(operation, Operation)
    found = operation.read(body)
    assert found == model or type(found) is model


@pytest.mark.parametrize(
    ("file_id", "sent"),
    [
        ("or_file_011CNha8iCJcU1wXNR6q4V8w", "or_file_011CNha8iCJcU1wXNR6q4V8w"),
        ("file-abc.def~x", "file-abc.def~x"),
        ("a/b", "a%2Fb"),
        ("a\\b", "a%5Cb"),
        ("a?b=c", "a%3Fb%3Dc"),
        ("a#b", "a%23b"),
        ("a b", "a%20b"),
        ("a+b", "a%2Bb"),
        ("100%", "100%25"),
        ("%2e%2e", "%252e%252e"),
        ("%2F", "%252F"),
        ("../keys", "..%2Fkeys"),
        ("...", "..."),
        (".a", ".a"),
        ("é", "%C3%A9"),
        ("🎉", "%F0%9F%8E%89"),
        ("@:;,&=$!'()*[]", "%40%3A%3B%2C%26%3D%24%21%27%28%29%2A%5B%5D"),
        (" ", "%20"),
        ("\u2028\x85", "%E2%80%A8%C2%85"),
        ("x" * 5_000, "x" * 5_000),
    ],
)
def test_ids_are_one_segment(file_id, sent):
    """An id is opaque: it is encoded whole, and no character of it means anything."""
    assert segment(file_id) == sent


@pytest.mark.parametrize("build", [b[2] for b in BY_ID.values()], ids=BY_ID)
@pytest.mark.parametrize("file_id", ["", ".", "..", "\x00", "a\nb", "a\rb", "\t", "\x1f", "\x7f", "a\ud800", "\udfff"])
def test_ids_that_are_none(build, file_id):
    """What would be another endpoint or no URL at all is the caller's mistake."""
    with pytest.raises(ValueError, match="file id"):
        build(file_id)


@pytest.mark.parametrize("file_id", [None, 5, b"or_file_1", ["x"], 1.5])
@pytest.mark.parametrize("build", [b[2] for b in BY_ID.values()], ids=BY_ID)
def test_ids_are_text(build, file_id):
    """Anything but a str is a TypeError, not a path that says None."""
    with pytest.raises(TypeError, match="a file id is a str, not"):
        build(file_id)


def test_a_segment_says_what_it_is():
    """The message speaks of what the caller passed."""
    with pytest.raises(ValueError, match="is not a container id"):
        segment("..", what="container id")


HOSTILE = [
    "a/b",
    "../..",
    "./x",
    "..;/x",
    "a?b=c",
    "a#f",
    "%2e%2e",
    "%2F..%2f",
    "//other.example",
    "\\..\\",
    "http://x/",
    "@x",
    "é",
    "🎉 ",
    "%",
    "%zz",
    "&",
    "\x85",
    "\u202e",
    "\uff0e\uff0e",
]
IDS = st.text(min_size=1, max_size=30) | st.lists(st.sampled_from([*HOSTILE, "/", ".", "a"]), min_size=1).map("".join)


@settings(max_examples=80)
@given(file_id=IDS, operation=st.sampled_from(list(BY_ID)))
@example(file_id="../../keys", operation="delete")
@example(file_id="..", operation="delete")
def test_no_id_reaches_another_endpoint(file_id, operation):
    """Whatever the id, the request stays at its endpoint and names this id, or is not made."""
    method, path, build = BY_ID[operation]
    try:
        request = build(file_id)
    except ValueError:
        return
    assert request.method == method
    for encoded in [urlsplit(f"https://openrouter.ai/api/v1{request.target}").path,
                    URL(f"https://openrouter.ai/api/v1{request.target}", encoded=True).raw_path,
                    URL(f"https://openrouter.ai/api/v1{request.target}").raw_path]:  # fmt: skip
        parts = encoded.split("/")
        assert [*parts[:4], "{}", *parts[5:]] == ["", "api", "v1", *path.split("/")[1:]]
        assert unquote(parts[4], errors="strict") == file_id
    whole = URL(f"https://openrouter.ai/api/v1{request.target}")
    assert (whole.host, whole.query_string, whole.fragment) == ("openrouter.ai", "", "")


VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=60)
@given(query=st.lists(st.tuples(VALUES.filter(bool), VALUES), max_size=4))
def test_any_query_is_read_back(query):
    """Names and values survive as they are meant, spaces and plus signs included."""
    target = Request(method="GET", path="/files", query=tuple(query)).target
    assert target.isascii()
    assert parse_qsl(urlsplit(target).query, keep_blank_values=True, strict_parsing=bool(query)) == query
    assert urlsplit(target).path == "/files"
    assert list(URL(f"https://openrouter.ai{target}", encoded=True).query.items()) == query
