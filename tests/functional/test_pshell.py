"""The variables and functions of pshell."""

import datetime
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from pyramid.scripting import prepare
from sqlalchemy import text
from sqlalchemy.orm import Session

import jobtracker
from jobtracker.errors import Unauthorized
from jobtracker.pshell import TransactionFailed, setup
from jobtracker.users.models import User
from tests.common.api import Api
from tests.common.app import dispose_engines


@pytest.fixture
def prompt(app: Any, ada: Api, db: Session) -> Any:
    ada.get("/users/me")
    env = prepare(registry=app.registry)
    manager = setup(env)
    next(manager)
    yield env
    next(manager, None)
    env["closer"]()


def test_jobs_without_act_as_raise_unauthorized(prompt: dict[str, Any]):
    with pytest.raises(Unauthorized):
        prompt["root"]["jobs"]


def test_resources_create_and_update_until_commit_or_rollback(prompt: dict[str, Any], ada: Api):
    user = prompt["act_as"](" Ada@Example.com ")
    assert repr(user).endswith(" ada@example.com>")
    root = prompt["root"]
    job = root["jobs"].create(company_name="Acme", job_title="Engineer", tags=["B", "a", "b"])
    assert job.row.tags == ["a", "b"]
    job["notes"].add(body="Called back.")
    job.update(status="offer")
    prompt["commit"]()
    job.update(status="rejected")
    prompt["root"]["users"]["me"]["settings"].update(theme="light")
    assert prompt["root"]["users"]["me"]["retention"].read().due_jobs == 0
    prompt["root"]["users"]["me"]["ui-preferences"].update({"compact_rows": True})
    when = datetime.datetime(2026, 11, 30, 13, tzinfo=datetime.UTC)
    job["interviews"].add(scheduled_at=when).update(kind="video")
    root["saved-views"].create(name="Mine", data={"a": 1}).update(name="My own")
    prompt["commit"]()
    job.update(status="ghosted")
    job["notes"].add(body="Never mind.")
    prompt["rollback"]()
    (listed,) = ada.get("/jobs").json
    assert listed["status"] == root["jobs"][listed["id"]].row.status == "rejected"
    assert ada.get("/users/me/settings").json["theme"] == "light"
    assert ada.get("/users/me").json["ui_preferences"] == {"compact_rows": True}
    (interview,) = ada.get(f"/jobs/{listed['id']}/interviews").json
    assert (interview["kind"], interview["status"]) == ("video", "scheduled")
    assert [view["name"] for view in ada.get("/saved-views").json] == ["My own"]
    assert [note["body"] for note in ada.get(f"/jobs/{listed['id']}/notes").json] == [
        "Called back."
    ]
    assert root["jobs"][listed["id"]]["notes"].list()[0].body == "Called back."
    with pytest.raises(KeyError):
        root["jobs"][listed["id"] + 1]


def test_resources_read_history_activity_board_search_and_stats(prompt: dict[str, Any]):
    prompt["act_as"]("ada@example.com")
    jobs = prompt["root"]["jobs"]
    job = jobs.create(company_name="Acme", job_title="Engineer")
    job["history"].record("offer")
    assert [step.status for step in job["history"].list()] == ["applied", "offer"]
    assert job.row.status == "offer"
    job["history"][job["history"].list()[1].id].delete()
    assert job.row.status == "applied"
    assert [entry.type for entry in job["activity"].list()] == [
        *("status_changed", "status_changed", "job_created")
    ]
    assert job["details"].read()["job"] is job.row
    assert [card.id for card in jobs["board"].read().jobs] == [job.row.id]
    assert [hit["id"] for hit in jobs["search"].search("acme")] == [job.row.id]
    assert jobs["stats"].funnel()["total"] == 1
    assert jobs["metrics"].activity() == {"job_created": 1, "status_changed": 2}


def test_act_as_finds_a_user_by_id_and_by_sub(prompt: dict[str, Any], db: Session):
    (user,) = db.query(User).all()
    assert prompt["act_as"](user.id).id == user.id
    assert prompt["act_as"](user.cognito_sub).id == user.id


def test_rollback_discards_changes(prompt: dict[str, Any], ada: Api):
    prompt["act_as"]("ada@example.com")
    prompt["root"]["jobs"].create(company_name="Acme", job_title="Engineer")
    prompt["rollback"]()
    assert ada.get("/jobs").json == []


@pytest.mark.parametrize("unknown", ["nobody@example.com", "no-such-sub", "", 0, 10**12])
def test_act_as_for_an_unknown_user_says_so_and_keeps_the_user(
    prompt: dict[str, Any], unknown: str | int
):
    prompt["act_as"]("ada@example.com")
    with pytest.raises(LookupError, match=f"There is no user {unknown!r}"):
        prompt["act_as"](unknown)
    assert prompt["request"].current_user.email == "ada@example.com"


def test_act_as_for_an_address_of_several_users_lists_their_ids(prompt: dict[str, Any]):
    twins = [User(cognito_sub=f"twin-{number}", email="twin@example.com") for number in (1, 2)]
    prompt["db"].add_all(twins)
    prompt["db"].flush()
    with pytest.raises(LookupError, match=rf"act as one of {twins[0].id}, {twins[1].id}"):
        prompt["act_as"]("twin@example.com")
    assert prompt["act_as"](twins[1].id).cognito_sub == "twin-2"


def test_second_act_as_replaces_the_user_of_the_root(
    prompt: dict[str, Any], ada: Api, bob: Api, db: Session
):
    bob.get("/users/me")
    prompt["act_as"]("ada@example.com")
    job = prompt["root"]["jobs"].create(company_name="Acme", job_title="Engineer")
    prompt["act_as"]("bob@example.com")
    assert prompt["root"]["jobs"].list() == []
    with pytest.raises(KeyError):
        prompt["root"]["jobs"][job.row.id]
    prompt["act_as"]("ada@example.com")
    assert [each.id for each in prompt["root"]["jobs"].list()] == [job.row.id]


def test_help_describes_what_the_prompt_has(prompt: dict[str, Any]):
    for name in ("db", "models", "act_as", "commit", "rollback"):
        assert 10 < len(prompt[name].__doc__) < 100


def test_prompt_has_the_quotas_behind_a_pooler(settings: dict[str, str], app: Any):
    own = {"sqlalchemy.session_settings": "role", "quotas.activity_per_job": "7"}
    application = jobtracker.main({}, **{**settings, **own})
    env = prepare(registry=application.registry)
    manager = setup(env)
    next(manager)
    quota = text("SELECT current_setting('jobtracker.activity_per_job', true)")
    assert env["db"].scalar(quota) == "7"
    next(manager, None)
    env["closer"]()
    dispose_engines(application)


class TestTransaction:
    """With an application whose time-outs are as short as they can be, and real transactions."""

    @pytest.fixture
    def impatient(self, settings: dict[str, str], app: Any) -> Iterator[dict[str, Any]]:
        timeouts = ("statement_timeout", "idle_in_transaction_timeout", "lock_timeout")
        short = {f"sqlalchemy.{name}": "1" for name in timeouts}
        application = jobtracker.main({}, **{**settings, **short})
        env = prepare(registry=application.registry)
        manager = setup(env)
        next(manager)
        env["db"].add(User(cognito_sub="grace", email="grace@example.com"))
        env["commit"]()
        env["act_as"]("grace")
        yield env
        env["rollback"]()
        env["db"].query(User).filter_by(cognito_sub="grace").delete()
        env["commit"]()
        next(manager, None)
        env["closer"]()
        dispose_engines(application)

    def test_prompt_has_no_time_outs(self, impatient: dict[str, Any]):
        jobs = impatient["root"]["jobs"]
        for number in range(2):  # also in the transaction after a commit
            jobs.create(company_name=f"Acme {number}", job_title="Engineer")
            time.sleep(1.3)
            impatient["request"].connection.execute("SELECT pg_sleep(1.3)")
            impatient["commit"]()
        assert len(jobs.list()) == 2

    def test_failed_statement_asks_for_a_rollback_and_the_prompt_goes_on(
        self, impatient: dict[str, Any]
    ):
        jobs = impatient["root"]["jobs"]
        jobs.create(company_name="Acme", job_title="Engineer")
        with pytest.raises(psycopg.errors.DivisionByZero):
            impatient["request"].connection.execute("SELECT 1/0")
        with pytest.raises(TransactionFailed, match=r"rollback\(\)"):
            jobs.list()
        with pytest.raises(TransactionFailed, match=r"rollback\(\)"):
            impatient["commit"]()
        impatient["rollback"]()
        assert jobs.list() == []
        jobs.create(company_name="Acme", job_title="Engineer")
        impatient["commit"]()
        assert len(jobs.list()) == 1

    def test_lost_connection_is_replaced_by_a_rollback(self, impatient: dict[str, Any]):
        connection = impatient["request"].connection
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        impatient["rollback"]()
        assert impatient["root"]["jobs"].list() == []
