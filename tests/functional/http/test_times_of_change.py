"""Responses that change at a known time: 304 for one query until then, on every worker."""

import time
from typing import Any

import pytest
from sqlalchemy import Engine, text
from webtest import TestApp

import jobtracker
from jobtracker.db.connections import AutocommitConnection
from tests.common.api import Api
from tests.common.app import dispose_engines
from tests.common.conditional import revision_of, send

# Of a whole board, of a page of it, of a page that follows, and of what was found.
PATHS = ("/jobs/board", "/jobs/board?limit=1", "/jobs/search?q=acme", "/jobs/search?q=acme&limit=9")
# Seconds.
SOON = 2

# The columns that make a job need a follow-up in a moment.
SOON_DUE = "next_action_at = now() + :soon * interval '1 second'"
SOON_IDLE = "last_activity_at = now() + :soon * interval '1 second' - interval '5 days'"


def make(client: Api, **fields: str) -> dict[str, Any]:
    return client.post("/jobs", {"company_name": "Acme", "job_title": "x", **fields}).json


def move(engine: Engine, times: str) -> None:
    """Set times of all jobs, as an update of another program."""
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE jobs SET {times}"), {"soon": SOON})  # noqa: S608


def flags(answer: Any) -> list[bool]:
    return [card["needs_follow_up"] for card in answer.json["jobs"]]


def wait_until_due() -> None:
    time.sleep(SOON + 0.05)


@pytest.fixture(params=[True, False], ids=["another process", "the same process"])
def worker(
    request: pytest.FixtureRequest, client: Api, engine: Engine, settings: dict[str, str]
) -> Any:
    """A client of another application on the same database, or the same client."""
    if not request.param:
        yield client
        return
    url = engine.url.render_as_string(hide_password=False)
    app = jobtracker.main({}, **{**settings, "sqlalchemy.url": url})
    yield Api(TestApp(app), client.token)
    dispose_engines(app)


@pytest.mark.parametrize("times", [SOON_DUE, SOON_IDLE])
def test_follow_up_is_shown_when_it_becomes_due(
    client: Api, worker: Api, engine: Engine, times: str
):
    make(client)
    for path in PATHS:  # the cursor's key, for example, is read once
        send(worker, path)
    move(engine, times)
    etags = {}
    for path in PATHS:
        old = send(client, path)
        assert flags(old) == [False], path
        etags[path] = etag = old.headers["ETag"]
        for one in (client, worker):
            same = send(one, path, If_None_Match=etag)
            assert (same.status_code, same.headers["ETag"]) == (304, etag), path
    revision = revision_of(engine, client)
    wait_until_due()
    for path, etag in etags.items():
        for one in (worker, client):
            now = send(one, path, If_None_Match=etag)
            assert now.status_code == 200, path
            assert flags(now) == [True], path
            assert now.headers["ETag"] != etag
            assert flags(send(one, path)) == [True], path
            for other in (client, worker):
                again = send(other, path, If_None_Match=now.headers["ETag"])
                assert again.status_code == 304, path
    assert revision_of(engine, client) == revision


def test_each_of_several_follow_ups_changes_the_etag(client: Api, engine: Engine):
    for _ in range(3):
        make(client)
    move(engine, "next_action_at = now() + (id % 3 + 1) * :soon * interval '1 second'")
    answer = send(client, "/jobs/board")
    seen = {answer.headers["ETag"]: sum(flags(answer))}
    deadline = time.monotonic() + 20 * SOON
    while sum(flags(answer)) < 3 and time.monotonic() < deadline:
        wait_until_due()
        now = send(client, "/jobs/board", If_None_Match=", ".join(seen))
        if now.status_code == 200:
            assert sum(flags(now)) > sum(flags(answer))
            assert now.headers["ETag"] not in seen
            answer = now
            seen[answer.headers["ETag"]] = sum(flags(answer))
    assert seen[answer.headers["ETag"]] == 3
    assert send(client, "/jobs/board", If_None_Match=", ".join(seen)).status_code == 304


def test_page_changes_with_its_own_cards_alone(client: Api, engine: Engine):
    make(client, status="saved", next_action_at="2999-01-01T00:00:00Z")
    make(client, status="offer", next_action_at="2999-01-01T00:00:00Z")
    move(engine, f"{SOON_DUE} WHERE status = 'offer'")
    first = send(client, "/jobs/board?limit=1")
    second_path = first.headers["Link"].partition("<")[2].partition(">")[0]
    second = send(client, second_path)
    wait_until_due()
    for path, old, status in ((second_path, second, 200), ("/jobs/board?limit=1", first, 304)):
        assert send(client, path, If_None_Match=old.headers["ETag"]).status_code == status


def test_unchanged_board_takes_one_statement(
    client: Api, worker: Api, monkeypatch: pytest.MonkeyPatch
):
    make(client)
    known = {path: send(client, path).headers["ETag"] for path in PATHS}
    send(worker, "/users/me")
    seen: list[str] = []
    execute = AutocommitConnection.execute

    def counting(self: AutocommitConnection, query: str, *args: Any, **options: Any) -> Any:
        seen.append(query)
        return execute(self, query, *args, **options)

    monkeypatch.setattr(AutocommitConnection, "execute", counting)
    for path, etag in known.items():
        assert send(worker, path, If_None_Match=etag).status_code == 304
    assert len(seen) == len(PATHS), seen


def test_board_changes_with_every_write(client: Api):
    job = f"/jobs/{make(client)['id']}"
    for path in PATHS:
        etag = send(client, path).headers["ETag"]
        client.patch(job, {"location": f"Vienna {path}"})
        now = send(client, path, If_None_Match=etag)
        assert now.status_code == 200
        assert now.headers["ETag"] != etag


@pytest.mark.parametrize(
    "time_",
    [
        "0",
        "1",
        "9" * 18,
        "9" * 19,
        "9" * 5000,
        "x",
        "253402300799999999",
        "",
        "-1",
        "1e9",
        "\u00b2",
    ],
)
def test_invented_time_in_an_etag_harms_nobody_else(client: Api, other_client: Api, time_: str):
    make(client)
    etag = send(client, "/jobs/board").headers["ETag"]
    digest = etag.strip('"').rpartition("-")[2]
    invented = f'"{time_}-{digest}"'
    assert send(client, "/jobs/board", If_None_Match=invented).status_code in (200, 304)
    assert send(other_client, "/jobs/board", If_None_Match=invented).status_code == 200
    answer = send(client, "/jobs/board")
    assert (answer.headers["ETag"], flags(answer)) == (etag, [False])


def test_board_without_jobs_never_changes_by_itself(client: Api):
    for path in PATHS:
        answer = send(client, path)
        assert "-" not in answer.headers["ETag"]
        assert send(client, path, If_None_Match=answer.headers["ETag"]).status_code == 304
