"""DELETE: into the trash, or for good."""

from typing import Any

import pytest
from sqlalchemy import Connection, text

from jobtracker.errors import NotFound
from jobtracker.notes.queries import NOTES
from tests.common.api import Api
from tests.common.trash_model import tree

JOB = {"company_name": "Acme", "job_title": "Engineer"}


@pytest.fixture
def paths(ada: Api) -> dict[str, str]:
    """One thing of each kind, by its table."""
    job = ada.post("/jobs", JOB).headers["Location"]
    document = {"doc_type": "resume", "filename": "cv.pdf", "size_bytes": 1}
    bodies: dict[str, tuple[str, Any]] = {
        "notes": (f"{job}/notes", {"body": "x"}),
        "interviews": (f"{job}/interviews", {"scheduled_at": "2026-11-30T13:00:00Z"}),
        "documents": (f"{job}/documents/presign-upload", document),
        "saved_views": ("/saved-views", {"name": "Mine", "data": {}}),
    }
    made = {table: ada.post(*body).headers["Location"] for table, body in bodies.items()}
    return {**made, "jobs": job}


@pytest.mark.parametrize("table", ["jobs", "notes", "interviews", "documents", "saved_views"])
@pytest.mark.parametrize(
    ("query", "reasons"),
    [
        ("", ["user"]),
        ("?permanent=false", ["user"]),
        ("?permanent=", ["user"]),
        ("?permanent=true", []),
    ],
)
def test_deleted_thing_is_404_and_in_the_trash_unless_permanently(
    ada: Api,
    bob: Api,
    paths: dict[str, str],
    connection: Connection,
    table: str,
    query: str,
    reasons: list[str],
):
    path = paths[table]
    bob.refused(404, "DELETE", path + query)
    etag = ada.get("/users/me").headers["ETag"]
    ada.delete(path + query, status=204)
    assert ada.get("/users/me").headers["ETag"] != etag
    for method in ("GET", "DELETE"):
        ada.refused(404, method, path)
    ada.refused(404, "DELETE", f"{path}?permanent=true")
    found = connection.execute(text(f"SELECT trash_reason FROM {table}")).scalars().all()  # noqa: S608
    assert found == (["purge"] if table == "jobs" and not reasons else reasons)


@pytest.mark.parametrize("value", ["1", "0", "yes", "True", "TRUE", "t", "null", "true,true"])
@pytest.mark.parametrize("table", ["jobs", "notes", "interviews", "documents", "saved_views"])
def test_invalid_permanent_answers_422_and_deletes_nothing(
    ada: Api, paths: dict[str, str], table: str, value: str
):
    path = f"{paths[table]}?permanent={value}"
    assert ada.field_errors("DELETE", path, None) == {"permanent": "bool_type"}
    ada.refused(422, "DELETE", f"{paths[table]}?permanent=true&permanent=false")
    ada.get(paths[table])


@pytest.mark.parametrize("query", ["", "?permanent=true"])
def test_if_match_of_another_version_answers_412(ada: Api, paths: dict[str, str], query: str):
    job = paths["jobs"]
    etag = ada.get(job).headers["ETag"]
    ada.patch(job, {"status": "offer"})
    ada.delete(job + query, headers={"If-Match": etag}, status=412)
    ada.delete(job + query, headers={"If-Match": ada.get(job).headers["ETag"]}, status=204)


def test_trash_and_restoration_keep_the_version_of_a_job(app: Any, ada: Api, paths: dict[str, str]):
    job = paths["jobs"]
    before = ada.get(job)
    ada.delete(job)
    with tree(app, "ada@example.com") as env:
        env["root"]["jobs"].restore(before.json["id"])
        env["commit"]()
    after = ada.get(job)
    assert after.json == before.json
    assert after.headers["ETag"] != before.headers["ETag"]
    ada.patch(job, {"status": "offer"}, headers={"If-Match": before.headers["ETag"]})


def test_permanently_deleted_job_cannot_be_restored(app: Any, ada: Api, paths: dict[str, str]):
    ada.delete(paths["notes"])
    ada.delete(f"{paths['jobs']}?permanent=true")
    job_id, note_id = (int(paths[table].rpartition("/")[2]) for table in ("jobs", "notes"))
    with tree(app, "ada@example.com") as env:
        jobs = env["root"]["jobs"]
        for operation in (
            lambda: jobs.restore(job_id),
            lambda: jobs.purge(job_id),
            lambda: jobs.find_of_trashed(NOTES, note_id),
        ):
            with pytest.raises(NotFound):
                operation()
    assert ada.get("/users/me/usage").json["jobs"]["used"] == 0
