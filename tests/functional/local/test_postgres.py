"""PostgreSQL in a private folder."""

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from jobtracker.local import CHECKOUT, postgres
from jobtracker.local.postgres import MAX_SOCKET_PATH, Postgres
from jobtracker.local.process import wait_until

# Of libpq, of URLs, of ini files and of sh; and too long for a socket.
ODD_NAME = "a,b %c#d&e=f?g'h\"i$j\\k\nl\u00fc" + "x" * MAX_SOCKET_PATH

STARTS_AND_SLEEPS = """
import sys, time
from pathlib import Path
from jobtracker.local.postgres import Postgres
server = Postgres(Path(sys.argv[1]), Path(sys.argv[2]))
server.start()
print(server.process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    """A server below folders that are for their owner only."""
    tmp_path.chmod(0o700)
    parent = tmp_path / ODD_NAME
    parent.mkdir(mode=0o700)
    server = Postgres(parent / "data", parent / "log")
    yield server
    server.stop()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_server_works_below_private_folders_and_leaves_them_private(server: Postgres):
    server.start()
    assert mode(server.data) == mode(server.data.parent) == mode(server.data.parent.parent) == 0o700
    with psycopg.connect(server.make_database("a"), autocommit=True) as connection:
        connection.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
        listening = connection.execute("SHOW listen_addresses").fetchone()
    assert listening == ("",)
    server.stop()
    server.start()
    with psycopg.connect(server.url("a")) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (1000,)


def test_initdb_that_was_interrupted_begins_again_below_a_path_that_sh_interprets(
    server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    package = postgres.bin_folder().parents[1]
    odd = tmp_path / 'a$b`c"d'
    for each in package.parent.glob(f"{package.name}*"):
        shutil.copytree(each, odd / each.name, symlinks=True, copy_function=os.link)
    programs = odd / package.name / "pginstall18" / "bin"
    monkeypatch.setattr(postgres, "bin_folder", lambda: programs)
    unfinished = server.data.with_name(f"{server.data.name}.new")
    unfinished.mkdir()
    (unfinished / "PG_VERSION").touch()
    server.start()
    psycopg.connect(server.url()).close()
    assert not unfinished.exists()


def test_fatal_error_of_a_server_that_does_not_start_is_its_reason(server: Postgres):
    server.options["work_mem"] = "1 furlong"
    with pytest.raises(RuntimeError, match=r"PostgreSQL does not start: .*FATAL: .*work_mem"):
        server.start()
    assert server.log.read_text().strip().splitlines()[-1].count("FATAL") == 0


def test_process_that_has_the_id_of_a_killed_server_is_left_alone(server: Postgres):
    server.start()
    assert server.process is not None
    server_id = server.process.pid
    server.process.kill()
    server.process.wait()
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    file = server.data / "postmaster.pid"
    file.write_text(file.read_text().replace(str(server_id), str(other.pid)))
    server.start()
    psycopg.connect(server.url()).close()
    assert other.poll() is None
    other.communicate()


def test_server_stops_when_its_parent_is_killed(tmp_path: Path):
    paths = (str(tmp_path / "data"), str(tmp_path / "log"))
    program = [sys.executable, "-c", STARTS_AND_SLEEPS, *paths]
    with subprocess.Popen(program, stdout=subprocess.PIPE, cwd=CHECKOUT) as parent:  # noqa: S603
        assert parent.stdout is not None
        process = int(parent.stdout.readline())
        parent.kill()
    assert wait_until(lambda: not psutil.pid_exists(process), seconds=20)


@pytest.mark.parametrize("name", ["a,b", "a b", "a%b", "a&b", "a?b", "a\u00fc", "x" * 104])
def test_socket_is_in_a_private_folder_whose_path_needs_no_quoting(tmp_path: Path, name: str):
    server = Postgres(tmp_path / name, tmp_path / "log")
    assert server.socket_folder != server.data
    assert mode(server.socket_folder) == 0o700
    assert re.fullmatch(r"[\w./:@?=-]+", server.url("a"), re.ASCII)
    assert Postgres(server.data, server.log).socket_folder != server.socket_folder
