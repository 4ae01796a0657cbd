"""What callers give of the wrong type: a TypeError in their words, before a byte is sent."""

from datetime import datetime

import pytest

from openrouter_files import FilesClient, PageToken, RetryPolicy, Timeouts

CLIENT = FilesClient("key")
MADE = {
    "timeouts is a Timeouts, not int": lambda: CLIENT.with_options(timeouts=5),
    "retry is a RetryPolicy, not NoneType": lambda: CLIENT.with_options(retry=None),
    "workspace_id is a str or None, not int": lambda: CLIENT.with_options(workspace_id=3),
    "on_event is a function or None, not str": lambda: CLIENT.with_options(on_event="print"),
    "options is an Options or None, not dict": lambda: FilesClient("key", options={"retry": 3}),
    "max_connections is an int, not str": lambda: FilesClient("key", max_connections="8"),
    "max_connections is an int, not bool": lambda: FilesClient("key", max_connections=True),
    "session is a ClientSession or None, not str": lambda: FilesClient("key", session="mine"),
    "ssl is an SSLContext or None, not bool": lambda: FilesClient("key", ssl=False),
    "each of trace_configs is a TraceConfig, not dict": lambda: FilesClient("key", trace_configs=[{}]),
    "base_url is a str, not int": lambda: FilesClient("key", base_url=443),
    "attempts is an int, not float": lambda: RetryPolicy(attempts=2.5),
    "first_delay is an int or a float, not str": lambda: RetryPolicy(first_delay="1"),
    "deadline is an int or a float or None, not str": lambda: RetryPolicy(deadline="1"),
    "connect is an int or a float or None, not bool": lambda: Timeouts(connect=True),
    "created_since is a datetime, not str": lambda: CLIENT.list(created_since="2026-11-21"),
    "page_size is an int or None, not str": lambda: CLIENT.list(page_size="5"),
    "a container id is a str, not int": lambda: CLIENT.container(3),
}
SENT = {
    "a file id is a str, not int": lambda files: files.retrieve(3),
    "a file id is a str, not NoneType": lambda files: files.delete(None),
    "cursor is a PageToken or a str or None, not int": lambda files: files.list_page(cursor=3),
    r"where to start \(after\) is a str, not int": lambda files: files.list_page(cursor=PageToken("after", 3)),
    "a filename is a str, not int": lambda files: files.upload(b"x", filename=3),
    "content_type is a str, not int": lambda files: files.upload(b"x", filename="x", content_type=3),
    "on_progress is a function or None, not bool": lambda files: files.upload(b"x", filename="x", on_progress=True),
}


@pytest.mark.parametrize("message", MADE)
def test_wrong_types_are_told_when_they_are_given(message):
    """Not later, by whoever stumbles over them."""
    with pytest.raises(TypeError, match=f"^{message}$"):
        MADE[message]()


@pytest.mark.parametrize("message", SENT)
async def test_wrong_types_are_told_before_anything_is_sent(files, emulator, message):
    """The server hears nothing of it."""
    with pytest.raises(TypeError, match=f"^{message}$"):
        await SENT[message](files)
    assert not emulator.requests


def test_a_moment_without_a_time_zone_is_no_moment():
    """It could not be compared with the times of files; the message says how to get one that can."""
    with pytest.raises(ValueError, match="needs a time zone"):
        CLIENT.list(created_since=datetime(2026, 11, 21))  # noqa: DTZ001  # that is the mistake


def test_numbers_that_are_whole_or_not_are_seconds():
    """Seconds may be given as either; None only where it means for ever."""
    assert Timeouts(connect=1, idle=0.5, answer=None) == Timeouts(connect=1.0, idle=0.5, answer=None)
