"""Notes on a job."""

import pytest

from tests.common.api import Api


@pytest.fixture
def job(ada: Api) -> dict:
    return ada.post("/jobs", {"company_name": "Acme", "job_title": "Engineer"}).json


@pytest.fixture
def path(job: dict) -> str:
    return f"/jobs/{job['id']}/notes"


def test_note_is_created_read_and_deleted(ada: Api, job: dict, path: str):
    response = ada.post(path, {"body": "  Called back.\n\nNice people. \U0001f600 "}, status=201)
    note = response.json
    assert note == {
        "id": note["id"],
        "application_id": job["id"],
        "body": "Called back.\n\nNice people. \U0001f600",
        "created_at": note["created_at"],
    }
    assert response.headers["Location"].endswith(f"{path}/{note['id']}")
    assert ada.get(path).json == [note]
    assert ada.get(response.headers["Location"]).json == note
    assert ada.get(f"/jobs/{job['id']}").json["last_activity_at"] == note["created_at"]
    assert ada.delete(f"{path}/{note['id']}", status=204).body == b""
    assert ada.get(path).json == []
    ada.refused(404, "DELETE", f"{path}/{note['id']}")


def test_list_notes_orders_newest_first(ada: Api, job: dict, path: str):
    notes = [ada.post(path, {"body": body}).json for body in "abc"][::-1]
    assert ada.get(path).json == notes
    assert ada.get(f"/jobs/{job['id']}").json["notes"] == notes


def test_notes_change_last_activity_at_but_not_updated_at_of_the_job(
    ada: Api, job: dict, path: str
):
    note = ada.post(path, {"body": "x"}).json
    after = ada.get(f"/jobs/{job['id']}").json
    assert after["updated_at"] == job["updated_at"]
    assert after["last_activity_at"] > job["last_activity_at"]
    ada.delete(f"{path}/{note['id']}")
    last = ada.get(f"/jobs/{job['id']}").json
    assert last["last_activity_at"] > after["last_activity_at"]


def test_note_of_another_job_answers_404(ada: Api, path: str):
    note = ada.post(path, {"body": "x"}).json
    other = ada.post("/jobs", {"company_name": "Other", "job_title": "x"}).json["id"]
    ada.refused(404, "DELETE", f"/jobs/{other}/notes/{note['id']}")
    assert ada.get(path).json == [note]


def test_post_note_accepts_the_maximum_length(ada: Api, path: str):
    body = "\U0001f600" * 10_000
    assert ada.post(path, {"body": body}).json["body"] == body


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"body": "missing"}),
        ({"body": None}, {"body": "missing"}),
        ({"body": " \n"}, {"body": "missing"}),
        ({"body": "x" * 10_001}, {"body": "string_too_long"}),
        ({"body": 1}, {"body": "string_type"}),
        ({"body": "a\0"}, {"body": "string_characters"}),
        ({"body": "\udfff"}, {"body": "string_characters"}),
        ({"body": "x", "id": 1}, {"id": "extra_forbidden"}),
    ],
)
def test_post_note_with_an_invalid_field_answers_422(ada: Api, path: str, body: dict, wrong: dict):
    assert ada.field_errors("POST", path, body) == wrong
    assert ada.get(path).json == []
