"""What was exported is imported as it was."""

from typing import Any

import pytest

from tests.common.api import Api
from tests.common.documents import Documents
from tests.common.exports import download, export
from tests.common.imports import check, comparable, run, undo
from tests.common.tasks import run_tasks
from tests.common.trash import count_rows, make_job, trash_one_of_each

TABLES = (
    *("jobs", "notes", "interviews", "documents", "activity", "job_steps", "saved_views"),
    *("note_words", "job_words", "job_journeys", "import_sources"),
)


@pytest.fixture
def archive(committing_app: Any, client: Api, s3: Any, bucket: str) -> bytes:
    """Of an account that has something of each kind."""
    documents = Documents(client, s3, bucket)
    documents.uploaded()
    documents.uploaded(filename="a/b:ü.pdf")
    documents.uploaded("thank_you")
    job = documents.job_path
    trash_one_of_each(client, job)
    client.post(f"{job}/notes", {"body": 'Hi\u2028there\n"x" 🎉'})
    note = client.post(f"{job}/notes", {"body": "purged"}).json
    client.delete(f"{job}/notes/{note['id']}?permanent=true")
    client.patch(job, {"status": "offer", "tags": ["b", "a"], "applied_date": "2026-01-02"})
    client.post(f"{job}/history", {"status": "interviewing", "at": "2026-01-05T00:00:00Z"})
    client.post(
        f"{job}/interviews",
        {"scheduled_at": "2026-11-30T13:00:00Z", "stage": "First", "notes": "x"},
    )
    trashed = make_job(client)
    client.post(f"{trashed}/notes", {"body": "of a trashed job"})
    client.delete(trashed)
    client.put("/users/me/settings", {"theme": "light", "data_retention_days": 90})
    client.patch("/users/me/ui-preferences", {"preferences": {"a": True}})
    client.post("/saved-views", {"name": "Mine", "data": {"x": [1.5, 1e300, "é"]}})
    return make_archive(committing_app, client)


def make_archive(app: Any, api: Api) -> bytes:
    location = api.post("/exports", {}, status=202).headers["Location"]
    run_tasks(app)
    return download(api, "/exports/" + location.rpartition("/")[2])


def test_import_into_an_empty_account_is_lossless(
    committing_app: Any, client: Api, other_client: Api, archive: bytes
):
    made = run(committing_app, other_client, archive)
    assert made["state"] == "done", made
    assert made["report"]["made"]["jobs"] == 3
    before = comparable(export(committing_app, client))
    after = comparable(export(committing_app, other_client))
    for name in before:
        assert after[name] == before[name], name


def rows_of(app: Any) -> dict[str, int]:
    with app.registry["db_engine"].connect() as connection:
        return {table: count_rows(connection, table) for table in TABLES}


def test_import_twice_makes_nothing(
    committing_app: Any, client: Api, other_client: Api, archive: bytes
):
    run(committing_app, other_client, archive)
    before, trees = rows_of(committing_app), comparable(export(committing_app, other_client))
    for on_duplicate in ("skip", "add", "update"):
        again = run(committing_app, other_client, archive, on_duplicate)
        assert again["state"] == "done", again
        assert again["report"]["made"] == {}
        assert again["report"]["updated"] == {}
    assert rows_of(committing_app) == before
    assert comparable(export(committing_app, other_client)) == trees


def test_import_of_ones_own_archive_makes_nothing(committing_app: Any, client: Api, archive: bytes):
    before = rows_of(committing_app)
    for on_duplicate in ("skip", "add", "update"):
        again = run(committing_app, client, archive, on_duplicate)
        assert (again["report"]["made"], again["report"]["updated"]) == ({}, {})
    assert rows_of(committing_app) == before


def test_what_was_purged_comes_back_from_ones_own_archive(
    committing_app: Any, client: Api, archive: bytes
):
    before = comparable(export(committing_app, client))
    for job in client.get("/jobs").json:
        client.delete(f"/jobs/{job['id']}?permanent=true")
    client.delete("/trash")
    run_tasks(committing_app)
    assert run(committing_app, client, archive)["report"]["made"]["jobs"] == 3
    after = comparable(export(committing_app, client))
    assert after.pop("jobs")
    assert {name: len(rows) for name, rows in after.items()} == {
        name: len(before[name]) for name in after
    }


def test_undone_import_is_in_the_trash_and_can_be_imported_again(
    committing_app: Any, client: Api, other_client: Api, archive: bytes
):
    job = {"company_name": "Other", "job_title": "x"}
    mine = f"/jobs/{other_client.post('/jobs', job).json['id']}"
    made = run(committing_app, other_client, archive)
    trees = comparable(export(committing_app, other_client))
    undone = undo(committing_app, other_client, made)
    assert undone["state"] == "undone"
    assert [f"/jobs/{job['id']}" for job in other_client.get("/jobs").json] == [mine]
    assert other_client.get("/saved-views").json == []
    trash = other_client.get("/trash").json
    assert sorted(each["kind"] for each in trash if each["reason"] == "import") == [
        "job",
        "saved_view",
    ]
    again = run(committing_app, other_client, archive)
    assert again["report"]["made"]["jobs"] == 1  # the others are in the trash as they were
    after = comparable(export(committing_app, other_client))
    live = [row for row in after["jobs"] if row["trashed_at"] is None]
    assert live == [row for row in trees["jobs"] if row["trashed_at"] is None]


def test_check_changes_nothing_and_reports_what_is_new(
    committing_app: Any, client: Api, other_client: Api, archive: bytes
):
    make_job(other_client)
    before = rows_of(committing_app)
    report = check(committing_app, other_client, archive)["report"]
    assert rows_of(committing_app) == before
    assert report["is_importable"]
    assert report["refused"] == {"number": 0, "first": []}
    assert report["duplicates"]["number"] == 1
    assert report["new"]["saved_views"] == 2
