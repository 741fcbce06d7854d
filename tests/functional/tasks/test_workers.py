"""Several workers, as threads and as processes."""

import functools
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from jobtracker.local.process import wait_until
from jobtracker.local.server import working
from jobtracker.sweep import make_sessions
from jobtracker.tasks import notifications
from jobtracker.tasks.runner import Outcome, Runner, RunningTask
from tests.common import forks
from tests.common.api import Api
from tests.common.concurrency import run_concurrently
from tests.common.example_worker import BATCHES
from tests.common.tasks import make_tasks_due, run_tasks

Register = Callable[..., Any]
Enqueue = Callable[..., str]
# Processes start slowly beside other tests.
SECONDS = 120


@pytest.fixture
def effects(engine: Engine, client: Api) -> Iterator[Connection]:
    """A connection to the database, with a table for effects of tasks."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE TABLE effects (number bigint, pid bigint)"))
        yield connection
        connection.execute(text("DROP TABLE effects"))


def is_done(client: Api, path: str) -> bool:
    return client.get(path).json["state"] == "done"


def test_no_two_workers_run_one_task_at_a_time(
    committing_app: Any, client: Api, register: Register, add_committed: Enqueue
):
    running: Counter[int] = Counter()
    most: list[int] = []

    def run(task: RunningTask) -> None:
        running[task.lease.id] += 1
        for _ in range(3):
            with task.batch():
                task.done += 1
                most.append(running[task.lease.id])
        running[task.lease.id] -= 1

    register(run)
    paths = [add_committed(x=x) for x in range(20)]
    sessions = committing_app.registry["db_sessions"]
    outcomes = run_concurrently([Runner(committing_app.registry, sessions).run_due] * 4)
    assert sum(each[Outcome.DONE] for each in outcomes) == len(paths)
    assert set(most) == {1}
    assert len(most) == 3 * len(paths)


def test_another_worker_takes_a_task_after_its_lease_but_not_during_a_batch(
    committing_app: Any, client: Api, register: Register, add_committed: Enqueue
):
    workers = []
    committed = []

    def run(task: RunningTask) -> None:
        workers.append(task)
        if len(workers) == 1:
            with task.batch() as connection:
                task.done = 1
                # As if this batch took longer than the lease.
                connection.execute("SELECT 1")
                make_tasks_due(committing_app)
                assert run_tasks(committing_app) == {}
            committed.append(1)
            make_tasks_due(committing_app)
            assert run_tasks(committing_app) == {Outcome.DONE: 1}
        with task.batch():
            task.done += 1
        committed.append(task.done)

    register(run)
    path = add_committed()
    run_tasks(committing_app, expected=(Outcome.INTERRUPTED,))
    assert committed == [1, 2]
    assert client.get(path).json["progress"] == {"done": 2, "total": None}


def test_enqueueing_does_not_wait_for_a_batch_of_an_equal_task(
    committing_app: Any, client: Api, register: Register, add_committed: Enqueue
):
    runs: list[RunningTask] = []

    def run(task: RunningTask) -> None:
        with task.batch():
            if not runs:
                add_committed()
        runs.append(task)

    register(run)
    add_committed()
    run_tasks(committing_app)
    assert len(runs) == 2


@pytest.mark.parametrize("session_settings", ["connect", "role"])
def test_worker_beside_a_server_runs_tasks_as_they_come_and_ends_with_it(
    committing_app: Any,
    client: Api,
    engine: Engine,
    register: Register,
    add_committed: Enqueue,
    session_settings: str,
    monkeypatch: pytest.MonkeyPatch,
):
    """Woken by NOTIFY, or, as behind a pooler, without LISTEN."""
    registry, is_pooled = committing_app.registry, session_settings == "role"
    monkeypatch.setitem(registry.settings, "sqlalchemy.session_settings", session_settings)
    monkeypatch.setattr(notifications, "POLL_INTERVAL", 0.2 if is_pooled else 1000)
    monkeypatch.setitem(registry.settings, "sweeper.interval", 1000)
    sessions = make_sessions(registry.settings)
    monkeypatch.setitem(registry, "db_engine", sessions.kw["bind"])
    register(lambda _task: {})
    before = threading.active_count()
    with working(registry):
        for x in range(2):
            path = add_committed(x=x)
            assert wait_until(functools.partial(is_done, client, path), SECONDS)
            time.sleep(0.3)  # it waits again
        query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
        query += " AND datname = current_database()"
        with engine.connect() as connection:
            assert connection.execute(text(query)).scalar_one() == int(not is_pooled)
    sessions.kw["bind"].dispose()
    assert threading.active_count() <= before
    assert not is_done(client, add_committed(x=3))


def test_worker_outlives_a_lost_connection(
    committing_app: Any,
    client: Api,
    engine: Engine,
    register: Register,
    add_committed: Enqueue,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(notifications, "POLL_INTERVAL", 0.2)
    register(lambda _task: {})
    terminate = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
    """
    with working(committing_app.registry):
        for x in range(2):
            path = add_committed(x=x)
            assert wait_until(functools.partial(is_done, client, path), SECONDS)
            with engine.connect() as connection:
                connection.execute(text(terminate))
            engine.dispose()


@pytest.fixture
def start_worker(tmp_path: Path, settings: dict[str, str], engine: Engine) -> Iterator[Any]:
    """Starts a process."""
    processes = []

    def start(lease: int) -> subprocess.Popen[bytes]:
        url = engine.url.render_as_string(hide_password=False)
        own = {**settings, "sqlalchemy.url": url, "tasks.lease": str(lease)}
        lines = (f"{name} = {value.replace('%', '%%')}" for name, value in own.items())
        ini = tmp_path / "worker.ini"
        ini.write_text("\n".join(["[app:main]", "use = egg:jobtracker", *lines, ""]))
        processes.append(forks.Fork(["tests.common.example_worker:program", "work", ini]))
        return processes[-1]

    yield start
    for each in processes:
        each.kill()
        each.wait()


@pytest.mark.parametrize(("signal_number", "lease"), [(signal.SIGKILL, 2), (signal.SIGTERM, 600)])
def test_task_of_a_worker_that_ends_goes_on_elsewhere_with_its_effects_once(
    client: Api,
    effects: Connection,
    add_committed: Enqueue,
    start_worker: Callable[..., subprocess.Popen[bytes]],
    signal_number: signal.Signals,
    lease: int,
):
    """After its lease where it was killed, and at once where it was stopped."""
    workers = {each.pid: each for each in (start_worker(lease), start_worker(lease))}
    path = add_committed()

    def pids() -> set[int]:
        return {row.pid for row in effects.execute(text("SELECT pid FROM effects"))}

    assert wait_until(pids, SECONDS)
    (pid,) = pids()
    workers[pid].send_signal(signal_number)
    assert workers[pid].wait(SECONDS) == (-signal_number if signal_number == signal.SIGKILL else 0)
    assert wait_until(functools.partial(is_done, client, path), SECONDS)
    assert pids() == set(workers)
    numbers = effects.execute(text("SELECT number FROM effects ORDER BY number")).scalars()
    assert list(numbers) == list(range(BATCHES))
    assert client.get(path).json["result"] == {"counted": BATCHES}
