"""POST /trash/{kind}/{id}/restore and DELETE /trash/{kind}/{id}."""

from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.common.api import Api
from tests.common.documents import Documents
from tests.common.tasks import run_tasks
from tests.common.trash import (
    TRASH_KINDS,
    age,
    count_rows,
    in_trash,
    listed,
    make,
    make_job,
    trash_one_of_each,
)

# No id of a bigint, and none at all.
NO_IDS = ("0", "-1", "x", str(2**63), "9" * 19, "9" * 30, "01")


@pytest.fixture
def job(ada: Api) -> str:
    return make_job(ada)


@pytest.fixture
def documents(ada: Api, s3: Any, bucket: str) -> Documents:
    made = Documents(ada, s3, bucket)
    made.clear()
    return made


@pytest.mark.parametrize("kind", TRASH_KINDS)
def test_restored_thing_is_what_it_was_and_the_answer_is_that_of_its_get(
    ada: Api, job: str, kind: str
):
    path = make(ada, job, kind)
    before = ada.get(path)
    ada.delete(path)
    ada.refused(404, "GET", path)
    answer = ada.post(f"{in_trash(kind, path)}/restore", status=200)
    assert answer.body == before.body == ada.get(path).body
    assert listed(ada) == []
    ada.refused(404, "POST", f"{in_trash(kind, path)}/restore")


def test_restored_job_has_all_that_belongs_to_it_and_its_version(ada: Api, job: str):
    paths = [make(ada, job, kind) for kind in ("note", "interview", "document")]
    before = [ada.get(path).json for path in (job, *paths)]
    version = ada.get(job).headers["ETag"].partition("-")[0]
    ada.delete(job)
    for path in paths:
        ada.refused(404, "GET", path)
    answer = ada.post(f"{in_trash('job', job)}/restore")
    assert answer.headers["ETag"].strip('"') == version.strip('"')
    assert [ada.get(path).json for path in (job, *paths)] == before
    ada.patch(job, {"tags": ["a"]}, headers={"If-Match": answer.headers["ETag"]})


@pytest.mark.parametrize("kind", ["note", "interview", "document"])
def test_restoration_below_a_job_in_the_trash_answers_409(ada: Api, job: str, kind: str):
    path = make(ada, job, kind)
    ada.delete(path)
    ada.delete(job)
    error = ada.refused(409, "POST", f"{in_trash(kind, path)}/restore")
    assert error["details"] == {"code": "PARENT_IN_TRASH"}
    ada.refused(404, "GET", path)
    assert len(listed(ada)) == 2
    ada.post(f"{in_trash('job', job)}/restore")
    ada.post(f"{in_trash(kind, path)}/restore")
    ada.get(path)


def test_restoration_to_a_place_that_is_taken_answers_409(ada: Api, documents: Documents):
    view = make(ada, documents.job_path, "saved_view")
    ada.delete(view)
    taken = make(ada, documents.job_path, "saved_view")
    first = documents.uploaded()
    documents.uploaded()  # which replaces it
    for kind, path in (("saved_view", view), ("document", f"/{first['id']}")):
        error = ada.refused(409, "POST", f"{in_trash(kind, path)}/restore")
        assert error["details"] == {"code": "PLACE_TAKEN"}, kind
    ada.delete(taken)
    ada.post(f"{in_trash('saved_view', view)}/restore")


@pytest.mark.parametrize(
    ("kind", "quota"),
    [
        ("job", "jobs"),
        ("note", "notes_per_job"),
        ("interview", "interviews_per_job"),
        ("document", "documents"),
        ("saved_view", "saved_views"),
    ],
)
def test_restoration_beyond_a_quota_answers_409(
    app: Any, ada: Api, job: str, monkeypatch: pytest.MonkeyPatch, kind: str, quota: str
):
    path = make(ada, job, kind)
    ada.delete(path)
    other = make(ada, job, kind)
    if kind == "saved_view":
        ada.patch(other, {"name": "Another"})
    limit = 2 if kind == "job" else 1
    monkeypatch.setitem(app.registry.settings, f"quotas.{quota}", limit)
    error = ada.refused(409, "POST", f"{in_trash(kind, path)}/restore")
    assert error["details"] == {"code": "QUOTA_EXCEEDED", "quota": quota, "limit": limit}


def test_idempotency_key_of_a_restoration_repeats_its_answer(ada: Api, job: str):
    note = make(ada, job, "note")
    ada.delete(note)
    key = {"Idempotency-Key": "restore"}
    first = ada.post(f"{in_trash('note', note)}/restore", headers=key)
    ada.delete(note)
    again = ada.post(f"{in_trash('note', note)}/restore", headers=key)
    assert again.body == first.body
    ada.refused(404, "GET", note)  # it was not restored again
    other = make(ada, job, "note")
    ada.delete(other)
    ada.refused(422, "POST", f"{in_trash('note', other)}/restore", headers=key)


@pytest.mark.parametrize("kind", ["note", "interview", "document", "saved_view"])
def test_deletion_for_good_leaves_nothing(ada: Api, job: str, connection: Connection, kind: str):
    path = make(ada, job, kind)
    ada.delete(path)
    activity = ada.get(f"{job}/activity").json
    last_activity = ada.get(job).json["last_activity_at"]
    answer = ada.delete(in_trash(kind, path), status=204)
    assert answer.body == b""
    ada.refused(404, "DELETE", in_trash(kind, path))
    ada.refused(404, "POST", f"{in_trash(kind, path)}/restore")
    assert listed(ada) == []
    assert count_rows(connection, f"{kind}s") == 0
    assert ada.get(f"{job}/activity").json == activity
    assert ada.get(job).json["last_activity_at"] == last_activity


def test_deletion_of_a_job_for_good_is_at_once_and_its_rows_go_with_a_task(
    app: Any, ada: Api, job: str, connection: Connection
):
    note, deleted = make(ada, job, "note"), make(ada, job, "note")
    ada.delete(deleted)
    other = make_job(ada)
    ada.delete(job)
    ada.delete(in_trash("job", job), status=204)
    assert listed(ada) == []
    for kind, path in (("job", job), ("note", note), ("note", deleted)):
        ada.refused(404, "POST", f"{in_trash(kind, path)}/restore")
        ada.refused(404, "DELETE", in_trash(kind, path))
    run_tasks(app)
    assert count_rows(connection, "notes") == 0
    assert [row["id"] for row in ada.get("/jobs").json] == [int(other[6:])]
    assert count_rows(connection, "jobs") == 1


def test_permanent_deletion_of_a_job_is_a_task_too(
    app: Any, ada: Api, job: str, connection: Connection
):
    make(ada, job, "note")
    ada.delete(f"{job}?permanent=true", status=204)
    assert listed(ada) == []
    ada.refused(404, "POST", f"{in_trash('job', job)}/restore")
    run_tasks(app)
    assert [count_rows(connection, table) for table in ("jobs", "notes", "activity")] == [0, 0, 0]


def test_objects_of_documents_are_deleted_with_them_and_not_before(
    app: Any, ada: Api, documents: Documents
):
    first, second = documents.uploaded("cover_letter"), documents.uploaded("thank_you")
    documents.uploaded("thank_you")
    for each in (first, second):
        ada.delete(f"{documents.path}/{each['id']}")
    assert len(documents.keys()) == 3
    ada.delete(f"/trash/document/{first['id']}")
    assert len(documents.keys()) == 2
    ada.delete(documents.job_path)
    assert len(documents.keys()) == 2
    ada.delete(in_trash("job", documents.job_path))
    run_tasks(app)
    assert documents.keys() == []


def test_what_is_in_no_trash_answers_404(ada: Api, bob: Api, job: str):
    note = make(ada, job, "note")  # not in the trash
    deleted = trash_one_of_each(bob, make_job(bob))
    for method, suffix in (("POST", "/restore"), ("DELETE", "")):
        ada.refused(404, method, f"{in_trash('note', note)}{suffix}")
        for kind in TRASH_KINDS:
            for number in (*NO_IDS, deleted[kind].rpartition("/")[2], "1"):
                ada.refused(404, method, f"/trash/{kind}/{number}{suffix}")
        for kind in ("contact", "notes", "Note", "trash", "1", "purge"):
            ada.refused(404, method, f"/trash/{kind}/1{suffix}")
    error = ada.refused(404, "DELETE", "/trash/saved_view/1")
    assert error["message"] == "There is no such saved view."
    assert len(listed(bob)) == len(TRASH_KINDS)


def test_methods_that_there_are_not_answer_405_or_404(ada: Api, job: str):
    note = make(ada, job, "note")
    ada.delete(note)
    ada.refused(405, "GET", in_trash("note", note))
    ada.refused(405, "GET", f"{in_trash('note', note)}/restore")
    ada.refused(405, "POST", "/trash", {})
    ada.refused(404, "GET", "/trash/note")


def test_what_is_due_can_be_restored_until_it_is_purged(ada: Api, job: str, connection: Connection):
    note = make(ada, job, "note")
    ada.delete(note)
    age(connection, days=31)
    assert len(listed(ada)) == 1
    ada.post(f"{in_trash('note', note)}/restore")
    ada.get(note)


def test_marked_job_is_not_found_by_if_match_nor_key(ada: Api, job: str, connection: Connection):
    etag = ada.get(job).headers["ETag"]
    ada.delete(job)
    connection.execute(text("UPDATE jobs SET trash_reason = 'purge'"))
    for headers in ({"If-Match": etag}, {"If-Match": "*"}, {"Idempotency-Key": "k"}):
        ada.refused(404, "POST", f"{in_trash('job', job)}/restore", headers=headers)
        ada.refused(404, "DELETE", in_trash("job", job), headers=headers)
        ada.refused(404, "DELETE", job, headers=headers)
