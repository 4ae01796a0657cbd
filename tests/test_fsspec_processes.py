"""``openrouter://`` where data people use it: pandas, dask, pickles, forks, other processes; and the key stays put."""

import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import dask
import dask.bag
import fsspec
import pandas as pd
import pytest
from dask.bytes import read_bytes
from fsspec.utils import get_protocol
from fsspec_room import Room

from openrouter_files.emulator import Emulator
from openrouter_files.fsspec import OpenRouterFileSystem

CSV = "a,b\n" + "".join(f"{n},{n * n}\n" for n in range(20_000))


@pytest.fixture
def room():
    """A workspace with a table."""
    with Emulator() as emulator:
        room = Room(emulator)
        room.put("reports/t.csv", CSV.encode())
        yield room
        OpenRouterFileSystem.clear_instance_cache()


def environment(room):
    return dict(os.environ, OPENROUTER_API_KEY=room.emulator.api_key, OPENROUTER_BASE_URL=room.emulator.base_url)


def run(room, script):
    """What a script prints, in a Python that complains about everything that is left open."""
    forks = "ignore:This process:DeprecationWarning"  # Python 3.12 warns of forks beside threads, rightly
    command = [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", "-W", forks, "-c", script]
    done = subprocess.run(command, env=environment(room), capture_output=True, text=True, timeout=60, check=False)
    complaints = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]
    assert (done.returncode, complaints) == (0, [])
    return done.stdout.split()


def test_pandas_reads_a_table(room):
    """Pandas reads a table by its URL."""
    table = pd.read_csv("openrouter://reports/t.csv", storage_options=room.options)
    assert (len(table), table["b"].iloc[-1]) == (20_000, 19_999**2)


def test_pandas_reads_in_pieces_and_by_name(room, monkeypatch):
    """Pandas reads piece by piece, and a text file by its URL alone, with the settings of the environment."""
    monkeypatch.setenv("OPENROUTER_API_KEY", room.emulator.api_key)
    monkeypatch.setenv("OPENROUTER_BASE_URL", room.emulator.base_url)
    with pd.read_csv("openrouter://reports/t.csv", chunksize=7_000) as pieces:
        assert [len(piece) for piece in pieces] == [7_000, 7_000, 6_000]


def test_pandas_writes_a_table(room):
    """Pandas stores a table; it is an upload, and so only the emulator can read it back."""
    pd.DataFrame({"a": [1, 2]}).to_csv("openrouter://reports/new.csv", index=False, storage_options=room.options)
    assert room.content("reports/new.csv") == b"a\n1\n2\n"


def test_a_cache_on_top(room, tmp_path):
    """Fsspec's caches chain with it: the second read costs no download."""
    url, options = "simplecache::openrouter://reports/t.csv", {"openrouter": room.options}
    for _ in range(2):
        with fsspec.open(url, simplecache={"cache_storage": str(tmp_path)}, **options) as file:
            assert file.read() == CSV.encode()
    assert len([path for _, path in room.seen() if path.endswith("/content")]) == 1


# --- dask


def meet(folder, mine, others):
    """Wait until the other process is there, too: so the two cannot be one."""
    (Path(folder) / str(mine)).touch()
    deadline = time.monotonic() + 60
    while not all((Path(folder) / str(other)).exists() for other in others):
        assert time.monotonic() < deadline, "nobody else came"
        time.sleep(0.02)


def sum_here(folder, options, number):
    """In a process of dask's: the sum of a column, and the process."""
    meet(folder, number, [1 - number])
    table = pd.read_csv("openrouter://reports/t.csv", storage_options=options)
    return int(table["a"].sum()), os.getpid()


def test_dask_reads_in_two_processes(room, tmp_path):
    """Two processes of dask's read the table at the same time."""
    tasks = [dask.delayed(sum_here)(tmp_path, room.options, number) for number in range(2)]
    (first, one), (second, other) = dask.compute(*tasks, scheduler="processes", num_workers=2, chunksize=1)
    assert first == second == sum(range(20_000))
    assert len({one, other, os.getpid()}) == 3


def lines_and_process(folder, partition, names):
    lines = list(partition)
    meet(folder, lines[0].split(",")[0], names)
    return [(len(lines), os.getpid())]


def test_dask_reads_files_in_two_processes(room, tmp_path):
    """dask.bag opens a file in each process, by a pickled file system."""
    room.put("parts/0.csv", b"x,1\n" * 10)
    room.put("parts/1.csv", b"y,2\n" * 20)
    bag = dask.bag.read_text("openrouter://parts/*.csv", storage_options=room.options)
    found = bag.map_partitions(partial(lines_and_process, tmp_path), names=["x", "y"])
    counted = found.compute(scheduler="processes", num_workers=2, chunksize=1)
    assert [count for count, _ in counted] == [10, 20]
    assert len({os.getpid(), *(pid for _, pid in counted)}) == 3


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_dask_reads_blocks_in_threads(ranges):
    """Dask cuts a file at line ends, and reads the blocks in threads, with ranges and without."""
    with Emulator(ranges=ranges) as emulator:
        room = Room(emulator)
        room.put("reports/t.csv", CSV.encode())
        _, [blocks] = read_bytes("openrouter://reports/t.csv", delimiter=b"\n", blocksize=50_000, **room.options)
        found = dask.compute(*blocks, scheduler="threads", num_workers=4)
        assert len(found) > 3
        assert b"".join(found) == CSV.encode()
        assert all(block.endswith(b"\n") for block in found)
        OpenRouterFileSystem.clear_instance_cache()


def test_dask_knows_a_table_by_its_id(room):
    """Dask's names for data change when a newer file has the path, and only then."""

    def name():
        options = room.options | {"use_listings_cache": False}
        return read_bytes("openrouter://reports/t.csv", **options)[1][0][0].key

    before = name()
    assert name() == before
    room.put("reports/t.csv", CSV.encode())
    assert name() != before


# --- pickles, forks, processes


def test_it_pickles(room):
    """A pickled file system reads the same files, and is the same instance where there is one."""
    fs = fsspec.filesystem("openrouter", **room.options)
    again = pickle.loads(pickle.dumps(fs))
    assert again is fs
    assert again.cat("reports/t.csv") == CSV.encode()


def size_elsewhere(fs, path):
    return len(fs.cat(path)), os.getpid()


def read_elsewhere(file):
    with file:
        return file.read(20), os.getpid()


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_processes(room, method):
    """File systems and opened files work in a process to which they were sent."""
    fs = fsspec.filesystem("openrouter", **room.options)
    with fs.open("reports/t.csv") as file:
        file.seek(4)
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            size, there = pool.submit(size_elsewhere, fs, "reports/t.csv").result(60)
            data, _ = pool.submit(read_elsewhere, file).result(60)
    assert size == len(CSV)
    assert data == CSV.encode()[4:24]
    assert there != os.getpid()


# Forks of a process with threads are only safe in a process of our own making: each test is a script.
FORKED = """
import fsspec, os, sys
fs = fsspec.filesystem("openrouter")
file = fs.open("large.csv", block_size=1000)
here = (fs.info("large.csv")["size"], file.read(10))
child = os.fork()
if not child:
    try:
        file.seek({seek})
        assert file.read(3000) == fs.cat("large.csv")[{seek}:{seek} + 3000]
        file.close()
        assert fsspec.filesystem("openrouter").cat("large.csv")[:10] == here[1]
        assert fs.loop is not None
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    {end}
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(len(file.read()) + 10 == here[0] == len(fs.cat("large.csv")))
file.close()
"""


@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)"])
@pytest.mark.parametrize("seek", [10, 50_000])
def test_a_forked_child_goes_on(room, seek, end):
    """What a child inherits works there: the file system, and a file half read. The parent's goes on, too."""
    room.put("large.csv", CSV.encode() * 20)  # more than could wait in buffers
    assert run(room, FORKED.format(seek=seek, end=end)) == ["True"]


def test_workers_by_fork(room):
    """A pool of forked workers shares an inherited file system."""
    script = """
import fsspec, multiprocessing, os
fs = fsspec.filesystem("openrouter")
fs.ls("")
def size(number):
    return len(fs.cat("reports/t.csv")), os.getpid() != parent
parent = os.getpid()
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(*set(pool.map(size, range(4))))
    pool.close()
    pool.join()
print(len(fs.cat("reports/t.csv")))
"""
    assert run(room, script) == [f"({len(CSV)},", "True)", str(len(CSV))]


@pytest.mark.parametrize(
    "use", ["fs.ls('')", "fs.open('reports/t.csv').read(9)", "f = fs.open('reports/t.csv'); f.read(9)"]
)
def test_the_end_of_a_program_is_quiet(room, use):
    """A program that closes nothing leaves nothing open: no warning, no complaint, no waiting."""
    assert run(room, f"import fsspec; fs = fsspec.filesystem('openrouter'); {use}; print('done')") == ["done"]


# --- the key


def test_the_key_stays_put(room):
    """The key is in no repr, no token and no JSON; in a pickle only if it was an argument."""
    key = "sk-or-v1-very-secret"
    fs = fsspec.filesystem("openrouter", **(room.options | {"api_key": key, "timeouts": {"idle": 5.0}}))
    opened = fsspec.open("openrouter://reports/t.csv", **(room.options | {"api_key": key}))
    with pytest.raises(PermissionError) as caught:
        fs.ls("")
    shown = [repr(fs), str(fs), fs._fs_token, repr(opened), repr(caught.value), repr(caught.value.__cause__)]
    shown += [fs.to_json(), json.dumps(fs.to_dict()), fs.surroundings]
    assert [text for text in shown if key in text] == []
    assert key in pickle.dumps(fs).decode("latin-1")


def test_json_finds_the_key_in_the_environment(room, monkeypatch):
    """What to_json says is enough where the environment has the key, and of no use elsewhere."""
    told = fsspec.filesystem("openrouter", **room.options, workspace_id=None).to_json()
    with pytest.raises(ValueError, match="OPENROUTER_API_KEY"):
        fsspec.AbstractFileSystem.from_json(told)
    monkeypatch.setenv("OPENROUTER_API_KEY", room.emulator.api_key)
    again = fsspec.AbstractFileSystem.from_json(told)
    assert isinstance(again, OpenRouterFileSystem)
    assert again.cat("reports/t.csv") == CSV.encode()


def test_a_key_of_the_environment_is_in_no_pickle(room, monkeypatch):
    """A key from the environment does not travel."""
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-very-secret")
    fs = fsspec.filesystem("openrouter", base_url=room.emulator.base_url)
    assert b"very-secret" not in pickle.dumps(fs)
    assert get_protocol(fs.unstrip_protocol("x")) == "openrouter"
