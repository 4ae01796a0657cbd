"""Where a redirect may lead."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from yarl import URL

from openrouter_files.transport.http import MOST_REDIRECTS, onward

HERE = "https://openrouter.ai/api/v1/files/x/content?workspace_id=w"
LOOPBACK = "http://127.0.0.1:8080/api/v1/files"
ALL = [301, 302, 303, 307, 308]


@pytest.mark.parametrize(
    ("method", "statuses", "location", "found"),
    [
        # within the origin
        ("GET", ALL, "https://openrouter.ai/new", ("https://openrouter.ai/new", True)),
        ("GET", ALL, "https://openrouter.ai:443/new", ("https://openrouter.ai:443/new", True)),
        ("GET", ALL, "https://OpenRouter.AI/new", ("https://OpenRouter.AI/new", True)),
        ("GET", ALL, "//openrouter.ai/new", ("https://openrouter.ai/new", True)),
        ("DELETE", [307, 308], "https://openrouter.ai/new", ("https://openrouter.ai/new", True)),
        ("DELETE", [301, 302, 303], "https://openrouter.ai/new", None),
        # relative
        ("GET", ALL, "/new", ("https://openrouter.ai/new", True)),
        ("GET", ALL, "new", ("https://openrouter.ai/api/v1/files/x/new", True)),
        ("GET", ALL, "../y", ("https://openrouter.ai/api/v1/files/y", True)),
        ("GET", ALL, "?a=b", ("https://openrouter.ai/api/v1/files/x/content?a=b", True)),
        ("GET", ALL, "/new?a=b#part", ("https://openrouter.ai/new?a=b", True)),
        ("GET", ALL, "#part", (HERE, True)),
        ("GET", ALL, "https:///new", ("https://openrouter.ai/new", True)),
        ("GET", ALL, "https://", (HERE, True)),
        ("DELETE", [307, 308], "/new", ("https://openrouter.ai/new", True)),
        # a storage link: another https origin
        ("GET", ALL, "https://store.example/f?sig=1", ("https://store.example/f?sig=1", False)),
        ("GET", ALL, "//store.example/f", ("https://store.example/f", False)),
        ("GET", ALL, "https://store.example/f#x", ("https://store.example/f", False)),
        ("GET", ALL, "https://openrouter.ai:8443/new", ("https://openrouter.ai:8443/new", False)),
        ("GET", ALL, "https://eu.openrouter.ai/new", ("https://eu.openrouter.ai/new", False)),
        ("GET", ALL, "https://openrouter.ai.example/", ("https://openrouter.ai.example/", False)),
        ("GET", ALL, "https://openrouter.ai./", ("https://openrouter.ai./", False)),
        ("DELETE", ALL, "https://store.example/f", None),
        ("DELETE", ALL, "https://openrouter.ai:8443/new", None),
        # never in plain text
        ("GET", ALL, "http://openrouter.ai/new", None),
        ("GET", ALL, "http://store.example/f", None),
        ("GET", ALL, "http://openrouter.ai:443/new", None),
        ("DELETE", ALL, "http://openrouter.ai/new", None),
        # never an upload
        ("POST", ALL, "https://openrouter.ai/new", None),
        ("POST", ALL, "/new", None),
        ("POST", ALL, "https://store.example/f", None),
        # never with a login
        ("GET", ALL, "https://user@openrouter.ai/new", None),
        ("GET", ALL, "https://user:pw@openrouter.ai/new", None),
        ("GET", ALL, "https://@openrouter.ai/new", None),
        ("GET", ALL, "https://openrouter.ai@store.example/", None),
        ("GET", ALL, "https://openrouter.ai\\@store.example/", None),
        # no URL that could be asked
        ("GET", ALL, "https://openrouter.ai:port/", None),
        ("GET", ALL, "https://openrouter.ai:99999/", None),
        ("GET", ALL, "https://openrouter.ai:-1/", None),
        ("GET", ALL, "ftp://openrouter.ai/new", None),
        ("GET", ALL, "javascript:alert(1)", None),
        ("GET", ALL, "data:,x", None),
        ("GET", ALL, "file:///etc/passwd", None),
        # nowhere
        ("GET", ALL, None, None),
        ("GET", ALL, "", None),
        ("GET", [200, 201, 300, 304, 305, 306, 309, 400, 503], "/new", None),
        ("DELETE", [200, 300, 304, 305], "/new", None),
    ],
)
def test_where_a_redirect_leads(method, statuses, location, found):
    """The table: the key stays with its origin, a file with its server."""
    for status in statuses:
        assert onward(method, HERE, status, location, content=True) == found, status


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/a b", "https://openrouter.ai/a%20b"),
        ("/a\tb\x01", "https://openrouter.ai/a%09b%01"),
        ("/\t/store.example/", "https://openrouter.ai/%09/store.example/"),
        ("/é?x=ü", "https://openrouter.ai/%C3%A9?x=%C3%BC"),
        ("/caf\udce9", "https://openrouter.ai/caf%E9"),
        (
            "https://store.example/a%2Fb%zz+c%20d?sig=a+b/c%3D&x='\"",
            "https://store.example/a%2Fb%zz+c%20d?sig=a+b/c%3D&x='\"",
        ),
        ("https://store.example/é ?a=%E9", "https://store.example/%C3%A9%20?a=%E9"),
        ("https://störe.example/a", None),
        ("https://st ore.example/a", None),
    ],
)
def test_what_no_url_holds_is_escaped_byte_by_byte(location, target):
    """The bytes that came are asked for, none is changed into another: a signed link would no longer fit."""
    found = onward("GET", HERE, 302, location, content=True)
    assert (found and found[0]) == target
    if target is not None:
        assert str(URL(target, encoded=True)) == target


@pytest.mark.parametrize("location", ["https://store.example/f", "//store.example/", "https://openrouter.ai:8443/"])
@pytest.mark.parametrize("status", ALL)
def test_only_content_leaves_the_origin(location, status):
    """Metadata and listings are followed within the origin only: another host could make them up."""
    assert onward("GET", HERE, status, location, content=False) is None
    assert onward("GET", HERE, status, "/new", content=False) == ("https://openrouter.ai/new", True)


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("/new", ("http://127.0.0.1:8080/new", True)),
        ("http://127.0.0.1:8080/new", ("http://127.0.0.1:8080/new", True)),
        ("http://127.0.0.1/new", None),
        ("http://127.0.0.1:8081/new", None),
        ("http://localhost:8080/new", None),
        ("https://127.0.0.1:8080/new", ("https://127.0.0.1:8080/new", False)),
        ("https://store.example/f", ("https://store.example/f", False)),
    ],
)
def test_from_a_server_on_this_machine(location, found):
    """In plain text only to the same port of the same host; encryption makes another origin."""
    assert onward("GET", LOOPBACK, 307, location, content=True) == found


@pytest.mark.parametrize(("url", "port"), [("http://[::1]/a", 80), ("https://[::1]/a", 443)])
def test_ports_that_go_without_saying(url, port):
    """The default port said aloud is the same origin, of an IPv6 address, too."""
    target = url.replace("]", f"]:{port}")
    assert onward("GET", url, 302, target, content=True) == (target, True)
    assert onward("GET", target, 302, url, content=True) == (url, True)


@pytest.mark.parametrize("location", ["http://[", "https://[::1", "//]", "https://a]b/"])
def test_locations_that_are_no_urls(location):
    """A broken Location is one that is not followed, not an exception."""
    assert onward("GET", HERE, 302, location, content=True) is None


def test_port_zero_is_another_origin():
    """Nobody listens there, and the key has no business with it."""
    assert onward("GET", HERE, 302, "https://openrouter.ai:0/new", content=True) != (
        "https://openrouter.ai:0/new",
        True,
    )


def test_redirects_end():
    """A handful, as the design says."""
    assert MOST_REDIRECTS == 5


PIECES = ["https://", "http://", "//", "/", "\\", "openrouter.ai", "store.example", "@", ":", "443", "0", "#", "?", ".", "..", "%40", "%2f", "\t", "\n", " ", "é", "[::1]", ";", "user:pw"]  # fmt: skip  # noqa: E501
LOCATIONS = st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text(max_size=15)
ORIGIN = URL(HERE).origin()


def followed(method, status, location):
    try:
        return onward(method, HERE, status, location, content=True)
    except ValueError:
        return None


@settings(max_examples=250)
@given(method=st.sampled_from(["GET", "DELETE"]), status=st.sampled_from(ALL), location=LOCATIONS)
@example(method="GET", status=302, location="https://openrouter.ai\\.store.example/")
@example(method="GET", status=302, location="https:\\\\store.example/")
@example(method="GET", status=302, location="/\\store.example/")
@example(method="GET", status=302, location="/\t/store.example/")
@example(method="GET", status=302, location="https://openrouter.ai%40store.example/")
def test_the_key_never_leaves_its_origin(method, status, location):
    """Whatever a Location holds: what is called the same origin is the same for the HTTP library, too."""
    step = followed(method, status, location)
    if step is None:
        return
    target, same = step
    try:
        url = URL(target, encoded=True)
        origin = url.origin()
    except ValueError:
        return  # the HTTP library refuses it
    assert url.scheme == "https"
    assert (url.user, url.password) == (None, None)
    assert origin == ORIGIN if same else method == "GET"
