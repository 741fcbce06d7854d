"""Random changes, deletions, restorations and purges of an account: what a model in Python has."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from jobtracker.http import conditional
from tests.common.api import Api
from tests.common.trash_model import Account, purge_marked, tree

# Adding and the trash often, what deletes for good seldom.
STEPS = st.sampled_from(
    [
        *("add_job", "change_job", "add_child", "add_child", "add_view"),
        *("trash_job", "trash_thing", "trash_thing", "trash_thing"),
        *("restore_job", "restore_job", "restore_thing", "restore_thing", "restore_thing"),
        *("purge_job", "purge_thing", "delete_thing", "delete_job"),
    ]
)
SEQUENCE = st.lists(st.tuples(STEPS, st.integers(0, 11)), max_size=25)


@pytest.fixture
def account(app: Any, ada: Api, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(conditional, "ROUNDING", 10**9)  # the time of the funnel does not change
    ada.get("/users/me")

    def empty() -> None:
        connection.execute(text("DELETE FROM jobs"))
        connection.execute(text("DELETE FROM saved_views"))

    with tree(app, "ada@example.com") as env:

        def make() -> Account:
            empty()
            account = Account(ada, connection, env)
            for n in range(2):
                account.add_job()
                account.add_child(n)
                account.add_child(n + 2)
            return account

        yield make


@given(steps=SEQUENCE, order=st.randoms(use_true_random=False))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_account_is_what_the_model_has_and_all_comes_back(account: Any, steps: Any, order: Any):
    made = account()
    for name, n in steps:
        getattr(made, name)(n)
    purge_marked(made.connection)
    made.check()
    before = made.everything()
    things = [each for each in made.live_things() if order.random() < 0.7]
    jobs = [each for each in made.live_jobs() if order.random() < 0.7]
    for each in order.sample(things, len(things)) + order.sample(jobs, len(jobs)):
        made.trash(each)
    made.check()
    for each in order.sample(jobs, len(jobs)) + order.sample(things, len(things)):
        made.restore(each)
    assert made.everything() == before
