"""``openrouter://`` over loopback: looking, reading whole files, and what changes the workspace."""

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import fsspec
import pytest
from fsspec.callbacks import Callback
from fsspec_room import Room

from openrouter_files import (
    AuthenticationError,
    BadRequestError,
    FilesClient,
    NotFoundError,
    RetryPolicy,
    ServiceUnavailableError,
    Timeouts,
)
from openrouter_files.emulator import Drop, Emulator, Stall, Status
from openrouter_files.fsspec import OpenRouterFileSystem
from openrouter_files.fsspec.ending import end

LIST = ("GET", "/files")


@pytest.fixture
def room():
    """A workspace; what was queued in it must be met."""
    with Emulator() as emulator:
        yield Room(emulator)
        OpenRouterFileSystem.clear_instance_cache()


@pytest.fixture
def fs(room):
    """A file system for it."""
    return room.fs()


@pytest.fixture
def reports(room):
    """Some files, with folders."""
    return {path: room.put(path, path.encode()) for path in ("a.txt", "reports/t.csv", "reports/old/u.csv")}


def test_fsspec_knows_the_protocol(room, reports):
    """Nothing is imported: fsspec finds the file system by its entry point, and its options go to the client."""
    fs, path = fsspec.url_to_fs("openrouter://reports/t.csv", **room.options)
    assert isinstance(fs, OpenRouterFileSystem)
    assert path == "reports/t.csv"
    assert fs.cat(path) == b"reports/t.csv"
    assert fs.unstrip_protocol(path) == "openrouter://reports/t.csv"


def test_listing(fs, reports):
    """`ls` shows files and folders, with details or without, with the protocol or without."""
    assert fs.ls("") == fs.ls("openrouter://")
    assert fs.ls("", detail=False) == ["a.txt", "reports"]
    assert fs.ls("openrouter://reports/", detail=False) == ["reports/t.csv", "reports/old"]
    assert fs.ls("a.txt", detail=False) == ["a.txt"]
    with pytest.raises(FileNotFoundError, match="nothing"):
        fs.ls("nothing")


def test_info(room, fs, reports):
    """`info` says what fsspec wants to know, and the id."""
    info = fs.info("openrouter://reports/t.csv")
    assert {name: info[name] for name in ("name", "size", "type", "id", "downloadable")} == {
        "name": "reports/t.csv",
        "size": 13,
        "type": "file",
        "id": reports["reports/t.csv"],
        "downloadable": True,
    }
    assert fs.info("reports")["type"] == fs.info("")["type"] == fs.info("@id")["type"] == "directory"
    assert (fs.isfile("a.txt"), fs.isdir("a.txt"), fs.isdir("reports"), fs.isfile("reports")) == (True, False) * 2
    assert (fs.exists("a.txt"), fs.exists("b.txt"), fs.isdir("b"), fs.isfile("b")) == (True, False, False, False)
    assert fs.size("a.txt") == 5
    assert fs.created("a.txt") == fs.modified("a.txt") <= datetime.now(UTC)
    assert fs.created("reports") is None


def test_find_glob_walk_du(fs, reports):
    """What fsspec builds on listings works, in one request for all of it."""
    assert fs.find("") == sorted(reports)
    assert fs.find("reports", withdirs=True) == ["reports", "reports/old", "reports/old/u.csv", "reports/t.csv"]
    assert fs.find("reports", maxdepth=1) == ["reports/t.csv"]
    assert fs.find("nothing") == []
    assert fs.glob("reports/*.csv") == ["reports/t.csv"]
    assert fs.glob("**/*.csv") == ["reports/old/u.csv", "reports/t.csv"]
    assert fs.glob("re*/o?d/[u]*") == ["reports/old/u.csv"]
    assert [step[0] for step in fs.walk("")] == ["", "reports", "reports/old"]
    assert fs.du("") == sum(map(len, reports))


def test_cat(fs, reports):
    """`cat` gives bytes: of one file, of several, of parts."""
    assert fs.cat("a.txt") == b"a.txt"
    assert fs.cat("reports/*.csv") == {"reports/t.csv": b"reports/t.csv"}
    assert fs.cat(["a.txt", "reports/t.csv"]) == {"a.txt": b"a.txt", "reports/t.csv": b"reports/t.csv"}
    assert fs.read_text("a.txt") == "a.txt"
    assert fs.head("a.txt", 2) == b"a."
    assert fs.tail("a.txt", 3) == b"txt"


@pytest.mark.parametrize("bounds", [(0, 5), (1, 3), (None, 2), (2, None), (-3, None), (None, -1), (3, 99), (4, 2)])
def test_cat_of_a_part_is_a_slice(fs, reports, bounds):
    """The bounds of a part count as in a slice, from the end, too."""
    assert fs.cat_file("a.txt", *bounds) == b"a.txt"[slice(*bounds)]


def test_an_empty_file_can_be_read(room, fs):
    """Models write empty files, too."""
    room.put("empty", b"")
    assert fs.cat("empty") == b""
    with fs.open("empty") as file:
        assert file.read() == b""


def test_names_are_not_unique(room, fs):
    """A path means the newest file of its name; each of them can be had by its id."""
    old, new = room.put("t.csv", b"old"), room.put("t.csv", b"newer")
    assert fs.cat("t.csv") == b"newer"
    assert (fs.info("t.csv")["id"], fs.info("t.csv")["older"]) == (new, [old])
    assert fs.cat(f"openrouter://@id/{old}") == b"old"
    assert fs.info(f"@id/{old}")["filename"] == "t.csv"
    assert fs.ls(f"@id/{old}", detail=False) == [f"@id/{old}"]
    assert fs.find("@id") == sorted([f"@id/{old}", f"@id/{new}"])
    assert fs.find("") == ["t.csv"]


def test_an_id_costs_no_listing(room, fs):
    """A path with an id asks for that file only."""
    file_id = room.put("t.csv", b"old")
    assert fs.cat(f"@id/{file_id}") == b"old"
    assert room.seen() == [("GET", f"/files/{file_id}"), ("GET", f"/files/{file_id}/content")]


def test_an_unknown_id_is_not_there(fs):
    """An id that the workspace does not have is a file that does not exist."""
    assert not fs.exists("@id/or_file_unknown")
    with pytest.raises(FileNotFoundError) as caught:
        fs.cat_file("@id/or_file_unknown")
    assert isinstance(caught.value.__cause__, NotFoundError)


# --- the listing that is kept


def test_the_listing_is_kept(room, fs, reports):
    """Any number of questions about what is there cost one listing."""
    fs.ls(""), fs.info("a.txt"), fs.find(""), fs.glob("**"), fs.exists("reports/t.csv"), fs.isdir("reports")
    assert room.seen() == [LIST]


def test_what_is_not_in_the_kept_listing_may_be_new(room, fs, reports):
    """A path that was not there is looked for once more: a model may have written it since."""
    fs.ls("")
    room.put("new/b.txt", b"new")
    assert "new" not in fs.ls("", detail=False)
    assert fs.cat("new/b.txt") == b"new"
    assert "new" in fs.ls("", detail=False)


def test_the_kept_listing_can_be_dropped(room, fs):
    """invalidate_cache and refresh=True look anew."""
    room.put("t.csv", b"old")
    assert fs.info("t.csv")["size"] == 3
    room.put("t.csv", b"newer")
    assert fs.info("t.csv")["size"] == 3
    assert fs.info("t.csv", refresh=True)["size"] == 5
    room.put("t.csv", b"newest")
    assert fs.ls("", refresh=True)[0]["size"] == 6
    room.put("t.csv", b"the last")
    fs.invalidate_cache("any/path")
    assert fs.info("t.csv")["size"] == 8


def test_no_listing_is_kept_if_none_is_wanted(room, reports):
    """With use_listings_cache=False every question is asked anew, a walk still only once."""
    fs = room.fs(use_listings_cache=False)
    assert fs.exists("a.txt")
    assert fs.exists("a.txt")
    assert room.seen() == [LIST] * 2
    assert len(list(fs.walk(""))) == 3
    assert room.seen() == [LIST]


def test_a_kept_listing_expires(room):
    """After listings_expiry_time the listing is asked for again."""
    fs = room.fs(listings_expiry_time=0.2)
    room.put("t.csv", b"old")
    assert fs.info("t.csv")["size"] == 3
    room.put("t.csv", b"newer")
    deadline = time.monotonic() + 10
    while fs.info("t.csv")["size"] == 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_questions_at_once_share_a_listing(room, reports):
    """Many readers at once do not list the workspace many times."""
    fs = room.fs(use_listings_cache=False)
    room.emulator.queue("list", Stall(0.3))
    assert fs.cat(sorted(reports)) == {path: path.encode() for path in reports}
    assert room.seen().count(LIST) == 1


def test_a_change_is_not_hidden_by_a_listing_that_began_before(room, fs, reports):
    """What was put while a listing was under way is in the next one."""
    room.emulator.queue("list", Stall(0.5, after_work=True))
    with ThreadPoolExecutor() as threads:
        early = threads.submit(fs.ls, "")
        while LIST not in room.seen():
            time.sleep(0.01)
        fs.pipe("z.txt", b"late\n")
        early.result()
    assert "z.txt" in fs.ls("", detail=False)


# --- what changes the workspace


def test_put_and_get(room, fs, tmp_path):
    """Whole folders go up, and what models wrote comes down."""
    (tmp_path / "up" / "deep").mkdir(parents=True)
    (tmp_path / "up" / "a.txt").write_bytes(b"a\n")
    (tmp_path / "up" / "deep" / "b.txt").write_bytes(b"b\n")
    fs.put(str(tmp_path / "up"), "backup", recursive=True)
    assert room.names() == ["backup/a.txt", "backup/deep/b.txt"]
    assert room.content("backup/deep/b.txt") == b"b\n"
    assert fs.find("backup") == ["backup/a.txt", "backup/deep/b.txt"]

    room.put("made/x/y.txt", b"y")
    fs.get("made", str(tmp_path / "down"), recursive=True)
    assert (tmp_path / "down" / "x" / "y.txt").read_bytes() == b"y"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("link/evil.txt", NotADirectoryError),
        ("deep/link/evil.txt", NotADirectoryError),
        ("good/../../evil.txt", ValueError),
        ("a/../../../victim/evil.txt", ValueError),
    ],
)
@pytest.mark.parametrize("what", ["", "**"])
def test_get_writes_nothing_outside(room, tmp_path, name, error, what):
    """Whatever a file is called and whatever links lie in the target: nothing appears outside of it."""
    target, victim = tmp_path / "in" / "target", tmp_path / "victim"
    (target / "deep").mkdir(parents=True)
    victim.mkdir()
    (target / "link").symlink_to(victim)
    (target / "deep" / "link").symlink_to(victim)
    room.put("good/a.txt")
    room.put(name)
    with pytest.raises(error):
        room.fs().get(what, f"{target}/", recursive=not what)
    assert list(victim.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "victim"]
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["target"]


def test_get_file_makes_its_folder_and_spares_others(room, fs, tmp_path):
    """A single file goes to the path that was named, never into a folder of that name."""
    room.put("x.txt", b"x")
    fs.get_file("x.txt", tmp_path / "deep" / "er.txt")
    assert (tmp_path / "deep" / "er.txt").read_bytes() == b"x"
    with pytest.raises(IsADirectoryError):
        fs.get_file("x.txt", tmp_path / "deep")


def test_a_broken_get_leaves_nothing(room, fs, tmp_path):
    """A download that fails leaves the old file as it was."""
    room.put("x.txt", b"x" * 100_000)
    (tmp_path / "x.txt").write_bytes(b"old")
    room.emulator.queue("download", Drop(after=1000))
    with pytest.raises(OSError, match=r"x\.txt"):
        fs.get_file("x.txt", tmp_path / "x.txt")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x.txt", b"old")]


def test_progress_is_told(room, fs, tmp_path):
    """Fsspec's callbacks hear of the bytes."""
    room.put("x.bin", b"x\n" * 150_000)
    down, up = Callback(), Callback()
    fs.get_file("x.bin", tmp_path / "x.bin", callback=down)
    fs.put_file(tmp_path / "x.bin", "y.bin", callback=up)
    assert (down.size, down.value) == (up.size, up.value) == (300_000, 300_000)


def test_pipe(room, fs):
    """`pipe` stores bytes; what is written is there at once, beside the older one."""
    fs.ls("")
    fs.pipe("a/x.txt", b"one\n")
    assert fs.ls("a", detail=False) == ["a/x.txt"]
    fs.pipe({"a/x.txt": bytearray(b"two\n"), "a/y.txt": memoryview(b"y\n")})
    assert (room.content("a/x.txt"), room.content("a/y.txt")) == (b"two\n", b"y\n")
    assert len(fs.info("a/x.txt")["older"]) == 1


def test_exclusive_writing(room, fs, tmp_path):
    """With mode "create", or "xb", a path that exists is an error, whatever the kept listing says."""
    fs.ls("")
    room.put("a.txt")
    (tmp_path / "local").write_bytes(b"x\n")
    with pytest.raises(FileExistsError):
        fs.pipe_file("a.txt", b"x\n", mode="create")
    with pytest.raises(FileExistsError):
        fs.put_file(tmp_path / "local", "a.txt", mode="create")
    with pytest.raises(FileExistsError):
        fs.open("a.txt", "xb")
    room.fs().rm("a.txt")
    fs.pipe_file("a.txt", b"x\n", mode="create")
    with fs.open("b.txt", "xb") as file:
        file.write(b"x\n")
    assert room.names() == ["a.txt", "b.txt"]


@pytest.mark.parametrize("path", ["", "@id", "@id/or_file_1", "openrouter://@id/x"])
def test_some_paths_cannot_be_written(room, fs, tmp_path, path):
    """A root, or an id, is nothing that can be written; no request is made."""
    (tmp_path / "local").write_bytes(b"x\n")
    for write in (
        lambda: fs.pipe_file(path, b"x\n"),
        lambda: fs.put_file(tmp_path / "local", path),
        lambda: fs.open(path, "wb"),
    ):
        with pytest.raises(ValueError, match="cannot be written"):
            write()
    assert room.seen() == []


def test_rm_deletes_all_of_a_name(room, fs):
    """After rm a path is gone: with all files of its name, the newest last."""
    ids = [room.put("t.csv", data) for data in (b"1", b"2", b"3")]
    room.put("u.csv")
    fs.ls("")
    fs.rm("t.csv")
    assert not fs.exists("t.csv")
    assert room.names() == ["u.csv"]
    assert [path for method, path in room.seen() if method == "DELETE"] == [f"/files/{i}" for i in ids]


def test_rm_by_id_deletes_one(room, fs):
    """By its id, one file is deleted, and the path means another again."""
    old, new = room.put("t.csv", b"old"), room.put("t.csv", b"new")
    fs.rm(f"@id/{new}")
    assert fs.cat("t.csv") == b"old"
    fs.rm_file(f"@id/{old}")
    assert fs.find("") == []
    with pytest.raises(FileNotFoundError):
        fs.rm(f"@id/{old}")


def test_rm_of_folders(room, fs, reports):
    """A folder goes recursively, and is refused otherwise."""
    with pytest.raises(IsADirectoryError):
        fs.rm("reports")
    fs.rm("reports", recursive=True)
    assert room.names() == ["a.txt"]
    assert not fs.exists("reports")
    with pytest.raises(FileNotFoundError):
        fs.rm("reports")
    fs.rm_file("a.txt")
    assert room.names() == []


def test_rm_looks_before_it_deletes(room, fs):
    """What rm deletes is what is there now, not what the kept listing says."""
    room.put("a/1")
    fs.ls("")
    room.put("a/2")
    room.put("a/1", b"newer")
    fs.rm("a", recursive=True)
    assert room.names() == []


@pytest.mark.parametrize("path", ["", "openrouter://", "@id", "/", ["a.txt", ""]])
def test_the_whole_workspace_is_not_deleted_by_an_empty_name(room, fs, reports, path):
    """An empty path is more often a mistake than a wish."""
    with pytest.raises(ValueError, match="whole workspace"):
        fs.rm(path, recursive=True)
    assert len(room.names()) == 3


@pytest.mark.parametrize("change", ["cp", "mv", "rename", "copy"])
def test_there_is_no_copy(room, fs, reports, change):
    """Copying and moving say why they cannot be; nothing is deleted, nothing stored."""
    with pytest.raises(NotImplementedError, match="cannot be downloaded"):
        getattr(fs, change)("a.txt", "b.txt")
    assert room.names() == sorted(reports)


def test_what_else_cannot_be(room, fs, reports):
    """Empty files and appending are refused by name."""
    with pytest.raises(NotImplementedError, match="empty"):
        fs.touch("x")
    for mode in ("ab", "r+b", "a"):
        with pytest.raises(NotImplementedError, match="cannot change or extend"):
            fs.open("a.txt", mode)
    fs.mkdir("folder")
    fs.makedirs("folder/deep", exist_ok=True)
    assert not fs.exists("folder")
    assert room.names() == sorted(reports)


# --- errors


def test_what_was_uploaded_cannot_be_read(room, fs, tmp_path):
    """Reading an uploaded file is a PermissionError that says why, however it is read."""
    fs.pipe("mine.txt", b"mine\n")
    for read in (
        lambda: fs.cat_file("mine.txt"),
        lambda: fs.cat_file("mine.txt", 1, 2),
        lambda: fs.get_file("mine.txt", tmp_path / "x"),
        lambda: fs.open("mine.txt").read(),
    ):
        with pytest.raises(PermissionError, match=r"not what was uploaded.*mine\.txt") as caught:
            read()
        assert isinstance(caught.value.__cause__, BadRequestError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, PermissionError), (403, PermissionError), (404, FileNotFoundError), (503, OSError), (418, OSError)],
)
def test_failures_are_os_errors(room, fs, status, kind):
    """What the server says becomes an OSError of the right kind, with ours as its cause."""
    room.put("a.txt")
    room.emulator.queue("download", Status(status))
    with pytest.raises(kind) as caught:
        fs.cat("a.txt")
    assert caught.value.__cause__.status == status
    assert caught.value.filename == "a.txt"


@pytest.mark.parametrize(
    "question",
    [
        lambda fs: fs.ls(""),
        lambda fs: fs.find(""),
        lambda fs: fs.glob("*"),
        lambda fs: list(fs.walk("")),
        lambda fs: fs.isdir("a"),
        lambda fs: fs.isfile("a"),
        lambda fs: fs.exists("a"),
        lambda fs: fs.du(""),
        lambda fs: fs.rm("a", recursive=True),
    ],
    ids=["ls", "find", "glob", "walk", "isdir", "isfile", "exists", "du", "rm"],
)
def test_a_listing_that_fails_is_no_empty_workspace(room, fs, question):
    """Fsspec takes some errors for empty folders; a refused key or a broken server must not look like one."""
    for status, cause in ((503, ServiceUnavailableError), (401, AuthenticationError)):
        room.emulator.queue("list", Status(status))
        with pytest.raises(OSError, match=str(status)) as caught:
            question(fs)
        assert isinstance(caught.value.__cause__, cause)


def test_what_the_server_refuses_to_store(fs):
    """A name or a content that the service refuses is an OSError with its words."""
    with pytest.raises(OSError, match="400 Filename"):
        fs.pipe("a?b.txt", b"x\n")
    with pytest.raises(OSError, match="400 File is empty"):
        fs.pipe("a.txt", b"")


def test_silence_is_a_timeout(room):
    """A server that does not answer is a TimeoutError."""
    fs = room.fs(timeouts={"connect": 0.2, "answer": 0.2})
    room.emulator.queue("list", Stall(30))
    with pytest.raises(TimeoutError):
        fs.ls("")


# --- storage options


def test_options_of_the_client(room):
    """Storage options reach the client: as values, or as the mappings of a catalogue file."""
    workspace = room.emulator.add_workspace()
    room.put("theirs.txt", workspace_id=workspace)
    fs = room.fs(
        workspace_id=workspace,
        timeouts=Timeouts(idle=5),
        retry={"attempts": 2, "first_delay": 0.01},
        headers={"X-Trace": "7"},
        app_title="My app",
    )
    room.emulator.queue("list", Status(503))
    assert fs.ls("", detail=False) == ["theirs.txt"]
    request = room.emulator.requests[-1]
    assert len(room.emulator.requests) == 2
    assert (request.headers["x-trace"], request.headers["x-openrouter-title"]) == ("7", "My app")


def test_files_at_a_provider(room):
    """provider= reads what is stored there."""
    with Emulator(providers=["openai"]) as emulator:
        room = Room(emulator)
        room.put("there.txt", b"there", provider="openai")
        assert room.fs(provider="openai").cat("there.txt") == b"there"
        assert room.fs().ls("") == []


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"workspce_id": "w"}, TypeError),
        ({"timeouts": {"total": 5}}, TypeError),
        ({"base_url": "ftp://x"}, ValueError),
        ({"provider": "nobody"}, ValueError),
        ({"api_key": ""}, ValueError),
        ({"retry": RetryPolicy(attempts=1), "allow_plain_https": True}, TypeError),
    ],
)
def test_options_that_make_no_sense(room, options, error):
    """A misspelt or senseless option is an error when the file system is made, not another workspace's files."""
    with pytest.raises(error):
        room.fs(**options)


def test_without_a_key_nothing_is_made():
    """The missing key is named."""
    with pytest.raises(ValueError, match="OPENROUTER_API_KEY"):
        fsspec.filesystem("openrouter")


def test_the_environment_makes_a_difference(room, monkeypatch):
    """Fsspec keeps instances; one made under another environment is not handed out."""
    monkeypatch.setenv("OPENROUTER_BASE_URL", room.emulator.base_url)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-wrong")
    wrong = fsspec.filesystem("openrouter")
    with pytest.raises(PermissionError):
        wrong.ls("")
    monkeypatch.setenv("OPENROUTER_API_KEY", room.emulator.api_key)
    right = fsspec.filesystem("openrouter")
    assert right.ls("") == []
    assert fsspec.filesystem("openrouter") is right


def test_many_threads(room, fs, reports):
    """One instance serves many threads at once."""
    start = threading.Barrier(8)

    def read(number):
        start.wait(10)
        return fs.cat(sorted(reports)[number % 3])

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(read, range(8))) == sorted((sorted(reports) * 3)[n].encode() for n in range(8))


def test_coroutines(room, tmp_path):
    """Made with asynchronous=True, its coroutines run on the caller's loop, on one loop after another."""
    room.put("a.txt", b"hello")
    fs = room.fs(asynchronous=True)

    async def main():
        assert await fs._cat("a.txt") == b"hello"
        assert (await fs._ls("", refresh=True))[0]["name"] == "a.txt"
        await fs._pipe_file("b.txt", b"b\n")
        await fs._get_file("a.txt", tmp_path / "a.txt")
        return await fs._find("")

    for _ in range(2):
        assert asyncio.run(main()) == ["a.txt", "b.txt"]
    assert fs.loop is None


def test_ukey_is_the_id(room, fs, reports):
    """What tells dask that a file changed is its id; a folder has no such thing but an answer."""
    assert fs.ukey("a.txt") == reports["a.txt"]
    assert fs.ukey("reports") == fs.ukey("reports")


async def test_what_a_fork_left_behind_is_not_closed():
    """A forked child closes nothing of its parent's, and nobody waits for a loop that has ended."""
    closed = []

    async def close():
        closed.append(os.getpid())

    ended = asyncio.new_event_loop()
    ended.close()
    here = asyncio.get_running_loop()
    for loop, pid in ((here, os.getpid() + 1), (ended, os.getpid()), (None, os.getpid())):
        end(loop, close, pid)
    await asyncio.sleep(0.01)
    assert closed == []
    end(here, close, os.getpid())
    await asyncio.sleep(0.01)
    assert closed == [os.getpid()]


def test_repr_names_the_server(room, fs):
    """The repr says which server it is."""
    assert repr(fs) == f"OpenRouterFileSystem(base_url='{room.emulator.base_url}')"
    assert isinstance(fs._files, FilesClient)
