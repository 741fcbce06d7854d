"""A check that a port is free, before anything that needs it is started."""

import socket


def check(host: str, port: int, setting: str) -> None:
    """Check that a port is free.

    :param setting: that configures the port, for the message
    :raises RuntimeError: if the port is in use
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise RuntimeError(
                f"port {port} of {host} cannot be had ({error.strerror}). "
                f"Stop what listens there, or choose another port by {setting}."
            ) from None
