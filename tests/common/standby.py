"""A streaming replica of a PostgreSQL server."""

import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg

from jobtracker.local.postgres import SOCKET, Postgres, bin_folder
from jobtracker.local.process import wait_until
from tests.common.proxy import HOST

SECONDS_TO_REPLAY = 30


class Standby(Postgres):
    """A hot standby, made by pg_basebackup.

    :param port: TCP port of a proxy to the primary, which trusts its clients. Its replication uses
        it, since its user may not be allowed to enter the folder of the primary's socket
    """

    def __init__(self, data: Path, log: Path, *, primary: Postgres, port: int) -> None:
        conninfo = f"host={HOST} port={port} user=postgres"
        super().__init__(data, log, {"fsync": "off", "primary_conninfo": conninfo})
        self._primary = primary

    def _initialize(self, folder: Path) -> None:
        program = str(bin_folder() / "pg_basebackup")
        # Not by the proxy, which resets a connection whose client waits for its disk.
        options = ["-D", str(folder), "-d", self._primary.url(), "-R", "-X", "stream", "-c", "fast"]
        done = subprocess.run(  # noqa: S603
            [program, "--no-sync", *options], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        Path(folder, f"{SOCKET}.lock").unlink(missing_ok=True)  # the primary's
        if self._as_user:
            for each in (folder, *folder.rglob("*")):
                os.lchown(each, self._as_user["user"], self._as_user["group"])

    def execute(self, sql: str) -> Any:
        """The value of the only column and row of a query."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            row = connection.execute(sql.encode()).fetchone()
        return row and row[0]

    def wait_for_replay(self, primary: Postgres) -> None:
        """Wait until it has replayed all that the primary has written."""
        with psycopg.connect(primary.url(), autocommit=True) as connection:
            # The standby receives what is flushed, with synchronous_commit = off later.
            connection.execute("SET synchronous_commit = local")
            connection.execute("SELECT pg_logical_emit_message(true, '', '')")
            row = connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
        assert row is not None
        replayed = f"SELECT pg_last_wal_replay_lsn() >= '{row[0]}'"
        assert wait_until(lambda: self.execute(replayed), SECONDS_TO_REPLAY)
