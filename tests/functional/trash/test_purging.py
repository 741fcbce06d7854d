"""The trash is emptied by a task, and purged by the sweeper."""

import itertools
from typing import Any

import pytest
from sqlalchemy import Connection, text

from jobtracker.documents import object_deletions
from jobtracker.errors import Unavailable
from jobtracker.metrics.backlog import read_backlog
from jobtracker.sweep import sweep
from jobtracker.tasks.runner import Outcome
from jobtracker.trash import purge_queries
from tests.common.api import Api
from tests.common.documents import Documents
from tests.common.tasks import make_tasks_due, run_tasks
from tests.common.trash import (
    TRASH_KINDS,
    age,
    count_rows,
    in_trash,
    listed,
    make,
    make_job,
    trash_one_of_each,
)

TABLES = ("notes", "interviews", "documents", "activity", "job_steps")


@pytest.fixture
def job(ada: Api) -> str:
    return make_job(ada)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge_queries, "BATCH", 2)
    monkeypatch.setattr(purge_queries, "JOBS", 2)


def counts(connection: Connection) -> dict[str, int]:
    return {table: count_rows(connection, table) for table in ("jobs", "saved_views", *TABLES)}


class TestEmptying:
    def test_answer_is_the_task_that_does_it(self, app: Any, ada: Api, job: str):
        trash_one_of_each(ada, job)
        etag = ada.get("/trash").headers["ETag"]
        answer = ada.delete("/trash", status=202)
        assert ada.get("/trash", headers={"If-None-Match": etag}, status=200).json == []
        assert answer.json["kind"] == "empty_trash"
        assert answer.json["state"] == "queued"
        assert answer.headers["Location"] == f"/tasks/{answer.json['id']}"
        assert ada.get(answer.headers["Location"]).json == answer.json
        run_tasks(app)
        done = ada.get(answer.headers["Location"]).json
        assert done["state"] == "done"
        assert done["progress"] == {"done": 5, "total": 5}
        assert done["result"] == {"purged": 5}
        assert listed(ada) == []

    def test_nothing_else_is_touched(
        self, app: Any, ada: Api, bob: Api, job: str, connection: Connection
    ):
        kept = {kind: make(ada, job, kind) for kind in TRASH_KINDS}
        ada.patch(kept["saved_view"], {"name": "Other"})
        of_bob = trash_one_of_each(bob, make_job(bob))
        before = {path: ada.get(path).json for path in (job, f"{job}/activity", *kept.values())}
        trash_one_of_each(ada, make_job(ada))
        jobs = len(ada.get("/jobs").json)
        ada.delete("/trash")
        run_tasks(app)
        assert {path: ada.get(path).json for path in before} == before
        assert len(ada.get("/jobs").json) == jobs
        assert len(listed(bob)) == len(of_bob)

    def test_what_is_to_be_deleted_is_in_the_trash_no_more(
        self, app: Any, ada: Api, bob: Api, s3: Any, bucket: str
    ):
        documents = Documents(ada, s3, bucket)
        first = documents.uploaded("resume")
        current = documents.uploaded("resume")
        versions = f"{documents.path}/{current['id']}/versions"
        paths = trash_one_of_each(ada, documents.job_path)
        below = make(ada, other := make_job(ada), "note")
        ada.delete(below)
        ada.delete(other)
        of_bob = trash_one_of_each(bob, make_job(bob))
        assert [row["id"] for row in ada.get(versions).json] == [first["id"]]
        ada.delete("/trash?kind=document&kind=job")
        # What belongs to a job is deleted with it.
        assert [kind for kind, _id in listed(ada)] == ["saved_view", "interview", "note"]
        assert ada.get("/users/me/usage").json["trash"]["count"] == 3
        assert ada.get(versions).json == []
        ada.refused(404, "POST", f"{versions}/{first['id']}/restore")
        for kind, path in (("document", paths["document"]), ("job", other), ("note", below)):
            ada.refused(404, "POST", f"{in_trash(kind, path)}/restore")
            ada.refused(404, "DELETE", in_trash(kind, path))
        ada.post(f"{in_trash('note', paths['note'])}/restore")
        assert len(listed(bob)) == len(of_bob)
        later = make(ada, documents.job_path, "document")
        ada.delete(later)
        assert listed(ada)[0] == ("document", int(later.rpartition("/")[2]))
        run_tasks(app)
        assert [kind for kind, _id in listed(ada)] == ["document", "saved_view", "interview"]

    def test_what_is_restored_or_deleted_meanwhile_is_kept(
        self, app: Any, ada: Api, job: str, connection: Connection
    ):
        restored, later = (make(ada, job, "note") for _ in range(2))
        ada.delete(restored)
        ada.delete("/trash")
        # By a request that began before.
        connection.execute(text("UPDATE notes SET trashed_at = NULL, trash_reason = NULL"))
        ada.delete(later)
        run_tasks(app)
        ada.get(restored)
        assert listed(ada) == [("note", int(later.rpartition("/")[2]))]

    def test_kinds_select_what_is_deleted(self, app: Any, ada: Api, job: str):
        trash_one_of_each(ada, job)
        ada.delete("/trash?kind=note&kind=saved_view&kind=job")
        run_tasks(app)
        assert {kind for kind, _id in listed(ada)} == {"interview", "document"}
        error = ada.refused(422, "DELETE", "/trash?kind=note&kind=x")
        assert error["details"]["errors"][0]["loc"] == ["query", "kind"]

    def test_idempotency_key_repeats_the_answer(self, app: Any, ada: Api, job: str):
        note = make(ada, job, "note")
        ada.delete(note)
        key = {"Idempotency-Key": "empty"}
        first = ada.delete("/trash", headers=key)
        run_tasks(app)
        other = make(ada, job, "note")
        ada.delete(other)
        again = ada.delete("/trash", headers=key, status=202)
        assert again.json == first.json
        assert again.headers["Location"] == first.headers["Location"]
        ada.refused(422, "DELETE", "/trash?kind=note", headers=key)
        run_tasks(app)
        assert len(listed(ada)) == 1

    def test_batches_go_on_until_all_is_deleted(
        self, app: Any, ada: Api, job: str, connection: Connection, small_batches: None
    ):
        before = counts(connection)
        jobs = [make_job(ada) for _ in range(5)]
        for each in jobs:
            for kind in ("note", "note", "note", "interview", "document"):
                make(ada, each, kind)
            ada.delete(each)
        for _ in range(5):
            ada.delete(make(ada, job, "interview"))
        answer = ada.delete("/trash")
        run_tasks(app)
        assert ada.get(answer.headers["Location"]).json["progress"] == {"done": 10, "total": 10}
        after = counts(connection)
        del before["activity"], after["activity"]  # of the job that is kept
        assert after == before

    def test_task_is_tried_again_until_s3_has_deleted_the_objects(
        self, app: Any, ada: Api, s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
    ):
        documents = Documents(ada, s3, bucket)
        documents.clear()
        documents.uploaded()
        ada.delete(documents.job_path)
        answer = ada.delete("/trash")

        def fail(_keys: Any) -> Any:
            raise Unavailable

        with monkeypatch.context() as patch:
            patch.setattr(app.registry["bucket"], "delete_objects", fail)
            run_tasks(app, expected=(Outcome.POSTPONED,))
        assert ada.get(answer.headers["Location"]).json["state"] == "queued"
        assert len(documents.keys()) == 1
        make_tasks_due(app)
        run_tasks(app)
        assert documents.keys() == []
        assert ada.get(answer.headers["Location"]).json["progress"] == {"done": 1, "total": 1}

    def test_objects_that_s3_deletes_end_the_growth_of_pauses(
        self,
        app: Any,
        ada: Api,
        s3: Any,
        bucket: str,
        connection: Connection,
        monkeypatch: pytest.MonkeyPatch,
    ):
        documents = Documents(ada, s3, bucket)
        documents.clear()
        for _ in range(6):
            documents.uploaded("thank_you")
        ada.delete(documents.job_path)
        ada.delete("/trash")
        delete, calls = app.registry["bucket"].delete_objects, itertools.count(1)

        def delete_or_fail(keys: Any) -> Any:
            if next(calls) % 2 == 0:
                raise Unavailable
            return delete(keys)

        monkeypatch.setattr(object_deletions, "BATCH", 2)
        monkeypatch.setattr(app.registry["bucket"], "delete_objects", delete_or_fail)
        seconds = text("SELECT extract(epoch FROM run_after - statement_timestamp()) FROM tasks")
        while run_tasks(app, expected=(Outcome.POSTPONED, Outcome.DONE))[Outcome.POSTPONED]:
            assert float(connection.execute(seconds).scalar_one()) <= 4
            make_tasks_due(app)
        assert documents.keys() == []
        assert next(calls) > 8


class TestSweeper:
    def test_what_is_due_is_purged_with_its_objects(
        self,
        app: Any,
        ada: Api,
        bob: Api,
        s3: Any,
        bucket: str,
        connection: Connection,
        capsys: pytest.CaptureFixture[str],
    ):
        documents = Documents(ada, s3, bucket)
        documents.clear()
        deleted = documents.uploaded()
        ada.delete(f"{documents.path}/{deleted['id']}")
        with_document = Documents(bob, s3, bucket)
        with_document.uploaded()
        bob.delete(with_document.job_path)
        trash_one_of_each(ada, documents.job_path)
        trash_one_of_each(bob, make_job(bob))
        age(connection, days=29.9)
        kept = make(ada, documents.job_path, "note")
        ada.delete(kept)
        assert sweep(app.registry) is None
        assert len(documents.keys()) == 2
        age(connection, days=0.2)
        etag = ada.get("/trash").headers["ETag"]
        assert sweep(app.registry) is None
        assert "purged from the trash: 12" in capsys.readouterr().out
        assert listed(ada) == [("note", int(kept.rpartition("/")[2]))]
        ada.get("/trash", headers={"If-None-Match": etag}, status=200)
        assert listed(bob) == []
        assert documents.keys() == []
        assert len(ada.get("/jobs").json) == 1
        assert sweep(app.registry) is None
        assert "purged from the trash: 0" in capsys.readouterr().out

    def test_period_is_the_setting(
        self, app: Any, ada: Api, job: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setitem(app.registry.settings, "trash.days", 1)
        trash_one_of_each(ada, job)
        age(connection, days=1)
        sweep(app.registry)
        assert listed(ada) == []

    @pytest.mark.parametrize("reason", ["user", "retention", "replaced", "import", "purge"])
    def test_each_reason_is_purged(
        self, app: Any, ada: Api, job: str, connection: Connection, reason: str
    ):
        trash_one_of_each(ada, job)
        for table in ("jobs", "notes"):
            update = f"UPDATE {table} SET trash_reason = :reason WHERE trashed_at IS NOT NULL"  # noqa: S608
            connection.execute(text(update), {"reason": reason})
        age(connection, days=31)
        sweep(app.registry)
        assert count_rows(connection, "notes") == 0
        assert count_rows(connection, "jobs") == 1

    def test_batches_go_on_until_all_is_purged(
        self, app: Any, ada: Api, job: str, connection: Connection, small_batches: None
    ):
        before = counts(connection)
        for _ in range(5):
            with_children = make_job(ada)
            for kind in ("note", "note", "note", "interview", "document"):
                make(ada, with_children, kind)
            ada.delete(with_children)
        for _ in range(5):
            ada.delete(make(ada, job, "document"))
        age(connection, days=31)
        assert sweep(app.registry) is None
        after = counts(connection)
        del before["activity"], after["activity"]
        assert after == before

    def test_purge_touches_nothing_of_the_job(
        self, app: Any, ada: Api, job: str, connection: Connection
    ):
        for kind in ("note", "interview", "document"):
            ada.delete(make(ada, job, kind))
        paths = (job, f"{job}/activity", f"{job}/history")
        before = [ada.get(path).json for path in paths]
        version = ada.get(job).headers["ETag"].partition("-")[0]
        age(connection, days=31)
        sweep(app.registry)
        assert [ada.get(path).json for path in paths] == before
        assert ada.get(job).headers["ETag"].partition("-")[0] == version

    def test_metric_counts_what_is_due(self, app: Any, ada: Api, job: str, connection: Connection):
        trash_one_of_each(ada, job)
        driver: Any = connection.connection.dbapi_connection
        assert read_backlog(driver, app.registry.settings)["trash"] == 0
        age(connection, days=31)
        assert read_backlog(driver, app.registry.settings)["trash"] == len(TRASH_KINDS)
