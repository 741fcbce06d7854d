"""Storms of requests that begin tasks, beside two workers and a sweeper: each has its effect once,
and a user has a bounded number of them."""

import functools
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from jobtracker.exports.queries import MAX_EXPORTS
from jobtracker.imports.resources import MAX_FILES
from jobtracker.local.aws import Aws
from jobtracker.local.process import wait_until
from jobtracker.tasks.queries import MAX_UNFINISHED
from tests.common.concurrency import run_concurrently
from tests.common.timeouts import http_request
from tests.torture.client import Answer, Client, print_figures, statuses
from tests.torture.instance import Instance
from tests.torture.storage import objects
from tests.torture.tasks import is_finished

pytestmark = pytest.mark.torture

REQUESTS = 100  # of each kind
JOBS = 30  # of each user
SECONDS = 120
EXPORT = {"documents": True}
RUN = {"on_duplicate": "skip"}
UNFINISHED = """
    INSERT INTO tasks (user_id, kind, args, run_after)
    SELECT %s, 'empty_trash', to_jsonb(n), 'infinity' FROM generate_series(1, %s) AS n
"""

# Method, path and body.
Request = tuple[str, str, Any]


@pytest.fixture
def server(pserve: Callable[..., Instance], url: str, own_bucket: str) -> Instance:
    # Without a worker of its own.
    return pserve({"sqlalchemy.url": url, "s3.bucket": own_bucket}, ini="production.ini")


@pytest.fixture
def workers(server: Instance) -> Iterator[None]:
    """Two workers, and sweeps one after the other."""
    ended = threading.Event()
    sweeps: list[int] = []
    with (server.folder / "workers").open("ab") as log:
        start = functools.partial(server.program, "jobtracker", stdout=log, stderr=log)

        def sweep() -> None:
            while not ended.is_set():
                sweeps.append(start("sweep", str(server.ini)).wait())

        sweeper = threading.Thread(target=sweep)
        working = [start("work", str(server.ini)) for _ in range(2)]
        sweeper.start()
        yield
        ended.set()
        sweeper.join()
        for worker in working:
            worker.terminate()
        assert [worker.wait(SECONDS) for worker in working] == [0, 0]
    output = (server.folder / "workers").read_text()
    assert set(sweeps) == {0}, output
    assert "Traceback" not in output, output


def storm(client: Client, requests: list[Request]) -> dict[str, list[Answer]]:
    """The responses to requests at once, by method and path."""
    random.shuffle(requests)
    answers = run_concurrently([functools.partial(client.call, *each) for each in requests])
    found: dict[str, list[Answer]] = {}
    for (method, path, _body), answer in zip(requests, answers, strict=True):
        found.setdefault(f"{method} {path}", []).append(answer)
    return found


def check_statuses(answers: list[Answer], accepted: int, at_least: int = 1) -> int:
    """How many were accepted; the others have to be refused."""
    others = [each for each in statuses(answers) if each != accepted]
    # 503 where the machine is so slow that what waits for a slow request is refused.
    assert set(others) <= {409, 429, 503}
    assert len(answers) - len(others) >= at_least
    return len(answers) - len(others)


def make_jobs(client: Client) -> None:
    """Make jobs with notes; every other one is in the trash."""
    for number in range(JOBS):
        job = client.make_job(job_title=f"Engineer {number}")
        client.done("POST", f"{job}/notes", {"body": "x"})
        if number % 2:
            client.done("DELETE", job)
    job = client.make_job()
    assert client.confirm(job, client.upload(job)).status == 200


def wait_for_tasks(rows: psycopg.Connection) -> None:
    assert wait_until(lambda: is_finished(rows), SECONDS), rows.execute("TABLE tasks").fetchall()
    assert rows.execute("SELECT DISTINCT state FROM tasks").fetchall() == [("done",)]


def uploaded(client: Client, content: bytes) -> str:
    """The path of an import whose file has been uploaded."""
    body = {"filename": "x.zip", "size_bytes": len(content)}
    made = client.done("POST", "/imports", body)
    assert http_request("PUT", made["upload_url"], body=content).status == 200
    return f"/imports/{made['import']['id']}"


def exported(client: Client, rows: psycopg.Connection) -> bytes:
    path = f"/exports/{client.done('POST', '/exports', EXPORT)['id']}"
    wait_for_tasks(rows)
    url = client.done("GET", f"{path}/presign-download")["download_url"]
    return http_request("GET", url).data


def test_storm_empties_the_trash_of_one_user_and_writes_few_exports(
    sign_in: Callable[[], Client],
    rows: psycopg.Connection,
    aws: Aws,
    own_bucket: str,
    workers: None,
):
    ada, bob = sign_in(), sign_in()
    for client in (ada, bob):
        make_jobs(client)
    before = [bob.done("GET", path) for path in ("/trash", "/jobs")]
    requests = [("DELETE", "/trash", None), ("POST", "/exports", EXPORT)]
    answers = storm(ada, requests * REQUESTS)
    emptied, begun = answers["DELETE /trash"], answers["POST /exports"]
    check_statuses(emptied, 202)
    accepted = check_statuses(begun, 202)
    wait_for_tasks(rows)

    assert accepted <= MAX_EXPORTS
    assert [each["state"] for each in ada.done("GET", "/exports")] == ["done"] * accepted
    assert len(objects(aws, own_bucket, "exports/")) == accepted
    tasks = {answer.json["id"] for answer in emptied if answer.status == 202}
    (number,) = rows.execute("SELECT count(*) FROM tasks").fetchone() or (0,)
    assert number == len(tasks) + accepted
    assert ada.done("GET", "/trash") == []
    assert len(ada.done("GET", "/jobs")) == JOBS / 2 + 1
    assert [bob.done("GET", path) for path in ("/trash", "/jobs")] == before
    print_figures(f"{len(tasks)} of {REQUESTS} times emptied, {accepted} of {REQUESTS} exports")


def test_storm_imports_a_file_once_and_undoes_it(
    sign_in: Callable[[], Client], rows: psycopg.Connection, workers: None
):
    ada, bob = sign_in(), sign_in()
    make_jobs(ada)
    content = exported(ada, rows)
    path = uploaded(bob, content)
    (answers,) = storm(bob, [("POST", f"{path}/run", RUN)] * REQUESTS).values()
    check_statuses(answers, 202)
    wait_for_tasks(rows)
    assert bob.done("GET", path)["report"]["made"]["jobs"] == JOBS + 1
    for listed in ("/jobs", "/trash"):
        assert len(bob.done("GET", listed)) == len(ada.done("GET", listed))

    again = uploaded(bob, content)
    requests = [
        ("POST", f"{again}/run", {"on_duplicate": "add"}),
        ("POST", f"{again}/check", None),
        ("DELETE", path, None),
        ("DELETE", again, None),
    ]
    found = storm(bob, requests * (REQUESTS // 4))
    for path_, each in found.items():
        check_statuses(each, 202, at_least=int(path_.startswith("DELETE")))
    wait_for_tasks(rows)
    assert {each["state"] for each in bob.done("GET", "/imports")} == {"undone"}
    assert bob.done("GET", "/jobs") == []
    assert len(ada.done("GET", "/jobs")) == JOBS / 2 + 1


def test_unfinished_tasks_and_files_of_a_user_are_bounded(
    sign_in: Callable[[], Client], rows: psycopg.Connection
):
    client = sign_in()
    user_id = client.done("GET", "/users/me")["id"]
    rows.execute(UNFINISHED, [user_id, MAX_UNFINISHED - 5])
    body = {"filename": "x.zip", "size_bytes": 1}
    requests: list[Request] = [("DELETE", "/trash", None), ("POST", "/imports", body)]
    answers = storm(client, requests * 30)
    accepted = check_statuses(answers["DELETE /trash"], 202)
    assert 5 <= accepted < 15  # concurrent ones do not see each other
    assert check_statuses(answers["POST /imports"], 201) == MAX_FILES
