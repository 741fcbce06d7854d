"""Mistakes of the operator with S3: 503, and an error in the log that names the setting."""

import logging
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, PartialCredentialsError
from botocore.stub import Stubber
from sqlalchemy import text
from sqlalchemy.orm import Session

from jobtracker.documents.storage import Bucket
from tests.common.documents import Documents
from tests.common.timeouts import LONG_AWS_TIMEOUTS


def bucket(name: str, settings: dict[str, str]) -> Bucket:
    return Bucket(
        name,
        region=settings["s3.region"],
        endpoint_url=settings["s3.endpoint_url"],
        timeouts=LONG_AWS_TIMEOUTS,
        aws_access_key_id="x",
        aws_secret_access_key="x",
        upload_seconds=900,
        download_seconds=300,
    )


def errors(caplog: pytest.LogCaptureFixture) -> str:
    """The messages of the errors in the log."""
    records = (record for record in caplog.records if record.levelno == logging.ERROR)
    return "\n".join(record.getMessage() for record in records)


def test_bucket_that_does_not_exist_is_no_upload_that_has_not_arrived(
    documents: Documents,
    app: Any,
    settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    upload = documents.presign()
    documents.confirm(upload, status=409)
    assert errors(caplog) == ""
    monkeypatch.setitem(app.registry, "bucket", bucket("no-such-bucket", settings))
    documents.confirm(upload, status=503)
    assert "s3.bucket does not exist" in errors(caplog)


@pytest.mark.parametrize(
    ("code", "status", "setting"),
    [
        ("403", 403, "no permission for this on s3.bucket"),
        ("400", 400, "s3.region"),
        ("301", 301, "s3.region"),
        ("InvalidAccessKeyId", 403, "s3.access_key_id"),
        ("ExpiredToken", 400, "s3.access_key_id"),
        ("RequestTimeTooSkewed", 403, "the clock"),
    ],
)
def test_error_of_s3_answers_503_and_is_logged_by_the_setting(
    documents: Documents,
    app: Any,
    settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    code: str,
    status: int,
    setting: str,
):
    upload = documents.presign()
    stubbed = bucket("documents", settings)
    monkeypatch.setitem(app.registry, "bucket", stubbed)
    with Stubber(stubbed.client) as s3:
        s3.add_client_error("head_object", code, http_status_code=status)
        documents.confirm(upload, status=503)
    assert errors(caplog).startswith(f"S3 head_object: {code}: ")
    assert setting in errors(caplog)
    (document,) = documents.all()
    assert document["status"] == "pending"


@pytest.mark.parametrize(
    ("error", "setting"),
    [
        (NoCredentialsError(), "s3.access_key_id"),
        (PartialCredentialsError(provider="env", cred_var="secret"), "s3.access_key_id"),
        (EndpointConnectionError(endpoint_url="https://s3.eu-nowhere-1"), "s3.region"),
    ],
)
def test_error_of_boto_answers_503_and_is_logged_by_the_setting(
    documents: Documents,
    app: Any,
    settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    setting: str,
):
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise error

    upload = documents.presign()
    broken = bucket("documents", settings)
    for operation in ("head_object", "generate_presigned_url"):
        monkeypatch.setattr(broken.client, operation, fail)
    monkeypatch.setitem(app.registry, "bucket", broken)
    documents.confirm(upload, status=503)
    assert setting in errors(caplog)
    body = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}
    documents.api.refused(503, "POST", f"{documents.path}/presign-upload", body)
    assert len(documents.all()) == 1


def test_file_of_another_size_than_announced_answers_409(
    documents: Documents, s3: Any, db: Session
):
    upload = documents.presign()
    key = db.scalar(text("SELECT upload_key FROM documents"))
    s3.put_object(Bucket=documents.bucket, Key=key, Body=b"")
    answer = documents.confirm(upload, status=409)
    assert answer["message"] == "The file that has arrived has another size than was announced."
