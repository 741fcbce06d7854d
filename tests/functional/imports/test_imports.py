"""Imports of archives that are made by hand: duplicates, documents, quotas and interruptions."""

import datetime
import functools
import itertools
from typing import Any

import pytest

from jobtracker.imports import plan, row_queries, tasks
from jobtracker.imports.job_importer import MISSING_FILE
from jobtracker.imports.queries import EXPIRED
from jobtracker.tasks.runner import Runner
from tests.common.api import Api
from tests.common.exports import export
from tests.common.import_rows import archive, document, event, interview, job, note, step, view
from tests.common.imports import check, comparable, run, run_uploaded, undo, upload
from tests.common.tasks import run_tasks

FILE = {"documents/1/cv.pdf": b"pdf"}
EVENT_OF_NOTE = event(type="note_added", message="Note added", data={"note_id": 1})


def with_document(**fields: Any) -> bytes:
    return archive(FILE, jobs=[job()], history=[step()], documents=[document(**fields)])


@pytest.fixture
def data() -> bytes:
    """Some jobs, with something below each."""
    numbers = range(1, 8)
    return archive(
        FILE,
        saved_views=[view()],
        jobs=[job(number) for number in numbers],
        history=[step(number, number) for number in numbers],
        activity=[EVENT_OF_NOTE],
        notes=[note(number, number) for number in numbers],
        documents=[document()],
    )


class TestDuplicates:
    JOB = {"company_name": "COMPANY 1", "job_title": "engineer"}

    def test_skipped_one_stays_as_it_is(self, committing_app: Any, client: Api, data: bytes):
        mine = f"/jobs/{client.post('/jobs', self.JOB).json['id']}"
        before = client.get(mine).json
        report = run(committing_app, client, data)["report"]
        assert report["duplicates"]["number"] == 1
        assert (report["made"]["jobs"], report["skipped"]["jobs"]) == (6, 1)
        assert client.get(mine).json == before

    def test_added_one_is_another_job(self, committing_app: Any, client: Api, data: bytes):
        client.post("/jobs", self.JOB)
        assert run(committing_app, client, data, "add")["report"]["made"]["jobs"] == 7
        assert len(client.get("/jobs").json) == 8

    def test_updated_one_becomes_that_of_the_file(
        self, committing_app: Any, client: Api, data: bytes
    ):
        mine = f"/jobs/{client.post('/jobs', {**self.JOB, 'status': 'offer'}).json['id']}"
        made = run(committing_app, client, data, "update")
        assert made["report"]["updated"] == {"jobs": 1}
        shown = client.get(mine).json
        assert (shown["company_name"], shown["status"]) == ("Company 1", "applied")
        assert [each["body"] for each in shown["notes"]] == ["Called."]
        assert [each["status"] for each in client.get(f"{mine}/history").json] == ["applied"]
        undo(committing_app, client, made)
        assert [f"/jobs/{each['id']}" for each in client.get("/jobs").json] == [mine]
        assert client.get(f"{mine}/notes").json == []

    def test_updated_one_becomes_one_job_of_the_file_alone(self, committing_app: Any, client: Api):
        client.post("/jobs", self.JOB)
        same = [job(number, company_name="Company 1") for number in (1, 2)]
        report = run(committing_app, client, archive(jobs=same), "update")["report"]
        assert (report["made"]["jobs"], report["updated"]) == (1, {"jobs": 1})

    def test_another_date_is_another_job(self, committing_app: Any, client: Api):
        client.post("/jobs", {**self.JOB, "applied_date": "2026-01-01"})
        data = archive(jobs=[job(applied_date="2026-02-01")], history=[step()])
        assert run(committing_app, client, data)["report"]["made"]["jobs"] == 1

    @pytest.mark.parametrize(
        ("on_duplicate", "names"),
        [("skip", ["view 1"]), ("update", ["View 1"]), ("add", ["View 1 (2)", "view 1"])],
    )
    def test_view_of_the_same_name(
        self, committing_app: Any, client: Api, on_duplicate: str, names: list[str]
    ):
        client.post("/saved-views", {"name": "view 1", "data": {"a": 1}})
        data = archive(saved_views=[view()])
        assert check(committing_app, client, data)["report"]["conflicts"]["number"] == 1
        run(committing_app, client, data, on_duplicate)
        assert sorted(each["name"] for each in client.get("/saved-views").json) == names

    def test_each_job_here_is_the_duplicate_of_one(self, committing_app: Any, client: Api):
        mine = client.post("/jobs", self.JOB).json["id"]
        jobs = [job(1), job(2, company_name="Company 1", location="Graz")]
        made = run(committing_app, client, archive(jobs=jobs), "update")["report"]
        assert (made["updated"]["jobs"], made["made"]["jobs"]) == (1, 1)
        locations = {each["id"] == mine: each["location"] for each in client.get("/jobs").json}
        assert locations == {True: None, False: "Graz"}

    def test_view_of_the_former_name_of_another_one(self, committing_app: Any, client: Api):
        run(committing_app, client, archive(saved_views=[view(1, name="A"), view(2, name="B")]))
        data = archive(saved_views=[view(1, name="C"), view(2, name="D"), view(3, name="a")])
        made = run(committing_app, client, data, "update")
        assert made["report"]["updated"] == {"saved_views": 2}
        assert sorted(each["name"] for each in client.get("/saved-views").json) == ["C", "D", "a"]

    def test_views_that_swap_their_names_keep_them(self, committing_app: Any, client: Api):
        run(committing_app, client, archive(saved_views=[view(1, name="A"), view(2, name="B")]))
        swapped = [view(1, name="B", data={"of": 1}), view(2, name="A", data={"of": 2})]
        run(committing_app, client, archive(saved_views=swapped), "update")
        views = {each["name"]: each["data"] for each in client.get("/saved-views").json}
        assert views == {"A": {"of": 1}, "B": {"of": 2}}


def test_what_is_new_below_a_job_that_is_here_is_added(committing_app: Any, client: Api):
    run(committing_app, client, archive(jobs=[job()], history=[step()], notes=[note()]))
    data = archive(
        jobs=[job()], history=[step()], notes=[note(), note(2)], interviews=[interview()]
    )
    assert run(committing_app, client, data)["report"]["made"] == {"notes": 1, "interviews": 1}
    (mine,) = client.get("/jobs").json
    assert len(client.get(f"/jobs/{mine['id']}/notes").json) == 2


def test_ids_in_the_activity_are_those_of_the_new_rows(
    committing_app: Any, client: Api, data: bytes
):
    run(committing_app, client, data)
    mine = next(each for each in client.get("/jobs").json if each["company_name"] == "Company 1")
    (only,) = client.get(f"/jobs/{mine['id']}/activity").json
    (note_of_job,) = client.get(f"/jobs/{mine['id']}/notes").json
    assert only["data"] == {"note_id": note_of_job["id"]}


def test_rows_of_several_statements_are_in_their_order(
    committing_app: Any, client: Api, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(row_queries, "MAX_INSERTED", 2)
    numbers = range(1, 6)
    notes = [note(number, body=f"{number}") for number in numbers]
    events = [
        event(number, type="note_added", message=f"{number}", data={"note_id": number})
        for number in numbers
    ]
    run(
        committing_app,
        client,
        archive(jobs=[job()], history=[step()], notes=notes, activity=events),
    )
    (mine,) = client.get("/jobs").json
    bodies = {each["id"]: each["body"] for each in client.get(f"/jobs/{mine['id']}/notes").json}
    shown = client.get(f"/jobs/{mine['id']}/activity").json
    assert [bodies[each["data"]["note_id"]] for each in shown] == [
        each["message"] for each in shown
    ]
    assert len(shown) == 5


class TestDocuments:
    def only(self, client: Api) -> dict[str, Any]:
        (mine,) = client.get("/jobs").json
        (found,) = client.get(f"/jobs/{mine['id']}/documents").json
        return dict(found)

    def test_claim_of_a_scan_is_not_believed(self, committing_app: Any, client: Api):
        run(committing_app, client, with_document(scan_status="CLEAN"))
        assert self.only(client)["scan_status"] == "NOT_SCANNED"

    def test_scanner_scans_it(
        self, committing_app: Any, client: Api, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setitem(committing_app.registry.settings, "documents.malware_scan", True)
        run(committing_app, client, with_document(scan_status="CLEAN"))
        assert (self.only(client)["status"], self.only(client)["scan_status"]) == (
            "scanning",
            "PENDING",
        )

    @pytest.mark.parametrize(
        ("status", "scan_status", "message"),
        [
            ("uploaded", "CLEAN", MISSING_FILE),
            ("scanning", "PENDING", MISSING_FILE),
            ("pending", "NOT_SCANNED", MISSING_FILE),
            ("infected", "INFECTED", "Malware was found in this file."),
            ("failed", "ERROR", "The scan failed."),
        ],
    )
    def test_one_without_its_file_says_so_unless_there_is_another_reason(
        self, committing_app: Any, client: Api, status: str, scan_status: str, message: str
    ):
        scan: dict[str, Any] = {"scan_status": scan_status, "scan_message": message}
        only = document(file=None, status=status, **scan)
        made = run(
            committing_app, client, archive(jobs=[job()], history=[step()], documents=[only])
        )
        is_infected = status == "infected"
        assert made["report"]["missing_files"] == (message == MISSING_FILE)
        found = self.only(client)
        assert found["status"] == ("infected" if is_infected else "failed")
        assert found["scan_status"] == ("INFECTED" if is_infected else "ERROR")
        assert found["scan_message"] == message

    def test_object_of_the_archive_is_deleted_at_the_end(
        self, committing_app: Any, client: Api, s3: Any, bucket: str
    ):
        run(committing_app, client, with_document())
        user = client.get("/users/me").json["id"]
        left = s3.list_objects_v2(Bucket=bucket, Prefix=f"incoming/{user}/")
        assert left["KeyCount"] == 0


@pytest.mark.parametrize(
    ("quota", "limit"),
    [
        ("jobs", 6),
        ("notes_per_job", 0),
        ("history_per_job", 0),
        ("documents", 0),
        ("document_bytes", 2),
        ("saved_views", 0),
    ],
)
def test_exceeded_quota_is_reported_before_anything_is_made(
    committing_app: Any,
    client: Api,
    data: bytes,
    monkeypatch: pytest.MonkeyPatch,
    quota: str,
    limit: int,
):
    monkeypatch.setitem(committing_app.registry.settings, f"quotas.{quota}", limit)
    made = run(committing_app, client, data)
    assert made["state"] == "failed"
    problem = made["report"]["refused"]["first"][0]
    assert (problem["code"], problem["field"]) == ("QUOTA_EXCEEDED", quota)
    assert client.get("/jobs").json == []
    monkeypatch.undo()


def test_trash_of_the_future_is_that_of_now(committing_app: Any, client: Api):
    trash: dict[str, Any] = {"trashed_at": "9999-01-05T10:00:00.000000Z", "trash_reason": "user"}
    data = archive(
        saved_views=[view(**trash)],
        jobs=[job(1), job(2, **trash)],
        history=[step(1, 1), step(2, 2)],
        notes=[note(**trash)],
    )
    assert run(committing_app, client, data)["state"] == "done"
    rows = client.get("/trash").json
    assert {row["kind"] for row in rows} == {"saved_view", "job", "note"}
    assert all(row["trashed_at"] < "9999" for row in rows)


@pytest.mark.parametrize("quota", ["jobs", "documents", "document_bytes", "saved_views"])
def test_quota_is_exceeded_by_what_was_made_since_the_check(
    committing_app: Any, client: Api, data: bytes, monkeypatch: pytest.MonkeyPatch, quota: str
):
    begin = tasks._begin

    def begin_then_make_more(task: tasks.ImportTask) -> bool:
        is_importable = begin(task)
        monkeypatch.setitem(committing_app.registry.settings, f"quotas.{quota}", 0)
        return is_importable

    monkeypatch.setattr(tasks, "_begin", begin_then_make_more)
    made = run(committing_app, client, data)
    assert made["state"] == "failed"
    problem = made["report"]["refused"]["first"][0]
    assert (problem["code"], problem["field"]) == ("QUOTA_EXCEEDED", quota)
    assert client.get("/jobs").json == []
    monkeypatch.undo()


def test_interruptions_change_nothing_about_the_result(
    committing_app: Any, client: Api, other_client: Api, data: bytes, monkeypatch: Any
):
    run(committing_app, client, data)
    monkeypatch.setattr(plan, "MAX_JOBS", 2)
    path = upload(other_client, data)
    other_client.post(f"{path}/run", {}, status=202)
    for batches in itertools.count(4):
        left = iter([False] * batches)
        registry = committing_app.registry
        is_stopping = functools.partial(next, left, True)
        Runner(registry, registry["db_sessions"], is_stopping).run_due()
        if other_client.get(path).json["state"] == "done":
            break
    assert comparable(export(committing_app, other_client)) == comparable(
        export(committing_app, client)
    )


class TestStates:
    def test_run_before_the_file_has_arrived(self, client: Api):
        body = {"filename": "x.zip", "size_bytes": 10}
        path = client.post("/imports", body).headers["Location"]
        for operation in ("check", "run"):
            client.refused(409, "POST", f"{path}/{operation}", {})

    def test_second_run(self, committing_app: Any, client: Api, data: bytes):
        made = run(committing_app, client, data)
        error = client.refused(409, "POST", f"/imports/{made['id']}/run", {})
        assert error["details"]["code"] == "IMPORT_DONE"

    def test_run_whose_task_has_failed_goes_on(self, committing_app: Any, client: Api, data: bytes):
        path = upload(client, data)
        client.post(f"{path}/run", {}, status=202)
        with committing_app.registry["db_engine"].begin() as connection:
            connection.exec_driver_sql("UPDATE tasks SET state = 'failed', finished_at = now()")
        client.refused(409, "POST", f"{path}/run", {"on_duplicate": "add"})
        assert run_uploaded(committing_app, client, path)["state"] == "done"

    @pytest.mark.parametrize(("days", "left"), [(6, 1), (8, 0)])
    def test_file_whose_check_has_failed_is_deleted_after_a_week(
        self, committing_app: Any, client: Api, data: bytes, days: int, left: int
    ):
        client.post(f"{upload(client, data)}/check", status=202)
        with committing_app.registry["db_engine"].begin() as connection:
            created_at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days)
            connection.exec_driver_sql("UPDATE imports SET created_at = %s", (created_at,))
        EXPIRED.delete(committing_app.registry["db_sessions"])
        assert len(client.get("/imports").json) == left

    def test_undo_before_the_run_makes_nothing(self, committing_app: Any, client: Api, data: bytes):
        path = upload(client, data)
        client.post(f"{path}/run", {}, status=202)
        client.delete(path, status=202)
        run_tasks(committing_app)
        assert client.get(path).json["state"] == "undone"
        assert client.get("/jobs").json == []

    def test_too_large_file(self, client: Api):
        client.refused(413, "POST", "/imports", {"filename": "x", "size_bytes": 2**31 + 1})

    def test_too_many_files(self, client: Api):
        for _ in range(5):
            client.post("/imports", {"filename": "x", "size_bytes": 1}, status=201)
        client.refused(429, "POST", "/imports", {"filename": "x", "size_bytes": 1})

    def test_changed_file_ends_the_import(self, committing_app: Any, client: Api, data: bytes):
        path = upload(client, data)
        client.post(f"{path}/run", {}, status=202)
        with committing_app.registry["db_engine"].begin() as connection:
            connection.exec_driver_sql("UPDATE imports SET etag = 'x'")
        run_tasks(committing_app)
        found = client.get(path).json
        assert found["state"] == "failed"
        assert "changed" in found["report"]["refused"]["first"][0]["message"]
