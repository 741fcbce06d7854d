"""Jobs: create, read, update, list, delete."""

import re
from typing import Any

import pytest
from sqlalchemy.orm import Session

from jobtracker.jobs.models import Job, Status
from tests.common.api import Api

MINIMAL = {"company_name": "Acme", "job_title": "Engineer"}
RFC3339_UTC = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z")


def make(api: Api, **fields: object) -> dict:
    return api.post("/jobs", {**MINIMAL, **fields}, status=201).json


class TestCreate:
    def test_post_job_answers_the_job_and_its_location(self, ada: Api):
        response = ada.post("/jobs", MINIMAL, status=201)
        job = response.json
        assert job == {
            "id": job["id"],
            "company_name": "Acme",
            "job_title": "Engineer",
            "location": None,
            "status": "applied",
            "applied_date": None,
            "job_url": None,
            "tags": [],
            "priority": "normal",
            "next_action_at": None,
            "next_action_title": None,
            "last_action_at": None,
            "created_at": job["created_at"],
            "updated_at": job["created_at"],
            "last_activity_at": job["created_at"],
        }
        assert RFC3339_UTC.fullmatch(job["created_at"])
        assert response.headers["Location"].endswith(f"/jobs/{job['id']}")
        assert ada.get(response.headers["Location"]).json == {**job, "notes": []}

    def test_post_job_trims_text_and_lowercases_status_and_tags(self, ada: Api):
        job = make(
            ada,
            company_name="  Acme\n",
            location=" ",
            status=" Recruiter_Screen ",
            job_url=" https://acme.example/jobs?id=1#top ",
            applied_date="2026-02-28",
            tags=["Remote", " remote ", "", "  ", "a Tag"],
        )
        assert job["company_name"] == "Acme"
        assert job["location"] is None
        assert job["status"] == "recruiter_screen"
        assert job["job_url"] == "https://acme.example/jobs?id=1#top"
        assert job["applied_date"] == "2026-02-28"
        assert job["tags"] == ["a tag", "remote"]

    @pytest.mark.parametrize("status", list(Status))
    def test_post_job_accepts_every_status(self, ada: Api, status: Status):
        assert make(ada, status=status.upper())["status"] == status

    def test_post_job_replaces_blank_optional_fields_by_defaults(self, ada: Api):
        job = make(
            ada, location="\x15", status="\x01", applied_date="\x1a", job_url="\x84", tags=None
        )
        assert (job["location"], job["applied_date"], job["job_url"]) == (None, None, None)
        assert (job["status"], job["tags"]) == ("applied", [])

    def test_post_job_accepts_values_of_the_maximum_length(self, ada: Api):
        tags = [f"{number:02}" + "x" * 62 for number in range(50)]
        job = make(ada, company_name="ü" * 255, job_url="https://a.b/" + "x" * 1988, tags=tags * 2)
        assert len(job["company_name"]) == 255
        assert job["tags"] == tags

    @pytest.mark.parametrize(
        ("field", "value", "kind"),
        [
            ("company_name", None, "missing"),
            ("company_name", " \t ", "missing"),
            ("company_name", "\x07\ufeff", "missing"),
            ("company_name", "x" * 256, "string_too_long"),
            ("company_name", 5, "string_type"),
            ("company_name", ["x"], "string_type"),
            ("company_name", "a\0b", "string_characters"),
            ("company_name", "a\ud800b", "string_characters"),
            ("job_title", "x" * 256, "string_too_long"),
            ("location", "x" * 256, "string_too_long"),
            ("status", "hired", "enum"),
            ("status", 1, "string_type"),
            ("applied_date", "2026-02-30", "date_format"),
            ("applied_date", "2026-2-3", "date_format"),
            ("applied_date", "20260203", "date_format"),
            ("applied_date", "2026-02-03T00:00:00Z", "date_format"),
            ("applied_date", 20260203, "string_type"),
            ("job_url", "https://a.b/" + "x" * 1989, "string_too_long"),
            ("job_url", "javascript:alert(1)", "url_format"),
            ("job_url", "java\nscript:alert(1)", "url_format"),
            ("job_url", "ftp://a.b/", "url_format"),
            ("job_url", "//a.b/", "url_format"),
            ("job_url", "https://", "url_format"),
            ("job_url", "https://[", "url_format"),
            ("job_url", "https://a:b", "url_format"),
            ("job_url", "https://a:99999", "url_format"),
            ("job_url", "https://a<script>", "url_format"),
            ("job_url", "https://..", "url_format"),
            ("job_url", "https://a\u202eb.cd", "url_format"),
            ("tags", "remote", "list_type"),
            ("tags", [1], "string_type"),
            ("tags", ["x" * 65], "string_too_long"),
            ("tags", ["\u0130" * 64], "string_too_long"),  # each is two when lowercased
            ("tags", [str(number) for number in range(51)], "too_long"),
            ("priority", "urgent", "enum"),
            ("next_action_at", "2026-11-30", "timestamp_format"),
            ("next_action_at", "2026-11-30T09:00:00", "timestamp_format"),
            ("next_action_at", "2026-11-30 09:00:00Z", "timestamp_format"),
            ("next_action_at", "2026-11-30T09:00Z", "timestamp_format"),
            ("next_action_at", "2026-11-31T09:00:00Z", "timestamp_format"),
            ("next_action_at", "2026-11-30T09:00:00+24:00", "timestamp_format"),
            ("next_action_at", "0001-01-01T00:00:00+01:00", "timestamp_format"),
            ("next_action_at", 1_790_000_000, "string_type"),
            ("next_action_title", "x" * 256, "string_too_long"),
            ("last_action_at", "2026-11-30T09:00", "timestamp_format"),
            ("user_id", 1, "extra_forbidden"),
            ("id", 1, "extra_forbidden"),
        ],
    )
    def test_post_job_with_an_invalid_field_answers_422(
        self, ada: Api, field: str, value: object, kind: str
    ):
        assert ada.field_errors("POST", "/jobs", {**MINIMAL, field: value}) == {field: kind}
        assert ada.get("/jobs").json == []

    def test_post_job_lists_every_invalid_field(self, ada: Api):
        body = {"company_name": "", "status": "x", "tags": 1, "salary": 1, "notes": []}
        assert ada.field_errors("POST", "/jobs", body) == {
            "company_name": "missing",
            "job_title": "missing",
            "status": "enum",
            "tags": "list_type",
            "salary": "extra_forbidden",
            "notes": "extra_forbidden",
        }

    @pytest.mark.parametrize(
        "url",
        [
            *("http://localhost:8080", "HTTPS://A.B/c?d#e", "https://user:pw@a-b.c_d.example./"),
            *("http://[::1]:80/", "https://127.0.0.1", "https://b\u00fccher.example/\u00fc"),
        ],
    )
    def test_post_job_accepts_http_urls(self, ada: Api, url: str):
        assert make(ada, job_url=url)["job_url"] == url


class TestPatch:
    def test_patch_job_changes_only_the_given_fields(self, ada: Api):
        job = make(ada, location="Graz", tags=["a", "b"])
        patched = ada.patch(f"/jobs/{job['id']}", {"status": "offer", "tags": ["C"]}).json
        times = ("updated_at", "last_activity_at")
        assert {**patched, **{name: job[name] for name in times}} == {
            **job,
            "status": "offer",
            "tags": ["c"],
        }
        assert all(patched[name] > job[name] for name in times)

    def test_patch_job_clears_optional_fields_by_null_or_blank(self, ada: Api):
        job = make(
            ada, location="Graz", applied_date="2026-01-01", job_url="https://a.b", tags=["a"]
        )
        cleared = ada.patch(
            f"/jobs/{job['id']}",
            {"location": None, "applied_date": None, "job_url": "", "tags": None},
        ).json
        assert (cleared["location"], cleared["applied_date"]) == (None, None)
        assert (cleared["job_url"], cleared["tags"]) == (None, [])

    @pytest.mark.parametrize("field", ["company_name", "job_title", "status"])
    @pytest.mark.parametrize("nothing", [None, " "])
    def test_patch_job_refuses_to_clear_required_fields(
        self, ada: Api, field: str, nothing: object
    ):
        path = f"/jobs/{make(ada)['id']}"
        assert ada.field_errors("PATCH", path, {field: nothing}) == {field: "missing"}

    @pytest.mark.parametrize(
        "patch", [{}, {"company_name": "Acme "}, {"status": "APPLIED", "tags": ["B", "a", "b"]}]
    )
    def test_patch_job_with_equal_values_leaves_updated_at(self, ada: Api, patch: dict):
        job = make(ada, tags=["a", "b"])
        assert ada.patch(f"/jobs/{job['id']}", patch).json == job

    def test_patch_job_accepts_the_merge_patch_content_type(self, ada: Api):
        path = f"/jobs/{make(ada)['id']}"
        headers = {"Content-Type": "application/merge-patch+json"}
        assert ada.patch(path, {"location": "Linz"}, headers=headers).json["location"] == "Linz"
        ada.refused(415, "POST", "/jobs", MINIMAL, headers=headers)

    def test_patch_job_with_an_invalid_field_changes_nothing(self, ada: Api):
        job = make(ada)
        ada.refused(422, "PATCH", f"/jobs/{job['id']}", {"location": "Linz", "status": "x"})
        assert ada.get(f"/jobs/{job['id']}").json == {**job, "notes": []}


class TestNextAction:
    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("2026-11-30T09:00:00Z", "2026-11-30T09:00:00Z"),
            ("2026-11-30t09:00:00.5z", "2026-11-30T09:00:00.500000Z"),
            ("2026-11-30T09:00:00.123456+05:30", "2026-11-30T03:30:00.123456Z"),
            (" 2026-01-01T00:30:00-01:00 ", "2026-01-01T01:30:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ],
    )
    def test_next_action_at_is_converted_to_utc(self, ada: Api, given: str, kept: str):
        job = make(ada, next_action_at=given, next_action_title=" Ask ", priority="High")
        assert (job["next_action_at"], job["next_action_title"]) == (kept, "Ask")
        assert (job["priority"], job["last_action_at"]) == ("high", None)
        assert ada.get(f"/jobs/{job['id']}").json["next_action_at"] == kept

    def test_change_of_next_action_sets_last_action_at(self, ada: Api):
        path = f"/jobs/{make(ada)['id']}"
        times: list[Any] = [None]
        for patch in (
            {"next_action_at": "2026-11-30T09:00:00Z"},
            {"next_action_at": "2026-11-30T10:00:00+01:00"},  # the same
            {"priority": "low"},
            {"next_action_title": "Ask"},
            {"next_action_at": None, "next_action_title": None},
        ):
            times.append(ada.patch(path, patch).json["last_action_at"])
        assert times[1] == times[2] == times[3]
        assert None not in times[1:]
        assert times[3] < times[4] < times[5]
        assert ada.get(path).json["last_action_at"] == times[5]

    def test_given_last_action_at_is_kept(self, ada: Api):
        path = f"/jobs/{make(ada, last_action_at='2026-11-20T09:00:00Z')['id']}"
        assert ada.get(path).json["last_action_at"] == "2026-11-20T09:00:00Z"
        moment = "2026-11-21T09:00:00Z"
        for patch in ({"last_action_at": moment}, {"next_action_title": "Ask"}):
            job = ada.patch(path, {**patch, "last_action_at": moment}).json
        assert job["next_action_title"] == "Ask"
        # Equal to the stored value, and so no change of its own: the new next action sets the time.
        assert job["last_action_at"] > moment
        both = {"last_action_at": moment, "next_action_title": "Ask again"}
        assert ada.patch(path, both).json["last_action_at"] == moment
        assert ada.patch(path, {"last_action_at": None}).json["last_action_at"] is None


class TestList:
    def test_list_jobs_orders_by_latest_activity(self, ada: Api):
        first, second, third = (make(ada, job_title=title)["id"] for title in "abc")
        assert [job["id"] for job in ada.get("/jobs").json] == [third, second, first]
        ada.post(f"/jobs/{first}/notes", {"body": "Called back."})
        ada.patch(f"/jobs/{second}", {"location": "Graz"})
        assert [job["id"] for job in ada.get("/jobs").json] == [second, first, third]

    def test_list_jobs_orders_equal_times_by_id(self, ada: Api, db: Session):
        ids = [make(ada)["id"] for _ in range(3)]
        db.query(Job).update({"last_activity_at": "2026-01-01T00:00:00Z"})
        db.commit()
        assert [job["id"] for job in ada.get("/jobs").json] == ids[::-1]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("", "abc"),
            ("q=&status=&tag=&tag_q=%20", "abc"),
            ("unknown=1", "abc"),
            ("q=%15&tag_q=%C2%85&tag=%1f", "abc"),
            ("q=acme", "ac"),
            ("q=ENGINEER", "ab"),
            ("q=z%C3%9CRICH", "c"),
            ("q=100%25", "b"),
            ("q=%25", "b"),
            ("q=_", "c"),
            ("q=/", ""),
            ("status=offer", "b"),
            ("status=Offer&status=saved", "bc"),
            ("tag=remote", "ab"),
            ("tag=REMOTE&tag=go", "abc"),
            ("tag_q=emot", "ab"),
            ("tag_q=EMOT&q=acme", "a"),
            ("tag_q=%25", ""),
            ("tag=remote&status=saved", ""),
        ],
    )
    def test_list_jobs_filters_by_query(self, ada: Api, query: str, found: str):
        names = {
            make(ada, company_name="ACME", tags=["Remote", "python"])["id"]: "a",
            make(ada, company_name="100% GmbH", status="offer", tags=["remote"])["id"]: "b",
            make(ada, job_title="Dev_Ops", location="Zürich", status="saved", tags=["go"])[
                "id"
            ]: "c",
        }
        jobs = ada.get(f"/jobs?{query}").json
        assert "".join(sorted(names[job["id"]] for job in jobs)) == found

    @pytest.mark.parametrize(
        ("query", "field", "kind"),
        [
            ("status=hired", "status", "enum"),
            ("q=%00", "q", "string_characters"),
            ("tag=a%00", "tag", "string_characters"),
            ("q=" + "x" * 256, "q", "string_too_long"),
        ],
    )
    def test_list_jobs_with_an_invalid_filter_answers_422(
        self, ada: Api, query: str, field: str, kind: str
    ):
        assert ada.field_errors("GET", f"/jobs?{query}", None) == {field: kind}

    def test_list_jobs_with_a_query_that_is_not_utf8_answers_400(self, ada: Api):
        ada.refused(400, "GET", "/jobs?q=%ff")

    def test_list_jobs_omits_jobs_of_other_users(self, ada: Api, bob: Api):
        make(bob)
        assert ada.get("/jobs").json == []


class TestDelete:
    def test_delete_job_deletes_its_notes(self, ada: Api):
        path = f"/jobs/{make(ada)['id']}"
        ada.post(f"{path}/notes", {"body": "Called back."})
        response = ada.delete(path, status=204)
        assert response.body == b""
        for gone in (path, f"{path}/notes"):
            ada.refused(404, "GET", gone)
        ada.refused(404, "DELETE", path)


class TestPaths:
    @pytest.mark.parametrize("suffix", ["", "/"])
    def test_trailing_slash_leads_to_the_same_resource(self, ada: Api, suffix: str):
        path = f"/jobs/{make(ada)['id']}"
        assert ada.get(f"/jobs{suffix}", status=200).json
        assert ada.get(f"{path}{suffix}", status=200).json
        ada.post(f"{path}/notes{suffix}", {"body": "x"}, status=201)
        ada.delete(f"{path}{suffix}", status=204)

    @pytest.mark.parametrize(
        "job_id",
        [
            *("0", "-1", "01", "abc", "1.0", "%D9%A1", "1%00", ".", "..", "%2e%2e", "1%2fnotes"),
            *("{own}%0a", "{own}%0d", "{own};x", "{own}%20", "%20{own}", "+{own}"),
            *("9223372036854775807", "9223372036854775808", "9" * 30),
        ],
    )
    def test_malformed_job_id_answers_404(self, ada: Api, job_id: str):
        job_id = job_id.format(own=make(ada)["id"])
        for path in (f"/jobs/{job_id}", f"/jobs/{job_id}/", f"/jobs/{job_id}/notes"):
            ada.refused(404, "DELETE", path)
        ada.refused(404, "GET", f"/jobs/{job_id}/notes%0a")
        assert len(ada.get("/jobs").json) == 1

    def test_dot_segments_in_a_path_answer_404(self, ada: Api):
        job = make(ada)
        note = ada.post(f"/jobs/{job['id']}/notes", {"body": "x"}).json
        for path in ("notes/..", "notes/%2e%2e", f"notes/{note['id']}/..", "documents/.."):
            ada.refused(404, "DELETE", f"/jobs/{job['id']}/{path}")
        assert ada.get(f"/jobs/{job['id']}").json["notes"] == [note]

    def test_head_answers_as_get_without_a_body(self, ada: Api):
        response = ada.call("HEAD", "/jobs")
        assert (response.body, response.content_type) == (b"", "application/json")
