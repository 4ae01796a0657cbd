"""What the seed-era SDK is asked to do; runs in an environment of its own, and prints what it saw as JSON.

Usage: seed_driver.py BASE_URL API_KEY DOWNLOADABLE_ID
"""

import json
import sys

from openrouter import OpenRouter, errors

FAULTS = {
    "list": (400, 401, 429, 500),
    "upload": (400, 401, 403, 413, 429, 500),
    "retrieve": (401, 404, 429, 500),
    "delete": (401, 404, 429, 500),
    "download": (400, 401, 404, 429, 500),
}
"""The errors that this release declares; the test queues them in this order, behind the good answers."""


def calls(files):
    """Each operation without the SDK's retries."""
    small = {"file_name": "a.txt", "content": b"hello\n"}
    return {
        "list": lambda: files.list(retries=None),
        "upload": lambda: files.upload(file=small, retries=None),
        "retrieve": lambda: files.retrieve(file_id="file_x", retries=None),
        "delete": lambda: files.delete(file_id="file_x", retries=None),
        "download": lambda: files.download(file_id="file_x", retries=None),
    }


def life(files, downloadable):
    """All five operations, as they should go."""
    made = [files.upload(file={"file_name": f"data/{n}.csv", "content": b"a,b\n1,2\n"}) for n in range(3)]
    pages, page = [], files.list(limit=2)
    while page is not None:
        pages.append([file.id for file in page.result.data])
        page = page.next()
    return {
        "made": [file.model_dump() for file in made],
        "retrieved": files.retrieve(file_id=made[0].id).model_dump(),
        "pages": pages,
        "deleted": [files.delete(file_id=file.id).model_dump() for file in made],
        "content": files.download(file_id=downloadable).read().decode(),
    }


def failure(call):
    """The class and the status of the error that a call raises."""
    try:
        call()
    except errors.OpenRouterError as error:
        return [type(error).__name__, error.status_code]
    return None


def main():
    """Do everything once and print it."""
    base_url, key, downloadable = sys.argv[1:]
    with OpenRouter(api_key=key, server_url=base_url) as sdk:
        seen = {"life": life(sdk.files, downloadable)}
        seen["failures"] = {
            name: [failure(calls(sdk.files)[name]) for _ in statuses] for name, statuses in FAULTS.items()
        }
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main()
