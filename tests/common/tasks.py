"""Tasks in tests: no worker runs beside them."""

from collections import Counter
from typing import Any

from jobtracker.db.connections import transaction
from jobtracker.tasks.runner import Outcome, Runner


def run_tasks(app: Any, *, expected: tuple[Outcome, ...] = (Outcome.DONE,)) -> Counter[Outcome]:
    """Run the tasks that are due, in the transactions of the application's requests.

    :param expected: the outcomes of which all have to be
    """
    outcomes = Runner(app.registry, app.registry["db_sessions"]).run_due()
    assert set(outcomes) <= set(expected), outcomes
    return outcomes


def make_tasks_due(app: Any) -> None:
    """End the pauses of those that have failed, and the leases of those that are running."""
    with transaction(app.registry["db_sessions"]) as connection:
        connection.execute(
            "UPDATE tasks SET run_after = statement_timestamp() WHERE finished_at IS NULL"
        )
