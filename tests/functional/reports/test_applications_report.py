"""The report on applications: a table for spreadsheets."""

import base64
import csv
import io
import re
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtracker.reports import csv_format, resources
from tests.common.api import Api

PATH = "/reports/applications.csv"
COLUMNS = ["date", "company", "title", "location", "how", "status", "last_contact", "steps"]


def table(api: Api, query: str = "") -> list[dict[str, str]]:
    text = api.get(f"{PATH}?{query}").body.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def add_job(api: Api, company: str, **fields: Any) -> str:
    job = {"company_name": company, "job_title": "Engineer", **fields}
    return f"/jobs/{api.post('/jobs', job).json['id']}"


def companies(rows: list[dict[str, str]]) -> list[str]:
    return [row["company"] for row in rows]


def test_row_has_what_an_office_wants(ada: Api):
    path = add_job(
        ada,
        "Acme",
        location="Vienna",
        job_url="https://acme.example/1",
        status="saved",
        applied_date="2026-01-05",
    )
    for status, day in (("interviewing", "2026-01-20"), ("rejected", "2026-02-01")):
        ada.post(f"{path}/history", {"status": status, "at": f"{day}T12:00:00Z"})
    (row,) = table(ada)
    steps = row.pop("steps")
    assert row == {
        "date": "2026-01-05",
        "company": "Acme",
        "title": "Engineer",
        "location": "Vienna",
        "how": "https://acme.example/1",
        "status": ada.get(path).json["status"],
        "last_contact": "2026-02-01",
    }
    assert steps.endswith("2026-01-20 interviewing; 2026-02-01 rejected")


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_first_and_last_times_are_in_the_report_of_any_zone(ada: Api, time: str, zone: str):
    path = add_job(ada, "Acme", last_action_at=time)
    ada.post(f"{path}/interviews", {"scheduled_at": time})
    assert companies(table(ada, f"tz={zone}")) == ["Acme"]


def test_file_is_for_spreadsheets(ada: Api):
    add_job(ada, 'Say "hi", Ltd.')
    response = ada.get(PATH)
    assert response.content_type == "text/csv"
    assert response.charset == "UTF-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="applications.csv"'
    lines = response.body.decode().split("\r\n")
    assert lines[0] == "\ufeff" + ",".join(COLUMNS)
    assert ',"Say ""hi"", Ltd.",' in lines[1]
    assert lines[2:] == [""]


def test_rows_are_in_the_order_of_their_dates(ada: Api):
    for company, day in (("b", "2026-02-02"), ("c", "2026-03-03"), ("a", "2026-01-01")):
        add_job(ada, company, applied_date=day)
    assert companies(table(ada)) == ["a", "b", "c"]


def test_period_includes_both_of_its_ends(ada: Api):
    for day in ("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"):
        add_job(ada, day, applied_date=day)
    found = companies(table(ada, "from=2026-01-02&to=2026-01-03"))
    assert found == ["2026-01-02", "2026-01-03"]
    assert table(ada, "from=2026-01-03&to=2026-01-02") == []


@pytest.mark.parametrize("query", ["status=offer,rejected", "status=offer&status=rejected"])
def test_statuses_are_separated_by_commas_or_repeated(ada: Api, query: str):
    for status in ("offer", "applied", "rejected"):
        add_job(ada, status, status=status, applied_date="2026-01-01")
    assert sorted(companies(table(ada, query))) == ["offer", "rejected"]


def test_columns_are_in_the_given_order_and_once(ada: Api):
    add_job(ada, "Acme", applied_date="2026-01-01")
    text = ada.get(f"{PATH}?columns=company,date,company").body.decode("utf-8-sig")
    assert text == "company,date\r\nAcme,2026-01-01\r\n"


@pytest.mark.parametrize("columns", ["", ",", " , "])
def test_no_columns_are_all_of_them(ada: Api, columns: str):
    assert ada.get(f"{PATH}?columns={columns}").body == ada.get(PATH).body


def test_head_has_the_headers_of_get(ada: Api):
    add_job(ada, "Acme", applied_date="2026-01-01")
    got, head = ada.get(PATH), ada.call("HEAD", PATH)
    assert head.body == b""
    for name in ("ETag", "Content-Type", "Content-Disposition"):
        assert head.headers[name] == got.headers[name]


def test_job_that_was_only_saved_is_no_application(ada: Api):
    path = add_job(ada, "Acme", status="saved")
    ada.patch(path, {"status": "archived"})
    assert table(ada) == []
    add_job(ada, "Later", status="saved", applied_date="2026-01-01")
    assert companies(table(ada)) == ["Later"]


@pytest.mark.parametrize(
    ("zone", "day"),
    [("Europe/Vienna", "2026-01-02"), ("America/New_York", "2026-01-01"), ("", "2026-01-01")],
)
def test_dates_are_those_of_the_time_zone(ada: Api, zone: str, day: str):
    path = add_job(ada, "Acme", status="saved")
    ada.post(f"{path}/history", {"status": "applied", "at": "2026-01-01T23:30:00Z"})
    (row,) = table(ada, f"tz={zone}")
    assert (row["date"], row["last_contact"], row["steps"]) == (day, day, f"{day} applied")


def test_last_contact_is_a_past_interview_that_was_not_cancelled(ada: Api):
    path = add_job(ada, "Acme", applied_date="2026-01-01", status="saved")
    for day, status in (
        ("2026-03-01", "completed"),
        ("2026-04-01", "cancelled"),
        ("2100-01-01", "scheduled"),
    ):
        ada.post(f"{path}/interviews", {"scheduled_at": f"{day}T12:00:00Z", "status": status})
    assert table(ada)[0]["last_contact"] == "2026-03-01"
    ada.patch(path, {"last_action_at": "2026-05-01T12:00:00Z"})
    assert table(ada)[0]["last_contact"] == "2026-05-01"


def test_jobs_of_others_are_not_in_it(ada: Api, bob: Api):
    add_job(bob, "Acme", applied_date="2026-01-01")
    assert table(ada) == []


def test_unchanged_report_answers_304_until_an_interview_begins(ada: Api):
    path = add_job(ada, "Acme", applied_date="2026-01-01")
    ada.post(f"{path}/interviews", {"scheduled_at": "2100-01-01T12:00:00Z"})
    etag = ada.get(PATH).headers["ETag"]
    ada.get(PATH, headers={"If-None-Match": etag}, status=304)
    assert table(ada)[0]["last_contact"] < "2100"
    # As if the time had come: the revision is the same.
    digest = etag.strip('"').partition("-")[2]
    past = {"If-None-Match": f'"1-{digest}"'}
    assert ada.get(PATH, headers=past, status=200).headers["ETag"] == etag


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday",
        "to=2026-02-30",
        "status=hired",
        "columns=salary",
        "tz=Mars/Olympus",
        "tz=../../etc/passwd",
        "tz=%00",
        "tz=Europe/Vienna&tz=UTC",
    ],
)
def test_invalid_parameter_is_refused(ada: Api, query: str):
    error = ada.refused(422, "GET", f"{PATH}?{query}")
    assert error["details"]["errors"][0]["loc"] == ["query", query.partition("=")[0]]


def test_each_page_has_the_jobs_as_they_are_then_and_holds_no_connection(
    ada: Api, app: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(resources, "PAGE", 2)
    jobs = [add_job(ada, company, applied_date="2026-01-01") for company in "abcde"]
    headers = {"Authorization": f"Bearer {ada.token}"}
    request = ada.app.RequestClass.blank(f"{PATH}?columns=company", headers=headers)
    _status, _headers, body = request.call_application(app)
    parts = iter(body)
    seen = [next(parts)]
    for path in (jobs[1], jobs[2]):
        ada.delete(path)
    ada.patch(jobs[3], {"company_name": "D", "applied_date": "2025-01-01"})
    add_job(ada, "f", applied_date="2026-01-01")
    for part in parts:
        seen.append(part)
        pool = app.registry["db_autocommit_engine"].pool
        assert pool.checkedout() == len(app.registry["db_idle_connections"])
    assert b"".join(seen).decode("utf-8-sig").split() == ["company", "a", "b", "D", "e"]


def test_outage_of_the_database_before_the_first_part_is_503(
    ada: Api, monkeypatch: pytest.MonkeyPatch
):
    add_job(ada, "Acme", applied_date="2026-01-01")

    def fail(*_arguments: Any, **_values: Any) -> None:
        raise psycopg.OperationalError

    monkeypatch.setattr(resources, "APPLICATIONS", SimpleNamespace(all=fail))
    ada.refused(503, "GET", PATH)


@pytest.mark.parametrize("start", "=+-@\uff1d\uff0b\uff0d\uff20")
def test_text_that_would_be_a_formula_begins_with_an_apostrophe(ada: Api, start: str):
    add_job(ada, f"{start}1+1", location=f"{start}A1", applied_date="2026-01-01")
    (row,) = table(ada)
    assert (row["company"], row["location"]) == (f"'{start}1+1", f"'{start}A1")


@pytest.mark.parametrize("text", ["Acme;=1+1", "Acme; +1", 'Acme;"=1+1"', "Acme\n=1+1", "a\t@b"])
def test_text_that_is_a_formula_where_semicolons_separate_cells_is_none(ada: Api, text: str):
    add_job(ada, text, applied_date="2026-01-01")
    (row,) = table(ada)
    assert not re.search(r'[;\t\n][\s"]*[=+@]', row["company"])


TEXTS = st.text(st.sampled_from(";=+-@\t\r\n '\"\uff1d\u3000a") | st.characters(codec="utf-8"))


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=2)))
def test_no_cell_is_a_formula_and_all_texts_are_kept(rows: list[list[str]]):
    text = b"".join(csv_format.encode(["a", "b"], [rows])).decode("utf-8-sig")
    cells = list(csv.reader(io.StringIO(text, newline="")))[1:]
    for cell in (cell for row in cells for cell in row):
        assert not cell.startswith(("\t", "\r", "\n"))
        for part in re.split(r"[;\t\r\n]", cell):
            assert not re.match('[\\s"]*[=+\\-@\uff1d\uff0b\uff0d\uff20]', part)
    assert [[csv_format.without_apostrophes(cell) for cell in row] for row in cells] == rows


def test_report_is_imported_as_it_was_exported(ada: Api, bob: Api):
    for number, company in enumerate(["=1+1", "'=1", "Acme; -Sub", 'Say "hi", Ltd.', "\uff20home"]):
        fields = {"location": f"@{number}", "status": "saved" if number % 2 else "offer"}
        add_job(ada, company, applied_date=f"2026-01-0{number + 1}", **fields)
    report = base64.b64encode(ada.get(PATH).body).decode()
    outcome = bob.post("/imports/csv", {"base64": report}, status=201).json
    assert (outcome["created"], outcome["failed"]) == (5, [])
    columns = "columns=date,company,title,location,how,status"
    assert table(bob, columns) == table(ada, columns)
