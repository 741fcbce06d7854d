"""An import of 5,000 jobs with 50,000 notes: its time, and the latency of others meanwhile."""

import os
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from statistics import quantiles

import psutil
import pytest

from tests.common.import_rows import archive, event, interview, job, note, step
from tests.common.imports import put
from tests.torture.client import JOB, Answer, Client, print_figures
from tests.torture.instance import Instance
from tests.torture.tasks import Rows, worker

pytestmark = pytest.mark.torture

JOBS = int(os.environ.get("TORTURE_JOBS", "5000"))
NOTES = 10  # of each job
BODY = (
    "Called Ms. {} about the position. They are looking for somebody who knows databases, networks"
    " and operations; the team has {} people, and works from home on most days. Next call: Friday."
)
# Of the others: requests in a second, jobs, and seconds without an import.
RATE, JOBS_OF_OTHER, SECONDS = 40, 100, 20
SECONDS_TO_IMPORT = 600

Latencies = dict[str, list[float]]


def large_archive() -> bytes:
    jobs = range(1, JOBS + 1)
    notes = [(job_id, JOBS * place + job_id) for job_id in jobs for place in range(NOTES)]
    added = {"type": "note_added", "message": "Note added"}
    return archive(
        jobs=[job(job_id) for job_id in jobs],
        history=[step(job_id, job_id) for job_id in jobs],
        interviews=[interview(job_id, job_id) for job_id in jobs],
        notes=[note(note_id, of, body=BODY.format(note_id, of)) for of, note_id in notes],
        activity=[event(note_id, of, **added, data={"note_id": note_id}) for of, note_id in notes],
    )


class Others:
    """Two users whose requests come at a steady rate: one reads and changes a job, the other one
    adds jobs."""

    def __init__(self, clients: list[Client]) -> None:
        (self._reader, self._writer), self._threads = clients, ThreadPoolExecutor(16)
        self._job, *_more = [self._reader.make_job() for _ in range(JOBS_OF_OTHER)]

    def measure(self, until: Callable[[], bool]) -> Latencies:
        """The seconds of each request, by its method and path."""
        requests = (
            (self._reader, "GET", "/jobs"),
            (self._reader, "GET", self._job),
            (self._writer, "POST", "/jobs"),
            (self._reader, "PATCH", self._job),
        )
        running: list[tuple[str, Future[Answer]]] = []
        started = time.monotonic()
        while not until():
            client, method, path = requests[len(running) % len(requests)]
            body = None if method == "GET" else {**JOB, "location": f"Room {len(running)}"}
            future = self._threads.submit(client.call, method, path, body)
            running.append((f"{method} {path.rstrip('0123456789')}", future))
            time.sleep(max(0.0, started + len(running) / RATE - time.monotonic()))
        found: Latencies = defaultdict(list)
        for name, future in running:
            answer = future.result()
            assert answer.status < 300, answer
            found[name].append(answer.seconds)
        return found

    def measure_idle(self) -> Latencies:
        deadline = time.monotonic() + SECONDS
        return self.measure(lambda: time.monotonic() > deadline)


def percentiles(latencies: list[float]) -> list[float]:
    """The median, the 95th and the 99th percentile in milliseconds."""
    found = quantiles(latencies, n=100)
    return [1000 * found[percent - 1] for percent in (50, 95, 99)]


def cpu_seconds(rows: Rows, worker_pid: int) -> dict[str, float]:
    """The CPU time of a worker, and of the processes of the database."""
    backends = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    pids = {"worker": [worker_pid], "database": [pid for (pid,) in rows.execute(backends)]}
    return {
        name: sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in of_name)
        for name, of_name in pids.items()
    }


def test_a_large_import_is_fast_and_slows_others_little(
    pserve: Callable[..., Instance],
    url: str,
    rows: Rows,
    own_bucket: str,
    new_token: Callable[[], str],
) -> None:
    settings = {"sqlalchemy.url": url, "s3.bucket": own_bucket}
    server = pserve(settings, ini="production.ini", workers=2)
    client, *of_others = (server.client(new_token()) for _ in range(3))
    data, others = large_archive(), Others(of_others)
    others.measure_idle()  # caches are filled
    before = others.measure_idle()

    made = client.done("POST", "/imports", {"filename": "a.zip", "size_bytes": len(data)})
    put(made, data)
    path = f"/imports/{made['import']['id']}"
    with worker(server) as process, ThreadPoolExecutor(1) as thread:
        others.measure_idle()  # it has started
        cpu, started = cpu_seconds(rows, process.pid), time.monotonic()
        client.done("POST", f"{path}/run", {})

        def wait() -> tuple[float, float]:
            """The seconds until the end of the check, and until the end."""
            checked = 0.0
            while (row := client.done("GET", path))["state"] == "running":
                assert time.monotonic() - started < SECONDS_TO_IMPORT
                if not checked and row["progress"]["total"] is not None:
                    checked = time.monotonic() - started
                time.sleep(0.25)
            return checked, time.monotonic() - started

        waiting = thread.submit(wait)
        during = others.measure(waiting.done)
        checked, seconds = waiting.result()
        used = {name: spent - cpu[name] for name, spent in cpu_seconds(rows, process.pid).items()}
    after = others.measure_idle()
    row = client.done("GET", path)
    assert row["state"] == "done", row
    assert row["report"]["made"]["notes"] == JOBS * NOTES
    lines = []
    for name, idle in before.items():
        both = [percentiles(each) for each in (idle, during[name], after[name])]
        shown = ", ".join(" / ".join(f"{value:.1f}" for value in each) for each in both)
        ratios = (slow / fast for slow, fast in zip(both[1], both[0], strict=True))
        lines.append(f"{name}: {shown}; during to before: {' / '.join(f'{r:.2f}' for r in ratios)}")
    print_figures(
        f"import of {JOBS} jobs with {NOTES} notes each: {seconds:.1f} s, of which {checked:.1f} s"
        f" of check; CPU: {', '.join(f'{name} {spent:.1f} s' for name, spent in used.items())}",
        "p50 / p95 / p99 in ms of others before, during and after:",
        *lines,
    )
    for each in (client, *of_others):
        each.close()
