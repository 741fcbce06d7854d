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
    address = _peer(request)
    said = request.environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
    while said and _is_trusted(request, address):
        before = _address(said.pop().strip())
        if before is None:
            break
        address = before
    return address


def apply_forwarded_proto(request: Request) -> None:
    """Let URLs of ours (Location, Link) begin as the client's did, where a trusted proxy says how:
    ``X-Forwarded-Proto``."""
    scheme = request.environ.get("HTTP_X_FORWARDED_PROTO")
    if scheme in ("http", "https") and _is_trusted(request, _peer(request)):
        request.environ["wsgi.url_scheme"] = scheme


def _peer(request: Request) -> IPv4Address | IPv6Address:
    # A Unix socket has no address: whoever is at its other end is on this machine.
    return _address(request.environ.get("REMOTE_ADDR", "")) or LOOPBACK


def _is_trusted(request: Request, address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in request.registry.settings["proxies.trusted"])


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # An IPv4 client of a socket for both is told as ::ffff:192.0.2.1.
    return getattr(address, "ipv4_mapped", None) or address
