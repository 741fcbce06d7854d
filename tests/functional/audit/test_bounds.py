"""What strangers can cause, what outlasts the user, and faults of the database."""

import datetime
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from webtest import TestApp

from jobtracker.audit import queries
from jobtracker.audit.models import AuditKind
from jobtracker.audit.queries import MAX_ENTRIES, MAX_NETWORKS, Event
from jobtracker.auth.cognito import UserPool
from jobtracker.auth.cognito_errors import wrong_credentials
from jobtracker.db.connections import autocommit
from jobtracker.local.turnstile import DUMMY_TOKEN
from jobtracker.sweep import sweep
from tests.common.api import SAME_REQUEST_ID, Api
from tests.common.app import new_rate_limiter
from tests.common.audit import entries, kinds
from tests.common.concurrency import repeat_concurrently
from tests.common.pagination import user_id
from tests.common.user_pool import PASSWORD, MotoUserPool

LOGIN = "/auth/cognito/login"
EMAIL = "ada@example.com"
RIGHT = {"email": EMAIL, "password": PASSWORD}
WRONG = {"email": EMAIL, "password": "Wrong-password-1"}
COUNT = text("SELECT count(*) FROM audit")


def refuse(*_args: Any, **_parameters: Any) -> None:
    raise wrong_credentials("")


@pytest.fixture
def fail_from(app: Any, ada: Api, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Fails to sign in from an address. Ada's row is already there."""
    ada.get("/users/me")
    cognito = UserPool("client", region="us-east-1", endpoint_url=None)
    monkeypatch.setattr(cognito, "_call", refuse)

    def fail(address: str, email: str = EMAIL) -> Any:
        with monkeypatch.context() as context:
            context.setitem(app.registry, "cognito", cognito)
            context.setitem(app.registry, "rate_limiter", new_rate_limiter())
            client = Api(TestApp(app, extra_environ={"REMOTE_ADDR": address}))
            body = {**WRONG, "email": email}
            return client.call("POST", LOGIN, body, status=401, headers=SAME_REQUEST_ID)

    return fail


def test_failures_of_a_network_and_day_are_one_entry(ada: Api, fail_from: Callable[..., Any]):
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "2001:db8::1", "2001:db8::2"):
        fail_from(address)
    assert [entry["count"] for entry in entries(ada)] == [2, 1, 2]
    latest = entries(ada)[0]
    assert latest["last_at"] > latest["at"]
    assert len({entry["client"] for entry in entries(ada)}) == 3


def test_failures_of_another_day_are_another_entry(
    ada: Api, fail_from: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    fail_from("192.0.2.1")
    tomorrow = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=1)
    monkeypatch.setattr(queries, "_today", lambda: tomorrow)
    fail_from("192.0.2.1")
    assert [entry["count"] for entry in entries(ada)] == [1, 1]


def test_failures_from_many_networks_do_not_fill_the_table(
    ada: Api, anonymous: Api, fail_from: Callable[..., Any]
):
    anonymous.post(LOGIN, RIGHT)
    for number in range(MAX_NETWORKS + 5):
        fail_from(f"192.0.2.{number}")
    fail_from("192.0.2.0")  # one of those that have an entry
    found = entries(ada)
    assert len(found) == MAX_NETWORKS + 2
    assert (found[0]["count"], found[0]["client"]) == (5, None)
    assert (found[-2]["count"], found[-1]["kind"]) == (2, "sign_in")


def test_concurrent_failures_are_all_counted(client: Api, committing_app: Any):
    of_user = user_id(client)
    event = Event(AuditKind.SIGN_IN_FAILED, None, b"network")

    def fail(_number: int) -> None:
        with autocommit(committing_app.registry) as connection:
            queries.record_failure(connection, of_user, event)

    repeat_concurrently(fail)
    assert [entry["count"] for entry in entries(client)] == [8]


def test_failures_about_unknown_accounts_leave_no_entry(fail_from: Callable[..., Any], db: Session):
    known, unknown = fail_from("192.0.2.1"), fail_from("192.0.2.1", "nobody@example.com")
    assert (known.body, known.headers) == (unknown.body, unknown.headers)
    assert db.scalar(COUNT) == 1
    assert db.scalar(text("SELECT count(*) FROM account_audit")) == 0


def test_failures_write_as_much_to_the_wal_for_unknown_accounts(client: Api, committing_app: Any):
    """Both wait for a commit, so that the time does not tell whether there is an account."""
    event = Event(AuditKind.SIGN_IN_FAILED, None, b"network")
    statements = []

    class Counting:
        def __init__(self, connection: Any) -> None:
            self.connection, self.count = connection, 0

        def execute(self, *args: Any, **options: Any) -> Any:
            self.count += 1
            return self.connection.execute(*args, **options)

    for of_user in (user_id(client), None):
        with autocommit(committing_app.registry) as connection:
            counting = Counting(connection)
            transactions = "SELECT txid_snapshot_xmax(txid_current_snapshot())"
            (before,) = connection.execute(transactions).fetchone() or (0,)
            queries.record_failure(counting, of_user, event)
            assert connection.execute(transactions).fetchone() == (before + 1,)
        statements.append(counting.count)
    assert statements == [2, 2]


def test_failures_are_those_of_the_user_who_has_the_address_now(
    ada: Api, fail_from: Callable[..., Any], db: Session
):
    insert = """INSERT INTO users (cognito_sub, email, email_verified_at)
                VALUES ('before', :email, now() - interval '1 day')"""
    db.execute(text(insert), {"email": EMAIL})
    db.commit()
    fail_from("192.0.2.1")
    assert kinds(ada) == ["sign_in_failed"]
    assert db.scalar(COUNT) == 1


def test_events_beyond_the_maximum_of_a_day_are_counted(ada: Api, anonymous: Api, db: Session):
    insert = """INSERT INTO audit (user_id, kind, client_hash)
                SELECT :user, 'sign_in', 'x' FROM generate_series(1, :number)"""
    db.execute(text(insert), {"user": user_id(ada), "number": MAX_ENTRIES - 1})
    db.commit()
    for _ in range(3):
        anonymous.post(LOGIN, RIGHT)
    assert db.scalar(COUNT) == MAX_ENTRIES + 1
    counted, single = entries(ada)[:2]
    assert (counted["count"], counted["client"], counted["session"]) == (2, None, None)
    assert single["session"] is not None


def test_entries_outlast_the_user(ada: Api, anonymous: Api, db: Session):
    anonymous.post(LOGIN, RIGHT)
    before = user_id(ada)
    db.execute(text("DELETE FROM users"))
    db.commit()
    assert db.scalar(text("SELECT user_id FROM audit")) == before
    assert user_id(ada) != before
    assert entries(ada) == []


@pytest.mark.parametrize(
    "change", ["kind = 'x'", "at = now()", "user_id = 1", "client_hash = 'x'", "event_count = 0"]
)
def test_entries_cannot_be_changed(fail_from: Callable[..., Any], db: Session, change: str):
    fail_from("192.0.2.1")
    by_citus = "partition value of rows"
    with pytest.raises(DBAPIError, match=f"audit entries cannot be changed|{by_citus}"):
        db.execute(text(f"UPDATE audit SET {change}"))  # noqa: S608


def test_single_entries_cannot_be_counted(ada: Api, anonymous: Api, db: Session):
    anonymous.post(LOGIN, RIGHT)
    with pytest.raises(DBAPIError, match="audit entries cannot be changed"):
        db.execute(text("UPDATE audit SET event_count = 2"))


def test_sweep_deletes_entries_older_than_the_setting(
    app: Any, ada: Api, db: Session, monkeypatch: pytest.MonkeyPatch
):
    for table, owner, value in (("audit", "user_id", "1"), ("account_audit", "account_hash", "''")):
        insert = f"""INSERT INTO {table} ({owner}, kind, client_hash, at)
                     SELECT {value}, 'x', '', now() - n * interval '1 day' + interval '1 hour'
                     FROM generate_series(399, 403) AS n"""  # noqa: S608
        db.execute(text(insert))
    db.commit()
    counts = (f"(SELECT count(*) FROM {table})" for table in ("audit", "account_audit"))  # noqa: S608
    left = text(f"SELECT {', '.join(counts)}")
    monkeypatch.setattr("jobtracker.db.expiry.BATCH", 2)
    assert sweep(app.registry) is None
    assert db.execute(left).one() == (2, 2)
    monkeypatch.setitem(app.registry.settings, "audit.days", 1000)
    sweep(app.registry)
    assert db.execute(left).one() == (2, 2)


class TestFaults:
    @pytest.fixture
    def broken(self, ada: Api, app: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """No entry can be inserted. The operations of Cognito that are called from now on."""
        ada.get("/users/me")

        def fail(*_args: Any, **_parameters: Any) -> None:
            raise psycopg.OperationalError("disk full")

        for name in ("_RECORD", "_RECORD_OF_ACCOUNT"):
            monkeypatch.setattr(f"jobtracker.audit.queries.{name}.execute", fail)
        called: list[str] = []
        cognito = app.registry["cognito"]
        call = cognito._call

        def observed(operation: str, *args: Any, **parameters: Any) -> Any:
            called.append(operation)
            return call(operation, *args, **parameters)

        monkeypatch.setattr(cognito, "_call", observed)
        return called

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/users/me/change-password", {"current_password": "x", "new_password": "y"}),
            ("POST", "/users/me/sign-out-everywhere", None),
            ("POST", "/users/me/mfa/confirm", {"code": "123456"}),
            ("DELETE", "/users/me/mfa", {"password": "x"}),
            (
                *("POST", "/auth/cognito/signup"),
                {**RIGHT, "name": "x", "turnstile_token": DUMMY_TOKEN},
            ),
        ],
    )
    def test_change_that_cannot_be_recorded_is_not_made(
        self, ada: Api, broken: list[str], method: str, path: str, body: Any
    ):
        ada.refused(503, method, path, body)
        assert broken == []
        ada.get("/users/me")

    def test_sign_in_that_cannot_be_recorded_is_503(
        self, ada: Api, anonymous: Api, broken: list[str], db: Session
    ):
        error = anonymous.refused(503, "POST", LOGIN, RIGHT)
        assert error.keys() == {"error", "message"}
        assert broken == ["initiate_auth"]
        assert db.scalar(COUNT) == 0

    def test_failure_that_cannot_be_recorded_changes_nothing_about_the_response(
        self, anonymous: Api, broken: list[str], caplog: pytest.LogCaptureFixture
    ):
        anonymous.refused(401, "POST", LOGIN, WRONG)
        assert "Audit: sign_in_failed is not recorded: OperationalError" in caplog.text

    def test_sign_out_that_cannot_be_recorded_answers_200(
        self, anonymous: Api, broken: list[str], user_pool: MotoUserPool
    ):
        tokens = user_pool.server_side.sign_in(EMAIL, PASSWORD).tokens
        assert tokens is not None
        client = anonymous.signed_in(tokens.access_token)
        client.post("/auth/cognito/logout", status=200)
        client.get("/users/me")  # neither recorded nor revoked

    def test_sign_in_on_a_read_only_database_does_not_call_cognito(
        self, client: Api, committing_app: Any, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ):
        called: list[str] = []
        monkeypatch.setattr(committing_app.registry["cognito"], "_call", called.append)
        with engine.begin() as connection:
            name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
            alter = f"ALTER DATABASE {name}"
            connection.exec_driver_sql(f"{alter} SET default_transaction_read_only = on")
        engine.dispose()
        try:
            client.refused(503, "POST", LOGIN, RIGHT)
        finally:
            with engine.connect() as connection:
                connection.exec_driver_sql("SET default_transaction_read_only = off")
                connection.commit()
                connection.exec_driver_sql(f"{alter} RESET default_transaction_read_only")
                connection.commit()
            engine.dispose()
        assert called == []
