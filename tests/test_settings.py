"""What a client is told about the service, and by whom."""

import platform
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from openrouter_files import FilesClient, __version__
from openrouter_files.options import BASE_URL, checked_base_url, key_from_environment, standing_headers


def base_url(argument=None, *, allow_plain_http=False):
    return checked_base_url(argument, allow_plain_http=allow_plain_http)


def headers(http_referer=None, app_title=None, app_categories=None):
    return standing_headers(
        version="1.2.3", http_referer=http_referer, app_title=app_title, app_categories=app_categories
    )


def test_the_key_of_the_environment(monkeypatch):
    """The variable is the key."""
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-env")
    assert key_from_environment() == "sk-env"


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_key(monkeypatch, value):
    """An empty variable is none, and the message says what to do."""
    if value is not None:
        monkeypatch.setenv("OPENROUTER_API_KEY", value)
    with pytest.raises(ValueError, match=r"pass api_key= or set OPENROUTER_API_KEY"):
        key_from_environment()


def test_a_client_needs_a_key(monkeypatch):
    """It is missed when the client is made; the environment does where no argument is given."""
    with pytest.raises(ValueError, match="no API key"):
        FilesClient()
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-env")
    assert repr(FilesClient()) == f"FilesClient(base_url={BASE_URL!r})"


def test_an_empty_key_is_not_looked_up_elsewhere(monkeypatch):
    """An argument is an argument, even a wrong one."""
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-env")
    with pytest.raises(ValueError, match="the API key is empty"):
        FilesClient("")


@pytest.mark.parametrize(
    ("argument", "environment", "url"),
    [
        (None, None, "https://openrouter.ai/api/v1"),
        (None, "", "https://openrouter.ai/api/v1"),
        (None, "https://env.example/v1", "https://env.example/v1"),
        ("https://arg.example/v1", "https://env.example/v1", "https://arg.example/v1"),
        ("https://arg.example/v1", None, "https://arg.example/v1"),
        ("https://arg.example/v1/", "ftp://wrong", "https://arg.example/v1"),
    ],
)
def test_argument_over_environment_over_default(monkeypatch, argument, environment, url):
    """What is not asked for is not even looked at."""
    if environment is not None:
        monkeypatch.setenv("OPENROUTER_BASE_URL", environment)
    assert base_url(argument) == url


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://openrouter.ai/api/v1/", "https://openrouter.ai/api/v1"),
        ("https://openrouter.ai/api/v1///", "https://openrouter.ai/api/v1"),
        ("https://openrouter.ai", "https://openrouter.ai"),
        ("https://eu.openrouter.ai/api/v1", "https://eu.openrouter.ai/api/v1"),
        ("https://gateway.example:8443/or", "https://gateway.example:8443/or"),
        ("https://[2001:db8::1]:443/", "https://[2001:db8::1]:443"),
        ("HTTPS://openrouter.ai/api/v1", "HTTPS://openrouter.ai/api/v1"),
    ],
)
def test_base_urls(given, url):
    """Any https URL, without its trailing slashes."""
    assert base_url(given) == url


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8080", "127.8.9.10", "[::1]:80", "localhost", "LOCALHOST:1", "files.localhost"],
)
def test_plain_http_stays_on_the_machine(host):
    """The loopback needs no encryption."""
    assert base_url(f"http://{host}/api/v1") == f"http://{host}/api/v1"


FAR = ["openrouter.ai", "10.0.0.1", "0.0.0.0", "192.168.1.1:80", "[::]", "127.0.0.1.example", "localhost.example",
       "mylocalhost", "128.0.0.1", "2130706433", "[fe80::1]", "127.0.0.1."]  # fmt: skip


@pytest.mark.parametrize("host", FAR)
def test_plain_http_beyond_the_machine_is_refused(host):
    """The key would be readable on the way; what only looks like the loopback is not."""
    with pytest.raises(ValueError, match="in plain text: use https"):
        base_url(f"http://{host}/api/v1")


@pytest.mark.parametrize("host", FAR)
def test_plain_http_may_be_asked_for(host):
    """Behind a gateway of one's own, say."""
    assert base_url(f"http://{host}/api/v1", allow_plain_http=True) == f"http://{host}/api/v1"


@pytest.mark.parametrize("allow_plain_http", [False, True])
@pytest.mark.parametrize(
    "url",
    [
        *("openrouter.ai/api/v1", "//openrouter.ai/api/v1", "/api/v1", "https:/openrouter.ai", "https://", "https:///x"),
        *("ftp://openrouter.ai", "file:///etc/passwd", "ws://openrouter.ai", "javascript:alert(1)", "https", " ", "http://["),
        *("https://user@openrouter.ai", "https://user:pw@openrouter.ai", "https://:pw@openrouter.ai", "https://@openrouter.ai"),
        *("https://openrouter.ai\\@other.example/", "https://openrouter.ai/api?x=1", "https://openrouter.ai/api#x"),
        *("https://openrouter.ai?x", "https://:443/", "https://?x"),
    ],
)  # fmt: skip
def test_base_urls_that_are_refused(url, allow_plain_http):
    """No other scheme, no missing host, no login, no query, no fragment."""
    with pytest.raises(ValueError, match=r"base URL|IPv6"):
        base_url(url, allow_plain_http=allow_plain_http)


@pytest.mark.parametrize(
    "url",
    [
        *("https://openrouter.ai/api/v1?", "https://openrouter.ai/api/v1#", "https://openrouter.ai:99999/api/v1"),
        *("https://openrouter.ai:port/api/v1", "https://open router.ai/api/v1"),
        *("https://openrouter.ai/api/v1\n", "https://openrouter.ai/api/\tv1", " https://openrouter.ai/api/v1"),
    ],
)
def test_base_urls_that_lead_nowhere(url):
    """A path put behind it would be part of a query or a fragment, or the first call would fail."""
    with pytest.raises(ValueError, match="base URL"):
        base_url(url)


def test_a_login_is_not_shown():
    """A password in a URL that is refused for another reason does not get into the message."""
    with pytest.raises(ValueError, match="must start with https://") as caught:
        base_url("ftp://user:secret@openrouter.ai")
    assert "secret" not in str(caught.value)


@settings(max_examples=60)
@given(rest=st.text(st.sampled_from("abc.:/@\\[]?#%1é "), max_size=12))
def test_a_plain_url_never_leads_away(rest):
    """Whatever stands behind http://, what is taken leads to the loopback as the HTTP library reads it, too."""
    try:
        url = base_url(f"http://localhost{rest}")
        host = URL(url + "/files", encoded=True).host
    except ValueError:
        return
    assert host == "localhost" or host.endswith(".localhost")


ATTRIBUTION = [
    ("http_referer", "OPENROUTER_HTTP_REFERER", "HTTP-Referer"),
    ("app_title", "OPENROUTER_APP_TITLE", "X-OpenRouter-Title"),
    ("app_categories", "OPENROUTER_APP_CATEGORIES", "X-OpenRouter-Categories"),
]


def test_what_every_request_says():
    """The User-Agent holds the version; attribution that is unset is left out, not sent empty."""
    assert headers() == {"User-Agent": f"openrouter-files/1.2.3 Python/{platform.python_version()}"}


def test_the_version_is_sent():
    """The one of the package."""
    sent = standing_headers(version=__version__, http_referer=None, app_title=None, app_categories=None)
    assert re.match(rf"openrouter-files/{re.escape(__version__)} Python/3\.\d+", sent["User-Agent"])


@pytest.mark.parametrize(("argument", "variable", "header"), ATTRIBUTION)
def test_attribution(monkeypatch, argument, variable, header):
    """Argument over environment over nothing; an empty argument silences the environment."""
    assert header not in headers()
    assert headers(**{argument: "arg"})[header] == "arg"
    monkeypatch.setenv(variable, "env")
    assert headers()[header] == "env"
    assert headers(**{argument: "arg"})[header] == "arg"
    assert header not in headers(**{argument: ""})
    monkeypatch.setenv(variable, "")
    assert header not in headers()


@pytest.mark.parametrize(
    ("given", "sent"),
    [("a,b", "a,b"), (["a", "b"], "a,b"), (("cli-agent",), "cli-agent"), ([], None), ("", None)],
)
def test_categories(given, sent):
    """Text as it is, or a sequence."""
    assert headers(app_categories=given).get("X-OpenRouter-Categories") == sent


@pytest.mark.parametrize(("argument", "variable", "header"), ATTRIBUTION)
def test_attribution_that_would_end_the_line(monkeypatch, argument, variable, header):
    """It is refused when the client is made, wherever it came from."""
    with pytest.raises(ValueError, match=f"the value of header {header}"):
        headers(**{argument: "a\r\nX: y"})
    monkeypatch.setenv(variable, "a\nb")
    with pytest.raises(ValueError, match=f"the value of header {header}"):
        headers()
