"""Files in the shapes of spreadsheets and trackers, each with the jobs that are expected of it."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.common.api import Api
from tests.common.csv_files import DEFAULTS, jobs_of

VALID = Path(__file__).parent / "files" / "valid"
NAMES = sorted(path.stem for path in VALID.glob("*.csv"))


def load(name: str) -> tuple[bytes, dict[str, Any]]:
    return (VALID / f"{name}.csv").read_bytes(), json.loads((VALID / f"{name}.json").read_text())


def test_there_are_as_many_files_as_promised():
    assert len(NAMES) >= 30


@pytest.mark.parametrize("name", NAMES)
def test_bytes_and_text_of_a_file_become_the_expected_jobs(ada: Api, name: str):
    data, expected = load(name)
    body = {"base64": base64.b64encode(data).decode(), **expected.get("request", {})}
    check = ada.post("/imports/csv/check", body).json
    # FileReader.readAsText() with the right encoding.
    text = data.decode(check["encoding"] if data[:1] != b"\0" else "utf-16-be")
    of_text = ada.post("/imports/csv/check", {"text": text, **expected.get("request", {})}).json
    assert {**of_text, "encoding": ""} == {**check, "encoding": ""}
    for key in ("delimiter", "encoding", "date_formats"):
        assert check[key] == expected[key]
    assert check["errors"] == check["unknown_statuses"] == check["duplicates"] == []
    jobs = [DEFAULTS | job for job in expected["jobs"]]
    rows = [job.pop("row", number) for number, job in enumerate(jobs, 2)]
    assert [each.pop("row") for each in check["sample"]] == rows
    notes = ["\n".join(job["notes"]) or None for job in jobs]
    assert check["sample"] == [
        {**job, "notes": note} for job, note in zip(jobs, notes, strict=True)
    ]

    outcome = ada.post("/imports/csv", body, status=201).json
    assert (outcome["created"], outcome["skipped"], outcome["failed"]) == (len(jobs), 0, [])
    assert jobs_of(ada) == jobs
