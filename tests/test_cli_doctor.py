"""`doctor`: one line per check, against servers of all kinds."""

import json
import time

import pytest
from raw_server import RawServer, reply
from test_cli_process import called, cli, within

from openrouter_files.cli import doctor_command as checks
from openrouter_files.cli import doctor_command as probing
from openrouter_files.cli.process import Exit
from openrouter_files.emulator import Emulator, Status

CHECKS = ["versions", "key", "base url", "proxy", "reachable", "clock", "access"]
LIBRARIES = {"aiohttp", "attrs", "cattrs", "aiofiles", "rich", "click", "python", "openrouter-files"}


async def examined(*arguments, server=None, **environment):
    """Run it for programs; return the status and the checks by their names."""
    done = await called("doctor", "--json", *arguments, server=server, **environment)
    return done.status, {told["check"]: told for told in map(json.loads, done.lines)}


async def test_all_is_well(emulator):
    """Everything is ok, in one line each, and the status is 0; nothing is changed."""
    done = await cli("doctor", server=emulator)
    assert (done.status, done.messages) == (0, "")
    assert [line[:4].strip() for line in done.lines] == ["ok"] * len(CHECKS)
    assert [line[6:16].strip() for line in done.lines] == CHECKS
    assert emulator.files() == ()


async def test_for_programs(emulator):
    """With --json each check has a status, a message, an advice or null, and its facts."""
    status, told = await examined(server=emulator)
    assert status == 0
    assert list(told) == CHECKS
    assert all(check["status"] == "ok" and check["advice"] is None for check in told.values())
    assert LIBRARIES | {"backoff"} <= told["versions"]["versions"].keys() | {"backoff"}
    assert told["base url"]["base_url"] == emulator.base_url


async def test_the_emulator_is_examined_without_a_key():
    """--emulator needs neither key nor network."""
    status, told = await examined("--emulator")
    assert (status, told["access"]["status"]) == (0, "ok")


async def test_no_key(emulator):
    """Without a key the server is looked at all the same; the status is 4."""
    status, told = await examined("--base-url", emulator.base_url)
    assert status == 4
    assert (told["key"]["status"], told["reachable"]["status"]) == ("fail", "ok")
    assert "OPENROUTER_API_KEY" in told["key"]["advice"]
    assert "access" not in told


@pytest.mark.parametrize("style", ["--json", "--verbose"])
async def test_a_refused_key_is_not_shown(emulator, style):
    """A wrong key is found out by asking, ends with 4, and is nowhere in what is told."""
    done = await called("doctor", style, server=emulator, OPENROUTER_API_KEY="sk-or-v1-wrong")
    assert done.status == 4
    assert "OPENROUTER_API_KEY" in done.lines[-1]
    assert "401" in done.lines[-1]
    assert "wrong" not in done.results + done.messages


@pytest.mark.parametrize(
    ("key", "status"), [("sk-or-v1-x", "ok"), ("sk-proj-x", "warn"), ("'sk-or-v1-x'", "fail"), (" sk-or-v1-x", "fail")]
)
def test_how_a_key_looks(key, status):
    """A key of another service is a warning, quotes or white space in one are a failure; it is not shown."""
    check = checks.key(key, "OPENROUTER_API_KEY")
    assert check.status == status
    assert key.strip("' ") not in check.found + check.advice
    assert check.advice or status == "ok"


async def test_nobody_answers(unreachable):
    """A server that nobody runs is told with what to check, and ends with 1."""
    status, told = await examined(server=unreachable)
    assert status == 1
    assert told["reachable"]["status"] == "fail"
    assert "Connection refused" in told["reachable"]["message"]
    assert "--base-url" in told["reachable"]["advice"]
    assert list(told)[-1] == "reachable"


async def test_a_name_that_nobody_knows():
    """A host that cannot be found is told as that."""
    _, told = await examined("--base-url", "https://files.invalid/api/v1", OPENROUTER_API_KEY="sk-or-x")
    assert told["reachable"]["status"] == "fail"
    assert "DNS" in told["reachable"]["advice"]


async def test_what_is_no_http():
    """Something else at that port is told as that."""

    async def babble(connection):
        await connection.send(b"220 mail.example ESMTP\r\n")

    async with RawServer(babble) as server:
        status, told = await examined(server=server)
    assert (status, told["reachable"]["status"]) == (1, "fail")
    assert "not HTTP" in told["reachable"]["message"]


async def test_a_redirect_is_a_warning():
    """A base URL that leads elsewhere is told, and nobody follows."""
    async with RawServer(reply(302, location="http://127.0.0.1:9/elsewhere")) as server:
        _, told = await examined(server=server)
        assert told["reachable"]["status"] == "warn"
        assert told["reachable"]["http_status"] == 302


@pytest.mark.parametrize(("ahead", "words"), [(3600, "behind the server's"), (-3600, "ahead of the server's")])
async def test_a_wrong_clock(ahead, words):
    """A clock that differs from the server's is a warning with the difference, and no failure."""
    async with Emulator(clock=lambda: time.time() + ahead) as server:
        status, told = await examined(server=server)
    assert (status, told["clock"]["status"]) == (0, "warn")
    assert abs(told["clock"]["seconds_ahead"] - ahead) < 60
    assert words in told["clock"]["message"]


async def test_a_server_without_a_clock():
    """A server that does not tell the time is no failure."""
    async with RawServer(reply(401)) as server:
        _, told = await examined(server=server)
    assert told["clock"]["status"] == "skip"


async def test_a_proxy_is_named_without_its_login(unreachable):
    """The proxy of the environment is told, but not its password; --no-proxy goes without it."""
    proxy = unreachable.base_url.removesuffix("/api/v1").replace("//", "//me:hush@")
    spoken = {"HTTPS_PROXY": proxy, "OPENROUTER_API_KEY": "sk-or-v1-x"}
    status, told = await examined("--base-url", "https://files.invalid/api/v1", **spoken)
    assert status == 1
    assert told["proxy"]["proxy"] == proxy.replace("me:hush@", "")
    assert "with a login" in told["proxy"]["message"]
    assert "proxy" in told["reachable"]["advice"]
    assert "hush" not in json.dumps(told)
    _, told = await examined("--base-url", "https://files.invalid/api/v1", "--no-proxy", **spoken)
    assert told["proxy"]["proxy"] is None


@pytest.mark.parametrize("proxy", ["socks5://me:hush@127.0.0.1:1", "http://me:hu#sh@127.0.0.1:1", "http://me:hush@"])
async def test_a_proxy_that_cannot_be_asked(proxy):
    """A SOCKS proxy, or what is none, fails in a line without its login; other commands say so, too."""
    spoken = {"HTTPS_PROXY": proxy, "OPENROUTER_API_KEY": "sk-or-v1-x"}
    status, told = await examined("--base-url", "https://files.invalid/api/v1", **spoken)
    assert (status, told["proxy"]["status"], list(told)[-1]) == (1, "fail", "proxy")
    assert "HTTPS_PROXY" in told["proxy"]["message"]
    assert "hu" not in told["proxy"]["message"]
    ended = await cli("list", "--base-url", "https://files.invalid/api/v1", **spoken)
    assert ended.status == 2
    assert "HTTPS_PROXY" in ended.messages
    assert "hush" not in ended.messages


async def test_a_base_url_that_makes_no_sense():
    """It is told which words do not fit, and the rest is not tried."""
    status, told = await examined("--base-url", "http://example.org/", OPENROUTER_API_KEY="sk-or-x")
    assert (status, told["base url"]["status"]) == (2, "fail")
    assert "--allow-plain-http" in told["base url"]["message"]
    assert list(told)[-1] == "base url"


async def test_a_workspace_that_is_not_the_keys(emulator):
    """--workspace is asked for, too."""
    status, told = await examined("--workspace", "00000000-0000-4000-8000-000000000000", server=emulator)
    assert (status, told["access"]["status"]) == (4, "fail")
    assert "--workspace" in told["access"]["advice"]


async def test_a_server_in_trouble(emulator):
    """A 503 is asked about once, not again and again."""
    emulator.queue("list", Status(503), Status(503))
    status, told = await examined(server=emulator)
    assert (status, told["reachable"]["status"], told["access"]["status"]) == (1, "warn", "fail")
    assert len(emulator.requests) == 2


async def test_the_first_look_shows_no_key():
    """The server is looked at without the key."""
    async with RawServer(reply(body={"data": []})) as server:
        await examined(server=server)
        assert ["authorization" in request["headers"] for request in server.requests] == [False, True]


def test_slow_answers_bend_no_clock():
    """The time that an answer took is allowed for."""
    assert probing.clock(probing.Probe(status=200, seconds=40.0, ahead=-20.0)).status == "ok"
    assert probing.clock(probing.Probe(status=200, seconds=0.1, ahead=-20.0)).status == "warn"


def test_the_status_of_the_first_failure():
    """Of several failures the first one decides."""
    assert within("doctor", "--base-url", "http://example.org/").status == Exit.KEY_REFUSED
