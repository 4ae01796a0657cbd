"""What is not even sent: found out from the file, never stricter than the server."""

import asyncio
import io
import os
import random
import tracemalloc
import zipfile
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_files import BadRequestError, FilesClient
from openrouter_files.bulk.outcomes import LocalFile
from openrouter_files.bulk.preflight import LARGEST, inspect, inspected, name_problem, refusal
from openrouter_files.emulator import Emulator

FRAME = b"\xff\xfb\x90\x00" + bytes(413)
NOISE = random.Random(4).randbytes(400_000)


def archive(*names, noise=0, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as opened:
        for name in names:
            opened.writestr(name, NOISE[:noise] + b"<xml/>")
    return file.getvalue()


ACCEPTED = {
    "pdf": b"%PDF-1.7\n\xe2\xe3\xcf\xd3",
    "png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    "gif 87": b"GIF87a\x01\x00\x01\x00",
    "gif 89": b"GIF89a\x01\x00\x01\x00",
    "webp": b"RIFF\x10\x00\x00\x00WEBPVP8 ",
    "wav": b"RIFF\x10\x00\x00\x00WAVEfmt ",
    "wav of a long newline": b"RIFF\n\n\x00\x00WAVEfmt ",
    "mp3": FRAME * 3,
    "mp3 with a tag": b"ID3\x04\x00\x00\x00\x00",
    "mpeg 2 layer 3": (b"\xff\xf3\x40\x00" + bytes(100)) * 3,
    "flac": b"fLaC\x00\x00\x00\x22",
    "ogg": b"OggS\x00\x02\x00\x00",
    "docx": archive("[Content_Types].xml", "_rels/.rels", "word/document.xml"),
    "xlsx": archive("[Content_Types].xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml"),
    "pptx": archive("[Content_Types].xml", "ppt/presentation.xml", compression=zipfile.ZIP_DEFLATED),
    "docx with its parts at the end": archive("media/1", "media/2", "word/document.xml", noise=300_000),
    "text": b"hello\n",
    "json": b'{"a": [1, 2]}',
    "utf-8": "Grüße, 世界 🙂\n".encode(),
    "bom": b"\xef\xbb\xbfa,b\n1,2\n",
    "tabs, form feeds and colours": b"a\tb\r\n\x0c\x1b[31mred\x1b[0m\n",
    "blank": b" ",
    "long text": b"one line like another\n" * 10_000,
    "a character across the first 64 KiB": b"a" * 65_535 + "ü".encode() + b"a" * 100,
}
REFUSED = {
    "mp4": b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00",
    "elf": b"\x7fELF\x02\x01\x01" + bytes(9),
    "exe": b"MZ\x90\x00\x03\x00\x00\x00",
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    "zip": archive("a.txt", "b/c.txt"),
    "large zip": archive("a.txt", "b.txt", noise=300_000),
    "half a zip": archive("a.txt", noise=1000)[:500],
    "no file in it": archive(),
    "avi": b"RIFF\x10\x00\x00\x00AVI LIST",
    "sqlite": b"SQLite format 3\x00\x10\x00",
    "bmp": b"BM\x9a\x00\x00\x00\x00\x00\x00\x00",
    "latin-1": "Grüße".encode("latin-1"),
    "utf-16": "hello".encode("utf-16"),
    "half a character": "ü".encode()[:1],
    "a text with a NUL": b"hello\x00world\n",
    "a text with a backspace": b"hello\x08\n",
    "noise": b"\x00" + NOISE[:1000],
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


async def look(path, *, hashed=False):
    """What a thread finds out about one file."""
    (found,) = await inspected([str(path)], hashed=hashed)
    return found


def write(path, content):
    path.write_bytes(content)
    return str(path)


def reason(path, content, *, filename="a", hashed=False):
    refused = refusal(LocalFile(str(path), filename), inspect(write(path, content), hashed=hashed))
    return None if refused is None else refused.reason


async def server_refuses(files, content, filename="a"):
    try:
        await files.upload(content, filename=filename)
    except (BadRequestError, ValueError):  # ours or theirs: a name that cannot even be sent
        return True
    return False


@pytest.mark.parametrize("hashed", [False, True])
@pytest.mark.parametrize("kind", ACCEPTED)
def test_accepted_content(kind, hashed, path):
    """Every kind of the service's list passes, whether the file is read as a whole or not."""
    assert reason(path, ACCEPTED[kind], hashed=hashed) is None


@pytest.mark.parametrize("hashed", [False, True])
@pytest.mark.parametrize("kind", REFUSED)
def test_refused_content(kind, hashed, path):
    """What is surely none of these kinds is refused, with the list of those that are accepted."""
    assert reason(path, REFUSED[kind], hashed=hashed) == "type"
    refused = refusal(LocalFile(str(path), "a"), inspect(str(path)))
    assert "PDF; PNG" in refused.detail


@pytest.mark.parametrize(("before", "refused"), [(1, None), (1019, None), (1020, "type")])
def test_a_pdf_may_begin_late(before, refused, path):
    """Readers look for its mark in the first 1,024 bytes; the emulator is stricter, the service does not say."""
    assert reason(path, bytes(before) + b"%PDF-1.7") == refused


async def test_the_server_agrees(files):
    """The tables of this file say what the emulator says, too."""
    for kind, content in (ACCEPTED | REFUSED).items():
        assert await server_refuses(files, content) == (kind in REFUSED), kind


SEEDS = st.sampled_from([*ACCEPTED.values(), *REFUSED.values()])
CONTENT = st.one_of(
    st.binary(min_size=1, max_size=300),
    st.text(min_size=1, max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1).map(str.encode),
    st.tuples(SEEDS, st.integers(0, 40), st.binary(max_size=3)).map(lambda t: t[0][: t[1]] + t[2] + t[0][t[1] :]),
    st.tuples(SEEDS, st.integers(1, 2000)).map(lambda t: t[0][: t[1]]),
    st.tuples(st.sampled_from(sorted(ACCEPTED)), st.binary(max_size=50)).map(lambda t: ACCEPTED[t[0]] + t[1]),
)


@settings(max_examples=20, deadline=None)
@given(contents=st.lists(CONTENT, min_size=1, max_size=12))
def test_never_stricter_than_the_server(contents, tmp_path_factory):
    """Whatever a file holds: what is refused here the server refuses, too, whether it was read whole or not."""
    path = tmp_path_factory.mktemp("contents") / "file"

    async def scenario():
        async with Emulator() as emulator, FilesClient(emulator.api_key, base_url=emulator.base_url) as files:
            for content in contents:
                partly, wholly = reason(path, content), reason(path, content, hashed=True)
                assert partly is None or wholly is not None, "the more is read, the more is refused"
                if wholly is not None:
                    assert await server_refuses(files, content)

    asyncio.run(scenario())


AWKWARD = st.sampled_from([*'/<>:"|?*\\.. ', "..", "\x00", "\x1f", "\x7f", "\x85", "\ud800", "ü", "🙂", "a" * 126])
FILENAMES = st.lists(st.one_of(AWKWARD, st.characters(), st.just("a")), max_size=6).map("".join)


@settings(max_examples=20, deadline=None)
@given(filenames=st.lists(FILENAMES, min_size=1, max_size=20))
def test_names_are_what_the_server_takes(filenames):
    """A name is refused here if and only if it could not be sent or the server would refuse it."""

    async def scenario():
        async with Emulator() as emulator, FilesClient(emulator.api_key, base_url=emulator.base_url) as files:
            for filename in filenames:
                ours = name_problem(filename)
                assert (ours is not None) == await server_refuses(files, b"hello\n", filename), (filename, ours)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("filename", "detail"),
    [
        ("", "0 characters"),
        ("a" * 256, "256 characters"),
        ("a:b", "holds ':'"),
        ("a\nb", r"holds '\n'"),
        ("a\\b", r"holds '\\'"),
        ("/a", "starts or ends with '/'"),
        ("a/", "starts or ends with '/'"),
        ("a//b", "empty"),
        ("a/./b", "'.' or '..'"),
        ("../a", "'.' or '..'"),
        ("a\udcff", "not Unicode"),
    ],
)
def test_refused_names(filename, detail, path):
    """A name that breaks a rule is refused with the rule, whatever the file holds."""
    refused = refusal(LocalFile(str(path), filename), inspect(write(path, b"hello\n")))
    assert (refused.reason, refused.source.filename) == ("name", filename)
    assert detail in refused.detail


@pytest.mark.parametrize("filename", ["a", "a" * 255, "data/2026/ü 🙂.csv", "...", "a..b", ".hidden", "'%22;"])
def test_good_names(filename):
    """One to 255 characters, folders, and whatever a disk does not trip over."""
    assert name_problem(filename) is None


@pytest.mark.parametrize("hashed", [False, True])
def test_sizes(path, hashed):
    """One byte to 104,857,600 bytes may be sent; what is larger is not read, however large it is."""
    assert reason(path, b"", hashed=hashed) == "empty"
    assert reason(path, b"a", hashed=hashed) is None
    for size, expected in ((LARGEST + 1, "too large"), (1 << 40, "too large")):
        os.truncate(path, size)
        inspection = inspect(str(path), hashed=hashed)
        assert (inspection.size, inspection.sha256) == (size, b"")
        refused = refusal(LocalFile(str(path), "a"), inspection)
        assert refused.reason == expected
        assert f"{size:,} bytes" in refused.detail


def test_the_largest_file_is_not_too_large(path):
    """Exactly 104,857,600 bytes pass, and are read in small pieces."""
    path.write_bytes(b"%PDF-1.7\n")
    os.truncate(path, LARGEST)
    tracemalloc.start()
    try:
        inspection = inspect(str(path), hashed=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refusal(LocalFile(str(path), "a"), inspection) is None
    assert inspection.sha256 == sha256(b"%PDF-1.7\n" + bytes(LARGEST - 9)).digest()
    assert peak < 8_000_000


def test_an_inspection_tells_what_the_disk_says(path):
    """Size, time and, if asked for, the hash of the content."""
    content = NOISE
    plain, hashed = inspect(write(path, content)), inspect(str(path), hashed=True)
    status = path.stat()
    assert (plain.size, plain.mtime_ns) == (hashed.size, hashed.mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert (plain.sha256, hashed.sha256) == (b"", sha256(content).digest())


def test_only_the_beginning_is_read_unless_all_is(path):
    """A text that turns out to be none after its first 64 KiB is left to the server, unless it is read anyway."""
    content = b"a" * 70_000 + b"\x00"
    assert reason(path, content) is None
    assert reason(path, content, hashed=True) == "type"


async def test_what_cannot_be_read(tmp_path):
    """A missing file, a folder, a pipe, a path that no disk has: an OSError that says so, at once."""
    os.mkfifo(tmp_path / "pipe")
    complaints = {name: str(await asyncio.wait_for(look(tmp_path / name), 5)) for name in ("gone", "", "pipe", "a\0b")}
    assert "No such file" in complaints["gone"]
    assert "Is a directory" in complaints[""]
    assert "not a regular file" in complaints["pipe"]
    assert "null" in complaints["a\0b"]
    with pytest.raises(FileNotFoundError):
        inspect(str(tmp_path / "gone"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_what_may_not_be_read(path):
    """A forbidden file is a PermissionError."""
    path.write_bytes(b"a")
    path.chmod(0)
    assert isinstance(await look(path), PermissionError)


@pytest.mark.parametrize("mode", ["ab", "r+b"])
async def test_a_file_that_changes_is_an_error(path, mode):
    """A file that is written to while it is read, longer or not, has no hash: it is an error, not a wrong answer."""
    write(path, b"a" * 50_000_000)
    stop = False

    def scribble():
        with path.open(mode, buffering=0) as file:
            while not stop:
                file.write(b"b")

    scribbling = asyncio.create_task(asyncio.to_thread(scribble))
    try:
        results = [await look(path, hashed=True) for _ in range(3)]
    finally:
        stop = True
        await scribbling
    assert all(isinstance(result, OSError) for result in results), results
