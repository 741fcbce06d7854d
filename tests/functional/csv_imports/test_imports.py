"""``POST /imports/csv``: what becomes of rows and duplicates."""

import csv
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from jobtracker.csv_imports.queries import BATCH
from jobtracker.imports.queries import IMPORTS, ImportRow
from tests.common.api import Api
from tests.common.concurrency import repeat_concurrently
from tests.common.csv_files import jobs_of
from tests.common.tasks import run_tasks

PATH = "/imports/csv"
HEADER = ("Company", "Title", "Applied on", "Status", "Tags", "Notes")


def table(*rows: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([HEADER, *rows])
    return text.getvalue()


def run(api: Api, *rows: Sequence[str], **options: Any) -> dict[str, Any]:
    return api.post(PATH, {"text": table(*rows), **options}, status=201).json


def counts(outcome: dict[str, Any]) -> tuple[int, int, int, int]:
    return (*(outcome[key] for key in ("created", "updated", "skipped")), len(outcome["failed"]))


def names(api: Api) -> list[tuple[str, str]]:
    return [(job["company_name"], job["status"]) for job in jobs_of(api)]


def test_rows_that_fail_do_not_stop_the_others(ada: Api):
    outcome = run(ada, ("Acme", "Dev"), ("", "Dev"), ("Globex", "Dev", "soon"), ("Hooli", "Dev"))
    assert counts(outcome) == (2, 0, 0, 2)
    assert [(each["row"], each["loc"]) for each in outcome["failed"]] == [
        (3, ["row", "company_name"]),
        (4, ["row", "applied_date"]),
    ]
    assert names(ada) == [("Acme", "applied"), ("Hooli", "applied")]


def test_import_can_be_read(ada: Api):
    response = ada.post(
        PATH, {"text": table(("Acme", "Dev"), ("", "")), "filename": "a.csv"}, status=201
    )
    shown = ada.get(response.headers["Location"]).json
    assert shown["id"] == response.json["import_id"]
    assert (shown["kind"], shown["state"], shown["filename"]) == ("csv", "done", "a.csv")
    assert shown["report"] == {"created": 1, "updated": 0, "skipped": 0, "failed": 0}
    assert shown["progress"] == {"done": 1, "total": 1}
    assert ada.get("/imports").json == [shown]


def test_applied_date_is_the_first_step_of_the_history(ada: Api):
    run(ada, ("Acme", "Dev", "2026-01-05", "interview"))
    (job,) = ada.get("/jobs").json
    steps = ada.get(f"/jobs/{job['id']}/history").json
    by_hand = ada.post(
        "/jobs",
        {
            "company_name": "Acme",
            "job_title": "Dev",
            "applied_date": "2026-01-05",
            "status": "interviewing",
        },
    ).json
    expected = ada.get(f"/jobs/{by_hand['id']}/history").json
    assert [step["status"] for step in steps] == [step["status"] for step in expected]
    first = min(steps, key=lambda step: step["at"])
    assert (first["status"], first["at"][:10]) == ("applied", "2026-01-05")


def test_activity_and_search_are_those_of_jobs_added_by_hand(ada: Api):
    run(ada, ("Acme", "Dev", "", "", "", "Sauerkraut"))
    (found,) = ada.get("/jobs/search?q=sauerkraut").json["jobs"]
    types = [each["type"] for each in ada.get(f"/jobs/{found['id']}/activity").json]
    assert sorted(types) == ["job_created", "note_added"]
    assert ada.get("/users/me/usage").json["jobs"]["used"] == 1


@pytest.mark.parametrize(
    ("row", "is_duplicate"),
    [
        (("ACME ", "dev", "2026-01-05"), True),
        (("\uff21cme", "Dev"), True),
        (("Acme", "Dev", "2026-01-06"), False),
        (("Acme", "Ops", "2026-01-05"), False),
    ],
)
def test_duplicates_have_company_and_title_and_no_other_date(
    ada: Api, row: tuple[str, ...], is_duplicate: bool
):
    run(ada, ("Acme", "Dev", "2026-01-05"))
    (job,) = ada.get("/jobs").json
    check = ada.post(f"{PATH}/check", {"text": table(row)}).json
    found = [{"row": 2, "job_id": job["id"], "of_row": None}] if is_duplicate else []
    assert check["duplicates"] == found
    assert counts(run(ada, row)) == ((0, 0, 1, 0) if is_duplicate else (1, 0, 0, 0))


def test_duplicates_within_the_file_are_skipped(ada: Api):
    rows = [("Acme", "Dev"), ("Globex", "Dev"), ("acme", "Dev", "2026-01-05")]
    check = ada.post(f"{PATH}/check", {"text": table(*rows)}).json
    assert check["duplicates"] == [{"row": 4, "job_id": None, "of_row": 2}]
    assert counts(run(ada, *rows)) == (2, 0, 1, 0)
    assert counts(run(ada, *rows)) == (0, 0, 3, 0)


def test_duplicates_are_added_all_the_same(ada: Api):
    rows = [("Acme", "Dev"), ("Acme", "Dev")]
    assert counts(run(ada, *rows, on_duplicate="add")) == (2, 0, 0, 0)
    assert counts(run(ada, *rows, on_duplicate="ADD")) == (2, 0, 0, 0)


def test_update_sets_what_the_row_has_and_keeps_the_rest(ada: Api):
    run(ada, ("Acme", "Dev", "2026-01-05", "saved", "a,b", "First"))
    outcome = run(ada, ("ACME", "Dev", "", "Offer", "", "Second"), on_duplicate="update")
    assert counts(outcome) == (0, 1, 0, 0)
    (job,) = jobs_of(ada)
    assert (job["company_name"], job["status"], job["tags"]) == ("Acme", "offer", ["a", "b"])
    assert job["applied_date"] == "2026-01-05"
    assert sorted(job["notes"]) == ["First", "Second"]


def test_update_that_changes_nothing_changes_nothing(ada: Api):
    row = ("Acme", "Dev", "2026-01-05", "Offer", "a", "Note")
    run(ada, row)
    (before,) = ada.get("/jobs").json
    assert counts(run(ada, row, on_duplicate="update")) == (0, 0, 1, 0)
    assert ada.get("/jobs").json == [before]


def test_rows_of_the_file_update_each_other(ada: Api):
    rows = [
        ("Acme", "Dev", "", "saved", "a", "One"),
        ("Acme", "Dev", "2026-01-05", "", "", "Two"),
        ("Acme", "Dev", "", "offer", "", "Two"),
    ]
    assert counts(run(ada, *rows, on_duplicate="update")) == (1, 2, 0, 0)
    (job,) = jobs_of(ada)
    assert (job["status"], job["applied_date"], job["tags"]) == ("offer", "2026-01-05", ["a"])
    assert sorted(job["notes"]) == ["One", "Two"]


def test_quota_of_jobs_refuses_the_whole_file(ada: Api, monkeypatch: pytest.MonkeyPatch, app: Any):
    monkeypatch.setitem(app.registry.settings, "quotas.jobs", 2)
    run(ada, ("Acme", "Dev"))
    error = ada.refused(409, "POST", PATH, {"text": table(("B", "Dev"), ("C", "Dev"))})
    assert error["details"]["code"] == "QUOTA_EXCEEDED"
    assert names(ada) == [("Acme", "applied")]
    assert counts(run(ada, ("B", "Dev"))) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("quota", "row", "field"),
    [
        ("notes_per_job", ("Acme", "Dev", "", "", "", "New"), "notes"),
        ("history_per_job", ("Acme", "Dev", "", "offer"), "status"),
    ],
)
def test_quota_of_a_job_fails_its_row(
    ada: Api, monkeypatch: pytest.MonkeyPatch, app: Any, quota: str, row: Any, field: str
):
    run(ada, ("Acme", "Dev", "", "", "", "Note"))
    monkeypatch.setitem(app.registry.settings, f"quotas.{quota}", 1)
    outcome = run(ada, row, ("Globex", "Dev"), on_duplicate="update")
    assert counts(outcome) == (1, 0, 0, 1)
    assert (outcome["failed"][0]["row"], outcome["failed"][0]["loc"]) == (2, ["row", field])
    assert "at most 1" in outcome["failed"][0]["msg"]


def test_same_idempotency_key_imports_once(ada: Api):
    body, key = {"text": table(("Acme", "Dev")), "on_duplicate": "add"}, {"Idempotency-Key": "k"}
    first, again = (ada.post(PATH, body, headers=key, status=201) for _ in range(2))
    assert first.body == again.body
    assert len(ada.get("/jobs").json) == 1
    assert ada.field_errors("POST", PATH, {"text": table(("B", "C"))}, headers=key)


def test_same_file_at_once_is_imported_once(client: Api):
    body = {"text": table(("Acme", "Dev"), ("Globex", "Dev"))}
    responses = repeat_concurrently(lambda _number: client.post(PATH, body, status="*"), 4)
    assert {response.status_code for response in responses} <= {201, 409}
    made = [each.json["created"] for each in responses if each.status_code == 201]
    assert sorted(made)[-1] == sum(made) == 2
    assert len(client.get("/jobs").json) == 2


def test_second_file_of_a_user_at_once_is_409_and_that_of_another_user_is_not(
    client: Api, other_client: Api, monkeypatch: pytest.MonkeyPatch
):
    for api in (client, other_client):
        api.get("/users/me")  # so that no import is also the sign-up
    is_importing, go_on = Event(), Event()
    insert = IMPORTS.insert

    def insert_first_slowly(*args: Any) -> ImportRow:
        if not is_importing.is_set():
            is_importing.set()
            assert go_on.wait(30)
        return insert(*args)

    monkeypatch.setattr(IMPORTS, "insert", insert_first_slowly)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(run, client, ("Acme", "Dev"))
        try:
            assert is_importing.wait(30)
            refused = client.post(PATH, {"text": table(("Globex", "Dev"))}, status=409)
            assert counts(run(other_client, ("Globex", "Dev"))) == (1, 0, 0, 0)
        finally:
            go_on.set()
        assert counts(first.result()) == (1, 0, 0, 0)
    assert refused.headers["Retry-After"] == "1"
    assert names(client) == [("Acme", "applied")]


def test_jobs_of_others_are_no_duplicates(ada: Api, bob: Api):
    run(bob, ("Acme", "Dev"))
    assert ada.post(f"{PATH}/check", {"text": table(("Acme", "Dev"))}).json["duplicates"] == []
    assert counts(run(ada, ("Acme", "Dev", "", "offer"), on_duplicate="update")) == (1, 0, 0, 0)
    assert names(bob) == [("Acme", "applied")]


def test_check_changes_nothing(ada: Api):
    etag = ada.get("/jobs").headers["ETag"]
    ada.post(f"{PATH}/check", {"text": table(("Acme", "Dev"))})
    assert ada.get("/jobs").headers["ETag"] == etag
    assert ada.get("/imports").json == []


def test_check_guesses_no_date(ada: Api):
    rows = [("Acme", "Dev", "03/04/2026")]
    check = ada.post(f"{PATH}/check", {"text": table(*rows)}).json
    assert check["date_formats"] == ["DD/MM/YYYY", "MM/DD/YYYY"]
    assert check["sample"][0]["applied_date"] is None
    for date_format, day in zip(check["date_formats"], ("2026-04-03", "2026-03-04"), strict=True):
        given = {"text": table(*rows), "date_format": date_format}
        check = ada.post(f"{PATH}/check", given).json
        assert (check["errors"], check["sample"][0]["applied_date"]) == ([], day)


def test_answers_of_the_check_are_those_that_the_import_takes(ada: Api):
    text = table(("Acme", "Dev", "13/04/2026", "Hm"), ("Globex", "Dev", "", "Hm "))
    check = ada.post(f"{PATH}/check", {"text": text}).json
    assert check["unknown_statuses"] == ["Hm"]
    outcome = ada.post(
        PATH,
        {
            "text": text,
            "mapping": check["mapping"],
            "statuses": dict.fromkeys(check["unknown_statuses"], "ghosted"),
            "date_format": check["date_formats"][0],
            "tz": "Europe/Vienna",
            "on_duplicate": "skip",
        },
        status=201,
    ).json
    assert counts(outcome) == (2, 0, 0, 0)
    assert names(ada) == [("Acme", "ghosted"), ("Globex", "ghosted")]


def test_notes_and_jobs_of_several_batches_belong_together(ada: Api):
    rows = [(f"C{n}", "Dev", "", "", "", f"Note {n}") for n in range(BATCH + 20)]
    assert counts(run(ada, *rows)) == (BATCH + 20, 0, 0, 0)
    jobs = jobs_of(ada)
    assert [(job["company_name"], job["notes"]) for job in jobs] == [
        (f"C{n}", [f"Note {n}"]) for n in range(BATCH + 20)
    ]


def test_undo_puts_jobs_and_notes_into_the_trash(client: Api, committing_app: Any):
    run(client, ("Globex", "Dev"))
    outcome = run(
        client,
        ("Acme", "Dev", "", "", "", "Hi"),
        ("Globex", "Dev", "", "", "", "Of the file"),
        on_duplicate="update",
    )
    assert counts(outcome) == (1, 1, 0, 0)
    client.delete(f"/imports/{outcome['import_id']}", status=202)
    run_tasks(committing_app)
    assert [(job["company_name"], job["notes"]) for job in jobs_of(client)] == [("Globex", [])]
    trash = client.get("/trash").json
    assert {(each["kind"], each["reason"]) for each in trash} == {
        ("job", "import"),
        ("note", "import"),
    }
    assert client.get(f"/imports/{outcome['import_id']}").json["state"] == "undone"
