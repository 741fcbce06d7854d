"""SIGTERM and SIGINT in the processes of Granian, as in jobtracker.servers.stopping."""

import asyncio
import functools
import logging
import os
import signal
import sys
import threading
import time
from typing import Any

from granian._granian import WorkerSignal
from granian.server.mp import MPServer

from jobtracker.servers.connections import ConnectionWatch
from jobtracker.servers.stopping import Shutdown, end_at_once

log = logging.getLogger(__name__)

# Seconds for the main process to get a signal that a worker has got.
SECONDS_ALONE = 0.5

# Of the main process, between two looks at whether a signal or a worker's end is to be handled.
POLL_SECONDS = 0.1


class PolledEvent:
    """As threading.Event, for handlers of signals: without a lock, which one could interrupt the
    holder of.

    wait() ends after a signal whichever thread the kernel gives it to: Python's handlers run in the
    main thread, whose wait for a lock only a signal of its own interrupts. To a process that was
    stopped (SIGSTOP, SIGCONT) it often goes elsewhere.
    """

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def clear(self) -> None:
        self._is_set = False

    def wait(self) -> None:
        while not self._is_set:
            time.sleep(POLL_SECONDS)


class DrainingServer(MPServer):
    """Granian's main process, which drains before it stops its workers.

    :param drain_seconds: for which workers go on serving, and are respawned, after the first signal
    """

    def __init__(self, shutdown: Shutdown, drain_seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self.main_loop_interrupt = PolledEvent()  # type: ignore[assignment]
        self._shutdown = shutdown
        self._drain_seconds = drain_seconds

    def signal_handler_interrupt(self, *signal_and_frame: Any) -> None:
        if os.getpid() != self.pid:  # a worker that has not begun: it has its own handler later
            os._exit(128 + signal_and_frame[0])
        if self._shutdown.is_draining():
            for worker in self.wrks:
                worker.kill()
            end_at_once(signal_and_frame[0])
        self._shutdown.drain()
        if self._drain_seconds > 0:
            log.info("Draining for %g seconds", self._drain_seconds)
            signal.signal(signal.SIGALRM, super().signal_handler_interrupt)
            signal.setitimer(signal.ITIMER_REAL, self._drain_seconds)
        else:
            super().signal_handler_interrupt()

    def signal_handler_reload(self, *signal_and_frame: Any) -> None:
        if not self._shutdown.is_draining():
            super().signal_handler_reload(*signal_and_frame)

    def _stop_workers(self) -> None:
        self._shutdown.close()
        super()._stop_workers()


def handle_signals(
    loop: asyncio.AbstractEventLoop, *, shutdown: Shutdown, watch: ConnectionWatch
) -> WorkerSignal:
    """Let SIGTERM and SIGINT stop this worker, by the signal of Granian that is returned.

    systemd and terminals send them to the workers, too. These wait for the main process, which
    sends SIGTERM when it has drained. Only a worker that alone got one stops by itself, and is
    respawned.
    """
    stop = WorkerSignal()

    def close() -> None:
        try:
            if sys.platform == "linux":
                watch.close_listener_and_idle()
        except Exception:
            log.exception("Unexpected error while connections are closed")
        finally:
            stop.set()

    closing = threading.Thread(target=close, daemon=True)

    def handle(*, may_wait: bool = True) -> None:
        if shutdown.is_closing() or not (may_wait or shutdown.is_draining()):
            if closing.ident is None:
                closing.start()
        elif may_wait:
            loop.call_later(SECONDS_ALONE, functools.partial(handle, may_wait=False))

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, handle)
    return stop
