"""SIGKILL of the server and of PostgreSQL: acknowledged writes are kept, and none is doubled."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import urllib3

from jobtracker.local.postgres import Postgres
from tests.torture.client import JOB, Answer, Client, print_figures, unique
from tests.torture.database import migrate
from tests.torture.instance import Instance

pytestmark = pytest.mark.torture

KILLS = 20
WRITERS = 2  # of each kind
SECONDS_BETWEEN_KILLS = (0.2, 1.5)
# For a single write, from the first attempt to its acknowledgement, with a kill in between.
SECONDS_TO_GIVE_UP = 60


class Writer(threading.Thread):
    """A thread that writes unique texts until it is stopped.

    :param keyed: with an Idempotency-Key, repeated until acknowledged; else each is tried once
    """

    def __init__(self, client: Client, path: str, field: str, *, keyed: bool) -> None:
        super().__init__(daemon=True)
        self.client, self.path, self.field, self.keyed = client, path, field, keyed
        self.stopped = threading.Event()
        self.sent: list[str] = []
        self.acknowledged: list[str] = []
        self.problems: list[str] = []
        self.repeated = 0
        # The time of the latest acknowledgement, by time.monotonic.
        self.latest = 0.0

    def run(self) -> None:
        while not self.stopped.is_set():
            text = unique()
            self.sent.append(text)
            if self.write(text):
                self.acknowledged.append(text)
                self.latest = time.monotonic()

    def write(self, text: str) -> bool:
        deadline = time.monotonic() + SECONDS_TO_GIVE_UP
        while not self.attempt(text):
            time.sleep(0.05)
            if not self.keyed:
                return False
            if time.monotonic() > deadline:
                self.problems.append(f"{text} is not acknowledged in {SECONDS_TO_GIVE_UP} s")
                return False
            self.repeated += 1
        return True

    def attempt(self, text: str) -> bool:
        body = {**(JOB if self.path == "/jobs" else {}), self.field: text}
        try:
            answer = self.client.call("POST", self.path, body, key=text if self.keyed else None)
        except urllib3.exceptions.HTTPError:
            return False
        if answer.status != 201 and not self.is_expected(answer):
            self.problems.append(f"{answer.status} {answer.body[:200]!r}")
        elif answer.status == 201 and answer.json[self.field] != text:
            self.problems.append(f"{answer.body!r} is not the answer for {text}")
        return answer.status == 201

    def is_expected(self, answer: Answer) -> bool:
        return answer.status == 503 or (self.keyed and answer.status == 409)


class Writers:
    """Writers of all kinds, each of another user."""

    def __init__(self, server: Instance, new_token: Callable[[], str]) -> None:
        self.writers = []
        for keyed in [False, True] * WRITERS:
            jobs, notes = server.client(new_token()), server.client(new_token())
            self.writers.append(Writer(jobs, "/jobs", "job_title", keyed=keyed))
            self.writers.append(Writer(notes, f"{notes.make_job()}/notes", "body", keyed=keyed))
        for writer in self.writers:
            writer.start()

    def wait_for_one_more(self) -> float:
        """Wait for the next acknowledgement. Returns the seconds until then."""
        start = time.monotonic()
        while max(writer.latest for writer in self.writers) < start:
            assert time.monotonic() < start + SECONDS_TO_GIVE_UP, "nothing is acknowledged any more"
            time.sleep(0.005)
        return time.monotonic() - start

    def stop(self) -> None:
        for writer in self.writers:
            writer.stopped.set()
        for writer in self.writers:
            writer.join(2 * SECONDS_TO_GIVE_UP)
            writer.client.close()

    def verify(self, url: str) -> str:
        """Compare with the database. Returns the figures."""
        with psycopg.connect(url) as connection:
            rows = connection.execute(
                "SELECT job_title FROM jobs UNION ALL SELECT body FROM notes"
            ).fetchall()
        kept = Counter(text for (text,) in rows)
        sent = {text for writer in self.writers for text in writer.sent}
        acknowledged = {text for writer in self.writers for text in writer.acknowledged}
        keyed = {text for writer in self.writers if writer.keyed for text in writer.sent}
        assert [problem for writer in self.writers for problem in writer.problems] == []
        assert sorted(acknowledged - kept.keys()) == []  # lost
        assert sorted(text for text in sent if kept[text] > 1) == []  # twice
        assert sorted(text for text in keyed if kept[text] != 1) == []
        assert keyed <= acknowledged
        unsure = len((sent - acknowledged) & kept.keys())
        return (
            f"{len(acknowledged)} writes acknowledged, none lost, none twice; "
            f"{len(keyed)} with a key, {sum(writer.repeated for writer in self.writers)} times "
            f"repeated; of {len(sent - acknowledged)} that failed without a key {unsure} are there"
        )


def figures(seconds: list[float]) -> str:
    return f"{len(seconds)} kills, up again in {max(seconds):.2f} s at most, " + (
        f"{sum(seconds) / len(seconds):.2f} s on average"
    )


def test_kill_of_the_server_loses_no_acknowledged_write(
    pserve: Callable[..., Instance], new_token: Callable[[], str], served: dict[str, str]
):
    server = pserve()
    writers = Writers(server, new_token)
    seconds = []
    for _ in range(KILLS):
        writers.wait_for_one_more()
        time.sleep(random.uniform(*SECONDS_BETWEEN_KILLS))  # noqa: S311
        start = time.monotonic()
        server.kill()
        server.start()
        writers.wait_for_one_more()
        seconds.append(time.monotonic() - start)
    writers.stop()
    figures_of_writes = writers.verify(served["sqlalchemy.url"])
    print_figures(f"SIGKILL of the server: {figures(seconds)}", figures_of_writes)


@pytest.fixture
def own_postgres(folder: Path) -> Iterator[Postgres]:
    """A PostgreSQL server for one test."""
    server = Postgres(folder / "own_postgres", folder / "own_postgres.log")
    server.start()
    yield server
    server.stop()


def kill(postgres: Postgres) -> None:
    """SIGKILL of the postmaster and of all its children."""
    assert postgres.process is not None
    parent = psutil.Process(postgres.process.pid)
    parent.suspend()  # so that it starts no new children
    children = parent.children(recursive=True)
    for process in (parent, *children):
        process.kill()
    postgres.process.wait()
    psutil.wait_procs(children)
    postgres.process = None


def test_kill_of_postgres_loses_no_acknowledged_write(
    pserve: Callable[..., Instance], new_token: Callable[[], str], own_postgres: Postgres
):
    url = own_postgres.make_database("crash")
    migrate(url)
    with psycopg.connect(url) as connection:
        (fsync,) = connection.execute("SHOW fsync").fetchone() or ()
        assert fsync == "on"
    writers = Writers(pserve({"sqlalchemy.url": url}), new_token)
    seconds, seconds_after = [], []
    for _ in range(KILLS):
        writers.wait_for_one_more()
        time.sleep(random.uniform(*SECONDS_BETWEEN_KILLS))  # noqa: S311
        start = time.monotonic()
        kill(own_postgres)
        own_postgres.start()
        seconds_after.append(writers.wait_for_one_more())
        seconds.append(time.monotonic() - start)
    writers.stop()
    figures_of_writes = writers.verify(url)
    after = f"of which the server needed {max(seconds_after):.2f} s at most"
    print_figures(f"SIGKILL of PostgreSQL: {figures(seconds)}, {after}", figures_of_writes)
