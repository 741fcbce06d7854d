"""A kind of tasks for tests, and its tasks."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest

from jobtracker.db.connections import transaction
from jobtracker.tasks.kinds import TASK_KINDS, task_kind
from jobtracker.tasks.queries import enqueue
from tests.common.api import Api


class Enqueue(Protocol):
    def __call__(self, **args: Any) -> str: ...


@pytest.fixture
def register() -> Iterator[Callable[..., Any]]:
    """Registers a function as the kind `example`."""
    yield lambda run, **options: task_kind("example", **options)(run)
    TASK_KINDS.pop("example", None)


def enqueue_of(app: Any, client: Api) -> Enqueue:
    user_id = client.get("/users/me").json["id"]

    def add(**args: Any) -> str:
        with transaction(app.registry["db_sessions"]) as connection:
            return f"/tasks/{enqueue(connection, user_id, 'example', args)}"

    return add


@pytest.fixture
def add(app: Any, ada: Api) -> Enqueue:
    """Enqueues a task of Ada's; returns its path."""
    return enqueue_of(app, ada)


@pytest.fixture
def add_committed(committing_app: Any, client: Api) -> Enqueue:
    """The same, of the application that commits."""
    return enqueue_of(committing_app, client)
