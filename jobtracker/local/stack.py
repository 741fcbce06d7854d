"""The local stack: the parts that an ini file leaves out, shared by all processes that use them.

The parts are children of a supervisor process, which the first process starts (pserve, pshell or
alembic) and which stops them after the last one has ended. Each process holds a shared flock on
``stack.users``, which the kernel releases even if the process is killed; when the supervisor gets
an exclusive one, there are no users left.
"""

import atexit
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import hupper

from jobtracker.local import CHECKOUT
from jobtracker.local.guard import LOOPBACK_HOSTS
from jobtracker.local.process import wait_until
from jobtracker.settings import InvalidSettings, words


class Service(NamedTuple):
    """A service that the local stack provides, unless the settings have one of their own.

    :param part: of the stack that provides it
    :param required: the settings of another one, and ``optional``: those that can be added
    """

    part: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


SERVICES = {  # by the prefix of their settings
    "sqlalchemy": Service("postgres", ("sqlalchemy.url",)),
    "cognito": Service(
        "aws",
        ("cognito.region", "cognito.user_pool_id", "cognito.client_id"),
        (
            *("cognito.client_secret", "cognito.endpoint_url", "cognito.issuer"),
            *("cognito.access_key_id", "cognito.secret_access_key"),
        ),
    ),
    "s3": Service(
        "aws",
        ("s3.region", "s3.bucket"),
        ("s3.endpoint_url", "s3.access_key_id", "s3.secret_access_key"),
    ),
    "turnstile": Service("turnstile", ("turnstile.secret",), ("turnstile.url",)),
}
SECONDS_TO_START = 120
SECONDS_TO_STOP = 20
REGION = "us-east-1"
# On the disk of the folder, at a failed start: below it, that is why.
MIN_BYTES_FREE = 2**20


class LocalError(SystemExit):
    """The local stack does not start; a SystemExit, so that its one line is all that is shown."""


def try_lock(file: TextIO, operation: int) -> bool:
    """Return whether flock(2) acquires the lock without waiting."""
    try:
        fcntl.flock(file, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def writable_folder(folder: str) -> str:
    """Return the folder, which is created, or the user's own one for it if it cannot be written, as
    in a read-only checkout; LocalError if that cannot be written either.

    https://specifications.freedesktop.org/basedir-spec/latest/
    """
    name = f"jobtracker-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    for each in (folder, os.path.join(state, name), os.path.join(tempfile.gettempdir(), name)):
        try:
            os.makedirs(each, mode=0o700, exist_ok=True)
        except OSError as error:
            reason = error.strerror
            continue
        if os.access(each, os.W_OK):
            if each != folder:
                print(f"{folder} cannot be written: the data is in {each}", flush=True)
            return each
        reason = "it cannot be written"
    raise LocalError(f"The local stack does not start: {folder} (local.folder): {reason}")


class Stack(NamedTuple):
    """The local parts, with their state in one folder."""

    folder: str
    parts: tuple[str, ...]
    aws_port: int
    turnstile_port: int
    origins: tuple[str, ...]
    hosts: tuple[str, ...]

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> "Stack":
        """Return the stack of the parts whose settings are missing.

        :raises InvalidSettings: when some settings of a service are given, but not all
        """
        local = local_services(settings)
        return cls(
            folder=writable_folder(os.path.realpath(settings["local.folder"])),
            parts=tuple(dict.fromkeys(SERVICES[name].part for name in local)),
            aws_port=int(settings["local.aws_port"]),
            turnstile_port=int(settings["local.turnstile_port"]),
            origins=tuple(words(settings.get("cors.origins", "").lower())),
            hosts=(*LOOPBACK_HOSTS, *words(settings.get("local.hosts", "").lower())),
        )

    def with_local_settings(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Acquire the parts, and return the settings completed with those that they provide;
        LocalError if they do not start."""
        given = {name: value for name, value in settings.items() if not name.startswith("local.")}
        provided = self._acquire() if self.parts else {}
        # Settings of another service are not mixed with those of the local one.
        local = local_services(settings)
        return given | {n: v for n, v in provided.items() if n.partition(".")[0] in local}

    def _acquire(self) -> dict[str, str]:
        """Keep the parts running until this process ends; start them unless they run already."""
        if os.stat(self.folder).st_uid != os.geteuid():
            raise LocalError(f"{self.folder} (local.folder in [app:main]) is another user's")
        os.chmod(self.folder, 0o700)  # it may exist already
        try:
            users = self.open("users")
            fcntl.flock(users, fcntl.LOCK_SH)  # waits while the parts are being stopped
            atexit.register(self._release, users)
            if hupper.is_active():
                # pserve --reload: its worker, this process, ends at each change; the reloader
                # remains.
                self.file("reloader").write_text(str(os.getppid()))
            if not self._is_supervised():
                self.file("state").unlink(missing_ok=True)  # the supervisor was killed or failed
            state = self._read_state() or self._start()
        except OSError as error:
            state = {"error": str(error)}
        if "error" in state:
            raise self.error(state["error"])
        return state

    def error(self, reason: str) -> LocalError:
        if shutil.disk_usage(self.folder).free < MIN_BYTES_FREE:
            reason = f"no space left on the disk of {self.folder}"
        return LocalError(f"The local stack does not start: {' '.join(reason.split())}")

    def _start(self) -> dict[str, str]:
        with self.file("log").open("ab") as log, self.open("supervisor") as lock:
            command = [sys.executable, "-m", "jobtracker.local.supervisor", json.dumps(self)]
            output: Any = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            # In its own session: Ctrl-C stops pserve only; the supervisor stops after it.
            options = {"start_new_session": True, "cwd": CHECKOUT, **output}
            supervisor = None
            # Other processes hold this lock for a moment, to test whether there is a supervisor,
            # which inherits it.
            if wait_until(lambda: try_lock(lock, fcntl.LOCK_EX), seconds=1):
                supervisor = subprocess.Popen(command, pass_fds=[lock.fileno()], **options)
        wait_until(lambda: self._read_state() is not None, SECONDS_TO_START, supervisor)
        return self._read_state() or {"error": f"see {self.file('log')}"}

    def _read_state(self) -> dict[str, str] | None:
        try:
            return json.loads(self.file("state").read_text())
        except FileNotFoundError:
            return None

    def _release(self, users: TextIO) -> None:
        """Release the parts; if this is their last user, wait until they have stopped."""
        is_last = try_lock(users, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_UN)
        if is_last and not hupper.is_active():
            wait_until(lambda: not self._is_supervised(), SECONDS_TO_STOP)

    def _is_supervised(self) -> bool:
        with self.open("supervisor") as supervisor:
            return not try_lock(supervisor, fcntl.LOCK_SH)

    def file(self, name: str) -> Path:
        return Path(self.folder, f"stack.{name}")

    def open(self, name: str) -> TextIO:
        return self.file(name).open("a")


def local_services(settings: Mapping[str, str]) -> list[str]:
    """The services of which no setting is given, by their prefixes.

    :raises InvalidSettings: for those of which some are given, but not all that are required
    """
    local, problems = [], []
    for prefix, service in SERVICES.items():
        names = (*service.required, *service.optional)
        given = [name for name in names if settings.get(name, "").strip()]
        if not given:
            local.append(prefix)
        reason = f"is required beside {', '.join(given)}, or none of them"
        problems += [(name, reason) for name in service.required if given and name not in given]
    if problems:
        raise InvalidSettings(*problems)
    return local
