"""Whether a port can be had, told before anything is started on it."""

import socket


def check(host: str, port: int, setting: str) -> None:
    """Return when the port is free.

    :param setting: where another one can be chosen
    :raises RuntimeError: with one line for people, when it is not
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
