"""Child processes, and the ports that they need."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

SECONDS_TO_STOP = 60


def wait_until(
    condition: Callable[[], object],
    seconds: float,
    process: "subprocess.Popen[bytes] | None" = None,
) -> bool:
    """Poll until a condition is true; return False when the time is over or the process fails."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline or (process is not None and process.poll()):
            return False
        time.sleep(0.05)
    return True


def check_port(host: str, port: int, setting: str) -> None:
    """Raise RuntimeError, with the name of the setting to change, if a port is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            hint = f"Stop what listens there, or choose another port by {setting}."
            problem = f"port {port} of {host} cannot be had ({error.strerror})."
            raise RuntimeError(f"{problem} {hint}") from None


def write_private(file: Path, text: str) -> None:
    """Replace a file by a new one that only its owner can read."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(text)
    new.replace(file)


def fatal_line(output: bytes) -> str:
    """The line of a server's output that says why it ended: the last one with a fatal error of
    PostgreSQL, or that is not blank."""
    lines = [line.strip() for line in output.decode(errors="replace").split("\n") if line.strip()]
    fatal = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
    return (fatal or lines or ["its log is empty"])[-1]


class ServerProcess:
    """A server that runs as a child process.

    ``is_needed``: while it starts, whether a server still waits for it
    """

    NAME: str
    SECONDS_TO_START: float
    STOP_SIGNAL: signal.Signals

    process: "subprocess.Popen[bytes] | None" = None
    is_needed: Callable[[], bool] = staticmethod(lambda: True)

    def launch(self, command: Sequence[str | Path], log: Path, **options: Any) -> None:
        """Start the process, with options of Popen; RuntimeError if it is not ready in time."""
        with log.open("ab") as output:
            began = output.tell()
            # In its own session: Ctrl-C stops pserve only; the supervisor stops this.
            options |= {"stdout": output, "stderr": output, "start_new_session": True}
            self.process = subprocess.Popen(command, **options)
        if not wait_until(
            lambda: self.is_ready() or not self.is_needed(), self.SECONDS_TO_START, self.process
        ):
            self.stop()
            reason = fatal_line(log.read_bytes()[began:])
            raise RuntimeError(f"{self.NAME} does not start: {reason} (see {log})")

    def is_ready(self) -> bool:
        raise NotImplementedError

    def stop(self) -> None:
        """Stop the process, if it runs, and wait until it has ended."""
        if self.process is not None:
            with self.process as process:
                process.send_signal(self.STOP_SIGNAL)
                try:
                    process.wait(SECONDS_TO_STOP)
                except subprocess.TimeoutExpired:
                    process.kill()
            self.process = None
