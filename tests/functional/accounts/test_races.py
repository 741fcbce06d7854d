"""Deletions while other requests of the account run."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text

from jobtracker.accounts import queries
from jobtracker.db.connections import transaction
from jobtracker.tasks.runner import Outcome
from jobtracker.users.queries import AccountDeleted, upsert_user
from tests.common.accounts import DELETION, ME, Account, fill, objects_of, rows_of
from tests.common.api import Api, statuses
from tests.common.concurrency import run_concurrently
from tests.common.documents import CONTENT
from tests.common.tasks import make_tasks_due, run_tasks

LEFT = {"audit", "tasks"}
ANY = (Outcome.DONE, Outcome.POSTPONED)


def test_concurrent_deletions_are_one(
    committing_app: Any, engine: Engine, account: Account
) -> None:
    second_tab = account.sign_in()

    def delete(client: Api) -> Callable[[], Any]:
        return lambda: client.call("DELETE", ME, DELETION, status="*")

    answers = run_concurrently([delete(account.client), delete(second_tab)])
    assert statuses(answers) == [202, 401]
    assert rows_of(engine, account.user_id)["tasks"] == 1
    run_tasks(committing_app)
    assert rows_of(engine, account.user_id).keys() == LEFT


def test_deletion_during_the_password_check_of_another_answers_401(
    committing_app: Any, engine: Engine, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cognito refuses the password of an account that is gone as it does a wrong one."""
    second_tab, user_pool = account.sign_in(), committing_app.registry["cognito"]
    password_auth = user_pool._password_auth

    def deleted_before(*arguments: Any) -> Any:
        monkeypatch.undo()
        account.delete()
        return password_auth(*arguments)

    monkeypatch.setattr(user_pool, "_password_auth", deleted_before)
    second_tab.refused(401, "DELETE", ME, DELETION)
    assert rows_of(engine, account.user_id)["tasks"] == 1


def test_rows_of_a_request_that_began_before_are_deleted(
    committing_app: Any, engine: Engine, account: Account
) -> None:
    """A request that has passed the check of its token inserts a job, and commits late."""
    account.delete()
    with engine.connect() as connection, connection.begin() as other:
        connection.execute(
            text("INSERT INTO jobs (user_id, company_name, job_title) VALUES (:id, 'a', 'b')"),
            {"id": account.user_id},
        )
        with ThreadPoolExecutor(1) as threads:
            ended = threads.submit(run_tasks, committing_app, expected=ANY)
            threading.Event().wait(0.5)  # the task waits for the request
            other.commit()
            ended.result()
    make_tasks_due(committing_app)
    run_tasks(committing_app)
    assert rows_of(engine, account.user_id).keys() == LEFT


def test_nothing_is_left_of_an_upload_that_is_being_confirmed(
    committing_app: Any,
    engine: Engine,
    account: Account,
    s3: Any,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    documents = fill(account.client, s3, bucket)
    upload = documents.presign("resume")
    documents.put(upload)
    own = committing_app.registry["bucket"]
    second_tab, copy = account.sign_in(), own.copy
    copied, deleted = threading.Event(), threading.Event()

    def slow_copy(source: str, target: str, *, etag: str) -> None:
        copied.set()
        deleted.wait(20)
        s3.put_object(Bucket=bucket, Key=source, Body=CONTENT)  # as if S3 had read it before
        copy(source, target, etag=etag)

    monkeypatch.setattr(own, "copy", slow_copy)
    body = {"document_id": upload["document"]["id"]}
    path = f"{documents.path}/confirm-upload"
    with ThreadPoolExecutor(1) as threads:
        confirmed = threads.submit(second_tab.call, "POST", path, body, status="*")
        assert copied.wait(20)
        account.delete()
        run_tasks(committing_app)
        deleted.set()
        assert confirmed.result().status_code == 404
    left = rows_of(engine, account.user_id)
    assert left.keys() == LEFT | {"object_deletions"}
    # The copy that came late is deleted by a row that tells of its key.
    with engine.connect() as connection:
        query = text("SELECT object_key FROM object_deletions WHERE user_id = :id")
        keys = set(connection.execute(query, {"id": account.user_id}).scalars())
    assert set() < {*objects_of(documents, account.user_id)} <= keys


def test_a_sign_in_that_began_before_brings_nothing_back(
    committing_app: Any, engine: Engine, account: Account
) -> None:
    sub = committing_app.registry["access_tokens"].verify(account.client.token).sub
    account.delete()
    run_tasks(committing_app)
    sessions = committing_app.registry["db_sessions"]
    with pytest.raises(AccountDeleted), transaction(sessions) as connection:
        upsert_user(connection, sub, email=account.email, name="Grace")
    assert rows_of(engine, account.user_id).keys() == LEFT


def test_the_last_transaction_is_short_whatever_came_meanwhile(
    committing_app: Any, engine: Engine, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "BATCH", 3)
    monkeypatch.setattr(queries.delete_batch, "__defaults__", (3,))
    for _ in range(4):
        account.client.post("/jobs", {"company_name": "Acme", "job_title": "x"})
    account.delete()
    deleted = []
    delete_batch = queries.delete_batch

    def counted(*arguments: Any, **options: Any) -> int:
        deleted.append(delete_batch(*arguments, **options))
        return deleted[-1]

    monkeypatch.setattr(queries, "delete_batch", counted)
    run_tasks(committing_app)
    assert max(deleted) == 3
    assert rows_of(engine, account.user_id).keys() == LEFT
