"""What trusted proxies say: the client's address, and the path prefix that they have removed."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from pyramid.request import Request

from jobtracker.settings import PATH_PREFIX

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]

LOOPBACK = ip_address("127.0.0.1")

# "192.0.2.1:5678", "[2001:db8::1]", "[2001:db8::1]:443"; ports can be obfuscated (RFC 7239, 6.3).
_WITH_PORT = re.compile(r"(?:\[([^\]]*)\]|([^:]*))(?::[A-Za-z0-9._-]*)?")
_PREFIX = re.compile(PATH_PREFIX)


def client_address(environ: Mapping[str, Any], registry: Any) -> Address:
    """As :func:`address_behind`, of a request."""
    peer, forwarded = environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", "")
    return address_behind(registry.settings["proxies.trusted"], peer, forwarded)


def address_behind(trusted: Networks, peer: str, forwarded: str) -> Address:
    """The peer of the connection, or, where that is a proxy of the setting ``proxies.trusted``, the
    last address in ``X-Forwarded-For`` that is not: those before it can be forged.

    Addresses can be quoted and have brackets and a port. At one that is none (``unknown``) the
    search ends.
    """
    address = _peer(peer)
    while forwarded and _is_trusted(trusted, address):
        forwarded, _, last = forwarded.rpartition(",")
        if not (last := last.strip().strip('"').strip()):
            continue  # RFC 9110, 5.6.1: empty elements of a list do not count
        before = _address(last) or _address_with_port(last)
        if before is None:
            break
        address = before
    return address


def removed_prefix(request: Request) -> str:
    """The path in ``X-Forwarded-Prefix``, where the peer of the connection is a trusted proxy; of
    several proxies, their paths in this order. Blank without one, and where one is no path."""
    environ, trusted = request.environ, request.registry.settings["proxies.trusted"]
    given = environ.get("HTTP_X_FORWARDED_PREFIX")
    if given is None or not _is_trusted(trusted, _peer(environ.get("REMOTE_ADDR", ""))):
        return ""
    prefix = "".join(each.strip().rstrip("/") for each in given.split(","))
    return prefix if _PREFIX.fullmatch(prefix) else ""


def _peer(text: str) -> Address:
    # A Unix socket has no address: its peer is on this machine.
    return _address(text) or LOOPBACK


def _is_trusted(trusted: Networks, address: Address) -> bool:
    return any(address in network for network in trusted)


def _address_with_port(text: str) -> Address | None:
    match = _WITH_PORT.fullmatch(text)
    return _address(match[1] or match[2] or "") if match else None


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # An IPv4 client of a dual-stack socket has an address like ::ffff:192.0.2.1.
    return getattr(address, "ipv4_mapped", None) or address
