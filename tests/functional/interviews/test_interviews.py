"""Interviews for a job."""

import pytest
from sqlalchemy.orm import Session

from jobtracker.interviews.models import Interview
from tests.common.api import Api

WHEN = "2026-11-30T13:00:00Z"


@pytest.fixture
def job(ada: Api) -> dict:
    return ada.post("/jobs", {"company_name": "Acme", "job_title": "Engineer"}).json


@pytest.fixture
def path(job: dict) -> str:
    return f"/jobs/{job['id']}/interviews"


def make(ada: Api, path: str, **fields: object) -> dict:
    return ada.post(path, {"scheduled_at": WHEN, **fields}, status=201).json


class TestCreate:
    def test_post_interview_answers_the_interview_and_its_location(
        self, ada: Api, job: dict, path: str
    ):
        response = ada.post(path, {"scheduled_at": "2026-11-30T14:00:00+01:00"}, status=201)
        interview = response.json
        assert interview == {
            "id": interview["id"],
            "application_id": job["id"],
            "scheduled_at": WHEN,
            "stage": None,
            "kind": None,
            "location": None,
            "interviewer": None,
            "status": "scheduled",
            "notes": None,
            "created_at": interview["created_at"],
            "updated_at": interview["created_at"],
        }
        assert response.headers["Location"].endswith(f"{path}/{interview['id']}")
        assert ada.get(response.headers["Location"]).json == interview
        assert ada.get(path).json == [interview]

    def test_post_interview_trims_text_and_lowercases_stage_kind_and_status(
        self, ada: Api, path: str
    ):
        interview = make(
            ada,
            path,
            stage=" First Round\n",
            kind="VIDEO",
            location=" Vienna ",
            interviewer="Grace Hopper",
            status=" Completed ",
            notes=" Went\n\nwell. ",
        )
        assert interview["stage"] == "first round"
        assert interview["kind"] == "video"
        assert interview["location"] == "Vienna"
        assert interview["interviewer"] == "Grace Hopper"
        assert interview["status"] == "completed"
        assert interview["notes"] == "Went\n\nwell."
        assert ada.get(f"{path}/{interview['id']}").json == interview

    def test_post_interview_replaces_blank_optional_fields_by_defaults(self, ada: Api, path: str):
        interview = make(ada, path, stage=" ", kind="", location="\x15", notes=None, status="")
        assert {interview[name] for name in ("stage", "kind", "location", "notes")} == {None}
        assert interview["status"] == "scheduled"

    def test_post_interview_accepts_values_of_the_maximum_length(self, ada: Api, path: str):
        fields = {"stage": "ü" * 50, "kind": "ü" * 50, "location": "x" * 255, "notes": "x" * 10_000}
        assert make(ada, path, interviewer="x" * 255, **fields).items() >= fields.items()

    @pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
    def test_post_interview_accepts_the_first_and_the_last_timestamp(
        self, ada: Api, path: str, moment: str
    ):
        interview = make(ada, path, scheduled_at=moment)
        assert interview["scheduled_at"] == moment
        assert ada.get(path).json == [interview]

    @pytest.mark.parametrize(
        ("field", "value", "kind"),
        [
            ("scheduled_at", None, "missing"),
            ("scheduled_at", " ", "missing"),
            ("scheduled_at", "2026-11-30T13:00:00", "timestamp_format"),
            ("scheduled_at", "2026-11-30", "timestamp_format"),
            ("scheduled_at", "tomorrow", "timestamp_format"),
            ("scheduled_at", 1_790_000_000, "string_type"),
            ("stage", "x" * 51, "string_too_long"),
            ("stage", "\u0130" * 50, "string_too_long"),  # each is two when lowercased
            ("kind", "x" * 51, "string_too_long"),
            ("location", "x" * 256, "string_too_long"),
            ("interviewer", "x" * 256, "string_too_long"),
            ("interviewer", "a\0", "string_characters"),
            ("status", "won", "enum"),
            ("notes", "x" * 10_001, "string_too_long"),
            ("notes", "\udfff", "string_characters"),
            ("application_id", 1, "extra_forbidden"),
        ],
    )
    def test_post_interview_with_an_invalid_field_answers_422(
        self, ada: Api, path: str, field: str, value: object, kind: str
    ):
        body = {"scheduled_at": WHEN, field: value}
        assert ada.field_errors("POST", path, body) == {field: kind}
        assert ada.get(path).json == []

    def test_post_interview_beyond_the_maximum_answers_409(
        self, ada: Api, job: dict, path: str, db: Session
    ):
        first = make(ada, path)
        user_id = ada.get("/users/me").json["id"]
        db.add_all(
            Interview(user_id=user_id, application_id=job["id"], scheduled_at=first["scheduled_at"])
            for _ in range(199)
        )
        db.commit()
        before = ada.get(f"/jobs/{job['id']}").json
        error = ada.refused(409, "POST", path, {"scheduled_at": WHEN})
        assert error["message"] == "A job can have at most 200 interviews."
        assert ada.get(f"/jobs/{job['id']}").json == before
        ada.delete(f"{path}/{first['id']}")
        make(ada, path)


def test_list_interviews_orders_latest_first(ada: Api, path: str):
    early = make(ada, path, scheduled_at="2026-11-30T09:00:00+01:00")
    late = make(ada, path, scheduled_at="2026-11-30T08:30:00Z")
    twin = make(ada, path, scheduled_at="2026-11-30T10:30:00+02:00")
    assert ada.get(path).json == [twin, late, early]


class TestChange:
    def test_patch_interview_changes_only_the_given_fields(self, ada: Api, path: str):
        interview = make(ada, path, stage="onsite", location="Vienna")
        patch = {"status": "CANCELLED", "location": None}
        changed = ada.patch(f"{path}/{interview['id']}", patch, status=200).json
        assert changed == {
            **interview,
            "status": "cancelled",
            "location": None,
            "updated_at": changed["updated_at"],
        }
        assert changed["updated_at"] > interview["updated_at"]
        assert ada.get(f"{path}/{interview['id']}").json == changed

    @pytest.mark.parametrize(
        "patch",
        [
            {},
            {"stage": " Onsite "},
            {"location": None},
            {"scheduled_at": "2026-11-30T15:00:00.000+02:00", "status": "SCHEDULED"},
        ],
    )
    def test_patch_interview_with_equal_values_leaves_updated_at(
        self, ada: Api, job: dict, path: str, patch: dict
    ):
        interview = make(ada, path, stage="onsite")
        before = ada.get(f"/jobs/{job['id']}").json
        assert ada.patch(f"{path}/{interview['id']}", patch).json == interview
        assert ada.get(f"{path}/{interview['id']}").json == interview
        assert ada.get(f"/jobs/{job['id']}").json == before

    def test_patch_interview_accepts_the_merge_patch_content_type(self, ada: Api, path: str):
        interview = make(ada, path)
        headers = {"Content-Type": "application/merge-patch+json"}
        ada.patch(f"{path}/{interview['id']}", {"kind": "call"}, headers=headers, status=200)

    @pytest.mark.parametrize(
        ("field", "value", "kind"),
        [
            ("scheduled_at", None, "missing"),
            ("scheduled_at", "2026-11-30T13:00:00", "timestamp_format"),
            ("status", None, "missing"),
            ("status", "won", "enum"),
            ("id", 1, "extra_forbidden"),
        ],
    )
    def test_patch_interview_with_an_invalid_field_answers_422(
        self, ada: Api, path: str, field: str, value: object, kind: str
    ):
        interview = make(ada, path)
        own = f"{path}/{interview['id']}"
        patch = {"stage": "other", field: value}
        assert ada.field_errors("PATCH", own, patch) == {field: kind}
        assert ada.get(own).json == interview


def test_interviews_change_last_activity_at_but_not_updated_at_of_the_job(
    ada: Api, job: dict, path: str
):
    moments = [job["last_activity_at"]]

    def note_activity() -> None:
        after = ada.get(f"/jobs/{job['id']}").json
        assert after["updated_at"] == job["updated_at"]
        moments.append(after["last_activity_at"])

    interview = make(ada, path)
    note_activity()
    assert moments[-1] == interview["created_at"]
    changed = ada.patch(f"{path}/{interview['id']}", {"notes": "x"}).json
    note_activity()
    assert moments[-1] == changed["updated_at"]
    ada.delete(f"{path}/{interview['id']}")
    note_activity()
    assert moments == sorted(set(moments))


def test_deleted_interview_answers_404(ada: Api, job: dict, path: str):
    first, second = make(ada, path), make(ada, path)
    assert ada.delete(f"{path}/{first['id']}", status=204).body == b""
    assert ada.get(path).json == [second]
    for method in ("GET", "PATCH", "DELETE"):
        ada.refused(404, method, f"{path}/{first['id']}", {"kind": "x"})
    ada.delete(f"/jobs/{job['id']}")
    ada.refused(404, "GET", f"{path}/{second['id']}")


def test_interview_of_another_job_answers_404(ada: Api, path: str):
    interview = make(ada, path)
    other = ada.post("/jobs", {"company_name": "Other", "job_title": "x"}).json["id"]
    for method in ("GET", "PATCH", "DELETE"):
        own = f"/jobs/{other}/interviews/{interview['id']}"
        ada.refused(404, method, own, {"kind": "x"})
    assert ada.get(path).json == [interview]
