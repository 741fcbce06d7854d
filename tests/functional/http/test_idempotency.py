"""Idempotency-Key: a repeated request answers the first response and has no second effect."""

import uuid
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.common.api import SAME_REQUEST_ID, Api
from tests.common.user_pool import PASSWORD, MotoUserPool

JOB = {"company_name": "Acme", "job_title": "Engineer"}
RESUME = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}


@pytest.fixture
def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4()), **SAME_REQUEST_ID}


@pytest.fixture
def job(ada: Api) -> str:
    return f"/jobs/{ada.post('/jobs', JOB).json['id']}"


@pytest.mark.parametrize(
    ("path", "body", "listed"),
    [
        ("/jobs", JOB, "/jobs"),
        ("{job}/notes", {"body": "They called."}, "{job}/notes"),
        ("{job}/documents/presign-upload", RESUME, "{job}/documents"),
    ],
)
def test_repeated_request_answers_the_first_response(
    ada: Api, job: str, key: dict[str, str], path: str, body: Any, listed: str
):
    before = len(ada.get(listed.format(job=job)).json)
    first = ada.post(path.format(job=job), body, headers=key, status=201)
    turned_round = dict(reversed(body.items()))  # the same JSON, written otherwise
    again = ada.post(path.format(job=job), turned_round, headers=key, status=201)
    assert again.body == first.body
    assert again.headers == first.headers
    assert len(ada.get(listed.format(job=job)).json) == before + 1


def test_another_request_with_the_same_key_answers_422(ada: Api, job: str, key: dict[str, str]):
    ada.post("/jobs", JOB, headers=key)
    other = {**JOB, "company_name": "Other"}
    assert ada.field_errors("POST", "/jobs", other, headers=key) == {
        "Idempotency-Key": "key_reused"
    }
    # The same key with another path.
    ada.refused(422, "POST", f"{job}/notes", {"body": "x"}, headers=key)
    assert [each["company_name"] for each in ada.get("/jobs").json] == ["Acme", "Acme"]


def test_same_key_of_two_users_is_independent(ada: Api, bob: Api, key: dict[str, str]):
    hers = ada.post("/jobs", JOB, headers=key).json
    his = bob.post("/jobs", {**JOB, "job_title": "Other"}, headers=key).json
    assert hers["id"] != his["id"]


def test_repeated_request_whose_path_leads_to_nothing_answers_the_first_response(
    ada: Api, bob: Api, job: str, key: dict[str, str]
):
    body = {"body": "They called."}
    first = ada.post(f"{job}/notes", body, headers=key, status=201)
    ada.delete(job)
    again = ada.post(f"{job}/notes", body, headers=key, status=201)
    assert (again.body, again.headers) == (first.body, first.headers)
    for other in ({"body": "Other"}, b"{", None):
        ada.refused(404, "POST", f"{job}/notes", other, headers=key)
    bob.refused(404, "POST", f"{job}/notes", body, headers=key)
    ada.refused(404, "POST", f"{job}/notes", body, headers={"Idempotency-Key": "ä"})
    ada.refused(404, "POST", f"{job}/notes", body)


def test_key_of_a_refused_request_can_be_reused(ada: Api, key: dict[str, str]):
    ada.refused(422, "POST", "/jobs", {"company_name": "Acme"}, headers=key)
    ada.post("/jobs", JOB, headers=key, status=201)


def test_key_expires_after_a_day(ada: Api, connection: Connection, key: dict[str, str]):
    def age(interval: str) -> None:
        connection.execute(
            text("UPDATE idempotent_answers SET created_at = now() - CAST(:age AS interval)"),
            {"age": interval},
        )

    first = ada.post("/jobs", JOB, headers=key).json
    age("23 hours 59 minutes")
    assert ada.post("/jobs", JOB, headers=key).json == first
    age("24 hours 1 minute")
    second = ada.post("/jobs", {**JOB, "location": "Graz"}, headers=key).json
    assert second["id"] != first["id"]
    assert ada.post("/jobs", {**JOB, "location": "Graz"}, headers=key).json == second


@pytest.mark.parametrize("wrong", ["", "two words", "x" * 256, "\x7f", "ä"])
def test_malformed_key_answers_400(ada: Api, wrong: str):
    ada.refused(400, "POST", "/jobs", JOB, headers={"Idempotency-Key": wrong})
    assert ada.get("/jobs").json == []


def test_key_without_a_token_answers_401(anonymous: Api, ada: Api, key: dict[str, str]):
    ada.post("/jobs", JOB, headers=key)
    anonymous.refused(401, "POST", "/jobs", JOB, headers=key)


def test_key_is_not_stored(ada: Api, connection: Connection, key: dict[str, str]):
    ada.post("/jobs", JOB, headers=key)
    row = str(connection.execute(text("SELECT * FROM idempotent_answers")).one())
    assert key["Idempotency-Key"] not in row


def test_nothing_is_stored_of_a_change_of_password(
    anonymous: Api, user_pool: MotoUserPool, connection: Connection, key: dict[str, str]
):
    # A user of this test alone, whose tokens are revoked afterwards.
    eve = anonymous.signed_in(user_pool.user("eve.once@example.com", "Eve").access_token)
    passwords = {"current_password": PASSWORD, "new_password": PASSWORD + "x"}
    eve.post("/users/me/change-password", passwords, headers=key)
    eve.refused(401, "POST", "/users/me/change-password", passwords, headers=key)
    assert connection.execute(text("SELECT * FROM idempotent_answers")).all() == []
