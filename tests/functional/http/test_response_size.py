"""No response exceeds 8 MiB, nor loads much more: pages end early, with a link to the rest."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine
from webtest import TestResponse

from jobtracker.db.keyset import MAX_BYTES
from tests.common.api import Api
from tests.common.pagination import next_path, user_id
from tests.common.rows import insert_jobs, insert_rows

EMOJI = "\U0001f600"
MIB = 1024 * 1024


def get(client: Api, path: str) -> TestResponse:
    """A response without the checks of Api, which take seconds for megabytes."""
    return client.app.get(path, headers={"Authorization": f"Bearer {client.token}"})


def walk(client: Api, path: str, rows_of: Callable[[Any], list[Any]] = list) -> list[list[int]]:
    """The ids of each page, none of which exceeds the limit."""
    pages = []
    there: str | None = path
    while there is not None:
        answer = get(client, there)
        assert len(answer.body) <= MAX_BYTES
        pages.append([row["id"] for row in rows_of(orjson.loads(answer.body))])
        there = next_path(answer)
    return pages


@pytest.fixture
def owner(client: Api, job: str) -> dict[str, int]:
    """The columns of rows below the job."""
    return {"user_id": user_id(client), "application_id": int(job.rpartition("/")[2])}


def peak_memory(call: Callable[[], Any]) -> int:
    """The bytes by which the resident memory of this process exceeds what it was, at most."""

    def resident(name: str) -> int:
        status = Path("/proc/self/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith(name))
        return int(line.split()[1]) * 1024

    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM: proc(5)
    before = resident("VmRSS")
    call()
    return resident("VmHWM") - before


def test_job_embeds_its_newest_hundred_notes(
    client: Api, job: str, owner: dict[str, int], engine: Engine
):
    insert_rows(engine, "notes", 150, **owner, body="x", created_at="=now() - n * interval '1 s'")
    notes = client.get(f"{job}/notes").json
    assert len(notes) == 150
    assert client.get(job).json["notes"] == notes[:100]
    assert client.get(f"{job}/details").json["notes"] == notes[:100]


@pytest.mark.parametrize("character", [EMOJI, "\x01", '"'])
def test_notes_exceeding_8_mib_are_in_pages(
    client: Api, job: str, owner: dict[str, int], engine: Engine, character: str
):
    insert_rows(engine, "notes", 1000, **owner, body=character * 10_000)
    pages = walk(client, f"{job}/notes")
    ids = [note_id for page in pages for note_id in page]
    assert len(ids) == len(set(ids)) == 1000
    size = len(get(client, f"{job}/notes").body)
    assert size > MAX_BYTES - 100_000  # as many as fit
    embedded = get(client, job)
    assert len(embedded.json["notes"]) == 100
    assert len(embedded.body) <= MAX_BYTES


def test_emoji_are_utf_8_and_not_escaped(client: Api, job: str):
    client.post(f"{job}/notes", {"body": EMOJI * 10_000})
    assert len(get(client, f"{job}/notes").body) < 40_000 + 200


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", ["", "/notes", "/details"])
def test_a_job_with_many_long_notes_takes_little_memory(
    client: Api, job: str, owner: dict[str, int], engine: Engine, name: str
):
    insert_rows(engine, "notes", 3000, **owner, body=EMOJI * 10_000)
    get(client, job)
    assert peak_memory(lambda: get(client, job + name)) < 100 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_escaped_characters_take_little_memory(
    client: Api, job: str, owner: dict[str, int], engine: Engine
):
    insert_rows(engine, "notes", 1000, **owner, body="\x01" * 10_000)
    get(client, job)
    assert peak_memory(lambda: get(client, f"{job}/notes")) < 60 * MIB


LONG_JOB = {
    "location": EMOJI * 255,
    "next_action_title": EMOJI * 255,
    "job_url": f"https://x.example/{EMOJI * 1980}",
    "tags": [f"{n}{EMOJI * 60}" for n in range(100, 150)],
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_jobs_exceeding_8_mib_are_in_pages(client: Api, engine: Engine):
    insert_jobs(engine, user_id(client), 2000, **LONG_JOB)
    for path in ("/jobs", "/jobs?sort=company", "/jobs?limit=1000"):
        pages = walk(client, path)
        ids = [job_id for page in pages for job_id in page]
        assert len(ids) == len(set(ids)) == 2000
        assert len(pages) > 3
    assert peak_memory(lambda: get(client, "/jobs?q=acme")) < 100 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_board_exceeding_8_mib_is_in_pages(client: Api, engine: Engine):
    insert_jobs(engine, user_id(client), 1000, **LONG_JOB)
    insert_jobs(engine, user_id(client), 500, status="offer", **LONG_JOB)
    pages = walk(client, "/jobs/board", lambda board: board["jobs"])
    ids = [job_id for page in pages for job_id in page]
    assert len(ids) == len(set(ids)) == 1500
    assert len(pages) > 1
    there: str | None = "/jobs/board"
    while there is not None:
        answer = get(client, there)
        meta = answer.json["meta"]
        assert (meta["total"], meta["counts"]["applied"], meta["counts"]["offer"]) == (
            *(1500, 1000, 500),
        )
        there = next_path(answer)
    assert peak_memory(lambda: get(client, "/jobs/board")) < 100 * MIB


def test_board_pages_have_the_limit(client: Api, engine: Engine):
    insert_jobs(engine, user_id(client), 5)
    first = client.get("/jobs/board?limit=3")
    assert len(first.json["jobs"]) == 3
    assert first.json["meta"]["total"] == 5
    there = next_path(first)
    assert there is not None
    second = client.get(there)
    assert len(second.json["jobs"]) == 2
    assert second.json["meta"] == first.json["meta"]
    assert next_path(second) is None
    assert client.get("/jobs/board").json["jobs"] == first.json["jobs"] + second.json["jobs"]


def test_ten_thousand_ordinary_jobs_are_one_response(client: Api, engine: Engine):
    ordinary = {"location": "Vienna", "job_url": "='https://acme.example/jobs/' || n"}
    insert_jobs(engine, user_id(client), 10_000, tags=["remote", "go"], **ordinary)
    for path in ("/jobs", "/jobs/board"):
        answer = get(client, path)
        rows = answer.json if path == "/jobs" else answer.json["jobs"]
        assert len(rows) == 10_000
        assert "Link" not in answer.headers


def test_details_of_the_longest_texts_stay_below_8_mib(
    client: Api, job: str, owner: dict[str, int], engine: Engine
):
    control = "\x01"
    fields = {"scheduled_at": "=now()", "location": control * 255, "interviewer": control * 255}
    tags = [f"{n:02}{control * 62}" for n in range(50)]
    data = orjson.dumps({"added": tags, "removed": tags}).decode()
    entry = {"type": "tags_updated", "message": "Tags updated", "data": data}
    insert_rows(engine, "notes", 150, **owner, body=control * 10_000)
    insert_rows(engine, "interviews", 200, **owner, **fields, notes=control * 10_000)
    insert_rows(engine, "activity", 200, **owner, **entry)
    assert len(get(client, f"{job}/interviews").body) <= MAX_BYTES
    assert len([row for page in walk(client, f"{job}/interviews") for row in page]) == 200
    assert len([row for page in walk(client, f"{job}/activity?limit=200") for row in page]) == 201
    answer = get(client, f"{job}/details?activity_limit=200")
    assert len(answer.body) <= MAX_BYTES
    details = answer.json
    assert len(details["notes"]) == 100
    assert details["interviews"]
    seen = [row["id"] for row in details["activity"]["items"]]
    rest = walk(client, f"{job}/activity?cursor={details['activity']['next_cursor']}")
    assert len(seen) + sum(map(len, rest)) == 201


def test_history_is_in_pages(client: Api, job: str, owner: dict[str, int], engine: Engine):
    insert_rows(engine, "job_steps", 30, **owner, status="saved", at="=now() - n * interval '1 d'")
    whole = [step["id"] for step in client.get(f"{job}/history").json]
    assert len(whole) == 31
    pages = walk(client, f"{job}/history?limit=7")
    assert [step for page in pages for step in page] == whole
    assert len(pages) == 5


def test_saved_views_exceeding_8_mib_are_in_pages(client: Api, engine: Engine):
    data = orjson.dumps({"a": EMOJI * 4000}).decode()
    insert_rows(engine, "saved_views", 700, user_id=user_id(client), name="=n::text", data=data)
    pages = walk(client, "/saved-views")
    assert len({row for page in pages for row in page}) == 700
    assert len(pages) == 2
