"""Documents: presign, upload, confirm, download, delete."""

from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from jobtracker.documents.models import Document, ObjectDeletion
from jobtracker.jobs.models import Job
from jobtracker.sweep import sweep
from tests.common.documents import CONTENT, Documents


def test_document_is_presigned_uploaded_confirmed_downloaded_and_deleted(documents: Documents):
    upload = documents.presign(content_type="application/pdf")
    pending = upload["document"]
    assert upload["upload_headers"] == {"Content-Type": "application/pdf"}
    assert upload["expires_in"] == 900
    assert pending == {
        "id": pending["id"],
        "application_id": int(documents.job_path.split("/")[-1]),
        "doc_type": "resume",
        "original_filename": "cv.pdf",
        "content_type": "application/pdf",
        "size_bytes": len(CONTENT),
        "status": "pending",
        "scan_status": "NOT_SCANNED",
        "scan_checked_at": None,
        "scan_message": None,
        "uploaded_at": None,
        "created_at": pending["created_at"],
    }
    documents.confirm(upload, status=409)
    documents.put(upload)
    confirmed = documents.confirm(upload, status=200)
    assert confirmed == {**pending, "status": "uploaded", "uploaded_at": confirmed["uploaded_at"]}
    assert documents.confirm(upload) == confirmed
    assert documents.all() == [confirmed]
    downloaded = documents.download(confirmed)
    assert downloaded.data == CONTENT
    assert downloaded.headers["Content-Type"] == "application/pdf"
    assert downloaded.headers["Content-Disposition"].startswith('attachment; filename="cv.pdf"')
    path = f"{documents.path}/{confirmed['id']}"
    documents.api.delete(f"{path}?permanent=true", status=204)
    assert documents.all() == []
    assert documents.keys() == []
    documents.api.refused(404, "GET", f"{path}/presign-download")


def test_object_of_a_document_in_the_trash_stays(documents: Documents):
    document = documents.uploaded()
    path = f"{documents.path}/{document['id']}"
    documents.api.delete(path, status=204)
    assert documents.all() == []
    assert len(documents.keys()) == 1
    documents.api.refused(404, "GET", f"{path}/presign-download")
    documents.api.refused(404, "DELETE", f"{path}?permanent=true")


def test_upload_url_signs_length_and_type(documents: Documents):
    url = documents.presign(content_type="text/plain")["upload_url"]
    assert "SignedHeaders=content-length%3Bcontent-type%3Bhost" in url
    url = documents.presign()["upload_url"]
    assert "SignedHeaders=content-length%3Bhost" in url


def test_location_of_presign_upload_is_the_document(documents: Documents):
    body = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}
    answer = documents.api.post(f"{documents.path}/presign-upload", body, status=201)
    document_id = answer.json["document"]["id"]
    assert answer.headers["Location"].endswith(f"{documents.path}/{document_id}")
    assert documents.api.get(answer.headers["Location"]).json == answer.json["document"]


def test_put_after_the_confirmation_changes_nothing(documents: Documents):
    upload = documents.presign()
    documents.put(upload)
    confirmed = documents.confirm(upload)
    documents.put(upload, b"%PDF-1.7 forged")
    assert documents.confirm(upload) == confirmed
    assert documents.download(confirmed).data == CONTENT


def test_confirmation_of_an_object_of_another_length_answers_409(documents: Documents):
    upload = documents.presign()
    documents.put(upload, CONTENT + b"!")  # moto does not check what is signed
    documents.confirm(upload, status=409)
    assert documents.all()[0]["status"] == "pending"


@pytest.mark.parametrize("doc_type", ["resume", "job_description", "cover_letter"])
def test_document_of_a_single_valued_type_is_replaced_at_confirmation(
    documents: Documents, doc_type: str, db: Session
):
    other = documents.uploaded("thank_you")
    old = documents.uploaded(doc_type)
    upload = documents.presign(doc_type)
    assert documents.download(old).data == CONTENT
    documents.put(upload)
    new = documents.confirm(upload)
    assert [document["id"] for document in documents.all()] == [new["id"], other["id"]]
    documents.api.refused(404, "GET", f"{documents.path}/{old['id']}")
    replaced = select(Document.id).where(Document.trash_reason == "replaced")
    assert db.scalars(replaced).all() == [old["id"]]
    assert len(documents.keys()) == 3


def test_documents_of_a_multi_valued_type_are_all_kept(documents: Documents):
    uploaded = [documents.uploaded("thank_you")["id"] for _ in range(3)]
    assert [document["id"] for document in documents.all()] == uploaded[::-1]


def test_sixth_pending_upload_answers_429(documents: Documents):
    uploads = [documents.presign(doc_type) for doc_type in ["resume"] * 3 + ["thank_you"] * 2]
    body = {"doc_type": "resume", "filename": "x", "size_bytes": 1}
    documents.api.refused(429, "POST", f"{documents.path}/presign-upload", body)
    assert len(documents.all()) == 5
    documents.put(uploads[0])
    documents.confirm(uploads[0])
    documents.presign()
    other = Documents(documents.api, documents.s3, documents.bucket)
    other.presign()


def test_upload_beyond_the_size_limit_answers_413(documents: Documents):
    limit = 5 * 1024 * 1024
    documents.presign(size_bytes=limit)
    for size in (limit + 1, 2**70):
        body = {"doc_type": "resume", "filename": "x", "size_bytes": size}
        documents.api.refused(413, "POST", f"{documents.path}/presign-upload", body)


@pytest.mark.parametrize(
    ("filename", "plain"),
    [
        ("cv.pdf", "cv.pdf"),
        ('my "best" cv.pdf', "my _best_ cv.pdf"),
        ("Lebenslauf für Zürich \U0001f600.pdf", "Lebenslauf f_r Z_rich _.pdf"),
        ("a\r\nSet-Cookie: x=1.pdf", "a__Set-Cookie: x=1.pdf"),
        ("..\\..\\50%; a/b.pdf", ".._.._50_; a_b.pdf"),
    ],
)
def test_content_disposition_has_the_original_filename(
    documents: Documents, filename: str, plain: str
):
    from urllib.parse import unquote

    document = documents.uploaded(filename=filename)
    assert document["original_filename"] == filename
    header = documents.download(document).headers["Content-Disposition"]
    quoted, _, encoded = header.partition("; filename*=UTF-8''")
    assert quoted == f'attachment; filename="{plain}"'
    assert unquote(encoded) == filename


def test_download_of_a_pending_document_answers_409(documents: Documents):
    pending = documents.presign()["document"]
    documents.api.refused(409, "GET", f"{documents.path}/{pending['id']}/presign-download")


def test_delete_of_a_pending_document_deletes_its_object(documents: Documents):
    upload = documents.presign()
    documents.put(upload)
    path = f"{documents.path}/{upload['document']['id']}"
    documents.api.delete(f"{path}?permanent=true", status=204)
    assert documents.keys() == []
    documents.confirm(upload, status=404)


def test_pending_document_in_the_trash_cannot_be_confirmed(documents: Documents):
    upload = documents.presign()
    documents.put(upload)
    documents.api.delete(f"{documents.path}/{upload['document']['id']}", status=204)
    documents.confirm(upload, status=404)


def test_deletion_of_the_row_of_a_job_deletes_its_objects(
    documents: Documents, db: Session, app: Any
):
    documents.uploaded("resume")
    documents.uploaded("thank_you")
    documents.put(documents.presign())
    number = len(documents.keys())
    assert number
    documents.api.delete(documents.job_path, status=204)
    sweep(app.registry)
    assert len(documents.keys()) == number
    db.execute(delete(Job))
    db.commit()
    sweep(app.registry)
    assert documents.keys() == []


def test_documents_change_last_activity_at_but_not_updated_at_of_the_job(documents: Documents):
    def job() -> dict:
        return documents.api.get(documents.job_path).json

    moments = [job()["last_activity_at"]]
    document = documents.uploaded()
    moments.append(job()["last_activity_at"])
    documents.api.delete(f"{documents.path}/{document['id']}")
    moments.append(job()["last_activity_at"])
    assert sorted(set(moments)) == moments
    assert job()["updated_at"] == job()["created_at"]


def test_object_key_is_not_in_the_response(documents: Documents):
    document = documents.uploaded()
    (key,) = documents.keys()
    assert key.split("/")[-1] not in str(document)


def test_failed_deletion_of_an_object_is_repeated(
    documents: Documents, db: Session, app: Any, monkeypatch: pytest.MonkeyPatch
):
    document = documents.uploaded()
    with monkeypatch.context() as patch:
        patch.setattr(app.registry["bucket"], "name", "no-such-bucket")
        path = f"{documents.path}/{document['id']}?permanent=true"
        documents.api.delete(path, status=204)
    assert documents.all() == []
    waiting = db.scalars(select(ObjectDeletion.object_key)).all()
    assert set(documents.keys()) <= set(waiting)
    sweep(app.registry)
    assert documents.keys() == []


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"doc_type": None}, {"doc_type": "missing"}),
        ({"doc_type": "passport"}, {"doc_type": "enum"}),
        ({"filename": ""}, {"filename": "missing"}),
        ({"filename": "x" * 256}, {"filename": "string_too_long"}),
        ({"filename": "a\0b"}, {"filename": "string_characters"}),
        ({"size_bytes": 0}, {"size_bytes": "greater_than_equal"}),
        ({"size_bytes": -1}, {"size_bytes": "greater_than_equal"}),
        ({"size_bytes": "15"}, {"size_bytes": "int_type"}),
        ({"size_bytes": True}, {"size_bytes": "int_type"}),
        ({"size_bytes": 1.5}, {"size_bytes": "int_type"}),
        ({"size_bytes": None}, {"size_bytes": "missing"}),
        ({"content_type": "pdf"}, {"content_type": "string_pattern"}),
        ({"content_type": "a/b\r\nX: y"}, {"content_type": "string_pattern"}),
        ({"content_type": "ä/b"}, {"content_type": "string_pattern"}),
        ({"key": "x"}, {"key": "extra_forbidden"}),
    ],
)
def test_presign_upload_with_an_invalid_field_answers_422(
    documents: Documents, fields: dict, wrong: dict
):
    body = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 15, **fields}
    path = f"{documents.path}/presign-upload"
    assert documents.api.field_errors("POST", path, body) == wrong
    assert documents.all() == []


@pytest.mark.parametrize(
    "content_type", ["text/plain; charset=utf-8", "application/vnd.ms-word", "", None]
)
def test_presign_upload_accepts_content_types(documents: Documents, content_type: str | None):
    document = documents.uploaded(content_type=content_type)
    assert document["content_type"] == (content_type or None)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"document_id": 0}, 404),
        ({"document_id": -5}, 404),
        ({"document_id": 2**63}, 404),
        ({"document_id": 999_999}, 404),
        ({"document_id": "1"}, 422),
        ({"document_id": None}, 422),
        ({}, 422),
        ({"document_id": 1, "size_bytes": "x"}, 422),
        ({"document_id": 1, "etag": "x"}, 422),
    ],
)
def test_confirm_upload_with_an_invalid_id_answers_404_or_422(
    documents: Documents, body: dict, status: int
):
    documents.api.refused(status, "POST", f"{documents.path}/confirm-upload", body)


def test_size_in_confirm_upload_is_ignored(documents: Documents):
    upload = documents.presign()
    body = {"document_id": upload["document"]["id"], "size_bytes": 1}
    documents.api.refused(409, "POST", f"{documents.path}/confirm-upload", body)
    documents.put(upload)
    confirmed = documents.api.post(f"{documents.path}/confirm-upload", body).json
    assert confirmed["size_bytes"] == len(CONTENT)
