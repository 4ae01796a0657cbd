"""One request and its response: the only users of aiohttp and backoff."""
