"""Who asks, when a proxy or load balancer stands between."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from pyramid.request import Request

LOOPBACK = ip_address("127.0.0.1")


def client_address(request: Request) -> IPv4Address | IPv6Address:
    """The address of whoever asks.

    It is the connection's other end. Where that is a proxy of the setting ``proxies.trusted``, it
    is the last address in ``X-Forwarded-For`` that is not such a proxy: what stands before that
    one, anybody can have written.
    """
    trusted = request.registry.settings["proxies.trusted"]
    # A Unix socket has no address: whoever is at its other end is on this machine.
    address = _address(request.environ.get("REMOTE_ADDR", "")) or LOOPBACK
    said = request.environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
    while said and any(address in network for network in trusted):
        before = _address(said.pop().strip())
        if before is None:
            break
        address = before
    return address


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # An IPv4 client of a socket for both is told as ::ffff:192.0.2.1.
    return getattr(address, "ipv4_mapped", None) or address
