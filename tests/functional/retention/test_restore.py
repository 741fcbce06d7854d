"""A job that the retention took, and its restoration through the API."""

import datetime
from typing import Any

from sqlalchemy import Connection, text

from jobtracker.retention import queries
from tests.common.api import Api

LISTS = ("/jobs", "/jobs/board", "/jobs/search?q=acme", "/jobs/stats/funnel", "{job}/details")


def seen(client: Api, job: str) -> list[Any]:
    found = [client.get(path.format(job=job)).json for path in LISTS]
    found[3].pop("as_of", None)
    return found


def test_restored_job_is_as_before_and_stays(app: Any, ada: Api, connection: Connection):
    body = {"company_name": "Acme", "job_title": "x", "status": "ghosted"}
    job = f"/jobs/{ada.post('/jobs', body).json['id']}"
    ada.post(f"{job}/notes", {"body": "Called."})
    ada.put("/users/me/settings", {"data_retention_days": 30})
    before, etag = seen(ada, job), ada.get(job).headers["ETag"].partition("-")[0]
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=31)
    sessions = app.registry["db_sessions"]
    assert queries.sweep(sessions, now) == 1
    ada.refused(404, "GET", job)
    assert ada.get("/jobs").json == []
    (item,) = ada.get("/trash").json
    assert (item["kind"], item["reason"]) == ("job", "retention")
    assert ada.get("/users/me/retention").json["due_jobs"] == 0
    ada.post(f"/trash/job/{item['id']}/restore")
    assert ada.get(job).headers["ETag"].partition("-")[0] == etag
    assert seen(ada, job) == before
    # It is restored now, and the sweep is in 31 days.
    assert queries.sweep(sessions, now - datetime.timedelta(days=2)) == 0
    restored_at = "UPDATE jobs SET restored_at = :at"
    connection.execute(text(restored_at), {"at": now})
    assert queries.sweep(sessions, now) == 0
    assert ada.get("/users/me/retention").json["next_at"] is not None
