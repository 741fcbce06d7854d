"""Which local parts an ini file needs, and how to have them: started by the first who comes, shared
by all who come later (pserve, pshell, alembic), stopped after the last has gone.

The parts are children of a supervisor, a process of its own. Each process that uses them holds a
shared lock on a file in the stack's folder, for as long as it lives: the kernel gives it up even
for one that is killed. When the supervisor can have that lock for itself, nobody is left.
"""

import atexit
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import hupper

# Part -> the setting that it provides for; when that is set, the part is elsewhere.
PROVIDES = {
    "postgres": ("sqlalchemy.url",),
    "aws": ("cognito.user_pool_id", "s3.bucket"),
    "turnstile": ("turnstile.secret",),
}
SECONDS_TO_START = 60
SECONDS_TO_STOP = 20

REGION = "us-east-1"


class LocalError(SystemExit):
    """The local parts do not start. A SystemExit, so that one line says why."""


@dataclass(frozen=True)
class Stack:
    """The local parts of one folder."""

    folder: Path
    parts: tuple[str, ...]
    aws_port: int
    turnstile_port: int
    origins: tuple[str, ...]

    @classmethod
    def of_settings(cls, settings: Mapping[str, str]) -> "Stack":
        """The parts that an ini file leaves out."""
        missing = [
            part
            for part, names in PROVIDES.items()
            if not all(settings.get(name, "").strip() for name in names)
        ]
        return cls(
            folder=Path(settings["local.folder"]).resolve(),
            parts=tuple(missing),
            aws_port=int(settings["local.aws_port"]),
            turnstile_port=int(settings["local.turnstile_port"]),
            origins=tuple(settings.get("cors.origins", "").split()),
        )

    def complete(self, settings: Mapping[str, str]) -> dict[str, str]:
        """The settings, with what the local parts provide. They run from here on.

        :raises LocalError:
        """
        ours = {name: value for name, value in settings.items() if not name.startswith("local.")}
        if not self.parts:
            return ours
        elsewhere = {
            name.partition(".")[0] for name in sum(PROVIDES.values(), ()) if ours.get(name)
        }
        for name, value in self.join().items():
            if name.partition(".")[0] not in elsewhere:
                ours[name] = value
        return ours

    def join(self) -> dict[str, str]:
        """Use the parts until this process ends; start them if nobody else has.

        :returns: the settings that they provide
        :raises LocalError:
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        use = self.open("users")
        fcntl.flock(use, fcntl.LOCK_SH)  # waits while others' parts are being stopped
        if hupper.is_active():
            # pserve --reload: this process goes at each change; its parent stays, and with it we.
            self.file("reloader").write_text(str(os.getppid()))
        state = (self._state() if self._is_supervised() else None) or self._start()
        atexit.register(self._leave, use)
        if "error" in state:
            raise LocalError(f"The local stack does not start: {state['error']}")
        return state

    def _start(self) -> dict[str, str]:
        if not self._is_supervised():
            self.file("state").unlink(missing_ok=True)  # of a supervisor that was killed, or failed
        with self.file("log").open("ab") as log:
            supervisor = subprocess.Popen(
                [sys.executable, "-m", "jobtracker.local.supervisor", self.to_json()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the server; this stops after it
            )
        deadline = time.monotonic() + SECONDS_TO_START
        while (state := self._state()) is None:
            if time.monotonic() > deadline or supervisor.poll() not in (None, 0):
                raise LocalError(f"The local stack does not start: see {self.file('log')}")
            time.sleep(0.05)
        return state

    def _state(self) -> dict[str, str] | None:
        try:
            return json.loads(self.file("state").read_text())
        except FileNotFoundError:
            return None

    def _leave(self, use: TextIO) -> None:
        """Stop to use the parts; when nobody is left, return only after all of them are down."""
        fcntl.flock(use, fcntl.LOCK_UN)
        deadline = time.monotonic() + SECONDS_TO_STOP
        while not hupper.is_active() and time.monotonic() < deadline and self._is_stopping(use):
            time.sleep(0.05)

    def _is_stopping(self, use: TextIO) -> bool:
        # Somebody else is a user: not stopping. Nobody is: it will be, or is, until it is no more.
        try:
            fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return not self.file("state").exists()
        fcntl.flock(use, fcntl.LOCK_UN)
        return self._is_supervised()

    def _is_supervised(self) -> bool:
        with self.open("supervisor") as supervisor:
            try:
                fcntl.flock(supervisor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def file(self, name: str) -> Path:
        """One of the stack's own files."""
        return self.folder / f"stack.{name}"

    def open(self, name: str) -> TextIO:
        return self.file(name).open("a")

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "folder": str(self.folder)})

    @classmethod
    def from_json(cls, text: str) -> "Stack":
        fields: dict[str, Any] = json.loads(text)
        fields["folder"] = Path(fields["folder"])
        fields["parts"], fields["origins"] = tuple(fields["parts"]), tuple(fields["origins"])
        return cls(**fields)
