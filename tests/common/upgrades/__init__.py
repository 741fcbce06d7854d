"""Migrations of a database with rows, while clients read and write."""

import io
import subprocess
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from jobtracker.db.engine import make_engine
from jobtracker.local import CHECKOUT
from jobtracker.local.postgres import Postgres, bin_folder
from jobtracker.settings import read

VERSIONS = CHECKOUT / "migrations" / "versions"
#: Migrations as releases after this one could have them: their down_revision is {head}.
EXAMPLES = Path(__file__).parent

USERS = """
    INSERT INTO users (cognito_sub, email)
    SELECT n, n || '@example.com' FROM generate_series(1, %(users)s) AS n
"""
JOBS = """
    INSERT INTO jobs (user_id, company_name, job_title)
    SELECT users.id, 'Acme', 'Engineer ' || n FROM users, generate_series(1, %(jobs)s) AS n
"""
STEPS = """
    INSERT INTO job_steps (user_id, application_id, status)
    SELECT user_id, id, status FROM jobs
"""

# The statements of a client, as the application has them.
INSERT = """
    INSERT INTO jobs (user_id, company_name, job_title)
    SELECT id, 'Acme', 'Engineer' FROM users WHERE id = %(user)s RETURNING id
"""
SELECT = """
    SELECT id, company_name, job_title, status FROM jobs WHERE user_id = %(user)s
    ORDER BY last_activity_at DESC, id LIMIT 50
"""
UPDATE = "UPDATE jobs SET job_title = job_title || '!' WHERE user_id = %(user)s AND id = %(job)s"
NOTE = "INSERT INTO notes (user_id, application_id, body) VALUES (%(user)s, %(job)s, 'x')"
DELETE = "DELETE FROM jobs WHERE user_id = %(user)s AND id = %(job)s"


class Database:
    """A database of its own, and Alembic for it."""

    def __init__(self, url: str, settings: dict[str, str], folder: Path) -> None:
        self.url = url
        self.folder = folder  # of the examples
        folder.mkdir(exist_ok=True)
        self.engine = make_engine(read({**settings, "sqlalchemy.url": url}))

    def config(self, pause: float = 0) -> Config:
        config = Config()
        config.set_main_option("script_location", str(CHECKOUT / "migrations"))
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", f"{VERSIONS}\n{self.folder}")
        config.cmd_opts = Namespace(x=[f"pause={pause}"])
        return config

    @property
    def head(self) -> str:
        """The last revision that there is a migration to."""
        return str(ScriptDirectory.from_config(self.config()).get_current_head())

    def add_examples(self, *names: str) -> None:
        """Add migrations after the head."""
        for name in names:
            source = (EXAMPLES / f"{name}.py").read_text().replace("{head}", self.head)
            (self.folder / f"{name}.py").write_text(source)

    def upgrade(self, revision: str = "head", pause: float = 0) -> None:
        self.run(command.upgrade, revision, pause=pause)

    def run(self, run: Any, *args: Any, pause: float = 0) -> None:
        """Run a command of Alembic."""
        config = self.config(pause)
        with self.engine.connect() as connection:
            config.attributes["connection"] = connection
            run(config, *args)

    def sql_of(self, revisions: str) -> str:
        """The SQL of an upgrade, as of ``alembic upgrade FROM:TO --sql``."""
        config, script = self.config(), io.StringIO()
        config.output_buffer = script
        command.upgrade(config, revisions, sql=True)
        return script.getvalue()

    def run_sql(self, script: str) -> None:
        """Run it with psql, to its first error."""
        psql = [str(bin_folder() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.url]
        done = subprocess.run(  # noqa: S603
            psql, input=script, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    @contextmanager
    def connect(self, lock_timeout: str = "0") -> Iterator[psycopg.Connection[Any]]:
        options = f"-c lock_timeout={lock_timeout}"
        with psycopg.connect(self.url, autocommit=True, options=options) as connection:
            yield connection

    def rows(self, query: str) -> list[Any]:
        with self.connect() as connection:
            return connection.execute(query.encode()).fetchall()

    def fill(self, users: int, jobs: int, *, with_steps: bool = False) -> None:
        """Insert users, and jobs of each, without the rows of triggers but for the steps."""
        with self.connect() as connection:
            connection.execute("SET session_replication_role = replica")
            for query in (USERS, JOBS):
                connection.execute(query, {"users": users, "jobs": jobs})
            connection.execute("RESET session_replication_role")
            if with_steps:
                connection.execute(STEPS)  # and their summaries, by a trigger
            connection.execute("ANALYZE")

    @contextmanager
    def read_until(self, condition: Callable[[], bool], seconds: float = 60) -> Iterator[None]:
        """A transaction that has read the jobs, and is open until a condition holds.

        :param seconds: how long it is open at most
        """
        is_open = threading.Event()

        def read() -> None:
            deadline = time.monotonic() + seconds
            with self.connect() as connection, connection.transaction():
                connection.execute("SELECT FROM jobs LIMIT 1")
                is_open.set()
                while not condition() and time.monotonic() < deadline:
                    time.sleep(0.05)

        thread = threading.Thread(target=read)
        thread.start()
        is_open.wait()
        yield
        thread.join()


@contextmanager
def temporary_database(
    postgres: Postgres, name: str, settings: dict[str, str], folder: Path
) -> Iterator[Database]:
    """An empty database of this name, which is dropped at the end."""
    made = Database(postgres.make_database(name), settings, folder)
    yield made
    made.engine.dispose()
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


class Clients:
    """Threads that read and write rows of the users, until the block ends.

    PostgreSQL reports statements that wait for a lock for longer than they may, so that a machine
    that is busy makes no difference.
    """

    def __init__(self, database: Database, lock_timeout: str, number: int = 3) -> None:
        self.database, self.lock_timeout = database, lock_timeout
        self.errors: list[psycopg.Error] = []
        self.count, self.longest = 0, 0.0
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(user,)) for user in range(1, number + 1)
        ]

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _run(self, user: int) -> None:
        with self.database.connect(self.lock_timeout) as connection:
            ids = "SELECT id FROM users ORDER BY id OFFSET %s LIMIT 1"
            (user_id,) = connection.execute(ids, [user - 1]).fetchone() or (0,)
            while not self._ended.is_set() and not self.errors:
                values: dict[str, Any] = {"user": user_id}
                for statement in (INSERT, SELECT, UPDATE, NOTE, UPDATE, DELETE):
                    began_at = time.monotonic()
                    try:
                        cursor = connection.execute(statement, values)
                    except psycopg.Error as error:
                        self.errors.append(error)
                        return
                    if statement is INSERT:
                        (values["job"],) = cursor.fetchone() or (0,)
                    self.longest = max(self.longest, time.monotonic() - began_at)
                    self.count += 1
                time.sleep(0.01)
