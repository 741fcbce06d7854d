"""Concurrent results of malware scans, confirmations and deletions."""

import functools
from typing import Any

import pytest
from sqlalchemy import Engine, text
from webtest import TestResponse

from jobtracker.sweep import sweep
from tests.common.api import Api
from tests.common.concurrency import run_concurrently
from tests.common.documents import Documents


def test_concurrent_results_confirmations_and_deletions_leave_one_resume(
    committing_app: Any,
    client: Api,
    engine: Engine,
    s3: Any,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(committing_app.registry.settings, "documents.malware_scan", True)
    documents = Documents(client, s3, bucket)
    documents.clear()
    clean = {"TagSet": [{"Key": "GuardDutyMalwareScanStatus", "Value": "NO_THREATS_FOUND"}]}

    def tag_all() -> None:
        keys = documents.keys()
        for key in keys:
            s3.put_object_tagging(Bucket=bucket, Key=key, Tagging=clean)

    first = documents.uploaded()
    tag_all()
    documents.download(first)
    scanned = [documents.uploaded() for _ in range(3)]
    tag_all()
    upload = documents.presign()
    documents.put(upload)

    def call(method: str, path: str, body: Any = None) -> TestResponse:
        return client.call(method, f"{documents.path}/{path}", body, status="*")

    confirmation = {"document_id": upload["document"]["id"]}
    calls = [functools.partial(call, "GET", f"{row['id']}/presign-download") for row in scanned]
    calls.append(functools.partial(call, "POST", "confirm-upload", confirmation))
    calls.append(functools.partial(call, "DELETE", str(first["id"])))
    swept = functools.partial(sweep, committing_app.registry)
    results: list[Any] = run_concurrently([*calls, swept, swept])
    statuses = {each.status_code for each in results if isinstance(each, TestResponse)}
    # A document that a newer one replaced is 404.
    assert statuses <= {200, 204, 404}
    tag_all()
    assert sweep(committing_app.registry) is None
    (left,) = documents.all()
    assert (left["id"], left["status"]) == (upload["document"]["id"], "uploaded")
    assert sweep(committing_app.registry) is None
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT object_key FROM documents")).scalars().all()
    keys = documents.keys()
    assert sorted(key for key in keys if key.startswith("documents/")) == sorted(rows)
