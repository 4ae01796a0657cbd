"""The floor of the extra ``speed``: msgspec makes the caller's objects, and nobody looks at them."""

import msgspec
from yarl import URL

from . import bare


class _Page(msgspec.Struct):
    data: list[bare.File]
    cursor: str | None = None


_page = msgspec.json.Decoder(_Page).decode


class Client(bare.Client):
    """As the other floor, but for the pages."""

    async def list(self):
        seen, query = 0, "limit=1000"
        while query is not None:
            async with self._session.get(URL(f"{self._url}?{query}", encoded=True)) as answer:
                page = _page(await answer.read())
            seen += len(page.data)
            query = None if page.cursor is None else f"limit=1000&cursor={page.cursor}"
        return seen
