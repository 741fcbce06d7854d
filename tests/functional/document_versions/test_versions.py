"""GET /jobs/{job_id}/documents/{document_id}/versions, and what can be done with one."""

import datetime
from typing import Any

import pytest
from sqlalchemy import Connection

from tests.common.api import Api
from tests.common.documents import CONTENT, Documents
from tests.common.pagination import assert_field_refused, cursor_from, walk, with_cursor
from tests.common.timeouts import http_request
from tests.common.trash import age, listed


@pytest.fixture
def documents(ada: Api, s3: Any, bucket: str) -> Documents:
    made = Documents(ada, s3, bucket)
    made.clear()
    return made


@pytest.fixture
def versions(documents: Documents) -> list[dict]:
    """Three resumes, the last of which is the current one."""
    made = []
    for number in range(3):
        upload = documents.presign(filename=f"cv-{number}.pdf", size_bytes=len(CONTENT) + 1)
        documents.put(upload, CONTENT + str(number).encode())
        made.append(documents.confirm(upload))
    return made


def path_of(documents: Documents, document: dict, version: dict | None = None) -> str:
    path = f"{documents.path}/{document['id']}/versions"
    return path if version is None else f"{path}/{version['id']}"


def ids(rows: list[dict]) -> list[int]:
    return [row["id"] for row in rows]


def test_versions_are_what_the_document_was_latest_first(
    documents: Documents, versions: list[dict]
):
    first, second, current = versions
    rows = documents.api.get(path_of(documents, current)).json
    assert ids(rows) == [second["id"], first["id"]]
    for row, before in zip(rows, (second, first), strict=True):
        replaced, purged = (
            datetime.datetime.fromisoformat(row.pop(name)) for name in ("replaced_at", "purge_at")
        )
        assert purged - replaced == datetime.timedelta(days=30)
        assert row == before
    assert ids(documents.all()) == [current["id"]]
    assert [each for each in listed(documents.api) if each[0] == "document"] == [
        ("document", second["id"]),
        ("document", first["id"]),
    ]


def test_version_is_downloaded_under_its_own_name(documents: Documents, versions: list[dict]):
    first, _second, current = versions
    answer = documents.api.get(f"{path_of(documents, current, first)}/presign-download")
    assert "ETag" not in answer.headers
    assert answer.json["expires_in"] > 0
    file = http_request("GET", answer.json["download_url"])
    assert file.data == CONTENT + b"0"
    assert "cv-0.pdf" in file.headers["Content-Disposition"]


def test_restored_version_is_the_current_document_and_replaces_the_one_of_before(
    documents: Documents, versions: list[dict]
):
    first, second, current = versions
    api = documents.api
    before = api.get(documents.job_path).json["last_activity_at"]
    answer = api.post(f"{path_of(documents, current, first)}/restore", status=200)
    assert answer.json == first
    assert documents.all() == [first]
    assert documents.download(first).data == CONTENT + b"0"
    api.refused(404, "GET", f"{documents.path}/{current['id']}")
    api.refused(404, "POST", f"{path_of(documents, current, first)}/restore")
    assert ids(api.get(path_of(documents, first)).json) == [current["id"], second["id"]]
    # The activity is that of an upload.
    events = [
        (event["type"], event["data"]["document_id"])
        for event in api.get(f"{documents.job_path}/activity?limit=2").json
    ]
    assert events == [("document_uploaded", first["id"]), ("document_deleted", current["id"])]
    assert api.get(documents.job_path).json["last_activity_at"] > before
    # And back.
    api.post(f"{path_of(documents, first, current)}/restore")
    assert documents.all() == [current]
    assert len(documents.keys()) == 3


def test_uploaded_document_replaces_a_restored_one(documents: Documents, versions: list[dict]):
    first, second, current = versions
    documents.api.post(f"{path_of(documents, current, first)}/restore")
    newest = documents.uploaded()
    assert ids(documents.all()) == [newest["id"]]
    rows = documents.api.get(path_of(documents, newest)).json
    assert ids(rows) == [first["id"], current["id"], second["id"]]


def test_pending_upload_has_the_versions_of_its_type(documents: Documents, versions: list[dict]):
    pending = documents.presign()["document"]
    first, second, current = versions
    rows = documents.api.get(path_of(documents, pending)).json
    assert ids(rows) == [second["id"], first["id"]]
    documents.api.post(f"{path_of(documents, pending, first)}/restore")
    assert set(ids(documents.all())) == {pending["id"], first["id"]}
    rows = documents.api.get(path_of(documents, pending)).json
    assert ids(rows) == [current["id"], second["id"]]


def test_type_of_which_there_can_be_several_has_no_versions(documents: Documents):
    for _ in range(2):
        document = documents.uploaded("thank_you")
    deleted = documents.uploaded("thank_you")
    documents.api.delete(f"{documents.path}/{deleted['id']}")
    assert documents.api.get(path_of(documents, document)).json == []


def test_what_the_user_deleted_is_no_version(documents: Documents):
    deleted = documents.uploaded()
    documents.api.delete(f"{documents.path}/{deleted['id']}")
    current = documents.uploaded()
    assert documents.api.get(path_of(documents, current)).json == []
    path = path_of(documents, current, deleted)
    documents.api.refused(404, "GET", f"{path}/presign-download")
    documents.api.refused(404, "POST", f"{path}/restore")


def test_versions_of_other_types_and_jobs_and_users_are_404(
    documents: Documents, versions: list[dict], bob: Api, s3: Any, bucket: str
):
    letter = documents.uploaded("cover_letter")
    other_job, of_bob = Documents(documents.api, s3, bucket), Documents(bob, s3, bucket)
    for store, document in (
        (documents, letter),
        (other_job, other_job.uploaded()),
        (of_bob, of_bob.uploaded()),
    ):
        assert store.api.get(path_of(store, document)).json == []
        path = path_of(store, document, versions[0])
        error = store.api.refused(404, "GET", f"{path}/presign-download")
        assert error["message"] == "There is no such version of the document."
        store.api.refused(404, "POST", f"{path}/restore")
    for wrong in ("0", "x", str(2**63)):
        path = f"{path_of(documents, versions[2])}/{wrong}"
        documents.api.refused(404, "GET", f"{path}/presign-download")
        documents.api.refused(404, "POST", f"{path}/restore")


def test_versions_go_with_their_job_and_come_back_with_it(
    documents: Documents, versions: list[dict]
):
    path = path_of(documents, versions[2])
    before = documents.api.get(path).json
    documents.api.delete(documents.job_path)
    documents.api.refused(404, "GET", path)
    documents.api.post(f"/trash/job/{documents.job_path[6:]}/restore")
    assert documents.api.get(path).json == before


def test_list_has_pages_and_an_etag(documents: Documents, versions: list[dict]):
    api = documents.api
    path = path_of(documents, versions[2])
    assert walk(api, f"{path}?limit=1") == [versions[1]["id"], versions[0]["id"]]
    cursor = cursor_from(api, f"{path}?limit=1")
    assert_field_refused(api, with_cursor(documents.path, cursor), "cursor")
    assert_field_refused(api, f"{path}?limit=0", "limit")
    etag = api.get(path).headers["ETag"]
    api.call("GET", path, headers={"If-None-Match": etag}, status=304)
    documents.uploaded()
    api.refused(404, "GET", path, headers={"If-None-Match": etag})


def test_idempotency_key_of_a_restoration_repeats_its_answer(
    documents: Documents, versions: list[dict]
):
    first, _second, current = versions
    key = {"Idempotency-Key": "version"}
    path = f"{path_of(documents, current, first)}/restore"
    made = documents.api.post(path, headers=key)
    # The path leads to nothing now: its document is a version.
    documents.api.refused(404, "POST", path)
    assert documents.api.post(path, headers=key).body == made.body
    documents.api.post(f"{path_of(documents, first, current)}/restore")
    assert documents.api.post(path, headers=key).body == made.body
    assert documents.all() == [current]


def test_quota_of_documents_holds_where_no_document_is_replaced(
    app: Any, documents: Documents, versions: list[dict], monkeypatch: pytest.MonkeyPatch
):
    first, _second, current = versions
    letter = documents.uploaded("cover_letter")
    pending = documents.presign()["document"]
    monkeypatch.setitem(app.registry.settings, "quotas.documents", 3)
    # In place of the current one.
    documents.api.post(f"{path_of(documents, current, first)}/restore")
    documents.api.delete(f"{documents.path}/{first['id']}")
    monkeypatch.setitem(app.registry.settings, "quotas.documents", 2)
    path = f"{path_of(documents, pending, current)}/restore"
    error = documents.api.refused(409, "POST", path)
    assert error["details"]["code"] == "QUOTA_EXCEEDED"
    documents.api.delete(f"{documents.path}/{letter['id']}")
    documents.api.post(path)


def test_version_is_purged_with_its_object(
    app: Any, documents: Documents, versions: list[dict], connection: Connection
):
    first, second, current = versions
    documents.api.delete(f"/trash/document/{first['id']}")
    assert ids(documents.api.get(path_of(documents, current)).json) == [second["id"]]
    assert len(documents.keys()) == 2
    age(connection, days=1)
    assert ids(documents.api.get(path_of(documents, current)).json) == [second["id"]]
