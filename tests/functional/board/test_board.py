"""The board, and the details of one job."""

from typing import Any

import pytest
from sqlalchemy import Connection, text

from jobtracker.jobs.models import Status
from tests.common.api import Api


def make(api: Api, **fields: object) -> dict[str, Any]:
    return api.post("/jobs", {"company_name": "Acme", "job_title": "x", **fields}).json


def test_board_without_jobs_has_all_statuses_and_zero_counts(ada: Api):
    assert ada.get("/jobs/board").json == {
        "statuses": list(Status),
        "jobs": [],
        "meta": {"counts": dict.fromkeys(Status, 0), "total": 0},
    }


def test_board_orders_by_status_then_latest_activity(ada: Api, bob: Api):
    make(bob)
    first, rejected, second, saved = (
        make(ada, status=status) for status in ("applied", "rejected", "applied", "saved")
    )
    ada.post(f"/jobs/{first['id']}/notes", {"body": "x"})
    board = ada.get("/jobs/board").json
    assert [card["id"] for card in board["jobs"]] == [
        *(saved["id"], first["id"], second["id"], rejected["id"])
    ]
    assert board["meta"]["total"] == 4
    counts = {status: count for status, count in board["meta"]["counts"].items() if count}
    assert counts == {"saved": 1, "applied": 2, "rejected": 1}
    card = board["jobs"][2]
    assert card == {**{name: second[name] for name in card if name in second}, **card}
    assert card["needs_follow_up"] is False
    assert len(card) == 13


@pytest.mark.parametrize(
    ("fields", "days", "needed"),
    [
        ({}, 4.9, False),
        ({}, 5.1, True),
        ({"status": "offer"}, 6, True),
        *(({"status": status}, 99, False) for status in ("accepted", "rejected", "archived")),
        ({"next_action_at": "2026-01-01T00:00:00Z"}, 0, True),
        ({"next_action_at": "2026-01-01T00:00:00Z", "status": "rejected"}, 0, True),
        ({"next_action_at": "2999-01-01T00:00:00Z"}, 0, False),
        ({"next_action_at": "2999-01-01T00:00:00Z"}, 6, False),
        ({"next_action_at": "2999-01-01T00:00:00Z", "status": "saved"}, 99, False),
        ({"next_action_at": "2999-01-01T00:00:00Z", "status": "offer"}, 99, False),
        ({"next_action_at": "2999-01-01T00:00:00Z", "status": "rejected"}, 99, False),
        ({"next_action_at": "2999-01-01T00:00:00Z", "next_action_title": "Call"}, 99, False),
        # An action without a time is not planned for the future.
        ({"next_action_title": "Call"}, 4.9, False),
        ({"next_action_title": "Call"}, 5.1, True),
        ({"next_action_title": "Call", "status": "accepted"}, 99, False),
    ],
)
def test_card_needs_follow_up_when_next_action_is_due_or_idle_without_one(
    ada: Api, connection: Connection, fields: dict[str, str], days: float, needed: bool
):
    make(ada, **fields)
    idle = "UPDATE jobs SET last_activity_at = last_activity_at - :days * interval '1 day'"
    connection.execute(text(idle), {"days": days})
    board = ada.get("/jobs/board").json
    (card,) = board["jobs"]
    assert card["needs_follow_up"] is needed
    found = ada.get("/jobs/search?q=acme").json
    assert found == {**board, "jobs": [{**card, "highlight": "<mark>Acme</mark>"}]}


def test_planned_action_postpones_the_follow_up_until_it_is_cleared(
    ada: Api, connection: Connection
):
    path = f"/jobs/{make(ada)['id']}"
    idle = "UPDATE jobs SET last_activity_at = now() - interval '6 days'"
    for patch, needed in (
        ({"next_action_at": "2999-01-01T00:00:00Z"}, False),
        ({"next_action_at": "2026-01-01T00:00:00Z"}, True),
        ({"next_action_at": "2999-01-01T00:00:00+14:00"}, False),
        ({"next_action_at": None}, True),
    ):
        ada.patch(path, patch)
        connection.execute(text(idle))
        (card,) = ada.get("/jobs/board").json["jobs"]
        assert card["needs_follow_up"] is needed, patch


@pytest.mark.parametrize("name", ["board", "search", "stats", "metrics"])
def test_named_child_of_jobs_is_not_a_job_id(ada: Api, name: str):
    make(ada)
    ada.refused(405 if name in ("board", "search") else 404, "DELETE", f"/jobs/{name}")
    ada.refused(404, "GET", f"/jobs/{name}/notes")


class TestDetails:
    def test_details_contain_job_notes_interviews_and_activity(self, ada: Api):
        job = make(ada)
        path = f"/jobs/{job['id']}"
        notes = [ada.post(f"{path}/notes", {"body": body}).json for body in "abc"][::-1]
        assert ada.get(f"{path}/details").json == {
            "job": {**job, "last_activity_at": notes[0]["created_at"]},
            "notes": notes,
            "interviews": [],
            "activity": {"items": ada.get(f"{path}/activity").json, "next_cursor": None},
        }

    def test_details_next_cursor_continues_activity(self, ada: Api):
        path = f"/jobs/{make(ada)['id']}"
        ada.post(f"{path}/notes", {"body": "x"})
        entries = ada.get(f"{path}/activity").json
        page = ada.get(f"{path}/details?activity_limit=1").json["activity"]
        assert page["items"] == entries[:1]
        assert ada.get(f"{path}/activity?cursor={page['next_cursor']}").json == entries[1:]
        page = ada.get(f"{path}/details?activity_limit=2").json["activity"]
        assert page == {"items": entries, "next_cursor": None}
        ada.get(f"{path}/details?activity_limit=999", status=200)
        ada.refused(422, "GET", f"{path}/details?activity_limit=0")

    def test_details_of_another_users_job_answer_404(self, ada: Api, bob: Api):
        ada.refused(404, "GET", f"/jobs/{make(bob)['id']}/details")
