"""What the server checks at its start of the sessions that it gets, directly or by a pooler."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from jobtracker.db.engine import make_engine
from jobtracker.db.poolers import check_pooler, check_sessions
from jobtracker.local.postgres import Postgres
from jobtracker.settings import InvalidSettings, read
from tests.common.pgbouncer import PgBouncer
from tests.common.pooled import IS_INSTALLED, REASON, SESSION_SETTINGS, run_pgbouncer

ROLE = "Checked"
needs_pgbouncer = pytest.mark.skipif(not IS_INSTALLED, reason=REASON)
Check = Callable[..., None]


@pytest.fixture
def role(postgres: Postgres) -> Iterator[str]:
    """A role that has the session settings."""
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f'CREATE ROLE "{ROLE}" LOGIN')
        for name, value in SESSION_SETTINGS.items():
            connection.execute(f"ALTER ROLE \"{ROLE}\" SET {name} = '{value}'")
        yield ROLE
        connection.execute(f'DROP ROLE "{ROLE}"')


@pytest.fixture
def alter_role(postgres: Postgres, role: str) -> Callable[[str], None]:
    def alter(change: str) -> None:
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            connection.execute(f'ALTER ROLE "{role}" {change}')

    return alter


@pytest.fixture
def check(settings: dict[str, str]) -> Check:
    """Checks a server with this URL and these settings."""

    def check(url: str, user: str = "postgres", **changes: str) -> None:
        own = {f"sqlalchemy.{name}": value for name, value in changes.items()}
        url = make_url(url).set(username=user).render_as_string(hide_password=False)
        checked = read({**settings, **own, "sqlalchemy.url": url.replace("+psycopg", "")})
        engine = make_engine(checked)
        check_pooler(engine, checked)
        assert engine.pool.checkedin() == 0  # type: ignore[attr-defined]

    return check


@pytest.fixture(scope="module")
def poolers(postgres: Postgres) -> Iterator[Callable[..., PgBouncer]]:
    """PgBouncer in a mode, which ignores startup parameters or refuses them."""
    started: dict[Any, Any] = {}

    def pooler(pool_mode: str, *, ignores: bool = False) -> PgBouncer:
        key = pool_mode, ignores
        if key not in started:
            options = {"ignore_startup_parameters": "options"} if ignores else {}
            started[key] = run_pgbouncer(postgres, pool_mode, options)
            started[key].server = started[key].__enter__()
        server: PgBouncer = started[key].server
        return server

    yield pooler
    for each in started.values():
        each.__exit__(None, None, None)


def test_sessions_of_postgresql_itself_are_accepted(postgres: Postgres, check: Check, role: str):
    check(postgres.url())
    check(postgres.url(), role, session_settings="role")


@pytest.mark.parametrize(
    ("change", "name", "remedy"),
    [
        ("RESET statement_timeout", "statement_timeout is 0", "SET statement_timeout = '30s'"),
        ("SET lock_timeout = 0", "lock_timeout is 0", "SET lock_timeout = '20s'"),
        (
            "RESET idle_in_transaction_session_timeout",
            "idle_in_transaction_session_timeout is 0",
            "SET idle_in_transaction_session_timeout = '30s'",
        ),
        ("SET TimeZone = 'Europe/Vienna'", "TimeZone is Europe/Vienna", "SET TimeZone = 'UTC'"),
        ("SET client_encoding = 'LATIN1'", "client_encoding is LATIN1", "= 'UTF8'"),
    ],
)
def test_role_without_a_session_setting_is_refused_with_the_remedy(
    postgres: Postgres,
    check: Check,
    role: str,
    alter_role: Callable[[str], None],
    change: str,
    name: str,
    remedy: str,
):
    alter_role(change)
    with pytest.raises(InvalidSettings) as refused:
        check(postgres.url(), role, session_settings="role")
    (line,) = str(refused.value).splitlines()
    assert line.startswith("Setting sqlalchemy.session_settings: is role, but ")
    assert name in line
    assert f'ALTER ROLE "{role}"' in line
    assert remedy in line
    check(postgres.url(), role)


def test_role_without_any_session_setting_is_refused_with_a_line_for_each(
    postgres: Postgres, check: Check, role: str, alter_role: Callable[[str], None]
):
    alter_role("RESET ALL")
    alter_role("SET TimeZone = 'Asia/Tokyo'")
    with pytest.raises(InvalidSettings) as refused:
        check(postgres.url(), role, session_settings="role")
    assert len(str(refused.value).splitlines()) == len(SESSION_SETTINGS)


def test_longer_statement_timeout_of_the_role_is_logged(
    postgres: Postgres,
    check: Check,
    role: str,
    alter_role: Callable[[str], None],
    caplog: pytest.LogCaptureFixture,
):
    alter_role("SET statement_timeout = '1min'")
    check(postgres.url(), role, session_settings="role")
    assert "60000 ms" in caplog.text


def test_database_that_is_not_available_is_logged(check: Check, caplog: pytest.LogCaptureFixture):
    check("postgresql://ada:secret@127.0.0.1:1/d", session_settings="role")
    assert "is not checked" in caplog.text
    assert "secret" not in caplog.text


@needs_pgbouncer
@pytest.mark.parametrize("pool_mode", ["session", "transaction"])
@pytest.mark.parametrize("ignores", [False, True])
def test_pooler_that_does_not_pass_on_startup_parameters_is_refused(
    poolers: Callable[..., PgBouncer], check: Check, pool_mode: str, *, ignores: bool
):
    url = poolers(pool_mode, ignores=ignores).url("postgres")
    with pytest.raises(InvalidSettings, match=r"session_settings: .* set it to role"):
        check(url, prepare="false")


@needs_pgbouncer
def test_prepared_statements_are_refused_where_the_pooler_does_not_prepare_them(
    postgres: Postgres, poolers: Callable[..., PgBouncer], check: Check
):
    set_in_database = [
        f"ALTER DATABASE sessions SET {name} = '{value}'"
        for name, value in SESSION_SETTINGS.items()
    ]
    postgres.make_database("sessions")
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        for statement in set_in_database:
            connection.execute(statement)
    check(poolers("session").url("sessions"), session_settings="role")
    url = poolers("transaction").url("sessions")
    check(url, session_settings="role", prepare="false")
    for _ in range(2):  # whatever the first check has left in the sessions
        with pytest.raises(InvalidSettings, match=r"Setting sqlalchemy\.prepare: must be false"):
            check(url, session_settings="role")


@needs_pgbouncer
def test_migrations_need_a_session(
    postgres: Postgres, poolers: Callable[..., PgBouncer], settings: dict[str, str]
):
    def check(url: str) -> None:
        own = {"sqlalchemy.url": url, "sqlalchemy.session_settings": "role"}
        engine = make_engine(read({**settings, **own}))
        try:
            check_sessions(engine)
        finally:
            engine.dispose()

    check(postgres.url())
    check(poolers("session").url("postgres"))
    with pytest.raises(InvalidSettings, match=r"sqlalchemy\.migrations_url: must be the URL"):
        check(poolers("transaction").url("postgres"))
