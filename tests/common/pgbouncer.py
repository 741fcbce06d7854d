"""PgBouncer in front of a local PostgreSQL."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import psycopg

from jobtracker.local.postgres import Postgres
from jobtracker.local.process import ServerProcess

HOST = "127.0.0.1"
LOG = "log"
INI = "pgbouncer.ini"
USERS = "users"


def find_program() -> str | None:
    """The path of PgBouncer, which Debian installs for administrators; None if there is none."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


class PgBouncer(ServerProcess):
    """PgBouncer on a port of this machine, for all databases of a server.

    :param folder: a new one, for its files; all users can enter the folders above
    :param users: the names of the roles that can connect
    :param options: of the section ``[pgbouncer]``
    """

    NAME = "PgBouncer"
    SECONDS_TO_START = 10
    STOP_SIGNAL = signal.SIGKILL  # all others wait for clients, in some version

    def __init__(
        self,
        folder: Path,
        postgres: Postgres,
        port: int,
        *,
        pool_mode: str,
        users: tuple[str, ...] = ("postgres",),
        options: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.folder, self.postgres, self.port, self.users = folder, postgres, port, users
        self.options = {
            "listen_addr": HOST,
            "listen_port": str(port),
            "unix_socket_dir": "",
            "auth_type": "trust",
            "auth_file": str(folder / USERS),
            "pool_mode": pool_mode,
            "max_client_conn": "1000",
            **options,
        }

    def url(self, database: str, user: str = "postgres") -> str:
        return f"postgresql://{user}@{HOST}:{self.port}/{database}"

    def start(self) -> None:
        """Start it and wait for it to accept connections; RuntimeError if it does not."""
        program = find_program()
        if program is None:
            raise RuntimeError("PgBouncer is not installed")
        socket_folder, as_user = str(self.postgres.socket_folder), {}
        self.folder.mkdir(mode=0o700)
        if os.geteuid() == 0:  # as which PgBouncer refuses to run, as PostgreSQL does
            owner = self.postgres.socket_folder.stat()
            as_user = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
            os.chown(self.folder, owner.st_uid, owner.st_gid)
            # The working directory, as that user cannot enter the folders above.
            socket_folder = "/proc/self/cwd"
        lines = [
            "[databases]",
            f"* = host={socket_folder}",
            "[pgbouncer]",
            *(f"{name} = {value}" for name, value in self.options.items()),
        ]
        (self.folder / INI).write_text("\n".join(lines))
        (self.folder / USERS).write_text("".join(f'"{user}" ""\n' for user in self.users))
        self.launch(
            [program, self.folder / INI],
            self.folder / LOG,
            stdin=subprocess.DEVNULL,
            cwd=self.postgres.socket_folder,
            **as_user,
        )

    def is_ready(self) -> bool:
        try:
            psycopg.connect(self.url("postgres", self.users[0]), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
