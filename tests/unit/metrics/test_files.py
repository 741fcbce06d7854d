"""Values in memory, the files of workers, and their sums."""

import fcntl
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobtracker.metrics.families import Families
from jobtracker.metrics.files import MetricFiles


class ClosedFiles(MetricFiles):
    """Files that are closed in the process that removes them."""

    def __init__(self) -> None:
        super().__init__()
        self._opened: list[Any] = []

    def open(self, worker: int, kind: str) -> Any:
        self._opened.append(super().open(worker, kind))
        return self._opened[-1]

    def remove(self) -> None:
        for file in self._opened:
            file.close()
        super().remove()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MetricFiles]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = ClosedFiles()
    yield made
    made.remove()


def values(files: MetricFiles, *alive: int) -> dict[tuple[str, ...], float]:
    """By the name and the values of the labels."""
    return {
        (sample.name.removeprefix("jobtracker_"), *sample.labels.values()): sample.value
        for metric in files.collect(alive)
        for sample in metric.samples
    }


def worker(files: MetricFiles, number: int) -> Families:
    return Families(functools.partial(files.open, number))


def test_counters_of_all_workers_are_added_up(files: MetricFiles):
    for number in (0, 1):
        families = worker(files, number)
        family = families.counter("events", "Events.", "kind")
        family["a",].inc()
        family["b",].inc()
        families.write()
        family["b",].inc()
        families.write()
    assert values(files) == {("events_total", "a"): 2, ("events_total", "b"): 4}


def test_worker_goes_on_with_the_values_of_the_one_before(files: MetricFiles):
    for expected in (1, 2):
        families = worker(files, 0)
        families.counter("events", "Events.")[()].inc()
        families.histogram("seconds", "Time.", (1, 2))[()].observe(1)
        families.write()
        found = values(files)
        assert found["events_total",] == expected
        assert found["seconds_count",] == found["seconds_sum",] == expected
    assert len(list(files.folder.glob("*.db"))) == 2


@pytest.mark.parametrize(
    ("value", "buckets"), [(0.5, (1, 1, 1)), (1, (1, 1, 1)), (1.5, (0, 1, 1)), (9, (0, 0, 1))]
)
def test_observation_is_in_the_buckets_from_its_size_on(
    files: MetricFiles, value: float, buckets: tuple[int, ...]
):
    families = worker(files, 0)
    families.histogram("seconds", "Time.", (1, 2))[()].observe(value)
    families.write()
    found = values(files)
    assert tuple(found["seconds_bucket", le] for le in ("1.0", "2.0", "+Inf")) == buckets


def test_gauges_of_a_worker_that_does_not_run_are_left_out(files: MetricFiles):
    for number in (0, 1):
        families = worker(files, number)
        families.gauge("size", "Size.")[()].set(5)
        families.gauge("least", "Least.", mode="livemin")[()].set(number)
        families.write()
    assert values(files, 0, 1) == {("size",): 10, ("least",): 0}
    assert values(files, 1) == {("size",): 5, ("least",): 1}
    assert values(files) == {}


def test_gauge_does_not_go_on_with_the_value_of_the_worker_before(files: MetricFiles):
    families = worker(files, 0)
    families.gauge("size", "Size.")[()].set(5)
    families.write()
    families = worker(files, 0)
    _ = families.gauge("size", "Size.")[()]
    families.write()
    assert values(files, 0) == {("size",): 0}


def test_folders_of_processes_that_were_killed_are_removed(files: MetricFiles, tmp_path: Path):
    abandoned, used = tmp_path / "jobtracker-metrics-a", tmp_path / "jobtracker-metrics-b"
    for folder in (abandoned, used):
        folder.mkdir()
        (folder / "lock").touch()
    with (used / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        MetricFiles().remove()
    assert [path.exists() for path in (abandoned, used, files.folder)] == [False, True, True]


def test_room_of_the_files_is_allocated_at_the_start(files: MetricFiles):
    files.open(0, "counter")
    path = files.folder / "counter_0.db"
    assert path.stat().st_blocks * 512 >= path.stat().st_size > 100_000
