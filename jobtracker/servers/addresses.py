"""The addresses on which servers listen: refused where another process has them."""

import contextlib
import socket
import sys

from jobtracker.settings import InvalidSettings

MAX_PORT = 65535


def reserve(host: str, port: str) -> tuple[str, int, socket.socket]:
    """Reserve a TCP address for this process and its workers, and return it with the socket that
    does so, until that is closed.

    Granian's workers listen with SO_REUSEPORT, by which servers of one user could share an address.

    :param host: a name or an IP address
    :raises InvalidSettings: when the address is in use, or not one of this machine
    """
    if not port.isdecimal() or not 0 < int(port) <= MAX_PORT:
        raise InvalidSettings(("port", f"must be a number from 1 to {MAX_PORT}"))
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise InvalidSettings(("host", f"{host} is neither a known name nor an address")) from None
    family, kind, _, _, address = found[0]
    reservation = socket.socket(family, kind)
    # Connections of the server before it may be in TIME_WAIT.
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        reservation.bind(address)
        reservation.listen()  # of two processes at the same time, one fails here
    except OSError as error:
        reservation.close()
        raise cannot_listen("port", f"{host}:{port}", error) from None
    if sys.platform == "linux":
        # It stays bound, so that others cannot bind the address, but does not listen. Only sockets
        # of the same user with SO_REUSEPORT can, as those of the workers.
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reservation.shutdown(socket.SHUT_RDWR)
    else:
        reservation.close()
    return str(address[0]), int(port), reservation


def check_unix_socket(path: str) -> None:
    """:raises InvalidSettings: when a process listens on a Unix socket, which waitress replaces"""
    with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
        probe.connect(path)
        raise InvalidSettings(("unix_socket", f"{path} is in use. Stop what listens there"))


def cannot_listen(setting: str, address: str, error: Exception) -> InvalidSettings:
    """The error of a server that cannot listen on an address."""
    reason = error.strerror if isinstance(error, OSError) else error
    hint = f"Stop what listens there, or change the setting {setting}"
    return InvalidSettings((setting, f"cannot listen on {address}: {reason}. {hint}"))
