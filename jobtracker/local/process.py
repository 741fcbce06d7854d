"""Child processes: start, wait until ready, stop."""

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def wait_until(
    condition: Callable[[], object],
    seconds: float,
    process: "subprocess.Popen[bytes] | None" = None,
) -> bool:
    """Poll a condition for at most so many seconds, or until the process fails.

    :returns: whether the condition became true
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline or (process is not None and process.poll()):
            return False
        time.sleep(0.05)
    return True


class ServerProcess:
    """A server that runs as a child process."""

    NAME: str
    SECONDS_TO_START: float
    STOP_SIGNAL: signal.Signals

    process: "subprocess.Popen[bytes] | None" = None

    def run(self, command: Sequence[str | Path], log: Path, **options: Any) -> None:
        """Start the process and wait until it is ready.

        :param options: of :class:`subprocess.Popen`
        :raises RuntimeError: if it is not ready in time
        """
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C stops pserve only; the supervisor stops this
                **options,
            )
        if not wait_until(self.is_ready, self.SECONDS_TO_START, self.process):
            self.stop()
            raise RuntimeError(f"{self.NAME} does not start: see {log}")

    def is_ready(self) -> bool:
        raise NotImplementedError

    def stop(self) -> None:
        """Stop the process, if it runs, and wait until it has ended."""
        if self.process is not None:
            self.process.send_signal(self.STOP_SIGNAL)
            self.process.wait()
            self.process = None
