"""The messages of errors: what is wrong, in words, and nothing of the input."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from jobtracker.http import conditional
from jobtracker.jobs.queries import TOUCH
from jobtracker.tree import RowResource
from tests.common.api import SAME_REQUEST_ID, Api

JOB = {"company_name": "Acme", "job_title": "Engineer"}
UPLOAD = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}
MISSING = 1_000_001
URL_FORM = "The job URL must be an address like https://example.com/jobs/1, without blanks."


@pytest.fixture
def job(ada: Api) -> str:
    """The path of a job."""
    return f"/jobs/{ada.post('/jobs', JOB).json['id']}"


def message(api: Api, status: int, method: str, path: str, body: Any = None) -> str:
    return api.refused(status, method, path, body)["message"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"company_name": None}, "The company name is required."),
        ({"job_title": " "}, "The job title is required."),
        ({"company_name": 5}, "The company name must be text."),
        ({"job_title": "x" * 256}, "The job title must be at most 255 characters."),
        ({"location": "\0"}, "The location must not contain the character NUL."),
        ({"job_url": "javascript:alert(1)"}, "The job URL must begin with http:// or https://."),
        ({"job_url": "acme.example"}, "The job URL must begin with http:// or https://."),
        ({"job_url": "https://a b"}, URL_FORM),
        ({"job_url": "x" * 2001}, "The job URL must be at most 2000 characters."),
        ({"applied_date": "31.12.2026"}, "The applied date must be a date like 2026-01-31."),
        (
            {"next_action_at": "tomorrow"},
            "The time of the next action must be a time with its UTC offset, like "
            "2026-01-31T14:30:00+01:00.",
        ),
        ({"priority": "top"}, "The priority must be one of low, normal or high."),
        ({"tags": "a"}, "The tags must be a list."),
        ({"tags": [str(n) for n in range(51)]}, "The tags can have at most 50 entries."),
        ({"tags": ["a", "b", "x" * 65]}, "Tag 3 must be at most 64 characters."),
        ({"tags": ["a", 5]}, "Tag 2 must be text."),
        ({"tags": [5]}, "The tag must be text."),
        ({"colour": "red"}, "There is an unknown field."),
        (
            {"company_name": "", "colour": 1},
            "The company name is required. One more field needs attention.",
        ),
        (
            {"company_name": "", "job_title": 5, "a": 1, "b": 2},
            "The company name is required. 3 more fields need attention.",
        ),
    ],
)
def test_message_names_the_first_invalid_field_of_a_job(
    ada: Api, job: str, change: dict[str, Any], expected: str
):
    assert message(ada, 422, "POST", "/jobs", {**JOB, **change}) == expected
    assert message(ada, 422, "PATCH", job, change) == expected


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "{job}/notes", {}, "The note is required."),
        ("POST", "{job}/notes", {"body": "x" * 10_001}, "must be at most 10000 characters."),
        ("POST", "{job}/interviews", {}, "The time of the interview is required."),
        (
            *("POST", "{job}/history", {"status": "offer", "at": "2999-01-01T00:00:00Z"}),
            "The time of the step must not be in the future.",
        ),
        (
            *("POST", "{job}/documents/presign-upload", {**UPLOAD, "size_bytes": 0}),
            "The file is empty.",
        ),
        (
            *("POST", "{job}/documents/presign-upload", {**UPLOAD, "size_bytes": -1}),
            "The size of the file must be at least 1.",
        ),
        (
            *("POST", "{job}/documents/presign-upload", {**UPLOAD, "content_type": "pdf"}),
            "The content type must be like application/pdf.",
        ),
        ("POST", "{job}/documents/confirm-upload", {}, "The id of the document is required."),
        (
            *("POST", "/saved-views", {"name": "x", "data": {"a": "x" * 99_999}}),
            "The data of the view must be at most 16384 bytes.",
        ),
        ("PATCH", "/users/me/ui-preferences", {}, "The preferences are required."),
        (
            *("PATCH", "/users/me/ui-preferences", {"preferences": {"A-": True}}),
            "The preferences must have names of 1 to 64 small letters, digits and underscores.",
        ),
        (
            "PATCH",
            "/users/me/ui-preferences",
            {"preferences": {str(number): True for number in range(101)}},
            "The preferences can have at most 100 entries in all.",
        ),
        (
            *("PUT", "/users/me/settings", {"auto_refresh_seconds": 5, "theme": "pink"}),
            "The refresh interval must be one of 0, 10, 30 or 60. One more field needs attention.",
        ),
        ("POST", "/auth/cognito/login", {}, "The e-mail address is required. One more field"),
        (
            *("POST", "/auth/cognito/login", {"email": "ada", "password": "x"}),
            "The e-mail address must be like name@example.com.",
        ),
        (
            "POST",
            "/auth/cognito/mfa/verify",
            {"email": "a@b.cd", "session": "x", "code": "12"},
            "The code must be 6 digits.",
        ),
        ("GET", "/jobs?limit=0", None, "The limit must be at least 1."),
        ("GET", "/jobs?limit=x", None, "The limit must be a whole number, at least 1."),
        ("GET", "/jobs?limit=1&limit=2", None, "The limit must be given once."),
        ("GET", "/jobs?cursor=x", None, "The cursor is not of this list."),
        ("GET", "/jobs?status=x", None, "The status must be one of saved, applied,"),
        ("GET", "/jobs?status=offer&status=x", None, "Status 2 must be one of saved, applied,"),
        ("GET", "/jobs?q=" + "x" * 256, None, "The search text must be at most 255 characters."),
        (
            *("GET", "/jobs/stats/funnel?to=x", None),
            "The end of the period must be a date like 2026-01-31, or a time with its UTC offset,",
        ),
        ("GET", "/jobs?sort=x", None, "The sort order must be one of activity,"),
        *(
            ("DELETE", f"{{job}}?permanent={x}", None, "The parameter permanent must be true or")
            for x in ("x", "1", "TRUE")
        ),
        ("POST", "/exports", {"documents": "x"}, "The choice for documents must be true or false."),
        ("POST", "/imports/csv/check", {"text": 5}, "The text of the file must be text."),
        ("POST", "/imports/csv", {"text": [], "base64": None}, "The text of the file must be"),
        ("POST", "/imports/csv/check", {"base64": "?"}, "The file must be base64."),
        ("POST", "{job}/history", {"status": "x"}, "saved, applied, recruiter screen, interview"),
        (
            *("POST", "{job}/documents/presign-upload", {**UPLOAD, "doc_type": "x"}),
            "must be one of resume, job description, cover letter or thank you.",
        ),
        (
            "POST",
            "/auth/cognito/challenge",
            {"email": "a@b.cd", "session": "x", "challenge_name": "X", "responses": {"a": 1}},
            "The responses must have values that are text.",
        ),
    ],
)
def test_message_names_the_first_invalid_field(
    ada: Api, job: str, method: str, path: str, body: Any, expected: str
):
    assert expected in message(ada, 422, method, path.format(job=job), body)


def test_message_counts_the_fields_without_an_error_of_their_own(ada: Api):
    body = dict.fromkeys(map(str, range(300)), 1)
    error = ada.refused(422, "POST", "/jobs", body)
    assert error["message"] == "The company name is required. 301 more fields need attention."
    assert len(error["details"]["errors"]) == 100


def test_repeated_parameter_is_one_of_the_errors_of_a_query(ada: Api):
    query = "limit=1&limit=2&sort=x&status=y&q=a&q=b"
    error = ada.refused(422, "GET", f"/jobs?{query}")
    assert error["message"] == "The limit must be given once. 3 more fields need attention."
    assert [(each["loc"], each["type"]) for each in error["details"]["errors"]] == [
        (["query", "limit"], "repeated"),
        (["query", "q"], "repeated"),
        (["query", "sort"], "enum"),
        (["query", "status"], "enum"),
    ]


def test_message_of_a_reused_key_names_the_header(ada: Api):
    key = {"Idempotency-Key": "k"}
    ada.post("/jobs", JOB, headers=key)
    other = {**JOB, "job_title": "Other"}
    error = ada.refused(422, "POST", "/jobs", other, headers=key)
    assert error["message"] == "The Idempotency-Key was used for another request."


def test_message_contains_no_name_and_no_value_of_the_input(ada: Api):
    for body in ({"s3cret": "s3cret"}, {**JOB, "s3cret": 1}, {**JOB, "tags": ["s3cret" * 20]}):
        assert "s3cret" not in message(ada, 422, "POST", "/jobs", body)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (f"/jobs/{MISSING}", "job"),
        ("/jobs/abc", "job"),
        ("/jobs/0", "job"),
        (f"/jobs/{2**64}", "job"),
        (f"/jobs/{MISSING}/notes", "job"),
        (f"/jobs/{MISSING}/notes/1", "job"),
        (f"/jobs/{MISSING}/details", "job"),
        (f"{{job}}/notes/{MISSING}", "note"),
        (f"{{job}}/interviews/{MISSING}", "interview"),
        (f"{{job}}/documents/{MISSING}", "document"),
        (f"{{job}}/documents/{MISSING}/presign-download", "document"),
        (f"{{job}}/history/{MISSING}", "step"),
        (f"/saved-views/{MISSING}", "saved view"),
        ("{job}/activity/1", "page"),
        ("/users/me/audit/1", "page"),
        ("/tasks/1", "task"),
        ("/nothing", "page"),
        ("{job}/nothing", "page"),
        ("/users/me/nothing", "page"),
        ("/docs/nothing", "page"),
    ],
)
def test_404_says_what_does_not_exist(ada: Api, job: str, path: str, kind: str):
    assert message(ada, 404, "GET", path.format(job=job)) == f"There is no such {kind}."


def test_404_of_a_job_in_the_body_or_of_another_user_says_the_same(ada: Api, bob: Api, job: str):
    body = {"document_id": MISSING}
    path = f"{job}/documents/confirm-upload"
    assert message(ada, 404, "POST", path, body) == "There is no such document."
    note = ada.post(f"{job}/notes", {"body": "x"}).headers["Location"]
    view = ada.post("/saved-views", {"name": "x", "data": {}}).headers["Location"]
    for method in ("GET", "DELETE"):
        for theirs, missing in (
            (job, f"/jobs/{MISSING}"),
            (note, f"/jobs/{MISSING}/notes/1"),
            (view, f"/saved-views/{MISSING}"),
        ):
            if (method, theirs) == ("GET", note):  # there is no such operation
                continue
            answers = {
                bob.call(method, each, status=404, headers=SAME_REQUEST_ID).body
                for each in (theirs, missing)
            }
            assert len(answers) == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "kind"),
    [
        ("POST", "{job}/notes", {"body": "x"}, "job"),
        ("POST", "{job}/interviews", {"scheduled_at": "2026-01-31T14:30:00Z"}, "job"),
        ("PATCH", "{job}", {"status": "offer"}, "job"),
        ("DELETE", "{job}", None, "job"),
        ("DELETE", "{note}", None, "note"),
        ("DELETE", "{view}", None, "saved view"),
    ],
)
def test_404_of_a_concurrent_deletion_says_what_was_deleted(
    ada: Api,
    job: str,
    db: Session,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    body: Any,
    kind: str,
):
    """The row is deleted after traversal has found it."""
    note = ada.post(f"{job}/notes", {"body": "x"}).headers["Location"]
    view = ada.post("/saved-views", {"name": "x", "data": {}}).headers["Location"]

    def delete_first(function: Callable[..., Any]) -> Callable[..., Any]:
        def deleting(*arguments: Any, **options: Any) -> Any:
            db.execute(text("DELETE FROM jobs"))
            db.execute(text("DELETE FROM saved_views"))
            db.commit()
            return function(*arguments, **options)

        return deleting

    monkeypatch.setattr(RowResource, "delete", delete_first(RowResource.delete))
    monkeypatch.setattr(TOUCH, "first_or_not_found", delete_first(TOUCH.first_or_not_found))
    monkeypatch.setattr(conditional, "if_match_versions", delete_first(lambda _request: None))
    path = path.format(job=job, note=note, view=view)
    assert message(ada, 404, method, path, body) == f"There is no such {kind}."


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "The body is empty. It must be a JSON object."),
        (b"\xef\xbb\xbf", "The body is empty. It must be a JSON object."),
        (b'{\n  "a": ,}', "The body is not valid JSON at line 2, column 8."),
        (b'{"a": 1', "The body is not valid JSON at line 1, column 8."),
        (b"s3cret", "The body is not valid JSON at line 1, column 1."),
        (b'{"a": "\xff"}', "The body is not UTF-8 at byte 8."),
        (b"[" * 99_999, "The body is not valid JSON: it is nested too deeply."),
        (b"[]", "The body must be a JSON object."),
    ],
)
def test_message_says_where_the_body_is_malformed(ada: Api, body: bytes, expected: str):
    assert message(ada, 400, "POST", "/jobs", body) == expected


def test_messages_of_other_statuses_say_what_to_do(ada: Api, job: str):
    only_step = f"{job}/history/{ada.get(f'{job}/history').json[0]['id']}"
    assert message(ada, 409, "DELETE", only_step) == "The only step of a job cannot be deleted."
    assert message(ada, 405, "PUT", "/jobs") == "Only GET, HEAD and POST can be used here."
    assert message(ada, 405, "PATCH", "/auth/cognito/login") == "Only POST can be used here."
    too_large = {**UPLOAD, "size_bytes": 5 * 1024 * 1024 + 1}
    expected = "The file is too large. A document can have at most 5242880 bytes (5 MiB)."
    assert message(ada, 413, "POST", f"{job}/documents/presign-upload", too_large) == expected
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert "application/json" in ada.refused(415, "POST", "/jobs", JOB, headers=form)["message"]
    stale = ada.refused(412, "PATCH", job, {"status": "offer"}, headers={"If-Match": '"0"'})
    assert "try again" in stale["message"]
