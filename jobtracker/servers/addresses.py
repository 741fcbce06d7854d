"""The addresses on which servers listen: refused where another process has them.

The errors are raised by the factories of servers: those of a server that runs already end pserve
with the status 0.
"""

import contextlib
import socket
import sys
from collections.abc import Mapping
from typing import Any

from waitress.adjustments import Adjustments

from jobtracker.settings import InvalidSettings

MAX_PORT = 65535


def reserve(host: str, port: str) -> tuple[str, socket.socket]:
    """Reserve a TCP address for this process and its workers, and return the IP address, and the
    socket that reserves it until that is closed.

    Granian's workers listen with SO_REUSEPORT, by which servers of one user could share an address.

    :raises InvalidSettings: when the address is in use, or not one of this machine
    """
    if not port.isdecimal() or not 0 < int(port) <= MAX_PORT:
        raise InvalidSettings(("port", f"must be a number from 1 to {MAX_PORT}"))
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise InvalidSettings(("host", f"{host} is neither a known name nor an address")) from None
    family, _type, _protocol, _name, address = found[0]
    reservation = _listen("port", family, address)
    if sys.platform == "linux":
        # It stays bound, so that others cannot bind the address, but does not listen. Only sockets
        # of the same user with SO_REUSEPORT can, as those of the workers.
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reservation.shutdown(socket.SHUT_RDWR)
    else:
        reservation.close()
    return str(address[0]), reservation


def check_addresses(options: Mapping[str, str]) -> None:
    """Check that waitress can listen on the addresses of its options.

    :raises InvalidSettings: when one is in use, or not one of this machine
    """
    if path := options.get("unix_socket"):
        check_unix_socket(path)
        return
    names = [name for name in ("listen", "host", "port", "ipv4", "ipv6") if name in options]
    setting = "listen" if "listen" in options else "port"
    try:
        addresses = Adjustments(**{name: options[name] for name in names}).listen
    except ValueError as error:
        raise InvalidSettings((setting, str(error))) from None
    for family, _type, _protocol, address in addresses:
        _listen(setting, family, address).close()


def check_unix_socket(path: str) -> None:
    """:raises InvalidSettings: when a process listens on a Unix socket, which waitress replaces"""
    with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
        probe.connect(path)
        raise InvalidSettings(("unix_socket", f"{path} is in use. Stop what listens there"))


def _listen(setting: str, family: int, address: Any) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    # Connections of the server before it may be in TIME_WAIT.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen()  # of two processes at the same time, one fails here
    except (OSError, OverflowError) as error:
        listening.close()
        reason = error.strerror if isinstance(error, OSError) else error
        hint = f"Stop what listens there, or change the setting {setting}"
        problem = f"cannot listen on {address[0]}:{address[1]}: {reason}. {hint}"
        raise InvalidSettings((setting, problem)) from None
    return listening
