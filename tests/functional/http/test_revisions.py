"""Revisions and ETags: each change of a user's data changes both, and nothing else does."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, text

from tests.common.api import Api
from tests.common.conditional import (
    INTERVIEW,
    RESUME,
    TIME_DEPENDENT,
    UserData,
    revision_of,
    send,
    send_uncached,
)
from tests.common.user_pool import PASSWORD, MotoUserPool

SECOND_JOB = {"company_name": "acme", "job_title": "Second"}
PAST_STEP = {"status": "saved", "at": "2026-01-01T00:00:00Z"}

# Paths by the resources that their responses contain.
ME = {"/users/me"}
LISTS = {"/jobs", "/jobs/board", "/jobs/search"}
JOB = {"{job}", "{job}/details", "{job}/activity", "/jobs/metrics/activity", *LISTS}
NOTES = {"{job}/notes"}
DOCUMENTS = {"{job}/documents"}
INTERVIEWS = {"{job}/interviews"}
STEPS = {"{job}/history", "/jobs/stats/funnel"}
VIEWS = {"/saved-views"}

Change = tuple[str, Callable[[UserData], Any], set[str]]


def sends(
    method: str, path: str, body: Any = None, *, saves: str = "new_id"
) -> Callable[[UserData], None]:
    """A change by one request. The id of what it creates is saved by a name."""
    return lambda user_data: user_data.change(method, path, body, saves)


# What is computed from all data of the user.
OF_ALL_DATA = {"/users/me/usage", "/users/me/deletion", "/trash", "/reports/applications.csv"}
CHANGES: list[Change] = [
    (
        "job created",
        sends("POST", "/jobs", SECOND_JOB, saves="second_job_id"),
        {*LISTS, "/jobs/metrics/activity", "/jobs/stats/funnel"},
    ),
    ("job changed", sends("PATCH", "{job}", {"location": "Graz"}), JOB),
    ("status changed", sends("PATCH", "{job}", {"status": "offer"}), JOB | STEPS),
    ("tags changed", sends("PATCH", "{job}", {"tags": ["a", "b"]}), JOB),
    ("note created", sends("POST", "{job}/notes", {"body": "More."}), JOB | NOTES),
    ("note deleted", sends("DELETE", "{job}/notes/{new_id}"), JOB | NOTES),
    ("upload presigned", sends("POST", "{job}/documents/presign-upload", RESUME), JOB | DOCUMENTS),
    ("document deleted", sends("DELETE", "{job}/documents/{new_id}"), JOB | DOCUMENTS),
    (
        "upload confirmed",
        UserData.confirm_upload,
        JOB | DOCUMENTS | {"{job}/documents/{document_id}"},
    ),
    ("interview created", sends("POST", "{job}/interviews", INTERVIEW), JOB | INTERVIEWS),
    (
        "interview changed",
        sends("PATCH", "{job}/interviews/{interview_id}", {"notes": "Ask for more."}),
        JOB | INTERVIEWS | {"{job}/interviews/{interview_id}"},
    ),
    ("interview deleted", sends("DELETE", "{job}/interviews/{new_id}"), JOB | INTERVIEWS),
    ("saved view created", sends("POST", "/saved-views", {"name": "Other", "data": {}}), VIEWS),
    (
        "saved view changed",
        sends("PATCH", "/saved-views/{view_id}", {"data": {"a": 1}}),
        VIEWS | {"/saved-views/{view_id}"},
    ),
    ("saved view deleted", sends("DELETE", "/saved-views/{new_id}"), VIEWS),
    (
        "settings changed",
        sends("PUT", "/users/me/settings", {"auto_refresh_seconds": 30}),
        ME | {"/users/me/settings"},
    ),
    (
        "preferences changed",
        sends("PATCH", "/users/me/ui-preferences", {"preferences": {"a": True}}),
        ME | {"/users/me/ui-preferences"},
    ),
    # A step in the past leaves the fields of the job.
    (
        "step created",
        sends("POST", "{job}/history", PAST_STEP),
        (JOB | STEPS) - {"{job}/activity", "/jobs/metrics/activity"},
    ),
    (
        "step deleted",
        sends("DELETE", "{job}/history/{new_id}"),
        (JOB | STEPS) - {"{job}/activity", "/jobs/metrics/activity"},
    ),
    (
        "job deleted",
        sends("DELETE", "/jobs/{second_job_id}"),
        {*LISTS, "/jobs/metrics/activity", "/jobs/stats/funnel"},
    ),
    ("last note deleted", sends("DELETE", "{job}/notes/{note_id}"), JOB | NOTES),
]


def test_each_change_increments_the_revision_and_changes_dependent_etags(
    client: Api, other_client: Api, user_data: UserData, engine: Engine
):
    paths, bob_data = user_data.paths(), UserData(other_client, "acme")
    ada_responses = {path: send(client, path) for path in paths}
    bob_responses = {path: send(other_client, path) for path in bob_data.paths()}
    assert {
        answer.status_code for answer in (*ada_responses.values(), *bob_responses.values())
    } == {200}
    bob_revision = revision_of(engine, other_client)
    for number, (name, do, dependents) in enumerate(CHANGES):
        before = revision_of(engine, client)
        do(user_data)
        assert revision_of(engine, client) == before + 1, name
        must_differ = {path.format(job=user_data.job, **user_data.ids) for path in dependents}
        differ = set()
        for path, old in ada_responses.items():
            truth = send_uncached(client, path, number)
            again = send(client, path, If_None_Match=old.headers["ETag"])
            context = f"{name}: {path}"
            if truth.status_code == 404:
                assert again.status_code == 404, context
                continue
            kept = send(client, path)
            if truth.body != old.body:
                differ.add(path.partition("?")[0])
                assert again.status_code == 200, context
                assert again.headers["ETag"] != old.headers["ETag"], context
            if path != TIME_DEPENDENT:
                assert kept.body == truth.body, context
                assert again.body == (truth.body if again.status_code == 200 else b""), context
                assert again.headers["ETag"] == kept.headers["ETag"]
            ada_responses[path] = kept
        assert differ >= must_differ, name
        # Only these may change with anything.
        may_differ = {*paths_of_job(user_data), TIME_DEPENDENT, *OF_ALL_DATA}
        assert differ <= must_differ | may_differ, name
    assert revision_of(engine, other_client) == bob_revision
    for path, old in bob_responses.items():
        if path != TIME_DEPENDENT:
            again = send(other_client, path, If_None_Match=old.headers["ETag"])
            assert (again.status_code, again.body) == (304, b""), path


def paths_of_job(user_data: UserData) -> set[str]:
    """The paths that may change with the job or its children."""
    return {path.format(job=user_data.job) for path in JOB}


def test_request_without_a_change_leaves_the_revision(
    client: Api, other_client: Api, user_data: UserData, engine: Engine, user_pool: MotoUserPool
):
    client.patch(user_data.job, {"tags": ["a"], "status": "offer", "location": "Graz"})
    user_data.confirm_upload()
    client.put("/users/me/settings", {"theme": "light"})
    client.patch("/users/me/ui-preferences", {"preferences": {"a": True}})
    key = {"Idempotency-Key": f"nothing {user_data.job_id}".replace(" ", "-")}
    made = {"company_name": "x", "job_title": "y"}
    first = client.post("/jobs", made, headers=key)
    before = revision_of(engine, client)
    documents = f"{user_data.job}/documents"

    client.patch(user_data.job, {"tags": ["A ", "a"], "status": "offer", "location": " Graz "})
    client.patch(user_data.job, {})
    client.patch(
        f"{user_data.job}/interviews/{user_data.ids['interview_id']}", {"status": "scheduled"}
    )
    client.patch(f"/saved-views/{user_data.ids['view_id']}", {"name": "Mine", "data": {}})
    client.put("/users/me/settings", {"theme": "light"})
    client.put("/users/me/settings", {})
    client.patch("/users/me/ui-preferences", {"preferences": {"a": True, "b": None}})
    client.patch("/users/me/ui-preferences", {"preferences": {}})
    user_data.confirm_upload()
    assert client.post("/jobs", made, headers=key).body == first.body
    client.get(f"{documents}/{user_data.ids['document_id']}/presign-download")
    client.refused(422, "POST", "/jobs", {"company_name": "x"})
    client.refused(409, "POST", "/saved-views", {"name": "Mine", "data": {}})
    client.refused(404, "DELETE", f"{user_data.job}/history/999999999")
    client.refused(404, "DELETE", f"{user_data.job}/notes/999999")
    client.refused(412, "PATCH", user_data.job, {"location": "x"}, headers={"If-Match": '"0"'})
    client.refused(412, "DELETE", user_data.job, headers={"If-Match": '"0"'})
    client.post(
        "/auth/cognito/login", {"email": "ada@example.com", "password": PASSWORD}, status=200
    )
    for path in user_data.paths():
        send(client, path)
    UserData(other_client, "other")
    with engine.connect() as connection:
        connection.execute(text("DELETE FROM jobs"))
        connection.rollback()
    assert revision_of(engine, client) == before


def test_sign_in_with_a_changed_name_increments_the_revision(
    client: Api, user_pool: MotoUserPool, engine: Engine, committing_app: Any
):
    email = "cleo@example.com"
    cleo = client.signed_in(user_pool.user(email, "Cleo").access_token)
    old = {path: send(cleo, path) for path in ("/users/me", "/jobs", "/users/me/settings")}
    before = revision_of(engine, cleo)
    user_pool.client.admin_update_user_attributes(
        UserPoolId=user_pool.pool_id,
        Username=email,
        UserAttributes=[{"Name": "name", "Value": "Cleopatra"}],
    )
    try:
        client.post("/auth/cognito/login", {"email": email, "password": PASSWORD}, status=200)
        assert revision_of(engine, cleo) == before + 1
        for path, answer in old.items():
            again = send(cleo, path, If_None_Match=answer.headers["ETag"])
            assert again.status_code == 200
            assert (again.body == answer.body) == (path != "/users/me")
        assert cleo.get("/users/me").json["name"] == "Cleopatra"
    finally:
        user_pool.client.admin_update_user_attributes(
            UserPoolId=user_pool.pool_id,
            Username=email,
            UserAttributes=[{"Name": "name", "Value": "Cleo"}],
        )
