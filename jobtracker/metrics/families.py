"""Metrics in the memory of a worker, written to files of prometheus_client from time to time.

Its own metrics write each observation to a file, which takes microseconds: a twentieth of an
unchanged GET for the five of it. The files and their reader are those of its multiprocess mode.

Observations wait to be added up together: one at a time, between the code of a request, takes
several times as long (benchmarks/README.md).
"""

import math
import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from prometheus_client.mmap_dict import MmapedDict, mmap_key

NAMESPACE = "jobtracker_"


class Series:
    """A metric with certain values of its labels.

    :param keys: in the file, of each value
    :param values: those of the worker before, whose place this one took
    """

    #: Whether a worker goes on with the values of the one before.
    is_cumulative = True

    def __init__(self, keys: list[str], values: list[float]) -> None:
        self.keys, self.values = keys, values

    def add_up(self) -> bool:
        """Add to the values what was observed since; return whether they can have changed. In one
        thread at a time."""
        return True


class Counter(Series):
    def __init__(self, keys: list[str], values: list[float]) -> None:
        super().__init__(keys, values)
        self._lock = threading.Lock()

    def inc(self) -> None:
        with self._lock:
            self.values[0] += 1


class Gauge(Series):
    is_cumulative = False

    def set(self, value: float) -> None:
        self.values[0] = value


class Histogram(Series):
    """The values are the sum, and the number of observations in each bucket."""

    bounds: Sequence[float]

    def __init__(self, keys: list[str], values: list[float]) -> None:
        super().__init__(keys, values)
        self._observed: deque[float] = deque()
        self.observe: Callable[[float], None] = self._observed.append

    def add_up(self) -> bool:
        has_changed = bool(self._observed)
        while self._observed:
            value = self._observed.popleft()
            self.values[0] += value
            self.values[1 + bisect_left(self.bounds, value)] += 1
        return has_changed


S = TypeVar("S", Counter, Gauge, Histogram)


class Family(dict[tuple[str, ...], S], Generic[S]):
    """The series of a metric by the values of its labels, made on first use.

    :param file: that of this worker for metrics of this type
    :param names: of the values of a series: the suffix of the metric's name, and ``le``
    """

    def __init__(
        self,
        file: Any,
        make: Callable[[list[str], list[float]], S],
        name: str,
        documentation: str,
        labels: tuple[str, ...],
        names: Sequence[tuple[str, tuple[str, ...]]],
        lock: threading.Lock,
    ) -> None:
        super().__init__()
        self._file, self._names = file, names
        self._make: Callable[[list[str], list[float]], S] = make
        self._name, self._documentation, self._labels = NAMESPACE + name, documentation, labels
        self._lock = lock
        self._written: dict[str, float] = {}

    def __missing__(self, labels: tuple[str, ...]) -> S:
        with self._lock:
            if (series := self.get(labels)) is None:
                keys = [self._key(labels, *each) for each in self._names]
                values = [self._file.read_value(key)[0] for key in keys]
                series = self._make(keys, values)
                if not series.is_cumulative:
                    series.values = [0.0]
                self[labels] = series
            return series

    def _key(self, values: tuple[str, ...], suffix: str, le: tuple[str, ...]) -> str:
        labels = [*self._labels, "le"] if le else list(self._labels)
        name = self._name
        return mmap_key(name, name + suffix, labels, [*values, *le], self._documentation)

    def write(self) -> None:
        """Write what has changed to the file."""
        with self._lock:
            for series in self.values():
                if not series.add_up():
                    continue
                for key, value in zip(series.keys, list(series.values), strict=True):
                    if self._written.get(key) != value:
                        self._file.write_value(key, value, 0.0)
                        self._written[key] = value


class Families:
    """All metrics of a worker."""

    def __init__(self, open_file: Callable[[str], MmapedDict]) -> None:
        self._open_file = open_file
        self._files: dict[str, MmapedDict] = {}
        self._families: list[Family[Any]] = []
        self._lock = threading.Lock()

    def counter(self, name: str, documentation: str, *labels: str) -> Family[Counter]:
        """:param name: without ``_total``"""
        file = self._file("counter")
        return self._add(
            Family(file, Counter, name, documentation, labels, [("_total", ())], self._lock)
        )

    def gauge(
        self, name: str, documentation: str, *labels: str, mode: str = "livesum"
    ) -> Family[Gauge]:
        """:param mode: how the values of the workers become one, to prometheus_client"""
        file = self._file(f"gauge_{mode}")
        return self._add(Family(file, Gauge, name, documentation, labels, [("", ())], self._lock))

    def histogram(
        self, name: str, documentation: str, buckets: tuple[float, ...], *labels: str
    ) -> Family[Histogram]:
        bounds = (*buckets, math.inf)
        make = type("Histogram", (Histogram,), {"bounds": bounds})
        names = [("_sum", ()), *(("_bucket", (le,)) for le in (*map(str, buckets), "+Inf"))]
        return self._add(
            Family(self._file("histogram"), make, name, documentation, labels, names, self._lock)
        )

    def write(self) -> None:
        """Write what has changed to the files."""
        for family in self._families:
            family.write()

    def _file(self, kind: str) -> MmapedDict:
        if kind not in self._files:
            self._files[kind] = self._open_file(kind)
        return self._files[kind]

    def _add(self, family: Family[Any]) -> Family[Any]:
        self._families.append(family)
        return family
