"""The local stack: the parts that an ini file leaves out, shared by all processes that use them.

The parts are children of a supervisor process, which the first process starts (pserve, pshell or
alembic) and which stops them after the last one has ended. Each process holds a shared flock on
``stack.users``, which the kernel releases even if the process is killed; when the supervisor gets
an exclusive one, there are no users left.
"""

import atexit
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import hupper

from jobtracker.local.guard import LOOPBACK_HOSTS
from jobtracker.local.process import wait_until

# The settings that each part provides; a part whose settings are all given is not started.
PROVIDES = {
    "postgres": ("sqlalchemy.url",),
    "aws": ("cognito.user_pool_id", "s3.bucket"),
    "turnstile": ("turnstile.secret",),
}
SECONDS_TO_START = 60
SECONDS_TO_STOP = 20
REGION = "us-east-1"


class LocalError(SystemExit):
    """The local stack does not start; a SystemExit, so that its one line is all that is shown."""


def try_lock(file: TextIO, operation: int) -> bool:
    """Return whether flock(2) acquires the lock without waiting."""
    try:
        fcntl.flock(file, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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
        """Return the stack of the parts whose settings are missing."""
        given = {name for name, value in settings.items() if value.strip()}
        return cls(
            folder=os.path.realpath(settings["local.folder"]),
            parts=tuple(part for part, names in PROVIDES.items() if not given.issuperset(names)),
            aws_port=int(settings["local.aws_port"]),
            turnstile_port=int(settings["local.turnstile_port"]),
            origins=tuple(settings.get("cors.origins", "").lower().split()),
            hosts=(*LOOPBACK_HOSTS, *settings.get("local.hosts", "").lower().split()),
        )

    def with_local_settings(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Acquire the parts, and return the settings completed with those that they provide;
        LocalError if they do not start."""
        given = {name: value for name, value in settings.items() if not name.startswith("local.")}
        provided = self._acquire() if self.parts else {}
        # Settings of a service that is configured are not mixed with those of a local one.
        configured = {_prefix(n) for names in PROVIDES.values() for n in names if given.get(n)}
        return given | {n: v for n, v in provided.items() if _prefix(n) not in configured}

    def _acquire(self) -> dict[str, str]:
        """Keep the parts running until this process ends; start them unless they run already."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        if os.stat(self.folder).st_uid != os.geteuid():
            raise LocalError(f"{self.folder} (local.folder in [app:main]) is another user's")
        os.chmod(self.folder, 0o700)  # it may exist already
        users = self.open("users")
        fcntl.flock(users, fcntl.LOCK_SH)  # waits while the parts are being stopped
        if hupper.is_active():
            # pserve --reload: its worker, this process, ends at each change; the reloader remains.
            self.file("reloader").write_text(str(os.getppid()))
        if not self._is_supervised():
            self.file("state").unlink(missing_ok=True)  # of a supervisor that was killed or failed
        state = self._read_state() or self._start()
        atexit.register(self._release, users)
        if "error" in state:
            raise LocalError(f"The local stack does not start: {state['error']}")
        return state

    def _start(self) -> dict[str, str]:
        with self.file("log").open("ab") as log:
            command = [sys.executable, "-m", "jobtracker.local.supervisor", json.dumps(self)]
            output: Any = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            # In its own session: Ctrl-C stops pserve only; the supervisor stops after it.
            supervisor = subprocess.Popen(command, start_new_session=True, **output)
        wait_until(lambda: self._read_state() is not None, SECONDS_TO_START, supervisor)
        if (state := self._read_state()) is None:
            raise LocalError(f"The local stack does not start: see {self.file('log')}")
        return state

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


def _prefix(name: str) -> str:
    return name.partition(".")[0]
