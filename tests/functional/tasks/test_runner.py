"""Tasks: what runs, how often, and what becomes of failures."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jobtracker.db.connections import transaction
from jobtracker.tasks.kinds import KINDS, task_kind
from jobtracker.tasks.queries import enqueue
from jobtracker.tasks.runner import RunningTask
from tests.common.api import Api
from tests.common.tasks import run_tasks


@pytest.fixture
def kind() -> Iterator[Callable[..., Any]]:
    """Registers a function as the kind `example`."""
    yield lambda run, **options: task_kind("example", **options)(run)
    KINDS.pop("example", None)


@pytest.fixture
def queue(app: Any, ada: Api) -> Callable[..., str]:
    """Enqueues a task of Ada's; returns its path."""
    user_id = ada.get("/users/me").json["id"]

    def add(**args: Any) -> str:
        with transaction(app.registry["db_sessions"]) as connection:
            return f"/tasks/{enqueue(connection, user_id, 'example', args)}"

    return add


def test_task_is_run_in_batches_and_ends_with_its_result(
    app: Any, ada: Api, kind: Callable[..., Any], queue: Callable[..., str]
):
    def run(task: RunningTask) -> dict[str, Any]:
        with task.batch(total=3) as connection:
            connection.execute("SELECT 1")
            task.done += 1
        with task.batch(done=3):
            pass
        return {"seen": task.args["x"]}

    kind(run)
    path = queue(x=1)
    queued = ada.get(path).json
    assert queued["state"] == "queued"
    run_tasks(app)
    done = ada.get(path).json
    assert done.pop("finished_at") > done["created_at"]
    assert done == {
        "id": queued["id"],
        "kind": "example",
        "state": "done",
        "progress": {"done": 3, "total": 3},
        "result": {"seen": 1},
        "created_at": queued["created_at"],
    }
