"""The folder that is served: answers as files, and content to download. nginx and lean.py read the same one."""

import json

from ..rows import BIG, MID, PAGE, ROWS, SMALL

SIZES = {"small": SMALL, "mid": MID, "big": BIG}
_BLOCK = bytes(range(256)) * 4096


def _file(number, size, kind):
    return {
        "_shape": "openrouter",
        "id": f"or_file_{kind}{number:024d}",
        "type": "file",
        "filename": f"reports/2026/quarter-{number}.csv",
        "mime_type": "text/csv",
        "size_bytes": size,
        "created_at": "2026-11-20T12:34:56.789Z",
        "downloadable": True,
    }


def _openai_file(number, size, kind):
    return {
        "id": f"or_file_{kind}{number:024d}",
        "object": "file",
        "bytes": size,
        "created_at": 1763640000 + number,
        "filename": f"reports/2026/quarter-{number}.csv",
        "purpose": "user_data",
        "status": "processed",
    }


def _page(make, first, left):
    data = [make(first + i, 1000 + i, "page") for i in range(PAGE)]
    return {"data": data, "first_id": data[0]["id"], "last_id": data[-1]["id"], "has_more": left > PAGE}


def _pages(total):
    """The pages of a listing in both shapes, each under the name of the token that asks for it."""
    token = last_id = ""
    for first in range(0, total, PAGE):
        after, left = f"page{first + PAGE}", total - first
        page = _page(_file, first, left) | {"_shape": "openrouter", "cursor": after if left > PAGE else None}
        yield f"pages/{token}.json", page
        foreign = _page(_openai_file, first, left) | {"object": "list"}
        yield f"openai/pages/{last_id}.json", foreign
        token, last_id = after, foreign["last_id"]


def _documents(listed):
    for kind, size in SIZES.items():
        yield f"answers/{kind}.json", _file(1, size, kind)
        yield f"openai/answers/{kind}.json", _openai_file(1, size, kind)
    yield from _pages(listed)


def build(root, *, listed=ROWS["list"].count, contents=("mid", "big")):
    """Fill a folder with all that is served."""
    for name, document in _documents(listed):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, separators=(",", ":")))  # as servers write it: without spaces
    (root / "content").mkdir(exist_ok=True)
    for kind in contents:
        with (root / "content" / kind).open("wb") as out:
            for _ in range(SIZES[kind] // len(_BLOCK)):
                out.write(_BLOCK)
