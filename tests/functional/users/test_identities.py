"""Identities: which user a token is of, also when the database was restored in the meantime."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from jobtracker.users.models import Identity, User
from tests.common.api import Api
from tests.common.app import forget_tokens
from tests.common.user_pool import PASSWORD, MotoUserPool

JOB = {"company_name": "Acme", "job_title": "Engineer"}


@pytest.fixture
def sql(db: Session) -> Any:
    """Executes SQL in a transaction that commits, and returns the first column."""

    def run(statement: str, **parameters: Any) -> list[Any]:
        result = db.connection().execute(text(statement), parameters)
        rows = list(result.scalars()) if result.returns_rows else []
        db.commit()
        return rows

    return run


@pytest.fixture
def restore_empty_backup(sql: Any) -> Any:
    def restore() -> None:
        sql("DELETE FROM users")
        sql("DELETE FROM identities")

    return restore


def user_id(client: Api) -> int:
    return int(client.get("/users/me").json["id"])


def test_ids_are_in_the_order_of_time_below_2_to_the_53(sql: Any):
    insert = """INSERT INTO users (cognito_sub, email)
                SELECT n, n FROM generate_series(1, 5000) AS n RETURNING id"""
    ids = sql(insert)
    assert ids == sorted(set(ids))
    assert 2**40 < ids[0] < ids[-1] < 2**53
    (latest,) = sql("SELECT new_user_id() - (5 * 365 * 86400 * 4000000::bigint)")
    assert latest < ids[0]  # five years fit many times
    assert len({each % 4 for each in ids}) == 4


def test_user_who_signs_up_after_a_restore_gets_no_id_and_no_data_of_a_lost_user(
    ada: Api, bob: Api, restore_empty_backup: Any
):
    lost = user_id(ada)
    job = ada.post("/jobs", JOB).json["id"]
    paths = ("/users/me", "/jobs", f"/jobs/{job}")
    etags = [ada.get(path).headers["ETag"] for path in paths]
    restore_empty_backup()
    assert user_id(bob) != lost
    assert bob.get("/jobs").json == []
    bob.refused(404, "GET", f"/jobs/{job}")
    for path, etag in zip(paths[:2], etags, strict=False):
        assert bob.get(path, headers={"If-None-Match": etag}, status=200)
    assert user_id(ada) not in (lost, user_id(bob))
    assert ada.get("/jobs").json == []
    ada.refused(404, "GET", f"/jobs/{job}")


@pytest.mark.parametrize("cached", ["the other user's", "of no user"])
def test_cached_id_that_is_out_of_date_finds_the_user_of_the_token(
    ada: Api, bob: Api, app: Any, cached: str
):
    """As in a process that has cached ids of before a restore."""
    wrong = user_id(bob) if cached == "the other user's" else 1
    hidden, own = bob.post("/jobs", JOB).json["id"], ada.post("/jobs", JOB).json["id"]
    location = {"location": "Graz"}

    def call(method: str, path: str, body: Any = None, status: int = 200) -> Any:
        app.registry["access_tokens"].set_user_id(ada.token, wrong)
        return ada.call(method, path, body, status=status).json

    assert call("GET", "/users/me")["email"] == "ada@example.com"
    assert [job["id"] for job in call("GET", "/jobs")] == [own]
    for job, status in ((own, 200), (hidden, 404)):
        call("GET", f"/jobs/{job}", status=status)
        call("GET", f"/jobs/{job}/notes", status=status)
        call("PATCH", f"/jobs/{job}", location, status=status)
        call("POST", f"/jobs/{job}/notes", {"body": "x"}, status=201 if job == own else 404)
    call("PUT", "/users/me/settings", {"theme": "light"})
    call("POST", "/jobs", JOB, status=201)
    call("DELETE", f"/jobs/{hidden}", status=404)
    assert [job["location"] for job in bob.get("/jobs").json] == [None]
    assert bob.get("/users/me/settings").json["theme"] == "dark"
    assert len(ada.get("/jobs").json) == 2


def test_user_who_was_deleted_gets_a_new_id(ada: Api, sql: Any, db: Session):
    deleted = user_id(ada)
    sql("DELETE FROM users")
    assert user_id(ada) > deleted
    assert [each.user_id for each in db.query(Identity)] == [user_id(ada)]


def test_user_without_an_identity_is_found_by_the_sub(
    ada: Api, sql: Any, app: Any, db: Session, anonymous: Api
):
    """Inserted by SQL or at the prompt; or the identity was lost."""
    found = user_id(ada)
    for sign_in in (False, True):
        sql("DELETE FROM identities")
        forget_tokens(app)
        if sign_in:
            login = {"email": "ada@example.com", "password": PASSWORD}
            anonymous.post("/auth/cognito/login", login)
        assert user_id(ada) == found
        assert [each.user_id for each in db.query(Identity)] == [found]
    assert db.query(User).count() == 1


def test_new_id_that_exists_is_not_used(ada: Api, bob: Api, sql: Any):
    sql("CREATE SEQUENCE ids")
    sql("CREATE OR REPLACE FUNCTION new_user_id() RETURNS bigint RETURN nextval('ids')")
    assert user_id(ada) == 1
    sql("SELECT setval('ids', 1, false)")
    assert user_id(bob) == 2


def test_change_of_the_address_is_copied_at_the_next_sign_in(
    ada: Api, user_pool: MotoUserPool, sql: Any, anonymous: Api
):
    before = ada.get("/users/me").json
    sql("UPDATE users SET email = 'old@example.com', name = 'Old', email_verified_at = now()")
    login = {"email": "ada@example.com", "password": PASSWORD}
    anonymous.post("/auth/cognito/login", login)
    after = ada.get("/users/me").json
    assert (after["id"], after["email"], after["name"]) == (before["id"], before["email"], "Ada")
    assert after["email_verified_at"] > before["email_verified_at"]
    anonymous.post("/auth/cognito/login", login)
    assert ada.get("/users/me").json == after
