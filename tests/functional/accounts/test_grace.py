"""The days for which a deletion can be undone, and its undo."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, text

from jobtracker.accounts.undeletion import undelete
from jobtracker.errors import Conflict, NotFound, Unavailable
from jobtracker.tasks.runner import Outcome
from tests.common.accounts import AUTH, ME, Account, rows_of
from tests.common.api import Api
from tests.common.tasks import make_tasks_due, run_tasks
from tests.common.user_pool import PASSWORD, MotoUserPool

JOB = {"company_name": "Acme", "job_title": "x"}


@pytest.fixture
def deleted(account: Account, set_grace: Callable[[int], None]) -> Account:
    """An account whose deletion is requested, with a week until it begins."""
    set_grace(7)
    account.client.post("/jobs", JOB)
    assert account.client.get(f"{ME}/deletion").json["grace_days"] == 7
    purge_at = datetime.datetime.fromisoformat(account.delete()["purge_at"])
    days = purge_at - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=6, hours=23) < days < datetime.timedelta(days=7, hours=1)
    return account


def is_enabled(user_pool: MotoUserPool, email: str) -> bool:
    user = user_pool.client.admin_get_user(UserPoolId=user_pool.pool_id, Username=email)
    return bool(user["Enabled"])


def test_the_account_is_disabled_and_nothing_is_deleted_before_the_end(
    committing_app: Any, engine: Engine, deleted: Account, user_pool: MotoUserPool
) -> None:
    before = rows_of(engine, deleted.user_id)
    run_tasks(committing_app)
    assert rows_of(engine, deleted.user_id) == before
    assert not is_enabled(user_pool, deleted.email)
    deleted.client.refused(401, "GET", ME)
    login = {"email": deleted.email, "password": PASSWORD}
    Api(deleted.client.app).refused(401, "POST", f"{AUTH}/login", login)


def test_everything_is_deleted_at_the_end(
    committing_app: Any, engine: Engine, deleted: Account, user_pool: MotoUserPool
) -> None:
    make_tasks_due(committing_app)
    run_tasks(committing_app)
    assert rows_of(engine, deleted.user_id).keys() == {"audit", "tasks"}
    with pytest.raises(user_pool.client.exceptions.UserNotFoundException):
        is_enabled(user_pool, deleted.email)


@pytest.mark.parametrize("is_disabled", [True, False])
def test_an_undo_lets_the_user_sign_in_again(
    committing_app: Any,
    engine: Engine,
    deleted: Account,
    user_pool: MotoUserPool,
    *,
    is_disabled: bool,
) -> None:
    if is_disabled:
        run_tasks(committing_app)
    assert undelete(committing_app.registry, deleted.email) == deleted.user_id
    run_tasks(committing_app)
    assert is_enabled(user_pool, deleted.email)
    deleted.client.refused(401, "GET", ME)  # tokens of before
    client = deleted.sign_in()
    assert client.get(ME).json["id"] == deleted.user_id
    assert [job["company_name"] for job in client.get("/jobs").json] == ["Acme"]
    kinds = [entry["kind"] for entry in reversed(client.get(f"{ME}/audit").json)]
    assert kinds == ["account_deletion_requested", "account_deletion_undone", "sign_in"]
    make_tasks_due(committing_app)
    run_tasks(committing_app)
    client.get("/jobs")


def test_a_deletion_after_an_undo_is_another_one(
    committing_app: Any, engine: Engine, deleted: Account, set_grace: Callable[[int], None]
) -> None:
    run_tasks(committing_app)
    undelete(committing_app.registry, deleted.email)
    set_grace(0)
    deleted._replace(client=deleted.sign_in()).delete()
    run_tasks(committing_app)
    assert rows_of(engine, deleted.user_id).keys() == {"audit", "tasks"}


def test_a_deletion_that_has_begun_is_not_undone(
    committing_app: Any, engine: Engine, deleted: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> None:
        raise Unavailable

    admin = committing_app.registry["cognito_admin"]
    with monkeypatch.context() as patched:
        patched.setattr(admin, "delete_user", fail)
        patched.setattr(admin, "disable_user", fail)
        make_tasks_due(committing_app)
        run_tasks(committing_app, expected=(Outcome.POSTPONED,))
    with pytest.raises(Conflict):
        undelete(committing_app.registry, deleted.email)
    assert rows_of(engine, deleted.user_id)["users"] == 1


def test_nothing_is_undone_while_cognito_fails(
    committing_app: Any, engine: Engine, deleted: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> None:
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(committing_app.registry["cognito_admin"], "enable_user", fail)
        with pytest.raises(Unavailable):
            undelete(committing_app.registry, deleted.email)
    query = text("SELECT count(*) FROM users WHERE deletion_requested_at IS NOT NULL")
    with engine.connect() as connection:
        assert connection.execute(query).scalar() == 1
    assert undelete(committing_app.registry, deleted.email) == deleted.user_id


def test_an_account_that_is_not_deleted_is_not_undone(
    committing_app: Any, account: Account
) -> None:
    for address in (account.email, "unknown@example.com"):
        with pytest.raises(NotFound):
            undelete(committing_app.registry, address)
    account.client.get(ME)
