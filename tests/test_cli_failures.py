"""What errors mean to the user: tables, and what becomes of a mistake of ours."""

import errno

import pytest

from openrouter_files import (
    AmbiguousUploadError,
    AuthenticationError,
    BadRequestError,
    Failed,
    IncompleteDownloadError,
    LocalFile,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitError,
    SourceError,
    TransportError,
    TransportTimeoutError,
)
from openrouter_files.cli.errors import NoKeyError, failure_of
from openrouter_files.cli.job import Job, Tally
from openrouter_files.cli.options import Settings, run
from openrouter_files.cli.output import Output
from openrouter_files.cli.process import Exit
from openrouter_files.cli.progress import Gauge

CASES = [
    (NotFoundError("Resource not found", status=404), 3, "404 Resource not found"),
    (AuthenticationError("Invalid API key", status=401), 4, "401 Invalid API key"),
    (PermissionDeniedError("No access", status=403), 4, "--workspace"),
    (PermissionDeniedError("Workspace storage is full", status=403), 1, "delete some files"),
    (NoKeyError(), 4, "OPENROUTER_API_KEY"),
    (RateLimitError("Rate limit exceeded", status=429, retry_after=7), 6, "retry after 7 s"),
    (AmbiguousUploadError("may have been stored"), 7, "openrouter-files list"),
    (BadRequestError("File is empty", status=400), 1, "400 File is empty"),
    (PayloadTooLargeError("too large", status=413), 1, "413 too large"),
    (TransportError("connection refused"), 1, "--base-url"),
    (TransportTimeoutError("silent for 60 s"), 1, "silent for 60 s"),
    (IncompleteDownloadError("cut", received=1, expected=2), 1, "cut"),
    (SourceError("it grew"), 1, "it grew"),
    (FileNotFoundError(errno.ENOENT, "No such file or directory", "a.txt"), 1, "a.txt: No such file or directory"),
    (FileExistsError(errno.EEXIST, "File exists", "a.txt"), 1, "--overwrite"),
    (ValueError("it leads out of its folder"), 1, "it leads out of its folder"),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), 1, "internal error, unexpected UnicodeDecodeError"),
    (TypeError("not a\npath"), 1, "internal error, unexpected TypeError: not a\\npath (run with --verbose"),
    (KeyError("x"), 1, "internal error, unexpected KeyError"),
]


@pytest.mark.parametrize(("error", "status", "words"), CASES, ids=[type(case[0]).__name__ for case in CASES])
def test_every_error_has_a_status_and_a_line(error, status, words):
    """An error means one exit status and one line that a person can act on."""
    failure = failure_of(error)
    assert failure.exit == Exit(status)
    assert words in failure.line
    assert "\n" not in failure.line


def test_the_source_is_named_once():
    """A line names what it is about, but not twice."""
    lost = FileNotFoundError(errno.ENOENT, "No such file or directory", "a.txt")
    assert failure_of(lost, "a.txt").line == "a.txt: No such file or directory"
    assert failure_of(NotFoundError("not found", status=404), "not").line == "not: 404 not found"


def test_notes_and_escapes():
    """What the client noted on an error is told, and nothing in a server's words acts on a terminal."""
    error = BadRequestError("bad\x1b[2J\nname", status=400)
    error.add_note("gave up after 5 attempts")
    assert failure_of(error).line == r"400 bad\x1b[2J\nname (gave up after 5 attempts)"


def test_for_programs():
    """Programs get type, message, status, code and what to quote."""
    error = RateLimitError("slow down", status=400, code=429, retry_after=2.5, request_id="req_1")
    assert failure_of(error, "a.txt").json == {
        "outcome": "failed",
        "error": {
            "type": "RateLimitError", "message": str(error),
            "status": 400, "code": 429, "retry_after": 2.5, "request_id": "req_1",
        },
        "source": "a.txt",
    }  # fmt: skip


def test_what_all_files_would_meet():
    """Only a refused key is final: it would be refused for the next file, too."""
    final = {type(error).__name__ for error, *_ in CASES if failure_of(error).is_final}
    assert final == {"AuthenticationError", "PermissionDeniedError", "NoKeyError"}
    assert not failure_of(PermissionDeniedError("storage full", status=403)).is_final


async def _mistake():
    raise TypeError("unsupported operand\nof ours")


async def _attempted(output):
    tally = Tally(output)
    await tally.attempt("a.txt", _mistake())
    return tally.exit


@pytest.mark.parametrize("verbose", [False, True])
def test_a_mistake_of_ours_is_no_wrong_usage(capsys, verbose):
    """Whatever nobody expected ends a command with 1 and one line; its traceback is for those who want it."""
    for work in (lambda _: _mistake(), _attempted):
        assert run(Settings(verbose=verbose), work) == 1
        told = capsys.readouterr().err.splitlines()
        assert told[-1].startswith(
            r"openrouter-files: error: internal error, unexpected TypeError: unsupported operand\nof"
        )
        assert [line for line in told[:-1] if not verbose] == []
        assert ("Traceback (most recent call last):" in told) == verbose


@pytest.mark.parametrize("verbose", [False, True])
def test_a_mistake_of_ours_about_one_file(capsys, verbose):
    """Among the files of a job it is a failure like another, and --verbose shows where it was made."""
    job = Job(output=Output(Settings(verbose=verbose)), gauge=Gauge("uploading"), past="uploaded")
    job.tell(Failed(source=LocalFile("a.txt", "a.txt"), error=TypeError("ours")))
    job.sum_up()
    told = capsys.readouterr().err
    assert job.exit == 1
    assert "a.txt: internal error, unexpected TypeError: ours" in told
    assert told.startswith("TypeError: ours\n") == verbose
