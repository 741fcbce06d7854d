"""The upgrade from the release before, under load, and its code on the schema of this one."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobtracker.local import CHECKOUT
from jobtracker.local.postgres import Postgres
from tests.common.upgrades import Clients, Database
from tests.torture.client import print_figures, unique

pytestmark = pytest.mark.torture

RELEASE = dict(
    re.findall(r"^(\w+) (\w+)$", (CHECKOUT / "migrations/previous_release").read_text(), re.M)
)
USERS, JOBS = 200, 1000  # of each user
UNFILLED = "SELECT count(*) FROM jobs WHERE title_length IS DISTINCT FROM length(job_title)"

# A file of the tests of each package, in which nothing is about the schema.
TESTS = [
    f"tests/functional/{name}.py"
    for name in (
        *("jobs/test_jobs", "notes/test_notes", "documents/test_documents"),
        *("interviews/test_interviews", "saved_views/test_saved_views"),
        *("activity/test_activity", "history/test_history", "board/test_board"),
        *("search/test_search", "stats/test_stats", "usage/test_quotas", "users/test_users"),
        *("auth/test_auth", "mfa/test_mfa"),
    )
]
# Replaces jobtracker/local/migrations.py of the release before.
UPGRADE = f'''
import subprocess, sys

CODE = """
import sys
from jobtracker.local import migrations
from sqlalchemy import create_engine
migrations.upgrade(create_engine(sys.argv[1]))
"""

def upgrade(engine):
    url = engine.url.render_as_string(hide_password=False)
    subprocess.run(
        [sys.executable, "-c", CODE, url], check=True, cwd={str(CHECKOUT)!r},
        env={{"PYTHONPATH": {str(CHECKOUT)!r}}},
    )
'''


@pytest.fixture
def database(postgres: Postgres, settings: dict[str, str], tmp_path: Path) -> Iterator[Database]:
    """At the revision of the release before."""
    made = Database(postgres.make_database(unique("upgrade")), settings, tmp_path / "versions")
    made.upgrade(RELEASE["revision"])
    yield made
    made.engine.dispose()


def test_no_client_waits_for_a_second_during_the_upgrade(database: Database):
    database.fill(USERS, JOBS, with_steps=True)
    database.add_examples("title_lengths")
    began_at = time.monotonic()
    with Clients(database, lock_timeout="1s") as clients:
        database.upgrade(pause=0.1)
    seconds = time.monotonic() - began_at
    print_figures(
        f"{USERS * JOBS} jobs in {seconds:.0f} s, during which {clients.count} statements took"
        f" {clients.longest * 1000:.0f} ms at most"
    )
    assert clients.errors == []
    assert clients.count > 100
    assert database.rows(UNFILLED) == [(0,)]


def test_migration_behind_a_read_of_five_seconds_lets_clients_pass(database: Database):
    database.fill(users=5, jobs=JOBS, with_steps=True)
    database.add_examples("nicknames")
    reading = database.read_until(lambda: False, seconds=5)
    with Clients(database, lock_timeout="1500ms") as clients, reading:
        database.upgrade()
    print_figures(f"{clients.count} statements took {clients.longest * 1000:.0f} ms at most")
    assert clients.errors == []
    assert clients.count > 100


def test_code_of_the_release_before_runs_on_the_new_schema(tmp_path: Path):
    """By its own tests of each package, on a database with the migrations of now."""
    git: Any = {"cwd": CHECKOUT, "capture_output": True, "check": False}
    archive = tmp_path / "release.tar"
    made = subprocess.run(  # noqa: S603
        [shutil.which("git") or "git", "archive", "-o", str(archive), RELEASE["commit"]], **git
    )
    if made.returncode:
        pytest.skip(f"the commit {RELEASE['commit']} is not in this clone: git fetch --unshallow")
    checkout = tmp_path / "release"
    with tarfile.open(archive) as file:
        file.extractall(checkout, filter="data")
    (checkout / "jobtracker/local/migrations.py").write_text(UPGRADE)
    tests = [each for each in TESTS if (checkout / each).exists()]
    tested = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", *tests],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout[-5000:] + tested.stderr[-2000:]
    print_figures(tested.stdout.strip().splitlines()[-1])
