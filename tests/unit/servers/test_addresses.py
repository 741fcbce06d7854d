"""The reservation of a server's address."""

import contextlib
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobtracker.servers.addresses import check_addresses, check_unix_socket, reserve
from jobtracker.settings import InvalidSettings
from tests.common.server import free_port

LOOPBACK = "127.0.0.1"


@pytest.fixture
def port() -> int:
    return free_port()


@contextlib.contextmanager
def listener(
    host: str, port: int, *, reuse_port: bool = True, family: int = socket.AF_INET
) -> Iterator[socket.socket]:
    """A listening socket, with the options of Granian's workers."""
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse_port)
        listening.bind((host, port))
        listening.listen()
        yield listening


@pytest.mark.parametrize("reuse_port", [True, False])
@pytest.mark.parametrize(
    ("family", "taken", "host"),
    [
        (socket.AF_INET, LOOPBACK, LOOPBACK),
        (socket.AF_INET, LOOPBACK, "0.0.0.0"),  # noqa: S104
        (socket.AF_INET, LOOPBACK, "localhost"),
        (socket.AF_INET, "0.0.0.0", LOOPBACK),  # noqa: S104
        (socket.AF_INET6, "::", LOOPBACK),
        (socket.AF_INET6, "::", "0.0.0.0"),  # noqa: S104
    ],
)
def test_address_that_another_socket_listens_on_is_refused(
    family: int, taken: str, host: str, reuse_port: bool, port: int
):
    with listener(taken, port, reuse_port=reuse_port, family=family):
        with pytest.raises(InvalidSettings, match=rf"^Setting port: cannot listen on .*:{port}: "):
            reserve(host, str(port))
        if family == socket.AF_INET:  # waitress separates the families
            with pytest.raises(InvalidSettings, match=r"^Setting listen: cannot listen on "):
                check_addresses({"listen": f"{host}:{port}"})


def test_address_is_reserved_once_until_it_is_closed(port: int):
    _address, reservation = reserve(LOOPBACK, str(port))
    with reservation:
        for host in (LOOPBACK, "0.0.0.0"):  # noqa: S104
            with pytest.raises(InvalidSettings):
                reserve(host, str(port))
    reserve(LOOPBACK, str(port))[1].close()


def test_workers_listen_on_a_reserved_address_and_get_all_connections(port: int):
    host, reservation = reserve("localhost", str(port))
    with reservation:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, port))
        with listener(host, port) as one, listener(host, port) as other:
            clients = [socket.create_connection((host, port)) for _ in range(10)]
            accepted = []
            for each in (one, other):
                each.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        accepted.append(each.accept()[0])
            assert len(accepted) == len(clients)
            for connection in (*accepted, *clients):  # the server's half is in TIME_WAIT then
                connection.close()
    # As after a restart of the service.
    _address, reservation = reserve(host, str(port))
    with reservation, listener(host, port):
        socket.create_connection((host, port)).close()


@pytest.mark.parametrize(
    ("host", "port", "setting"),
    [
        (LOOPBACK, "0", "port"),
        (LOOPBACK, "65536", "port"),
        (LOOPBACK, "http", "port"),
        (LOOPBACK, "-1", "port"),
        ("nonexistent.invalid", "6543", "host"),
        ("203.0.113.1", "6543", "port"),  # not this machine's
    ],
)
def test_invalid_address_is_refused_by_the_name_of_the_setting(host: str, port: str, setting: str):
    with pytest.raises(InvalidSettings, match=rf"^Setting {setting}: ") as stopped:
        reserve(host, port)
    assert "\n" not in str(stopped.value)


def test_unix_socket_is_refused_while_a_process_listens_on_it():
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "socket"))
        check_unix_socket(path)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
            listening.listen()
            with pytest.raises(InvalidSettings, match=r"^Setting unix_socket: .* is in use"):
                check_unix_socket(path)
        check_unix_socket(path)  # the file of a server that was killed
