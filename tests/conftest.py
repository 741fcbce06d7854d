"""The fixtures of all tests: PostgreSQL with the schema of the migrations, moto for Cognito and S3,
the local Turnstile, and the application, once for each session.

Each test has its own connection, in a transaction that is rolled back at the end. The
application's sessions are bound to it and begin savepoints, so that requests commit and roll back
as in production.
"""

import contextlib
import functools
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any, cast

import hypothesis

# moto's server imports a service at its first request, which could time out.
import moto.cognitoidp.models
import moto.cognitoidp.urls
import moto.s3.urls
import psutil
import psycopg
import pytest
from moto.cognitoidp.utils import verify_totp
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, sessionmaker
from webtest import TestApp
from werkzeug.serving import ThreadedWSGIServer

import jobtracker
from jobtracker.db.engine import TimeoutConnection, disable_timeouts
from jobtracker.local.aws import Aws
from jobtracker.local.postgres import Postgres
from jobtracker.local.turnstile import LocalTurnstile
from jobtracker.logs import outages
from tests.common import citus, forks, moto_cognito
from tests.common.api import ORIGIN, Api
from tests.common.app import (
    delete_rows,
    dispose_engines,
    forget_tokens,
    migrate,
    new_rate_limiter,
    sign_in,
)
from tests.common.timeouts import LONG_TIMEOUTS
from tests.common.user_pool import REGION, MotoUserPool

# A failing example is printed, so it need not be stored: to store examples takes half of the time.
# How fast examples are made and run depends on the load of the machine.
hypothesis.settings.register_profile(
    "tests",
    database=None,
    print_blob=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("tests")

# In the environment of all processes that the tests start: which run of pytest that was.
RUN_VARIABLE = "JOBTRACKER_TEST_RUN"
# Neither one of xdist's processes, nor a run of pytest by a test.
IS_OUTERMOST = RUN_VARIABLE not in os.environ
os.environ.setdefault(RUN_VARIABLE, f"{os.getpid()} {time.time()}")
SECONDS_TO_END = 10

# Durability is not tested here.
UNSAFE_BUT_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot run on Citus, if the tests run there."""
    for item in items if citus.URL is not None else ():
        for name, reason in citus.NOT_ON_CITUS.items():
            if name in item.nodeid:
                item.add_marker(pytest.mark.skip(f"Not on Citus: {reason}"))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if it leaves processes behind."""
    forks.stop()
    if not IS_OUTERMOST:
        return
    deadline = time.monotonic() + SECONDS_TO_END
    while (left := processes_of_run()) and time.monotonic() < deadline:
        time.sleep(0.1)
    if left:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        assert reporter is not None
        reporter.write_line(f"ERROR: processes are left behind: {left}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def processes_of_run() -> list[str]:
    """The command lines of the processes that tests have started."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            is_of_run = process.environ().get(RUN_VARIABLE) == os.environ[RUN_VARIABLE]
            if is_of_run and process.pid != os.getpid():
                found.append(f"{process.pid} {' '.join(process.cmdline())}")
    return found


@pytest.fixture(autouse=True)
def every_outage_is_due() -> None:
    """The first error of a system in each test is logged, whatever the tests before have logged."""
    outages.forget()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server."""
    folder = Path(tempfile.mkdtemp(prefix="jobtracker-tests-"))
    server = Postgres(folder / "data", folder / "log", UNSAFE_BUT_FAST)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _process_untraced(server: ThreadedWSGIServer, *arguments: Any) -> None:
    """A request of moto: coverage would trace it, which takes as long as the request."""
    sys.settrace(None)
    ThreadingMixIn.process_request_thread(server, *arguments)


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    """A moto server."""
    os.environ["MOTO_COGNITO_IDP_USER_POOL_ENABLE_TOTP"] = "true"
    # A code of the previous period is accepted as well, so that no test waits for the next one.
    moto.cognitoidp.models.verify_totp = functools.partial(  # type: ignore[attr-defined]
        verify_totp, valid_window=1
    )
    moto_cognito.install()
    ThreadedWSGIServer.process_request_thread = _process_untraced  # type: ignore[assignment]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _host, port = server.get_host_and_port()
    yield Aws(Path(), REGION, port)
    server.stop()


@pytest.fixture(scope="session")
def user_pool(aws: Aws) -> MotoUserPool:
    """The user pool of the application."""
    return MotoUserPool(aws)


@pytest.fixture(scope="session")
def s3(aws: Aws) -> Any:
    """A client of S3."""
    return aws.client("s3")


@pytest.fixture(scope="session")
def bucket(s3: Any) -> str:
    """The name of the bucket."""
    s3.create_bucket(Bucket="documents")
    return "documents"


@pytest.fixture(scope="session")
def turnstile() -> Iterator[LocalTurnstile]:
    verifier = LocalTurnstile(port=0)
    verifier.start()
    yield verifier
    verifier.stop()


@pytest.fixture(scope="session")
def make_database(request: pytest.FixtureRequest) -> Iterator[Callable[[str], str]]:
    """Creates a database of that name, without tables, for the application; returns its URL."""
    if citus.URL is None:
        yield request.getfixturevalue("postgres").make_database
        return
    cluster = citus.Citus(citus.URL)
    try:
        yield cluster.make_database
    finally:
        cluster.drop_databases()


@pytest.fixture(scope="session")
def settings(
    make_database: Callable[[str], str],
    aws: Aws,
    user_pool: MotoUserPool,
    bucket: str,
    turnstile: LocalTurnstile,
) -> dict[str, str]:
    """The settings of the application."""
    return {
        **aws.settings,
        **LONG_TIMEOUTS,
        "cognito.user_pool_id": user_pool.pool_id,
        "cognito.client_id": user_pool.client_id,
        "cognito.client_secret": user_pool.client_secret,
        "s3.bucket": bucket,
        "sqlalchemy.url": make_database("tests"),
        "turnstile.url": turnstile.url,
        "turnstile.secret": turnstile.secret,
        "cors.origins": ORIGIN,
        "http.hsts_max_age": "60",
        # All tests have the same users.
        "rate_limits.requests_by_user": "1000000/second",
        "rate_limits.creations_by_user": "1000000/second",
        "rate_limits.imports_by_user": "1000000/second",
    }


@pytest.fixture(scope="session")
def app(settings: dict[str, str]) -> Iterator[Any]:
    """The application, on a migrated database."""
    application = jobtracker.main({}, **settings)
    migrate(application.registry["db_engine"])
    yield application
    dispose_engines(application)


@pytest.fixture(scope="session")
def multi_shard_statements() -> list[str]:
    """The statements of requests that touched more than one shard of Citus, without those of
    tests that have ended."""
    return [] if citus.URL is None else citus.collect_multi_shard_statements()


@pytest.fixture(autouse=citus.URL is not None)
def one_shard(multi_shard_statements: list[str]) -> Iterator[None]:
    """Fails the test if a request touches more than one shard."""
    multi_shard_statements.clear()
    yield
    assert not multi_shard_statements


class SharedConnection:
    """Replaces AutocommitConnection: statements on the test's connection."""

    def __init__(self, driver: TimeoutConnection) -> None:
        self.driver = driver

    def execute(self, query: str, *args: Any, **options: Any) -> Any:
        if query.startswith("SELECT"):
            return self.driver.execute(query, *args, **options)
        with self.driver.transaction():  # a savepoint, as an error ends a transaction of its own
            cursor = self.driver.execute(query, *args, **options)
        start_new_revision(self.driver)
        return cursor

    def close(self) -> None:
        """The test's connection stays open."""


def start_new_revision(driver: TimeoutConnection) -> None:
    """Let the next write increment the user's revision, as if in another transaction."""
    cursor = psycopg.Cursor(driver)
    # A transaction's own nonce is not negative.
    cursor.execute("UPDATE users SET revision_nonce = -revision WHERE revision_nonce >= 0")


@pytest.fixture
def connection(app: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """The connection of this test, to which the application is bound."""
    if citus.URL is not None:
        yield from _committing_connection(app, monkeypatch)
        return
    with app.registry["db_engine"].connect() as connection, connection.begin() as transaction:
        sessions = sessionmaker(
            connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        )
        driver = cast(TimeoutConnection, connection.connection.dbapi_connection)
        monkeypatch.setitem(app.registry, "db_sessions", sessions)
        monkeypatch.setitem(app.registry, "db_autocommit", lambda: SharedConnection(driver))
        # The deferred triggers of revisions: to PostgreSQL the test is one transaction.
        psycopg.Cursor(driver).execute("SET CONSTRAINTS ALL IMMEDIATE")
        event.listen(sessions, "after_commit", lambda _session: start_new_revision(driver))
        # Of SQL that the test itself executes.
        event.listen(connection, "after_execute", lambda *_args: start_new_revision(driver))
        monkeypatch.setitem(app.registry, "rate_limiter", new_rate_limiter())
        forget_tokens(app)
        yield connection
        transaction.rollback()


def _committing_connection(app: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """One of Citus: workers run deferred triggers at the commit alone. So transactions commit, and
    all rows are deleted after the test."""
    engine = app.registry["db_engine"]
    monkeypatch.setitem(app.registry, "rate_limiter", new_rate_limiter())
    forget_tokens(app)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        disable_timeouts(connection)  # triggers cost several times what they do on one machine
        yield connection
    delete_rows(engine)


@pytest.fixture
def db(app: Any, connection: Connection) -> Iterator[Session]:
    """A session on the test's connection."""
    sessions = app.registry["db_sessions"]
    if citus.URL is not None:
        sessions = sessionmaker(connection, expire_on_commit=False)
    with sessions() as session:
        yield session


@pytest.fixture
def anonymous(app: Any, connection: Connection) -> Api:
    """A client that is not signed in."""
    return Api(TestApp(app))


@pytest.fixture
def ada(app: Any, anonymous: Api, user_pool: MotoUserPool) -> Api:
    """A client that is signed in as Ada."""
    return anonymous.signed_in(sign_in(app, user_pool, "ada@example.com", "Ada"))


@pytest.fixture
def bob(app: Any, anonymous: Api, user_pool: MotoUserPool) -> Api:
    """A client that is signed in as Bob."""
    return anonymous.signed_in(sign_in(app, user_pool, "bob@example.com", "Bob"))
