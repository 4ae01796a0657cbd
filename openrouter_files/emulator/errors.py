"""Errors as the service words them."""

from __future__ import annotations

import json
from collections.abc import Mapping

MESSAGES = {
    400: "Invalid request parameters",
    401: "Missing Authentication header",
    402: "Insufficient credits. Add more using https://openrouter.ai/credits",
    403: "Only management keys can perform this operation",
    404: "Resource not found",
    405: "Method not allowed",
    408: "Operation timed out. Please try again later.",
    413: "Request payload too large",
    416: "Range not satisfiable",
    422: "Invalid argument",
    429: "Rate limit exceeded",
    499: "Request was cancelled by the client",
    500: "Internal Server Error",
    502: "Provider returned error",
    503: "Service temporarily unavailable",
    524: "Request timed out. Please try again later.",
    529: "Provider returned error",
}
"""What the service says when it says nothing in particular. Source: OpenRouter OpenAPI document, examples."""

UNKNOWN_ROUTE = b"<!DOCTYPE html><html><head><title>404</title></head><body><h1>Not Found</h1></body></html>"
"""The page for a path that is no operation. Source: observed, an unknown route answers HTML, not JSON."""


class Refusal(Exception):  # noqa: N818 - not an error of the emulator but an answer it gives
    """The request cannot be served: ``status`` and ``message`` say why to the client."""

    def __init__(self, status: int, message: str | None = None, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.headers = headers or {}


def envelope(code: int, message: str | None = None) -> bytes:
    """The JSON of an error; without a message the documented default of that code.

    Source: OpenRouter OpenAPI document, error schemas.
    """
    said = message or MESSAGES.get(code, f"Status {code}")
    return json.dumps({"error": {"code": code, "message": said}}).encode()
