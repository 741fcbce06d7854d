"""What is in the archive of an export."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from jobtracker.archive import queries
from jobtracker.archive.kinds import ARCHIVE_KINDS
from jobtracker.documents.malware_scans import TAG
from tests.common.api import Api
from tests.common.conditional import revision_of
from tests.common.documents import CONTENT, Documents
from tests.common.exports import export


def test_archive_has_all_that_the_user_stores_and_is_valid(
    committing_app: Any, client: Api, engine: Engine, filled: Documents, other_client: Api
):
    other_client.post("/jobs", {"company_name": "Others", "job_title": "x"})
    archive = export(committing_app, client)
    archive.assert_valid()
    counts = {kind.name: len(archive.rows(kind.name)) for kind in ARCHIVE_KINDS}
    assert archive.manifest["counts"] == counts
    assert all(counts.values())
    assert archive.manifest["revision"] == revision_of(engine, client)
    assert archive.manifest["missing"] == []
    (settings,), (preferences,) = archive.rows("settings"), archive.rows("preferences")
    assert (settings["theme"], settings["data_retention_days"]) == ("light", 30)
    assert preferences == {"ui_preferences": {"compact": True}}
    job, trashed = archive.rows("jobs")
    assert job["trashed_at"] is None
    assert trashed["trash_reason"] == "user"
    shown = client.get(filled.job_path).json
    assert {name: job[name] for name in shown.keys() & job.keys()} == {
        name: value for name, value in shown.items() if name in job
    }
    assert archive.rows("notes")[0]["body"] == 'Hi\u2028there,\n"Grüße" \U0001f44b'
    assert {"big": 1e300, "text": "\ufffd"} in [
        view["data"] for view in archive.rows("saved_views")
    ]
    history = client.get(f"{filled.job_path}/history").json
    assert [step["status"] for step in archive.rows("history")[: len(history)]] == [
        step["status"] for step in history
    ]
    assert b"Others" not in b"".join(archive.files.values())


def test_neither_keys_of_the_bucket_nor_addresses_nor_subs_are_in_it(
    committing_app: Any, client: Api, engine: Engine, filled: Documents
):
    archive = export(committing_app, client)
    everything = b"".join(archive.files.values())
    with engine.connect() as connection:
        keys = connection.execute(text("SELECT object_key, upload_key FROM documents")).all()
        users = connection.execute(text("SELECT cognito_sub, email FROM users")).all()
    for secret in [each for row in (*keys, *users) for each in row]:
        assert secret.encode() not in everything


def test_documents_have_their_files_with_earlier_versions_but_no_pending_ones(
    committing_app: Any, client: Api, documents: Documents
):
    archive = export(committing_app, client)
    replaced, current = archive.rows("documents")
    assert replaced["trash_reason"] == "replaced"
    assert current["original_filename"] == "../Lebenslauf: né.pdf"
    assert current["file"] == f"documents/{current['id']}/.._Lebenslauf_ né.pdf"
    assert archive.files[current["file"]] == archive.files[replaced["file"]] == CONTENT


def test_without_documents_their_rows_name_no_file(
    committing_app: Any, client: Api, documents: Documents
):
    archive = export(committing_app, client, documents=False)
    archive.assert_valid()
    assert archive.manifest["documents"] is False
    assert [row["file"] for row in archive.rows("documents")] == [None, None]
    assert all(not name.startswith("documents/") for name in archive.names)


def test_files_that_cannot_be_downloaded_are_not_in_it(
    committing_app: Any, client: Api, engine: Engine, documents: Documents
):
    with engine.begin() as connection:
        for number, status in enumerate(("scanning", "infected")):
            connection.execute(
                text(
                    "UPDATE documents SET status = :status WHERE id = "
                    "(SELECT id FROM documents ORDER BY id OFFSET :number LIMIT 1)"
                ),
                {"status": status, "number": number},
            )
    archive = export(committing_app, client)
    assert [(row["status"], row["file"]) for row in archive.rows("documents")] == [
        ("scanning", None),
        ("infected", None),
    ]
    assert all(not name.startswith("documents/") for name in archive.names)


def test_file_whose_scan_has_ended_unseen_is_in_it(
    committing_app: Any,
    client: Api,
    engine: Engine,
    s3: Any,
    bucket: str,
    documents: Documents,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(committing_app.registry.settings, "documents.malware_scan", True)
    scanned, pending = (documents.uploaded("thank_you") for _ in range(2))
    query = text("SELECT object_key FROM documents WHERE id = :id")
    with engine.connect() as connection:
        key = connection.execute(query, scanned).scalar_one()
    tags = {"TagSet": [{"Key": TAG, "Value": "NO_THREATS_FOUND"}]}
    s3.put_object_tagging(Bucket=bucket, Key=key, Tagging=tags)
    rows = {row["id"]: row for row in export(committing_app, client).rows("documents")}
    first, second = rows[scanned["id"]], rows[pending["id"]]
    assert (first["status"], first["scan_status"]) == ("uploaded", "CLEAN")
    assert first["file"] is not None
    assert (second["status"], second["file"]) == ("scanning", None)


def test_files_that_are_missing_in_s3_are_named_in_the_manifest(
    committing_app: Any, client: Api, engine: Engine, s3: Any, bucket: str, documents: Documents
):
    with engine.connect() as connection:
        key = connection.execute(text("SELECT object_key FROM documents ORDER BY id")).scalar()
    s3.delete_object(Bucket=bucket, Key=key)
    archive = export(committing_app, client)
    first, second = archive.rows("documents")
    assert archive.manifest["missing"] == [first["file"]]
    assert first["file"] not in archive.files
    assert archive.files[second["file"]] == CONTENT


def test_what_is_about_to_be_purged_is_not_in_it(
    committing_app: Any, client: Api, engine: Engine, filled: Documents
):
    kept = client.post("/jobs", {"company_name": "Other", "job_title": "x"}).json["id"]
    note = client.post(f"/jobs/{kept}/notes", {"body": "purged"}).json["id"]
    with engine.begin() as connection:
        for table, row_id in (("jobs", int(filled.job_path[6:])), ("notes", note)):
            purge = f"UPDATE {table} SET trashed_at = now(), trash_reason = 'purge' WHERE id = :id"  # noqa: S608
            connection.execute(text(purge), {"id": row_id})
    archive = export(committing_app, client)
    archive.assert_valid()
    jobs = {row["id"] for row in archive.rows("jobs")}
    assert kept in jobs
    assert int(filled.job_path[6:]) not in jobs
    for kind in ("notes", "interviews", "documents", "history", "activity"):
        assert {row["application_id"] for row in archive.rows(kind)} <= jobs
    assert archive.rows("notes") == []


def test_writes_during_the_export_are_not_in_it(
    committing_app: Any, client: Api, filled: Documents, monkeypatch: pytest.MonkeyPatch
):
    rows = queries.rows

    def read(session: Any, kind: Any, user_id: int) -> Iterator[dict[str, Any]]:
        if kind.name == "jobs":
            job = client.post("/jobs", {"company_name": "Later", "job_title": "x"}).json["id"]
            client.post(f"/jobs/{job}/notes", {"body": "later"})
            client.patch(filled.job_path, {"company_name": "Renamed"})
        return rows(session, kind, user_id)

    monkeypatch.setattr(queries, "rows", read)
    archive = export(committing_app, client)
    assert all(row["company_name"] == "Acme" for row in archive.rows("jobs"))
    assert all(row["body"] != "later" for row in archive.rows("notes"))
    assert len(archive.rows("activity")) == archive.manifest["counts"]["activity"]


def test_rows_of_jobs_are_in_the_order_of_the_jobs(
    committing_app: Any, client: Api, documents: Documents
):
    other = f"/jobs/{client.post('/jobs', {'company_name': 'x', 'job_title': 'y'}).json['id']}"
    for path in (other, documents.job_path, other, documents.job_path):
        client.post(f"{path}/notes", {"body": path})
    archive = export(committing_app, client)
    for kind in ("notes", "history", "activity", "documents"):
        keys = [(row["application_id"], row["id"]) for row in archive.rows(kind)]
        assert keys == sorted(keys)
    ids = [row["id"] for row in archive.rows("jobs")]
    assert ids == sorted(ids)


def test_source_is_the_same_in_all_exports_of_a_user_and_another_in_those_of_others(
    committing_app: Any, client: Api, other_client: Api, documents: Documents
):
    sources = [
        export(committing_app, each).manifest["source"] for each in (client, client, other_client)
    ]
    assert sources[0] == sources[1] != sources[2]


def test_new_account_has_an_archive_of_its_settings(
    committing_app: Any, client: Api, documents: Documents, other_client: Api
):
    archive = export(committing_app, other_client)
    archive.assert_valid()
    assert {kind for kind, number in archive.manifest["counts"].items() if number} == {
        *("settings", "preferences")
    }
