"""The sweeper: what never came, what waits for its deletion, what will not be given again."""

import datetime
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3
from sqlalchemy import Connection, text

from jobtracker.documents import outbox
from jobtracker.errors import Unavailable
from jobtracker.local.aws import Aws
from jobtracker.sweep import sweep
from tests.common.api import Api

RESUME = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}


class Mess:
    """A job with documents, and what the bucket holds of them."""

    def __init__(self, api: Api, aws: Aws, bucket: str) -> None:
        self.api = api
        self.s3 = aws.client("s3")
        self.bucket = bucket
        job_id = api.post("/jobs", {"company_name": "Acme", "job_title": "x"}).json["id"]
        self.documents = f"/jobs/{job_id}/documents"

    def announce(self, arrives: bool = True) -> Any:
        upload = self.api.post(f"{self.documents}/presign-upload", RESUME).json
        if arrives:
            self.put(upload)
        return upload

    def put(self, upload: Any) -> None:
        assert urllib3.request("PUT", upload["upload_url"], body=b"x").status == 200

    def confirm(self, upload: Any) -> None:
        body = {"document_id": upload["document"]["id"]}
        self.api.post(f"{self.documents}/confirm-upload", body)

    def objects(self) -> int:
        return self.s3.list_objects_v2(Bucket=self.bucket)["KeyCount"]

    def clear(self) -> None:
        for each in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", ()):
            self.s3.delete_object(Bucket=self.bucket, Key=each["Key"])


@pytest.fixture
def mess(ada: Api, aws: Aws, bucket: str) -> Mess:
    made = Mess(ada, aws, bucket)
    made.clear()
    return made


def ages(connection: Connection, **interval: int) -> None:
    """Let time pass for all that is in the database."""
    past = datetime.timedelta(**interval)
    for statement in (
        "UPDATE documents SET upload_expires_at = upload_expires_at - :past",
        "UPDATE object_deletions SET repeat_until = repeat_until - :past",
        "UPDATE idempotent_answers SET created_at = created_at - :past",
    ):
        connection.execute(text(statement), {"past": past})


def waiting(connection: Connection) -> int:
    return connection.execute(text("SELECT count(*) FROM object_deletions")).scalar_one()


def test_uploads_that_never_came(
    app: Any, mess: Mess, connection: Connection, capsys: pytest.CaptureFixture[str]
):
    kept = mess.announce()
    mess.confirm(kept)
    mess.announce()
    mess.announce(arrives=False)
    # As long as its URL holds, and an hour for an upload that is under way, it can still come.
    ages(connection, minutes=74)
    assert sweep(app.registry) is None
    assert len(mess.api.get(mess.documents).json) == 3
    ages(connection, minutes=2)
    assert sweep(app.registry) is None
    assert "uploads given up: 2" in capsys.readouterr().out
    assert mess.api.get(mess.documents).json[0]["id"] == kept["document"]["id"]
    assert mess.objects() == 1
    assert sweep(app.registry) is None  # and once more, with nothing left to do
    assert "uploads given up: 0" in capsys.readouterr().out


def test_a_put_after_the_deletion(app: Any, mess: Mess, connection: Connection):
    upload = mess.announce(arrives=False)
    mess.api.delete(f"{mess.documents}/{upload['document']['id']}")
    mess.put(upload)  # the URL still holds
    assert mess.objects() == 1
    assert sweep(app.registry) is None
    assert mess.objects() == 0
    mess.put(upload)
    assert sweep(app.registry) is None
    assert mess.objects() == 0
    assert waiting(connection) == 2
    ages(connection, hours=2)
    assert sweep(app.registry) is None
    assert waiting(connection) == 0


def test_deletions_that_failed(
    app: Any, mess: Mess, connection: Connection, monkeypatch: pytest.MonkeyPatch
):
    upload = mess.announce()
    mess.confirm(upload)

    def gone(_keys: Any) -> set[str]:
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(app.registry["bucket"], "delete", gone)
        mess.api.delete(f"{mess.documents}/{upload['document']['id']}", status=204)
        told = sweep(app.registry)
    assert told is not None
    assert "S3 does not answer" in told
    assert mess.objects() == 1
    assert sweep(app.registry) is None
    assert mess.objects() == 0


def test_what_s3_will_not_delete_stays(
    app: Any, mess: Mess, connection: Connection, monkeypatch: pytest.MonkeyPatch
):
    for _ in range(2):
        upload = mess.announce()
        mess.api.delete(f"{mess.documents}/{upload['document']['id']}")
    ages(connection, days=1)
    with monkeypatch.context() as patch:
        patch.setattr(app.registry["bucket"], "delete", lambda keys: {sorted(keys)[0]})
        told = sweep(app.registry)
    assert told == "jobtracker-sweep: S3 would not delete 1 objects"
    assert waiting(connection) == 1


def test_more_than_one_batch(
    app: Any, mess: Mess, connection: Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outbox, "MAX_DELETIONS", 2)
    for _ in range(3):
        mess.announce()
    ages(connection, days=1)
    assert sweep(app.registry) is None
    assert mess.objects() == 0
    ages(connection, hours=2)
    assert sweep(app.registry) is None
    assert waiting(connection) == 0


def test_answers_that_will_not_be_given_again(
    app: Any, mess: Mess, connection: Connection, capsys: pytest.CaptureFixture[str]
):
    for day in range(2):
        ages(connection, days=day)
        job = {"company_name": "Acme", "job_title": "x"}
        mess.api.post("/jobs", job, headers={"Idempotency-Key": str(day)})
    ages(connection, hours=1)
    sweep(app.registry)
    assert "answers forgotten: 1" in capsys.readouterr().out


def test_twice_at_once_while_users_confirm(committing_app: Any, client: Api, aws: Aws, bucket: str):
    mess = Mess(client, aws, bucket)
    mess.clear()
    uploads = [mess.announce() for _ in range(5)]
    with committing_app.registry["db_engine"].begin() as connection:
        ages(connection, days=1)

    def confirm(upload: Any) -> int:
        body = {"document_id": upload["document"]["id"]}
        return client.call("POST", f"{mess.documents}/confirm-upload", body, status="*").status_code

    with ThreadPoolExecutor(8) as threads:
        confirmed = threads.map(confirm, uploads)
        swept = [threads.submit(sweep, committing_app.registry) for _ in range(3)]
        assert set(confirmed) <= {200, 404}
        assert [each.result() for each in swept] == [None] * 3
    sweep(committing_app.registry)
    left = client.get(mess.documents).json
    assert all(document["status"] == "uploaded" for document in left)
    assert mess.objects() == len(left)
