"""/exports: the states of exports, their limits, and what is left of them in S3."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, text

from jobtracker.documents.storage import Bucket
from jobtracker.errors import Unavailable
from jobtracker.exports import writing
from jobtracker.sweep import clean_up
from jobtracker.tasks.kinds import MAX_FAILURES
from jobtracker.tasks.runner import Outcome, Runner
from tests.common.api import Api
from tests.common.audit import entries
from tests.common.concurrency import repeat_concurrently
from tests.common.documents import Documents
from tests.common.exports import Archive, begin, download, export, objects
from tests.common.tasks import make_tasks_due, run_tasks


def test_export_goes_from_queued_to_done(
    committing_app: Any, client: Api, documents: Documents, s3: Any, bucket: str
):
    path = begin(client, documents=True)
    queued = client.get(path).json
    assert queued["state"] == "queued"
    assert queued["progress"] == {"done": 0, "total": None}
    names = ("size_bytes", "sha256", "revision", "counts")
    assert [queued[name] for name in names] == [None] * len(names)
    error = client.refused(409, "GET", f"{path}/presign-download")
    assert error["details"] == {"code": "EXPORT_QUEUED"}
    assert objects(s3, bucket) == []

    run_tasks(committing_app)
    done = client.get(path).json
    assert done["state"] == "done"
    assert done["progress"]["done"] == done["progress"]["total"] > 0
    assert done["counts"]["documents"] == 2
    assert client.get("/exports").json == [done]
    archive = Archive(download(client, path))
    assert archive.manifest["revision"] == done["revision"]
    assert len(objects(s3, bucket)) == 1


def test_etag_of_the_list_follows_the_progress(
    committing_app: Any, client: Api, documents: Documents
):
    path = begin(client)
    before = {each: client.get(each).headers["ETag"] for each in (path, "/exports")}
    run_tasks(committing_app)
    for each, etag in before.items():
        answer = client.get(each, headers={"If-None-Match": etag}, status=200)
        client.get(each, headers={"If-None-Match": answer.headers["ETag"]}, status=304)


def test_a_second_export_waits_for_the_first_or_its_deletion(
    committing_app: Any, client: Api, documents: Documents, other_client: Api
):
    first = begin(client)
    error = client.refused(409, "POST", "/exports", {"documents": True})
    assert error["details"] == {"code": "EXPORT_UNDER_WAY"}
    begin(other_client)
    client.delete(first, status=204)
    second = begin(client)
    run_tasks(committing_app)
    assert client.get(second).json["state"] == "done"
    client.get(first, status=404)
    begin(client)


def test_beginning_an_export_is_recorded(client: Api, documents: Documents):
    begin(client)
    client.refused(409, "POST", "/exports", {})
    (entry,) = entries(client)
    assert (entry["kind"], entry["current"]) == ("export_requested", True)
    assert entry["client"] is not None


def test_one_of_concurrent_posts_begins_an_export(client: Api, documents: Documents):
    statuses = repeat_concurrently(
        lambda _number: client.call("POST", "/exports", {}, status="*").status_code, times=4
    )
    # A user has two requests at once.
    assert statuses.count(202) == 1
    assert {*statuses} <= {202, 409, 429}
    assert len(client.get("/exports").json) == 1


def test_fourth_export_in_a_day_is_refused_whether_or_not_others_were_deleted(
    committing_app: Any, client: Api, documents: Documents, engine: Engine
):
    for _ in range(3):
        path = begin(client)
        run_tasks(committing_app)
        client.delete(path)
    answer = client.call("POST", "/exports", {}, status=429)
    assert 86_000 < int(answer.headers["Retry-After"]) <= 86_400
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE tasks SET created_at = created_at - interval '1 day' WHERE id = ("
                "SELECT min(id) FROM tasks)"
            )
        )
    begin(client)


def test_repeated_post_with_its_key_is_one_export(client: Api, documents: Documents):
    key = {"Idempotency-Key": "once"}
    first, again = (client.post("/exports", {}, headers=key, status=202) for _ in range(2))
    assert first.json == again.json
    assert len(client.get("/exports").json) == 1


@pytest.mark.parametrize("body", [{"documents": "yes"}, {"nope": 1}])
def test_invalid_body_is_refused(client: Api, documents: Documents, body: Any):
    client.refused(422, "POST", "/exports", body)
    assert client.get("/exports").json == []


def test_deletion_deletes_the_object(
    committing_app: Any, client: Api, documents: Documents, s3: Any, bucket: str
):
    path = begin(client)
    run_tasks(committing_app)
    client.delete(path, status=204)
    assert objects(s3, bucket) == []
    for method, each in (("GET", path), ("GET", f"{path}/presign-download"), ("DELETE", path)):
        client.call(method, each, status=404)


@pytest.mark.parametrize("method", ["upload_part", "complete_upload", "download"])
def test_deletion_during_the_export_leaves_nothing(
    committing_app: Any,
    client: Api,
    documents: Documents,
    s3: Any,
    bucket: str,
    method: str,
    monkeypatch: pytest.MonkeyPatch,
):
    path = begin(client)
    during(method, lambda: client.delete(path, status=204), monkeypatch)
    run_tasks(committing_app)
    assert client.get("/exports").json == []
    assert objects(s3, bucket) == []


def during(method: str, do: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Do something once before the first call of a method of the bucket."""
    original = getattr(Bucket, method)
    calls: list[int] = []

    def call(self: Bucket, *args: Any, **options: Any) -> Any:
        if not calls:
            calls.append(1)
            do()
        return original(self, *args, **options)

    monkeypatch.setattr(writing, "INTERVAL", 0)
    monkeypatch.setattr(Bucket, method, call)


METHODS = ["abort_uploads", "create_upload", "download", "upload_part", "complete_upload"]


@pytest.mark.parametrize("method", METHODS)
def test_failure_of_s3_postpones_the_export_and_leaves_nothing(
    committing_app: Any,
    client: Api,
    documents: Documents,
    s3: Any,
    bucket: str,
    method: str,
    monkeypatch: pytest.MonkeyPatch,
):
    def fail() -> None:
        raise Unavailable

    path = begin(client)
    during(method, fail, monkeypatch)
    run_tasks(committing_app, expected=(Outcome.POSTPONED,))
    assert objects(s3, bucket) == []
    failed = client.get(path).json
    assert failed["state"] == "queued"
    make_tasks_due(committing_app)
    run_tasks(committing_app)
    assert Archive(download(client, path)).rows("jobs")
    assert client.get(path).json["progress"]["done"] >= failed["progress"]["done"]


def test_export_that_fails_again_and_again_has_failed(
    committing_app: Any, client: Api, documents: Documents, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise Unavailable

    path = begin(client)
    monkeypatch.setattr(Bucket, "upload_part", fail)
    monkeypatch.setattr(writing, "INTERVAL", 0)
    outcomes: list[Outcome] = []
    while Outcome.FAILED not in outcomes:
        outcomes += run_tasks(committing_app, expected=(Outcome.POSTPONED, Outcome.FAILED))
        make_tasks_due(committing_app)
        assert len(outcomes) <= MAX_FAILURES
    assert client.get(path).json["state"] == "failed"
    error = client.refused(409, "GET", f"{path}/presign-download")
    assert error["details"] == {"code": "EXPORT_FAILED"}
    begin(client)  # it counts as none


def test_upload_of_a_worker_that_was_killed_is_aborted_by_the_next_attempt(
    committing_app: Any,
    client: Api,
    documents: Documents,
    s3: Any,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
):
    class Killed(BaseException):
        pass

    def kill() -> None:
        raise Killed

    path = begin(client)
    with monkeypatch.context() as patched:
        during("upload_part", kill, patched)
        patched.setattr(Bucket, "abort_upload", lambda *_arguments: None)
        with pytest.raises(Killed):
            run_tasks(committing_app)
    assert len(objects(s3, bucket)) == 1
    make_tasks_due(committing_app)
    run_tasks(committing_app)
    download(client, path)
    assert len(objects(s3, bucket)) == 1
    assert s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_stopping_worker_leaves_the_export_to_another(
    committing_app: Any,
    client: Api,
    documents: Documents,
    s3: Any,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
):
    path = begin(client)
    stopping: list[bool] = []
    during("download", lambda: stopping.append(True), monkeypatch)
    registry = committing_app.registry
    outcomes = Runner(registry, registry["db_sessions"], lambda: bool(stopping)).run_due()
    assert outcomes == {Outcome.INTERRUPTED: 1}
    assert objects(s3, bucket) == []
    run_tasks(committing_app)
    download(client, path)


def test_large_export_is_sent_in_parts(
    committing_app: Any, client: Api, documents: Documents, monkeypatch: pytest.MonkeyPatch
):
    content = os.urandom(5 * 1024 * 1024)
    for _ in range(4):
        upload = documents.presign("thank_you", size_bytes=len(content))
        documents.put(upload, content)
        documents.confirm(upload)
    parts: list[int] = []
    send = Bucket.upload_part

    def upload_part(self: Bucket, key: str, upload_id: str, number: int, data: bytes) -> str:
        parts.append(len(data))
        return send(self, key, upload_id, number, data)

    monkeypatch.setattr(Bucket, "upload_part", upload_part)
    archive = export(committing_app, client)
    assert parts[:-1] == [writing.PART, writing.PART]
    assert [data for data in archive.files.values() if len(data) == len(content)] == [content] * 4


def test_export_that_expired_is_deleted_by_the_sweeper_with_its_object(
    committing_app: Any, client: Api, documents: Documents, engine: Engine, s3: Any, bucket: str
):
    path = begin(client)
    run_tasks(committing_app)
    registry = committing_app.registry
    for shift, left in (("6 days 23 hours", 1), ("2 hours", 0)):
        with engine.begin() as connection:
            connection.execute(
                text("UPDATE exports SET expires_at = expires_at - CAST(:shift AS interval)"),
                {"shift": shift},
            )
        clean_up(registry, registry["db_sessions"])
        assert len(objects(s3, bucket)) == len(client.get("/exports").json) == left
    client.get(path, status=404)
