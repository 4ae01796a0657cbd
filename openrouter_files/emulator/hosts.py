"""Which Host header is the emulator's own, and who can reach the addresses on which it listens."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiohttp import web


@frozen
class Hosts:
    """Names and addresses by which a client may call, besides those of the loopback: ``known``, in lower case.

    A web page can have its own name lead to 127.0.0.1 (DNS rebinding) and then talk to what listens there, as if it
    were its own server. Its requests still carry its name.
    """

    known: frozenset[str]

    @classmethod
    def named(cls, names: Collection[str]) -> Hosts:
        """Those of that name; brackets around an IPv6 address do not count."""
        return cls(frozenset(name.strip("[]").rstrip(".").lower() for name in names))

    def stranger(self, request: web.BaseRequest) -> str | None:
        """What the Host header of a request says, if that is not ours; None if it is, or if there is none at all."""
        return next((host for host in request.headers.getall("Host", ()) if not self._is_ours(host, request)), None)

    def _is_ours(self, host: str, request: web.BaseRequest) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        return name in self.known or is_loopback(name) or name == _reached(request)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address, or a name stands for such. Source: RFC 6761, 6.3."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _reached(request: web.BaseRequest) -> str | None:
    """The address of ours to which a client has connected."""
    transport = request.transport
    address: tuple[str, int] | None = None if transport is None else transport.get_extra_info("sockname")
    return address[0].lower() if address else None
