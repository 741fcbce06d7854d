"""The files through which workers pass their metrics to the main process.

They are those of prometheus_client's multiprocess mode
(https://prometheus.github.io/client_python/multiprocess/), with the number of the worker in the
place of the process id. A respawned worker goes on with the counters of the one before it, so that
there are as many files as workers.
"""

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

_PREFIX = "jobtracker-metrics-"
_LOCK = "lock"

# Bytes, of each kind of file. They are allocated at the start: where the disk is full, a write to
# a mapped page that has no block ends the process by SIGBUS.
_SIZES = {
    "counter": 512 * 1024,
    "histogram": 2 * 1024 * 1024,
    "gauge_livesum": 64 * 1024,
    "gauge_livemin": 64 * 1024,
    "gauge_livemax": 64 * 1024,
}


class MetricFiles:
    """A new folder, which is removed at the end of this process.

    :raises OSError: when there is no temporary folder, or no room in it
    """

    def __init__(self) -> None:
        _remove_abandoned()
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        # Held by this process and its forks until the last of them ends.
        self._lock = (self.folder / _LOCK).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._owner = os.getpid()
        atexit.register(self.remove)

    def remove(self) -> None:
        """Remove the folder, in the process that has made it."""
        atexit.unregister(self.remove)
        if os.getpid() == self._owner:
            self._lock.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def open(self, worker: int, kind: str) -> MmapedDict:
        """Open a file of a worker, in which are the values of one before it of that number.

        :param kind: the type of the metrics
        """
        path = self.folder / f"{kind}_{worker}.db"
        with path.open("ab") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, _SIZES[kind])
        return MmapedDict(str(path))  # type: ignore[no-untyped-call]

    def collect(self, alive: Collection[int]) -> Any:
        """The sums over all workers.

        :param alive: the workers whose gauges count
        """
        files = [
            str(path)
            for path in sorted(self.folder.glob("*.db"))
            if not path.name.startswith("gauge_") or int(path.stem.rpartition("_")[2]) in alive
        ]
        return MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]


def _remove_abandoned() -> None:
    """Remove the folders of processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), (folder / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
