"""DELETE /users/me: what it needs, what it revokes, and what is left."""

from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from jobtracker.accounts import queries
from jobtracker.db.base import Base
from jobtracker.db.connections import transaction
from jobtracker.db.engine import TimeoutConnection
from jobtracker.tasks.queries import enqueue
from jobtracker.users.resources import DELETE_ACCOUNT
from tests.common.accounts import AUTH, DELETION, ME, SURVIVING, Account, fill, objects_of, rows_of
from tests.common.api import Api
from tests.common.app import forget_tokens
from tests.common.tasks import run_tasks
from tests.common.user_pool import PASSWORD, MotoUserPool

#: Of the tables of users, those in which the accounts of these tests have nothing.
EMPTY = {"revoked_sessions", "trashed_note_words"}


def test_all_rows_and_objects_of_the_user_are_deleted_and_none_of_another(
    committing_app: Any, engine: Engine, client: Api, account: Account, s3: Any, bucket: str
) -> None:
    others, own = fill(client, s3, bucket), fill(account.client, s3, bucket)
    run_tasks(committing_app)  # the exports
    before = rows_of(engine, other_id := client.get(ME).json["id"]), others.all()
    assert len(objects_of(own, account.user_id)) == 3
    tables = {table.name for table in queries.tables()}
    assert tables - rows_of(engine, account.user_id).keys() <= EMPTY

    account.delete()
    run_tasks(committing_app)

    left = rows_of(engine, account.user_id)
    # Objects that an upload URL or a late copy could still make are deleted again later.
    assert left.pop("object_deletions", 0) > 0
    assert left.keys() == SURVIVING
    assert objects_of(own, account.user_id) == []
    assert (rows_of(engine, other_id), others.all()) == before


def test_every_table_is_either_deleted_from_or_excepted_for_a_reason() -> None:
    with_user = {table.name for table in Base.metadata.sorted_tables if "user_id" in table.c}
    assert {table.name for table in queries.tables()} | queries.EXCEPT.keys() == with_user
    # What has no user_id: the user, hashes that expire, keys.
    assert Base.metadata.tables.keys() - with_user == {
        *("users", "deleted_accounts", "account_audit", "sign_in_networks"),
        *("rate_limit_counts", "signing_keys"),
    }


def test_deletion_of_rows_derives_and_records_nothing(ada: Api, connection: Connection) -> None:
    """As each of 200 notes in a row of words would compute those of all others."""
    path = ada.post("/jobs", {"company_name": "Acme", "job_title": "x"}).headers["Location"]
    for n in range(3):
        ada.post(f"{path}/notes", {"body": f"Called {n}"})
        ada.patch(path, {"status": ("offer", "saved", "ghosted")[n]})
    connection.execute(text('ALTER FUNCTION weighed_words(text, "char") RENAME TO not_called'))
    driver: Any = connection.connection.dbapi_connection
    user_id, max_rows = ada.get(ME).json["id"], 1000
    number = queries.count(driver, user_id)
    assert queries.delete_batch(driver, user_id, max_rows) == number > 15
    assert queries.count(driver, user_id) == 0


def test_all_tokens_are_revoked_from_the_commit_on(account: Account) -> None:
    second_tab = account.sign_in()
    second_tab.get("/jobs")
    account.delete()
    for client in (account.client, second_tab):
        for method, path, body in (
            ("GET", ME, None),
            ("GET", "/jobs", None),
            ("POST", "/jobs", {"company_name": "Acme", "job_title": "x"}),
            ("PATCH", "/jobs/1", {"company_name": "Acme"}),
            ("DELETE", ME, DELETION),
        ):
            client.refused(401, method, path, body)


@pytest.mark.parametrize("is_complete", [False, True])
def test_no_token_and_no_sign_in_brings_the_account_back(
    committing_app: Any,
    engine: Engine,
    account: Account,
    user_pool: MotoUserPool,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_complete: bool,
) -> None:
    second_tab, login = account.sign_in(), {"email": account.email, "password": PASSWORD}
    refresh_token = user_pool.user(account.email, "Grace").refresh_token
    cognito = committing_app.registry["cognito"]
    # As if the account still was at Cognito, in another region for example.
    monkeypatch.setattr(cognito, "delete_user", lambda _token: None)
    monkeypatch.setattr(committing_app.registry["cognito_admin"], "delete_user", lambda _sub: None)
    account.delete()
    if is_complete:
        run_tasks(committing_app)
    forget_tokens(committing_app)  # another process
    anonymous = Api(account.client.app)
    second_tab.refused(401, "GET", ME)
    second_tab.refused(401, "POST", "/jobs", {"company_name": "Acme", "job_title": "x"})
    anonymous.refused(401, "POST", f"{AUTH}/login", login)
    anonymous.refused(401, "POST", f"{AUTH}/refresh", {"refresh_token": refresh_token})
    with engine.connect() as connection:
        users = text("SELECT count(*) FROM users WHERE email = :email")
        number = connection.execute(users, {"email": account.email}).scalar()
    assert number == (0 if is_complete else 1)


def test_the_same_address_signs_up_anew_to_an_empty_account(
    committing_app: Any, account: Account, user_pool: MotoUserPool
) -> None:
    account.client.post("/jobs", {"company_name": "Acme", "job_title": "x"})
    account.delete()
    tokens = user_pool._user(account.email, "Grace")  # before the task runs
    anew = account.client.signed_in(tokens.access_token)
    assert anew.get("/jobs").json == []
    anew.post("/jobs", {"company_name": "New", "job_title": "x"})
    run_tasks(committing_app)
    assert anew.get(ME).json["id"] != account.user_id
    assert [job["company_name"] for job in anew.get("/jobs").json] == ["New"]
    account.client.refused(401, "GET", ME)


def test_a_wrong_password_changes_nothing(
    committing_app: Any, engine: Engine, account: Account
) -> None:
    error = account.client.refused(400, "DELETE", ME, {"password": "wrong-Password-1"})
    assert error["details"]["code"] == "WRONG_PASSWORD"
    assert account.client.get(ME).json["id"] == account.user_id
    kinds = [entry["kind"] for entry in account.client.get(f"{ME}/audit").json]
    assert kinds == ["account_deletion_failed"]
    assert "tasks" not in rows_of(engine, account.user_id)


@pytest.mark.parametrize("body", [None, {}, {"password": ""}, {"password": PASSWORD, "code": "1"}])
def test_an_invalid_body_is_refused(account: Account, body: Any) -> None:
    account.client.call("DELETE", ME, body, status="4*")
    account.client.get(ME)


def test_attempts_are_limited(account: Account) -> None:
    for _ in range(10):
        account.client.refused(400, "DELETE", ME, {"password": "wrong-Password-1"})
    account.client.refused(429, "DELETE", ME, DELETION)
    account.client.get(ME)


def test_the_deletion_says_before_what_it_comprises(account: Account, s3: Any, bucket: str) -> None:
    fill(account.client, s3, bucket)
    shown = account.client.get(f"{ME}/deletion").json
    counts = shown.pop("counts")
    assert counts.pop("activity") > 0
    numbers = [4, 2, 1, 3, 1, 5]
    kinds = ("jobs", "notes", "interviews", "documents", "saved_views", "history")
    assert counts == dict(zip(kinds, numbers, strict=True))
    assert shown == {"document_bytes": 45, "objects": 1, "grace_days": 0}


def test_the_audit_keeps_the_deletion(
    committing_app: Any, engine: Engine, account: Account
) -> None:
    account.delete()
    run_tasks(committing_app)
    query = text("SELECT kind FROM audit WHERE user_id = :user_id ORDER BY id")
    with engine.connect() as connection:
        kinds = connection.execute(query, {"user_id": account.user_id}).scalars().all()
    assert kinds == ["account_deletion_requested", "account_deleted"]


def test_the_request_executes_a_constant_number_of_statements(
    engine: Engine, account: Account, s3: Any, bucket: str
) -> None:
    fill(account.client, s3, bucket)
    executed: list[str] = []
    run = TimeoutConnection.run

    def counted(self: TimeoutConnection, query: str, *arguments: Any, **options: Any) -> Any:
        executed.append(query)
        return run(self, query, *arguments, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TimeoutConnection, "run", counted)
        account.delete()
    # The user, the flag, the audit, the task and NOTIFY, and once Cognito has answered.
    assert len(executed) == 7, executed


def test_a_task_deletes_no_account_whose_deletion_was_not_requested(
    committing_app: Any, account: Account
) -> None:
    account.client.post("/jobs", {"company_name": "Acme", "job_title": "x"})
    with transaction(committing_app.registry["db_sessions"]) as connection:
        enqueue(connection, account.user_id, DELETE_ACCOUNT)
    run_tasks(committing_app)
    assert len(account.client.get("/jobs").json) == 1
