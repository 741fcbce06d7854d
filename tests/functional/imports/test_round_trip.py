"""What was exported is imported as it was."""

from typing import Any

import pytest

from tests.common.api import Api
from tests.common.documents import Documents
from tests.common.exports import download, export
from tests.common.imports import comparable, run
from tests.common.tasks import run_tasks
from tests.common.trash import make_job, trash_one_of_each


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
