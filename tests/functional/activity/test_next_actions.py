"""Activity of next actions: one entry for each change, with what there was and what there is."""

from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.common.api import Api

AT, LATER = "2026-11-30T09:00:00Z", "2026-12-01T09:30:00.000001Z"


def action(at: str | None = None, title: str | None = None) -> dict[str, str | None]:
    return {"next_action_at": at, "next_action_title": title}


@pytest.fixture
def job(ada: Api) -> str:
    return f"/jobs/{ada.post('/jobs', {'company_name': 'Acme', 'job_title': 'x'}).json['id']}"


def entries(api: Api, job: str) -> list[tuple[str, str, Any]]:
    """The entries after the creation of the job, newest first."""
    found = api.get(f"{job}/activity").json[:-1]
    return [(entry["type"], entry["message"], entry["data"]) for entry in found]


@pytest.mark.parametrize(
    ("before", "patch", "after", "message"),
    [
        (action(), action(AT, "Ask"), action(AT, "Ask"), "Next action set"),
        (action(), {"next_action_title": "Ask"}, action(None, "Ask"), "Next action set"),
        (action(), {"next_action_at": AT}, action(AT), "Next action set"),
        (action(AT, "Ask"), {"next_action_at": LATER}, action(LATER, "Ask"), "Next action changed"),
        (action(AT, "Ask"), {"next_action_title": None}, action(AT), "Next action changed"),
        (action(AT, "Ask"), action(LATER, "Go"), action(LATER, "Go"), "Next action changed"),
        (action(AT, "Ask"), action(), action(), "Next action cleared"),
        (action(None, "Ask"), {"next_action_title": " "}, action(), "Next action cleared"),
    ],
)
def test_change_of_the_next_action_is_one_entry(
    ada: Api, before: dict[str, Any], patch: dict[str, Any], after: dict[str, Any], message: str
):
    body = {"company_name": "Acme", "job_title": "x", **before}
    job = f"/jobs/{ada.post('/jobs', body).json['id']}"
    patched = ada.patch(job, patch).json
    assert {name: patched[name] for name in after} == after
    data = {"from": before, "to": after}
    assert entries(ada, job) == [("next_action_changed", message, data)]
    assert ada.get("/jobs/metrics/activity").json["per_type"]["next_action_changed"] == 1


@pytest.mark.parametrize(
    "patch",
    [
        action(AT, "Ask"),
        {"next_action_at": "2026-11-30T10:00:00+01:00"},
        {"next_action_title": " Ask "},
        {"last_action_at": AT},
    ],
)
def test_equal_next_action_is_no_entry(ada: Api, job: str, patch: dict[str, Any]):
    ada.patch(job, action(AT, "Ask"))
    ada.patch(job, patch)
    assert [kind for kind, _message, _data in entries(ada, job)] == ["next_action_changed"]


def test_next_action_is_not_among_the_fields_of_an_update(ada: Api, job: str):
    ada.patch(job, {**action(AT, "Ask"), "location": "Graz", "priority": "high"})
    assert entries(ada, job) == [
        ("job_updated", "Job updated", {"fields": ["location", "priority"]}),
        ("next_action_changed", "Next action set", {"from": action(), "to": action(AT, "Ask")}),
    ]


def test_next_action_by_plain_sql_is_an_entry(ada: Api, job: str, connection: Connection):
    statement = "UPDATE jobs SET next_action_title = 'Ask', next_action_at = :at"
    connection.execute(text(statement), {"at": AT})
    data = {"from": action(), "to": action(AT, "Ask")}
    assert entries(ada, job) == [("next_action_changed", "Next action set", data)]
