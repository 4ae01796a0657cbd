"""Micro-benchmarks of what runs once per call: ``python -m pytest benchmarks/micro.py``.

A regression shows with ``--benchmark-save=before`` and ``--benchmark-compare``.
"""

import json

import pytest

from openrouter_files import File, Options
from openrouter_files.local.sources import source_of
from openrouter_files.protocol import multipart
from openrouter_files.protocol import requests as operations
from openrouter_files.protocol.responses import listed
from openrouter_files.protocol.responses import read_as as read

pytest.importorskip("pytest_benchmark", reason="micro-benchmarks need pytest-benchmark, which is not installed")

FILE = {
    "_shape": "openrouter",
    "id": "or_file_011CNha8iCJcU1wXNR6q4V8w",
    "type": "file",
    "filename": "reports/2026/quarter-1.csv",
    "mime_type": "text/csv",
    "size_bytes": 4096,
    "created_at": "2026-11-20T12:34:56.789Z",
    "downloadable": True,
}
OPENAI_FILE = {"id": "file-1", "object": "file", "bytes": 4096, "created_at": 1763640000, "filename": "quarter-1.csv"}
OPTIONS = Options()
ONE = json.dumps(FILE).encode()
OTHER = json.dumps(OPENAI_FILE | {"purpose": "user_data", "status": "processed"}).encode()
STRANGE = json.dumps(FILE | {"checksum": "sha256:0"}).encode()
PAGE = json.dumps({"data": [FILE] * 1000, "cursor": None, "has_more": False, "_shape": "openrouter"}).encode()


def test_converter_file(benchmark):
    """One file in the usual shape."""
    assert benchmark(read, File, ONE).size_bytes == 4096


def test_converter_openai_file(benchmark):
    """One file in the OpenAI shape."""
    assert benchmark(read, File, OTHER).size_bytes == 4096


def test_converter_unknown_field(benchmark):
    """One file with a field that this version does not know."""
    assert benchmark(read, File, STRANGE).extra


def test_converter_page(benchmark):
    """A page of 1,000 files."""
    assert len(benchmark(lambda: listed(PAGE).whole()).data) == 1000


def test_json_page(benchmark):
    """The part of a page that is not ours: the floor of the one above."""
    assert benchmark(json.loads, PAGE)


def test_multipart(benchmark):
    """A form around a file."""
    form = benchmark(multipart.frame, filename="reports/quarter-1.csv", content_type=None, boundary="b" * 32)
    assert form.head


def test_operation_upload(benchmark):
    """What an upload sends, without its body."""
    assert benchmark(operations.upload_file, OPTIONS).request.method == "POST"


def test_operation_retrieve(benchmark):
    """What a retrieve sends, its target included."""
    assert benchmark(lambda: operations.retrieve_file(OPTIONS, FILE["id"]).request.target)


def test_operation_list(benchmark):
    """What a page asks for, its target included."""
    assert benchmark(lambda: operations.list_files(OPTIONS, limit=1000).request.target)


def test_source_of_a_path(benchmark):
    """What a path becomes before it is opened."""
    assert benchmark(source_of, "reports/quarter-1.csv").filename == "quarter-1.csv"


def test_options_replaced(benchmark):
    """What ``with_options`` costs."""
    assert benchmark(OPTIONS.replace, {"workspace_id": "w"}).workspace_id == "w"
