"""The client's address behind trusted proxies."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from pyramid.request import Request

LOOPBACK = ip_address("127.0.0.1")


def client_address(request: Request) -> IPv4Address | IPv6Address:
    """The peer of the connection, or, where that is a proxy of the setting ``proxies.trusted``, the
    last address in ``X-Forwarded-For`` that is not: those before it can be forged."""
    address = _peer(request)
    forwarded = request.environ.get("HTTP_X_FORWARDED_FOR", "")
    while forwarded and _is_trusted(request, address):
        forwarded, _, last = forwarded.rpartition(",")
        before = _address(last.strip())
        if before is None:
            break
        address = before
    return address


def _peer(request: Request) -> IPv4Address | IPv6Address:
    # A Unix socket has no address: its peer is on this machine.
    return _address(request.environ.get("REMOTE_ADDR", "")) or LOOPBACK


def _is_trusted(request: Request, address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in request.registry.settings["proxies.trusted"])


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # An IPv4 client of a dual-stack socket has an address like ::ffff:192.0.2.1.
    return getattr(address, "ipv4_mapped", None) or address
