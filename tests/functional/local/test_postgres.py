"""PostgreSQL in a private folder."""

import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from jobtracker.local.postgres import MAX_SOCKET_PATH, Postgres


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    """A server below folders that are for their owner only, with a path too long for a socket."""
    tmp_path.chmod(0o700)
    parent = tmp_path / ("x" * MAX_SOCKET_PATH)
    parent.mkdir(mode=0o700)
    server = Postgres(parent / "data", parent / "log")
    server.start()
    yield server
    server.stop()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_server_works_below_private_folders_and_leaves_them_private(server: Postgres):
    assert mode(server.data) == mode(server.data.parent) == mode(server.data.parent.parent) == 0o700
    with psycopg.connect(server.make_database("a"), autocommit=True) as connection:
        connection.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
        listening = connection.execute("SHOW listen_addresses").fetchone()
    assert listening == ("",)
    server.stop()
    server.start()
    with psycopg.connect(server.url("a")) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (1000,)


def test_socket_is_in_a_private_folder_of_unpredictable_name(server: Postgres):
    assert server.socket_folder != server.data
    assert mode(server.socket_folder) == 0o700
    assert Postgres(server.data, server.log).socket_folder != server.socket_folder
