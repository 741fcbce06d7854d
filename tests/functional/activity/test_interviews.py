"""Activity of interviews: each entry has the interview as it is, and what has changed."""

from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.common.api import Api

INTERVIEW = {
    "scheduled_at": "2026-11-30T13:00:00Z",
    "stage": "first round",
    "kind": "video",
    "location": "Vienna",
    "interviewer": "Grace Hopper",
    "status": "scheduled",
    "notes": "Ask about the team.",
}
SHOWN = ("scheduled_at", "stage", "kind", "interviewer", "status")


@pytest.fixture
def job(ada: Api) -> str:
    return f"/jobs/{ada.post('/jobs', {'company_name': 'Acme', 'job_title': 'x'}).json['id']}"


@pytest.fixture
def interview(ada: Api, job: str) -> str:
    return f"{job}/interviews/{ada.post(f'{job}/interviews', INTERVIEW).json['id']}"


def shown(interview: dict[str, Any]) -> dict[str, Any]:
    return {"interview_id": interview["id"], **{name: interview[name] for name in SHOWN}}


def newest(api: Api, job: str) -> dict[str, Any]:
    entry = api.get(f"{job}/activity").json[0]
    return {name: entry[name] for name in ("type", "message", "data")}


@pytest.mark.parametrize(
    "patch",
    [
        {"status": "completed"},
        {"scheduled_at": "2026-12-01T08:00:00.5Z"},
        {"stage": "final", "kind": None},
        {"interviewer": "Ada Lovelace"},
        {"location": "https://meet.example/acme"},
        {"notes": None},
        {
            "scheduled_at": "2026-12-01T08:00:00Z",
            "stage": None,
            "kind": "call",
            "location": None,
            "interviewer": None,
            "status": "cancelled",
            "notes": "No",
        },
    ],
)
def test_updated_interview_names_what_has_changed(
    ada: Api, job: str, interview: str, patch: dict[str, Any]
):
    after = ada.patch(interview, patch).json
    changes = {name: {"from": INTERVIEW[name], "to": after[name]} for name in patch}
    assert newest(ada, job) == {
        "type": "interview_updated",
        "message": "Interview updated",
        "data": {**shown(after), "changes": changes},
    }


@pytest.mark.parametrize("patch", [{}, {"stage": " First Round "}, INTERVIEW])
def test_interview_without_a_change_is_no_entry(
    ada: Api, job: str, interview: str, patch: dict[str, Any], connection: Connection
):
    ada.patch(interview, patch)
    connection.execute(text("UPDATE interviews SET updated_at = now(), stage = stage"))
    assert newest(ada, job)["type"] == "interview_added"


def test_added_and_deleted_interviews_are_shown(ada: Api, job: str, interview: str):
    there = shown(ada.get(interview).json)
    added = {"type": "interview_added", "message": "Interview added", "data": there}
    assert newest(ada, job) == added
    ada.delete(interview)
    deleted = {"type": "interview_deleted", "message": "Interview deleted", "data": there}
    assert newest(ada, job) == deleted
    least = ada.post(f"{job}/interviews", {"scheduled_at": "0001-01-01T00:00:00Z"}).json
    assert newest(ada, job)["data"] == shown(least)


def test_long_texts_of_a_change_are_cut_off(ada: Api, job: str, interview: str):
    long = {"location": "ü" * 255, "interviewer": "\U0001f600" * 255, "notes": "n" * 10_000}
    ada.patch(interview, long)
    data = newest(ada, job)["data"]
    assert data["interviewer"] == long["interviewer"]
    for name, value in long.items():
        to = f"{value[:99]}…"
        assert data["changes"][name] == {"from": INTERVIEW[name], "to": to}
    ada.patch(interview, {"notes": "n" * 9_999 + "x", "location": "v" * 100})
    changes = newest(ada, job)["data"]["changes"]
    assert changes["location"]["to"] == "v" * 100
    assert changes["notes"] == {"from": "…" + "n" * 99, "to": "…" + "n" * 98 + "x"}


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("a" * 200, "a" * 200 + "b", ("…" + "a" * 99, "…" + "a" * 98 + "b")),
        ("a" * 9_000, "a" * 9_000 + "b" * 500, ("…" + "a" * 99, f"…{'a' * 20}{'b' * 78}…")),
        ("a" * 60 + "b" * 60, "a" * 60, (f"…{'a' * 39}{'b' * 60}", "a" * 60)),
        (
            "a" * 300,
            "a" * 150 + "b" + "a" * 149,
            ("…" + "a" * 98 + "…", f"…{'a' * 20}b{'a' * 77}…"),
        ),
        ("a" * 300, "b" + "a" * 299, ("a" * 99 + "…", "b" + "a" * 98 + "…")),
        ("a" * 300, None, ("a" * 99 + "…", None)),
    ],
)
def test_changes_of_a_long_text_show_where_it_differs(
    ada: Api,
    interview: str,
    job: str,
    before: str,
    after: str | None,
    changes: tuple[str, str | None],
):
    ada.patch(interview, {"notes": before})
    ada.patch(interview, {"notes": after})
    found = newest(ada, job)["data"]["changes"]["notes"]
    assert (found["from"], found["to"]) == changes
