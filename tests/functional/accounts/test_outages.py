"""Deletions while Cognito or S3 fails, and what remains of an account."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.stub import Stubber
from sqlalchemy import Engine, text

from jobtracker.auth.cognito_admin import UserPoolAdmin
from jobtracker.errors import Unavailable
from jobtracker.sweep import clean_up
from jobtracker.tasks.runner import Outcome
from tests.common.accounts import ME, Account, fill, objects_of, rows_of
from tests.common.app import forget_tokens
from tests.common.tasks import make_tasks_due, run_tasks
from tests.common.user_pool import MotoUserPool

POSTPONED = (Outcome.POSTPONED,)


@pytest.fixture
def admin(
    committing_app: Any, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stubber]:
    """Cognito's responses to operations that need credentials; each must be used."""
    options = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    own = UserPoolAdmin("us-east-1_x", region="us-east-1", endpoint_url=None, **options)
    monkeypatch.setitem(committing_app.registry, "cognito_admin", own)
    with Stubber(own.client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def refuse_token(committing_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """DeleteUser with the access token fails."""

    def fail(_access_token: str) -> None:
        raise Unavailable

    monkeypatch.setattr(committing_app.registry["cognito"], "delete_user", fail)


def cognito_sub(user_pool: MotoUserPool, email: str) -> str:
    user = user_pool.client.admin_get_user(UserPoolId=user_pool.pool_id, Username=email)
    return next(each["Value"] for each in user["UserAttributes"] if each["Name"] == "sub")


@pytest.mark.usefixtures("refuse_token")
@pytest.mark.parametrize(
    "code", ["TooManyRequestsException", "InternalErrorException", "AccessDeniedException"]
)
def test_a_task_deletes_the_account_at_cognito_once_that_answers(
    committing_app: Any,
    engine: Engine,
    account: Account,
    user_pool: MotoUserPool,
    admin: Stubber,
    code: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sub = cognito_sub(user_pool, account.email)
    account.client.post("/jobs", {"company_name": "Acme", "job_title": "x"})
    account.delete()
    account.client.refused(401, "GET", ME)
    admin.add_client_error("admin_delete_user", code)
    with caplog.at_level(logging.WARNING):
        run_tasks(committing_app, expected=POSTPONED)
    assert ("ServerPolicy" in caplog.text) == (code == "AccessDeniedException")
    # The rest is deleted meanwhile.
    assert "jobs" not in rows_of(engine, account.user_id)
    admin.add_response("admin_delete_user", {}, {"UserPoolId": "us-east-1_x", "Username": sub})
    make_tasks_due(committing_app)
    run_tasks(committing_app)
    assert "users" not in rows_of(engine, account.user_id)


@pytest.mark.usefixtures("refuse_token")
def test_an_account_that_cognito_does_not_know_is_deleted(
    committing_app: Any, engine: Engine, account: Account, admin: Stubber
) -> None:
    account.delete()
    admin.add_client_error("admin_delete_user", "UserNotFoundException")
    run_tasks(committing_app)
    assert "users" not in rows_of(engine, account.user_id)


def test_no_credentials_are_needed_where_the_token_has_deleted_the_account(
    committing_app: Any, engine: Engine, account: Account, admin: Stubber
) -> None:
    account.delete()
    run_tasks(committing_app)  # the stub has no response to give
    assert "users" not in rows_of(engine, account.user_id)


def test_objects_are_deleted_once_s3_answers(
    committing_app: Any,
    engine: Engine,
    account: Account,
    s3: Any,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_keys: list[str]) -> set[str]:
        raise Unavailable

    documents = fill(account.client, s3, bucket)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM tasks"))  # of the export
    account.delete()
    with monkeypatch.context() as patched:
        patched.setattr(committing_app.registry["bucket"], "delete_objects", fail)
        run_tasks(committing_app, expected=POSTPONED)
        left = rows_of(engine, account.user_id)
        assert left["users"] == 1  # which tells of the task
        assert left["object_deletions"] == 7
        assert "documents" not in left
        assert len(objects_of(documents, account.user_id)) == 2
        # S3 refuses some of them.
        patched.setattr(committing_app.registry["bucket"], "delete_objects", set)
        make_tasks_due(committing_app)
        run_tasks(committing_app, expected=POSTPONED)
    make_tasks_due(committing_app)
    run_tasks(committing_app)
    assert objects_of(documents, account.user_id) == []
    with engine.begin() as connection:  # once upload URLs and late copies have expired
        connection.execute(text("UPDATE object_deletions SET repeat_until = now()"))
    clean_up(committing_app.registry, committing_app.registry["db_sessions"])
    assert rows_of(engine, account.user_id).keys() == {"audit", "tasks"}


def test_the_hash_of_the_account_expires(
    committing_app: Any, engine: Engine, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deleted_accounts() -> int:
        clean_up(committing_app.registry, committing_app.registry["db_sessions"])
        with engine.connect() as connection:
            query = text("SELECT sub_hash FROM deleted_accounts")
            return len(connection.execute(query).all())

    with engine.begin() as connection:
        connection.execute(text("DELETE FROM deleted_accounts"))
    account.delete()
    run_tasks(committing_app)
    assert deleted_accounts() == 1
    with engine.begin() as connection:
        connection.execute(text("UPDATE deleted_accounts SET expires_at = now()"))
    assert deleted_accounts() == 0


def test_a_token_of_a_deleted_account_is_refused_while_cognito_fails(
    committing_app: Any, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> None:
        raise Unavailable

    account.delete()
    run_tasks(committing_app)
    forget_tokens(committing_app)
    monkeypatch.setattr(committing_app.registry["cognito"], "get_user", fail)
    account.client.refused(401, "GET", ME)


def test_nothing_is_deleted_while_cognito_cannot_check_the_password(
    committing_app: Any, engine: Engine, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> None:
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(committing_app.registry["cognito"], "get_user", fail)
        account.client.refused(503, "DELETE", ME, {"password": "Lovelace-1815"})
    assert account.client.get(ME).json["id"] == account.user_id
    assert "tasks" not in rows_of(engine, account.user_id)


def test_the_account_is_disabled_once_cognito_answers(
    committing_app: Any, account: Account, set_grace: Callable[[int], None], admin: Stubber
) -> None:
    set_grace(7)
    account.delete()
    admin.add_client_error("admin_disable_user", "TooManyRequestsException")
    run_tasks(committing_app, expected=POSTPONED)
    admin.add_response("admin_disable_user", {})
    with committing_app.registry["db_sessions"].begin() as session:
        query = "UPDATE tasks SET run_after = now() WHERE kind = 'disable_account'"
        session.execute(text(query))
    run_tasks(committing_app)
