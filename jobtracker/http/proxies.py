"""What trusted proxies say: the client's address, and the path prefix that they have removed."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from pyramid.request import Request

from jobtracker.settings import PATH_PREFIX

LOOPBACK = ip_address("127.0.0.1")

# "192.0.2.1:5678", "[2001:db8::1]", "[2001:db8::1]:443"; ports can be obfuscated (RFC 7239, 6.3).
_WITH_PORT = re.compile(r"(?:\[([^\]]*)\]|([^:]*))(?::[A-Za-z0-9._-]*)?")
_PREFIX = re.compile(PATH_PREFIX)


def client_address(request: Request) -> IPv4Address | IPv6Address:
    """The peer of the connection, or, where that is a proxy of the setting ``proxies.trusted``, the
    last address in ``X-Forwarded-For`` that is not: those before it can be forged.

    Addresses can be quoted and have brackets and a port. At one that is none (``unknown``) the
    search ends.
    """
    address = _peer(request)
    forwarded = request.environ.get("HTTP_X_FORWARDED_FOR", "")
    while forwarded and _is_trusted(request, address):
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
    given = request.environ.get("HTTP_X_FORWARDED_PREFIX")
    if given is None or not _is_trusted(request, _peer(request)):
        return ""
    prefix = "".join(each.strip().rstrip("/") for each in given.split(","))
    return prefix if _PREFIX.fullmatch(prefix) else ""


def _peer(request: Request) -> IPv4Address | IPv6Address:
    # A Unix socket has no address: its peer is on this machine.
    return _address(request.environ.get("REMOTE_ADDR", "")) or LOOPBACK


def _is_trusted(request: Request, address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in request.registry.settings["proxies.trusted"])


def _address_with_port(text: str) -> IPv4Address | IPv6Address | None:
    match = _WITH_PORT.fullmatch(text)
    return _address(match[1] or match[2] or "") if match else None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # An IPv4 client of a dual-stack socket has an address like ::ffff:192.0.2.1.
    return getattr(address, "ipv4_mapped", None) or address
