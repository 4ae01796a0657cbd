"""Requests that schemathesis generates from the OpenAPI document, good and bad, sent to the emulator.

Needs schemathesis, which the tests do without: `pip install schemathesis` to have them run.
"""

import asyncio
import copy
import importlib.util
import os
import sys
from collections import Counter

import pytest
import yaml
from document import DOCUMENT, PATH

from openrouter_files.emulator import Emulator

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("schemathesis") is None, reason="schemathesis is not installed"
)

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "unsupported_method",
)
OPERATIONS = {
    *("list", "upload", "retrieve", "delete", "download", "chat"),
    *("list_container", "retrieve_container", "download_container", "promote"),
}
ATTRIBUTION = {"HttpReferer", "XOpenRouterTitle", "XOpenRouterCategories"}
BOUNDS = ("--max-examples", "3", "--seed", "1", "--no-shrink", "--generation-database", "none")


def amended(ids):
    """The document, but for what it lacks, what the generator reads otherwise, and what would only take time.

    The examples of file ids are those of files that exist, a different one for each operation.
    """
    document = copy.deepcopy(DOCUMENT)
    # The guide has 400 for `provider=` on every operation, the document lacks it on two.
    example = document["paths"]["/files"]["get"]["responses"]["400"]
    for method in ("get", "delete"):
        document["paths"]["/files/{file_id}"][method]["responses"]["400"] = example
    # An event's data is text to the generator, an object to the document; test_openapi_chat.py reads each event.
    del document["paths"]["/chat/completions"]["post"]["responses"]["200"]["content"]["text/event-stream"]["schema"]
    # Three headers about the calling app, of which each value would be tried with each operation.
    for operation in (operation for path in document["paths"].values() for operation in path.values()):
        named = [parameter.get("$ref", "").rpartition("/")[2] for parameter in operation["parameters"]]
        kept = zip(named, operation["parameters"], strict=True)
        operation["parameters"] = [
            with_example(name, next(ids)) if name == "FileId" else parameter
            for name, parameter in kept
            if name not in ATTRIBUTION
        ]
    return document


def with_example(name, example):
    """A parameter of the document with another example."""
    parameter = copy.deepcopy(DOCUMENT["components"]["parameters"][name])
    parameter["schema"]["example"] = example
    return parameter


async def generate(emulator, document, folder):
    """Run the generator: its exit status, and what it printed."""
    command = (sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run", str(document))
    where = ("--url", emulator.base_url, "--header", f"Authorization: Bearer {emulator.api_key}")
    process = await asyncio.create_subprocess_exec(
        *(*command, *where, "--checks", ",".join(CHECKS), *BOUNDS, "--continue-on-failure", "--no-color"),
        cwd=folder,
        env=dict(os.environ, PYTHONWARNINGS="ignore", PYTHONIOENCODING="utf-8"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    return process.returncode, printed.decode()


async def test_no_generated_request_gets_an_undocumented_answer(tmp_path):
    """Whatever is asked, the answer is documented, and no error of the server; each operation is also asked well."""
    document = tmp_path / PATH.name
    async with Emulator(providers=("openai", "anthropic"), scan_limit=2) as emulator:
        workspace = DOCUMENT["components"]["parameters"]["WorkspaceId"]["schema"]["example"]
        files = [await emulator.put(name, b"x", workspace_id=workspace, provider="openai") for name in "abc"]
        document.write_text(yaml.safe_dump(amended(file.id for file in files)))
        await emulator.put_in_container("sess_abc123", "out/report.csv", b"a,b\n1,2\n")
        status, printed = await generate(emulator, document, tmp_path)
        answers = Counter((received.operation, received.status) for received in emulator.requests)
    assert status == 0, printed
    assert {operation for operation, status in answers if status == 200} >= OPERATIONS
    assert all(status < 500 for _, status in answers)
