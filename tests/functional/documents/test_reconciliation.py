"""jobtracker check --after-restore: rows without their objects, and objects without rows."""

from typing import Any

import pytest
from sqlalchemy import Engine, text

from jobtracker import settings as settings_
from jobtracker.commands import check
from jobtracker.commands.checks import Result, Status
from jobtracker.data import DATA
from jobtracker.documents import reconciliation
from tests.common.api import Api
from tests.common.exports import begin, objects
from tests.common.tasks import run_tasks
from tests.common.timeouts import http_request


@pytest.fixture
def documents(client: Api, job: str, s3: Any, bucket: str) -> list[tuple[int, str]]:
    """Ids and keys of three confirmed documents; the bucket has their objects alone."""
    for each in s3.list_objects_v2(Bucket=bucket).get("Contents", ()):
        s3.delete_object(Bucket=bucket, Key=each["Key"])
    upload = {"doc_type": "thank_you", "filename": "a.txt", "size_bytes": 1}
    made = []
    for _ in range(3):
        presigned = client.post(f"{job}/documents/presign-upload", upload).json
        assert http_request("PUT", presigned["upload_url"], body=b"x").status == 200
        number = presigned["document"]["id"]
        client.post(f"{job}/documents/confirm-upload", {"document_id": number})
        made.append(number)
    client.post(f"{job}/documents/presign-upload", upload)  # pending: without an object
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="documents/")["Contents"]
    return list(zip(made, (each["Key"] for each in listed), strict=True))


def compare(settings: dict[str, str], engine: Engine) -> tuple[list[str], list[Result]]:
    """The lines of differences, and the results."""
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    typed, problems = settings_.parse({**settings, "sqlalchemy.url": url})
    found = list(check.compare(typed, problems, str(DATA / "production.ini")))
    lines = [each for each in found if isinstance(each, str)]
    return lines, [each for each in found if isinstance(each, Result)]


def test_documents_and_objects_that_agree_are_no_difference(
    documents: list[tuple[int, str]], settings: dict[str, str], engine: Engine
):
    lines, results = compare(settings, engine)
    assert lines == []
    assert {each.status for each in results} == {Status.OK}


def test_missing_objects_of_exports_are_listed_unless_they_are_not_written_yet(
    client: Api,
    documents: list[tuple[int, str]],
    committing_app: Any,
    settings: dict[str, str],
    engine: Engine,
    s3: Any,
    bucket: str,
):
    path = begin(client)
    assert compare(settings, engine)[0] == []
    run_tasks(committing_app)
    assert compare(settings, engine)[0] == []
    (key,) = objects(s3, bucket)
    s3.delete_object(Bucket=bucket, Key=key)
    (line,) = compare(settings, engine)[0]
    assert line.startswith(f"export {path.rpartition('/')[2]} of user ")
    assert line.endswith(f": no object {key}")


@pytest.mark.parametrize("batch", [1, 1000])
def test_missing_and_unreferenced_objects_are_listed(
    documents: list[tuple[int, str]],
    settings: dict[str, str],
    engine: Engine,
    s3: Any,
    bucket: str,
    batch: int,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(reconciliation, "BATCH", batch)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT id, object_key FROM documents ORDER BY id")).all()
    missing = rows[0]
    s3.delete_object(Bucket=bucket, Key=missing.object_key)
    unreferenced = ["documents/7/0", "documents/x", "incoming/9/1", "\u00fc.txt"]
    for key in unreferenced:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    lines, results = compare(settings, engine)
    assert all(each.subject != "Documents" for each in results), results
    assert sorted(line for line in lines if line.endswith("no row")) == [
        f"object {key}: no row" for key in unreferenced
    ]
    (line,) = (line for line in lines if not line.endswith("no row"))
    assert line.startswith(f"document {missing.id} of user ")
    assert line.endswith(f": no object {missing.object_key}")
    errors = [(each.subject, each.detail) for each in results if each.status is Status.ERROR]
    assert errors == [("Rows without their object", "1"), ("Objects without a row", "4")]
    # Nothing was changed.
    assert compare(settings, engine)[0] == lines
