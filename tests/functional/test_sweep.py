"""The sweeper: expired uploads, pending deletions of objects, expired rows."""

import datetime
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from jobtracker.db import expiry
from jobtracker.db.connections import transaction
from jobtracker.db.engine import GRACE
from jobtracker.documents import object_deletions
from jobtracker.errors import Unavailable
from jobtracker.sweep import make_sessions, sweep
from tests.common.api import Api
from tests.common.timeouts import http_request

RESUME = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}


class DocumentStore:
    """A job with documents, and their objects in the bucket."""

    def __init__(self, api: Api, s3: Any, bucket: str) -> None:
        self.api = api
        self.s3 = s3
        self.bucket = bucket
        job_id = api.post("/jobs", {"company_name": "Acme", "job_title": "x"}).json["id"]
        self.documents = f"/jobs/{job_id}/documents"

    def presign(self, uploads: bool = True) -> Any:
        upload = self.api.post(f"{self.documents}/presign-upload", RESUME).json
        if uploads:
            self.put(upload)
        return upload

    def put(self, upload: Any) -> None:
        assert http_request("PUT", upload["upload_url"], body=b"x").status == 200

    def confirm(self, upload: Any) -> None:
        body = {"document_id": upload["document"]["id"]}
        self.api.post(f"{self.documents}/confirm-upload", body)

    def objects(self) -> int:
        return self.s3.list_objects_v2(Bucket=self.bucket)["KeyCount"]

    def clear(self) -> None:
        for each in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", ()):
            self.s3.delete_object(Bucket=self.bucket, Key=each["Key"])


@pytest.fixture
def store(ada: Api, s3: Any, bucket: str) -> DocumentStore:
    made = DocumentStore(ada, s3, bucket)
    made.clear()
    return made


def shift_times(connection: Connection, **interval: int) -> None:
    """Shift all timestamps into the past."""
    past = datetime.timedelta(**interval)
    for statement in (
        "UPDATE documents SET upload_expires_at = upload_expires_at - :past",
        "UPDATE object_deletions SET repeat_until = repeat_until - :past,"
        " attempted_at = attempted_at - :past",
        "UPDATE idempotent_answers SET created_at = created_at - :past",
    ):
        connection.execute(text(statement), {"past": past})


def pending_deletions(connection: Connection) -> int:
    return connection.execute(text("SELECT count(*) FROM object_deletions")).scalar_one()


def test_sweep_deletes_expired_pending_uploads(
    app: Any, store: DocumentStore, connection: Connection, capsys: pytest.CaptureFixture[str]
):
    kept = store.presign()
    store.confirm(kept)
    store.presign()
    store.presign(uploads=False)
    # An upload can arrive while its URL is valid and an hour longer, if it began in time.
    shift_times(connection, minutes=74)
    assert sweep(app.registry) is None
    assert len(store.api.get(store.documents).json) == 3
    shift_times(connection, minutes=2)
    assert sweep(app.registry) is None
    assert "uploads given up: 2" in capsys.readouterr().out
    assert store.api.get(store.documents).json[0]["id"] == kept["document"]["id"]
    assert store.objects() == 1
    assert sweep(app.registry) is None  # with nothing left to do
    assert "uploads given up: 0" in capsys.readouterr().out


def test_sweep_deletes_objects_uploaded_after_the_deletion(
    app: Any, store: DocumentStore, connection: Connection
):
    upload = store.presign(uploads=False)
    store.api.delete(f"{store.documents}/{upload['document']['id']}?permanent=true")
    store.put(upload)  # the URL is still valid
    for _ in range(2):
        assert sweep(app.registry) is None
        assert store.objects() == 1  # as the deletion was attempted a moment ago
        shift_times(connection, minutes=10)
        assert sweep(app.registry) is None
        assert store.objects() == 0
        store.put(upload)
    assert pending_deletions(connection) == 2
    shift_times(connection, hours=2)
    assert sweep(app.registry) is None
    assert pending_deletions(connection) == 0


def test_sweep_repeats_failed_deletions(
    app: Any, store: DocumentStore, connection: Connection, monkeypatch: pytest.MonkeyPatch
):
    upload = store.presign()
    store.confirm(upload)

    def gone(_keys: Any) -> set[str]:
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(app.registry["bucket"], "delete_objects", gone)
        store.api.delete(f"{store.documents}/{upload['document']['id']}?permanent=true", status=204)
        message = sweep(app.registry)
    assert message is not None
    assert "S3 does not answer" in message
    assert store.objects() == 1
    assert sweep(app.registry) is None
    assert store.objects() == 0


def test_sweep_keeps_deletions_that_s3_refuses(
    app: Any, store: DocumentStore, connection: Connection, monkeypatch: pytest.MonkeyPatch
):
    for _ in range(2):
        upload = store.presign()
        store.api.delete(f"{store.documents}/{upload['document']['id']}?permanent=true")
    shift_times(connection, days=1)
    with monkeypatch.context() as patch:
        patch.setattr(app.registry["bucket"], "delete_objects", lambda keys: {sorted(keys)[0]})
        message = sweep(app.registry)
    assert message == "jobtracker-sweep: S3 would not delete 1 objects"
    assert pending_deletions(connection) == 1


def test_sweep_processes_more_than_one_batch(
    app: Any, store: DocumentStore, connection: Connection, monkeypatch: pytest.MonkeyPatch
):
    for limit in ("BATCH", "UPLOADS"):
        monkeypatch.setattr(object_deletions, limit, 2)
    for _ in range(3):
        store.presign()
    shift_times(connection, days=1)
    assert sweep(app.registry) is None
    assert store.objects() == 0
    shift_times(connection, hours=2)
    assert sweep(app.registry) is None
    assert pending_deletions(connection) == 0


def test_sweep_deletes_expired_idempotency_keys(
    app: Any, store: DocumentStore, connection: Connection, capsys: pytest.CaptureFixture[str]
):
    for day in range(2):
        shift_times(connection, days=day)
        job = {"company_name": "Acme", "job_title": "x"}
        store.api.post("/jobs", job, headers={"Idempotency-Key": str(day)})
    shift_times(connection, hours=1)
    sweep(app.registry)
    assert "answers forgotten: 1" in capsys.readouterr().out


def test_sweep_deletes_more_idempotency_keys_than_one_statement(
    app: Any,
    store: DocumentStore,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(expiry, "BATCH", 2)
    for number in range(5):
        job = {"company_name": "Acme", "job_title": "x"}
        store.api.post("/jobs", job, headers={"Idempotency-Key": str(number)})
    shift_times(connection, days=1)
    sweep(app.registry)
    assert "answers forgotten: 5" in capsys.readouterr().out


@pytest.fixture
def old_activity(store: DocumentStore, connection: Connection) -> None:
    """Five entries of the job, each a day older than the one before, beside that of today."""
    connection.execute(
        text("""INSERT INTO activity (user_id, application_id, type, message, created_at)
                SELECT user_id, id, 'note_added', 'Note added',
                       now() - interval '1 hour' - n * interval '1 day'
                FROM jobs, generate_series(1, 5) AS n""")
    )


def events(store: DocumentStore) -> int:
    return len(store.api.get(store.documents.replace("documents", "activity")).json)


@pytest.mark.usefixtures("old_activity")
def test_sweep_keeps_activity_for_ever_by_default(app: Any, store: DocumentStore):
    assert sweep(app.registry) is None
    assert events(store) == 6


@pytest.mark.usefixtures("old_activity")
def test_sweep_deletes_activity_older_than_the_setting_in_batches(
    app: Any,
    store: DocumentStore,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(expiry, "BATCH", 2)
    monkeypatch.setitem(app.registry.settings, "activity.days", 2)
    assert sweep(app.registry) is None
    assert "activity deleted: 4" in capsys.readouterr().out
    assert events(store) == 2


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (psycopg.errors.QueryCanceled(), "PostgreSQL: QueryCanceled; nothing is lost"),
        (Unavailable(), "S3 does not answer; all that is left waits for the next time"),
        (ValueError(), "ValueError: the log has the details"),
    ],
)
def test_part_of_the_sweep_that_fails_stops_no_other(
    app: Any,
    store: DocumentStore,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    message: str,
):
    upload = store.presign()
    store.api.delete(f"{store.documents}/{upload['document']['id']}?permanent=true")
    store.put(upload)
    shift_times(connection, minutes=10)

    def fail(*_args: Any, **_options: Any) -> Any:
        raise error

    monkeypatch.setattr(expiry.ExpiredRows, "delete", fail)
    monkeypatch.setattr(object_deletions, "delete_expired_uploads", fail)
    assert sweep(app.registry) == f"jobtracker-sweep: {message}"
    assert store.objects() == 0


def test_transactions_of_the_sweeper_have_a_time_out_of_their_own_and_the_quotas(app: Any):
    own = {
        "sweeper.statement_timeout": 77,
        "sqlalchemy.session_settings": "role",
        "quotas.activity_per_job": 5000,
    }
    sessions = make_sessions({**app.registry.settings, **own})
    names = ("statement_timeout", "jobtracker.activity_per_job")
    query = "SELECT " + ", ".join(f"current_setting('{name}', true)" for name in names)
    with transaction(sessions) as connection:
        assert connection.execute(query).fetchone() == ("77s", "5000")
        assert connection._driver.response_timeout == 77 + GRACE
    sessions.kw["bind"].dispose()


def test_concurrent_sweeps_and_confirmations_keep_rows_and_objects_consistent(
    committing_app: Any, client: Api, s3: Any, bucket: str
):
    store = DocumentStore(client, s3, bucket)
    store.clear()
    uploads = [store.presign() for _ in range(5)]
    with committing_app.registry["db_engine"].begin() as connection:
        shift_times(connection, days=1)

    def confirm(upload: Any) -> int:
        body = {"document_id": upload["document"]["id"]}
        return client.call(
            "POST", f"{store.documents}/confirm-upload", body, status="*"
        ).status_code

    with ThreadPoolExecutor(8) as threads:
        confirmed = threads.map(confirm, uploads)
        swept = [threads.submit(sweep, committing_app.registry) for _ in range(3)]
        assert set(confirmed) <= {200, 404}
        assert [each.result() for each in swept] == [None] * 3
    sweep(committing_app.registry)
    left = client.get(store.documents).json
    assert all(document["status"] == "uploaded" for document in left)
    replaced = client.get("/trash").json
    assert {each["reason"] for each in replaced} <= {"replaced"}
    assert store.objects() == len(left) + len(replaced)
