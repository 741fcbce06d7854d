"""Broken and hostile files, each with the error that is expected of it."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from jobtracker.csv_imports.tables import MAX_BYTES
from tests.common.api import Api
from tests.common.csv_files import jobs_of

INVALID = Path(__file__).parent / "files" / "invalid"
NAMES = sorted(path.stem for path in INVALID.glob("*.csv"))


def load(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The body of a request, and what is expected."""
    data = (INVALID / f"{name}.csv").read_bytes()
    expected = json.loads((INVALID / f"{name}.json").read_text())
    if read_as := expected.get("read_as"):  # as a browser reads what is in another encoding
        given = {"text": data.decode(read_as, "replace")}
    else:
        given = {"base64": base64.b64encode(data).decode()}
    return {**given, **expected.get("request", {})}, expected


def test_there_are_as_many_files_as_promised():
    assert len(NAMES) >= 30


@pytest.mark.parametrize("name", NAMES)
def test_file_has_the_expected_error_and_the_check_reports_it(ada: Api, name: str):
    body, expected = load(name)
    check = ada.post("/imports/csv/check", body, status="*")
    if check.status_code == 422:
        assert check.json["message"] == expected["message"]
    elif "failed" in expected:
        errors = [each for each in check.json["errors"] if each in expected["failed"]]
        assert errors == expected["failed"]
    else:
        loc = ["body", expected["field"]]
        error = {"row": None, "loc": loc, "msg": expected["message"]}
        assert error in check.json["errors"]

    if "failed" in expected:
        outcome = ada.post("/imports/csv", body, status=201).json
        assert outcome["failed"] == expected["failed"]
        assert outcome["created"] == len(jobs_of(ada)) == expected["created"]
        return
    error = ada.refused(422, "POST", "/imports/csv", body)
    assert error["message"] == expected["message"]
    assert error["details"]["errors"][0]["loc"] == ["body", expected["field"]]
    assert ada.get("/jobs").json == []


@pytest.mark.parametrize("key", ["text", "base64"])
def test_file_above_the_limit_is_413(ada: Api, key: str):
    text = "Company,Title\n" + "x" * MAX_BYTES
    given = text if key == "text" else base64.b64encode(text.encode()).decode()
    ada.refused(413, "POST", "/imports/csv", {key: given})


@pytest.mark.parametrize("character", ['"', ",", "\n", "\r", "'", "=", ";,\t|", '"\n', "\\", "é"])
def test_one_character_a_million_times_is_refused_or_read(ada: Api, character: str):
    count = MAX_BYTES // len(character.encode())
    for text in (character * count, f"Company,Title\nAcme,{character * (count - 20)}\n"):
        response = ada.post("/imports/csv", {"text": text}, status="*")
        assert response.status_code in (201, 422)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": None}, "text"),
        ({"text": "a", "base64": "YQ=="}, "text"),
        ({"text": 1}, "text"),
        ({"text": "Company,Title\n\ud800,x"}, "text"),
        ({"base64": "not base64!"}, "base64"),
        ({"base64": "YQ"}, "base64"),
        ({"text": "a", "mapping": ["company_name"]}, "mapping"),
        ({"text": "a", "mapping": {"a": "salary"}}, "mapping"),
        ({"text": "a", "mapping": {"a": 1}}, "mapping"),
        ({"text": "a", "statuses": {"Hm": "hired"}}, "statuses"),
        ({"text": "a", "date_format": "YYYY"}, "date_format"),
        ({"text": "a", "date_format": "DD/DD/YYYY"}, "date_format"),
        ({"text": "a", "date_format": 1}, "date_format"),
        ({"text": "a", "tz": "Vienna"}, "tz"),
        ({"text": "a", "on_duplicate": "replace"}, "on_duplicate"),
        ({"text": "a", "sheet": 1}, "sheet"),
    ],
)
def test_invalid_field_is_422(ada: Api, body: dict[str, Any], field: str):
    assert field in ada.field_errors("POST", "/imports/csv", json.dumps(body).encode())
