"""The variables and functions of pshell."""

import datetime
from typing import Any

import pytest
from pyramid.scripting import prepare
from sqlalchemy.orm import Session

from jobtracker.errors import Unauthorized
from jobtracker.pshell import setup
from jobtracker.users.models import User
from tests.common.api import Api


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
