"""Tasks: what runs, how often, and what becomes of failures."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from jobtracker.db.connections import transaction
from jobtracker.errors import RateLimited, Unavailable
from jobtracker.sweep import sweep
from jobtracker.tasks import queries, runner
from jobtracker.tasks.runner import Interrupted, LeaseLost, Outcome, Runner, RunningTask
from tests.common.api import Api
from tests.common.tasks import make_tasks_due, run_tasks

Register = Callable[..., Any]
Enqueue = Callable[..., str]
UNEXPECTED = "Something of a person"


def count_to(number: int) -> Callable[[RunningTask], dict[str, Any]]:
    """The function of a task that has as many batches."""

    def run(task: RunningTask) -> dict[str, Any]:
        while task.done < number:
            with task.batch() as connection:
                connection.execute("SELECT 1")
                task.done, task.total = task.done + 1, number
        return {"counted": task.done, **task.args}

    return run


def fail(error: BaseException) -> Callable[[RunningTask], None]:
    def run(task: RunningTask) -> None:
        with task.batch():
            task.done += 1
            raise error

    return run


def pauses(connection: Connection) -> float:
    query = text("SELECT extract(epoch FROM run_after - statement_timestamp()) FROM tasks")
    return float(connection.execute(query).scalar_one())


def test_task_is_run_in_batches_and_ends_with_its_result(
    app: Any, ada: Api, register: Register, add: Enqueue
):
    register(count_to(3))
    path = add(x=1)
    queued = ada.get(path).json
    assert (queued["state"], queued["progress"]) == ("queued", {"done": 0, "total": None})
    run_tasks(app)
    done = ada.get(path).json
    assert done.pop("finished_at") > done["created_at"]
    assert done == {
        "id": queued["id"],
        "kind": "example",
        "state": "done",
        "progress": {"done": 3, "total": 3},
        "result": {"counted": 3, "x": 1},
        "created_at": queued["created_at"],
    }
    assert run_tasks(app) == {}


def test_task_pauses_half_as_long_as_it_has_worked_and_not_long(
    app: Any, register: Register, add: Enqueue, monkeypatch: pytest.MonkeyPatch
):
    now, slept = [0.0], list[float]()
    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=slept.append)
    monkeypatch.setattr(runner, "time", clock)

    def run(task: RunningTask) -> None:
        for seconds in (0.125, 9, 0):
            with task.batch():
                now[0] += seconds

    register(run)
    add()
    run_tasks(app)
    assert slept == [0, 0.0625, runner.LONGEST_REST]


def test_task_of_an_unknown_kind_waits(app: Any, ada: Api, add: Enqueue):
    path = add()
    assert run_tasks(app) == {}
    assert ada.get(path).json["state"] == "queued"


def test_progress_changes_the_etag_and_not_the_revision(
    app: Any, ada: Api, register: Register, add: Enqueue
):
    path = add()
    seen = []

    def run(task: RunningTask) -> None:
        for _ in range(2):
            with task.batch():
                task.done += 1
            etag = ada.get(path).headers["ETag"]
            ada.get(path, headers={"If-None-Match": etag}, status=304)
            seen.append(etag)

    register(run)
    settings = ada.get("/users/me/settings").headers["ETag"]
    queued = ada.get(path).headers["ETag"]
    run_tasks(app)
    assert len({queued, *seen, ada.get(path).headers["ETag"]}) == 4
    assert ada.get("/users/me/settings").headers["ETag"] == settings


@pytest.mark.parametrize("error", [Unavailable(), psycopg.errors.QueryCanceled(), ValueError()])
def test_failed_task_is_tried_again_after_pauses_that_double(
    app: Any,
    ada: Api,
    connection: Connection,
    register: Register,
    add: Enqueue,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
):
    register(fail(error), max_failures=None)
    path = add()
    monkeypatch.setattr(runner, "LONGEST_PAUSE", 20)
    for pause in (2, 4, 8, 16, 20, 20):
        run_tasks(app, expected=(Outcome.POSTPONED,))
        assert pause - 1 < pauses(connection) <= pause
        assert run_tasks(app) == {}
        make_tasks_due(app)
    assert ada.get(path).json["progress"] == {"done": 0, "total": None}
    register(count_to(1))
    run_tasks(app)
    assert ada.get(path).json["state"] == "done"


@pytest.mark.parametrize("is_counted", [True, False])
def test_progress_ends_the_growth_of_pauses(
    app: Any, connection: Connection, register: Register, add: Enqueue, is_counted: bool
):
    def run(task: RunningTask) -> None:
        with task.batch():
            task.done += is_counted
            task.has_progressed |= not is_counted
        raise Unavailable

    register(run, max_failures=2)
    add()
    for _ in range(4):
        run_tasks(app, expected=(Outcome.POSTPONED,))
        assert 1 < pauses(connection) <= 2
        make_tasks_due(app)


def test_task_that_fails_too_often_has_failed_and_its_error_has_no_text(
    app: Any,
    ada: Api,
    connection: Connection,
    register: Register,
    add: Enqueue,
    caplog: pytest.LogCaptureFixture,
):
    register(fail(ValueError(UNEXPECTED)), max_failures=2)
    path = add()
    run_tasks(app, expected=(Outcome.POSTPONED,))
    make_tasks_due(app)
    run_tasks(app, expected=(Outcome.FAILED,))
    failed = ada.get(path).json
    assert (failed["state"], failed["result"]) == ("failed", None)
    assert failed["finished_at"] is not None
    assert connection.execute(text("SELECT error FROM tasks")).scalar_one() == "ValueError"
    assert "given up" in caplog.text
    assert run_tasks(app) == {}


def test_result_that_is_no_json_fails_the_task_and_not_the_worker(
    app: Any, register: Register, add: Enqueue
):
    register(lambda _task: {"x": object()})
    add()
    run_tasks(app, expected=(Outcome.POSTPONED,))


def test_workers_that_end_with_a_task_are_failures_of_it(
    app: Any, ada: Api, register: Register, add: Enqueue
):
    class Killed(BaseException):
        pass

    register(fail(Killed()), max_failures=3)
    path = add()
    for _ in range(3):
        with pytest.raises(Killed):
            run_tasks(app)
        assert ada.get(path).json["state"] == "running"
        assert run_tasks(app) == {}  # until the lease ends
        make_tasks_due(app)
    run_tasks(app, expected=(Outcome.FAILED,))


def test_batch_of_a_worker_without_the_lease_is_rolled_back(
    app: Any, connection: Connection, register: Register, add: Enqueue
):
    effects = "SELECT count(*) FROM users WHERE theme = 'light'"

    def run(task: RunningTask) -> None:
        with task.batch():
            task.done = 1
        # As many attempts as before, as after a restore of the database.
        another = text("UPDATE tasks SET lease_nonce = 1 - lease_nonce")
        with task.batch() as batch:
            task.done = 2
            batch.execute("UPDATE users SET theme = 'light'")
            connection.execute(another)

    register(run)
    add()
    run_tasks(app, expected=(Outcome.INTERRUPTED,))
    assert connection.execute(text(effects)).scalar_one() == 0


def test_interrupted_task_is_due_at_once_and_goes_on_where_it_was(
    app: Any, ada: Api, connection: Connection, register: Register, add: Enqueue
):
    register(count_to(5))
    path = add()
    done = iter([False, False, False, False, True])
    stopped = Runner(app.registry, app.registry["db_sessions"], lambda: next(done, True))
    assert stopped.run_due() == {Outcome.INTERRUPTED: 1}
    left = ada.get(path).json
    assert (left["state"], left["progress"]) == ("queued", {"done": 2, "total": 5})
    assert pauses(connection) <= 0
    run_tasks(app)
    assert ada.get(path).json["result"] == {"counted": 5}


def test_long_task_lets_others_have_their_turn(
    app: Any, register: Register, add: Enqueue, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(runner, "TURN", -1)
    order = []

    def run(task: RunningTask) -> None:
        while task.done < 3:
            with task.batch():
                task.done += 1
                order.append(task.args["x"])

    register(run)
    add(x=1)
    add(x=2)
    outcomes = run_tasks(app, expected=(Outcome.DONE, Outcome.INTERRUPTED))
    assert order == [1, 2] * 3
    assert outcomes == {Outcome.DONE: 2, Outcome.INTERRUPTED: 4}


def test_equal_tasks_are_one_which_runs_again_if_it_runs_already(
    app: Any, register: Register, add: Enqueue
):
    runs = []

    def run(task: RunningTask) -> None:
        runs.append(task.args)
        if len(runs) == 1:
            assert add(x=1) == path
            assert add(x=2) != path

    register(run)
    path = add(x=1)
    assert add(x=1) == path
    run_tasks(app)
    assert runs == [{"x": 1}, {"x": 1}, {"x": 2}] or runs == [{"x": 1}, {"x": 2}, {"x": 1}]
    assert add(x=1) != path


def test_unfinished_tasks_of_a_user_are_limited(
    app: Any, register: Register, add: Enqueue, monkeypatch: pytest.MonkeyPatch
):
    for x in range(queries.MAX_UNFINISHED):
        add(x=x)
    with pytest.raises(RateLimited):
        add(x=-1)
    add(x=0)
    register(lambda _task: None)
    run_tasks(app)
    add(x=-1)


def test_lost_lease_is_an_interruption_that_no_function_catches_by_accident():
    assert issubclass(LeaseLost, Interrupted)
    assert not issubclass(Interrupted, Exception)


def test_sweep_runs_what_is_due_and_deletes_tasks_that_ended_long_ago(
    app: Any,
    ada: Api,
    connection: Connection,
    register: Register,
    add: Enqueue,
    capsys: pytest.CaptureFixture[str],
):
    register(count_to(1))
    path = add()
    assert sweep(app.registry) is None
    assert "tasks done: 1" in capsys.readouterr().out
    assert ada.get(path).json["state"] == "done"
    register(fail(Unavailable()))
    add()
    assert "1 tasks are tried again later" in (sweep(app.registry) or "")
    connection.execute(text("UPDATE tasks SET finished_at = finished_at - interval '31 days'"))
    assert sweep(app.registry) is None
    ada.get(path, status=404)
    with transaction(app.registry["db_sessions"]) as left:
        assert left.execute("SELECT count(*) FROM tasks").fetchone() == (1,)
