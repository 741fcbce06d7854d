"""jobtracker check: what is wrong is an error that names its setting, and contains no secret."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from sqlalchemy import make_url

from jobtracker import settings as settings_
from jobtracker.commands import check, checks
from jobtracker.commands.checks import Result, Status, clocks
from jobtracker.data import DATA
from jobtracker.db.base import Base
from jobtracker.local.postgres import Postgres
from tests.common.proxy import Proxy
from tests.common.server import free_port

INI = str(DATA / "production.ini")
# Alone, so that a test takes no longer than it needs.
NO_POSTGRES, NO_AWS = {"sqlalchemy.url": ""}, {"cognito.region": "", "s3.region": ""}


def results_of(settings: dict[str, str], **changes: str) -> list[Result]:
    typed, problems = settings_.parse({**settings, **changes})
    return list(check.check(typed, problems, INI))


def wrong(results: list[Result]) -> dict[str, str]:
    """The settings with errors, each with what is wrong."""
    return {each.setting: each.detail for each in results if each.status is Status.ERROR}


def test_valid_settings_have_no_error(app: Any, settings: dict[str, str]):
    results = results_of(settings)
    assert wrong(results) == {}
    checked = {each.subject for each in results if each.status is Status.OK}
    assert {
        *("Settings", "PostgreSQL: version", "PostgreSQL: locale", "PostgreSQL: schema"),
        *("PostgreSQL: session settings", "PostgreSQL: clock", "PostgreSQL: migrations"),
        *("Cognito: user pool", "Cognito: app client and secret", "Cognito: clock"),
        *("S3: put", "S3: get", "S3: delete", "S3: clock", "Turnstile", "Rate limits"),
    } <= checked
    (role,) = (each for each in results if each.subject == "PostgreSQL: role")
    assert role.status is Status.WARNING
    assert "superuser" in role.detail


def test_probe_is_deleted(app: Any, settings: dict[str, str], s3: Any, bucket: str):
    results_of({**settings, **NO_POSTGRES})
    assert s3.list_objects_v2(Bucket=bucket, Prefix="incoming/check/")["KeyCount"] == 0


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("cognito.client_secret", "wrong-secret", "cognito.client_secret"),
        ("cognito.client_id", "unknown", "cognito.client_id"),
        ("cognito.user_pool_id", "us-east-1_Unknown1", "cognito.user_pool_id"),
        ("cognito.endpoint_url", "http://127.0.0.1:1", "cognito.region"),
        ("s3.bucket", "no-such-bucket", "s3.bucket"),
        ("s3.endpoint_url", "http://127.0.0.1:1", "s3.region"),
        ("turnstile.secret", "wrong-secret", "turnstile.secret"),
        ("turnstile.url", "http://127.0.0.1:1", "turnstile.url"),
        ("rate_limits.storage", "redis://:hunter22@127.0.0.1:1/0", "rate_limits.storage"),
    ],
)
def test_wrong_setting_is_named(settings: dict[str, str], name: str, value: str, named: str):
    results = results_of({**settings, **NO_POSTGRES}, **{name: value})
    assert named in wrong(results), results
    assert not any(value in each.detail for each in results if "secret" in name)


def test_endpoint_of_another_server_is_an_error(settings: dict[str, str]):
    other = {"cognito.endpoint_url": settings["turnstile.url"]}
    found = wrong(results_of({**settings, **NO_POSTGRES}, **other))
    assert {"cognito.user_pool_id", "cognito.region"} <= found.keys()
    assert "NoneType" not in str(found)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("UserNotFoundException", Status.OK),
        ("AccessDeniedException", Status.ERROR),
        ("ResourceNotFoundException", Status.ERROR),
        ("TooManyRequestsException", Status.WARNING),
    ],
)
def test_accounts_that_cannot_be_deleted_are_an_error(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch, code: str, status: Status
):
    def refuse(_client: Any, operation: str, _parameters: Any) -> Any:
        raise ClientError({"Error": {"Code": code}}, operation)

    monkeypatch.setattr(BaseClient, "_make_api_call", refuse)
    results = results_of({**settings, **NO_POSTGRES})
    (found,) = (each for each in results if each.subject == "Cognito: deletion of accounts")
    assert found.status is status


def test_all_problems_are_reported_at_once():
    results = results_of({"sqlalchemy.pool_size": "many", "s3.nonsense": "x", "s3.bucket": "b"})
    assert {"s3.nonsense", "sqlalchemy.pool_size", "sqlalchemy.url", "s3.bucket"} <= wrong(
        results
    ).keys()
    skipped = {each.subject for each in results if "not checked" in each.detail}
    assert {"PostgreSQL", "Cognito", "S3"} <= skipped


@pytest.fixture
def role(postgres: Postgres, app: Any, settings: dict[str, str]) -> Iterator[str]:
    """A role without any privileges; its URL of the application's database."""
    url = make_url(settings["sqlalchemy.url"])
    with psycopg.connect(settings["sqlalchemy.url"], autocommit=True) as connection:
        connection.execute("CREATE ROLE rows_only LOGIN")
        yield url.set(username="rows_only").render_as_string(hide_password=False)
        connection.execute("DROP OWNED BY rows_only; DROP ROLE rows_only")


def test_role_needs_privileges_on_all_tables_and_no_more(settings: dict[str, str], role: str):
    only_postgres = {**settings, **NO_AWS}
    lacks = results_of(only_postgres, **{"sqlalchemy.url": role})
    assert "rows_only lacks SELECT, INSERT, UPDATE, DELETE on" in wrong(lacks)["sqlalchemy.url"]
    with psycopg.connect(settings["sqlalchemy.url"], autocommit=True) as connection:
        grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO rows_only"
        connection.execute(grant)
    results = results_of(only_postgres, **{"sqlalchemy.url": role})
    (found,) = (each for each in results if each.subject == "PostgreSQL: role")
    assert found.status is Status.OK
    # As deploy/database.sql has it: migrations need another role.
    migrates = results_of(only_postgres, **{"sqlalchemy.migrations_url": role})
    assert "does not own the tables" in wrong(migrates)["sqlalchemy.migrations_url"]


def test_command_knows_all_tables(app: Any):
    """In a process of its own, which has imported the command alone."""
    program = """
from jobtracker.commands import check
from jobtracker.commands.checks.postgres import import_models
from jobtracker.db.base import Base
import_models()
print(*Base.metadata.tables)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    assert {*done.stdout.split()} == {*Base.metadata.tables}


def test_read_only_server_is_an_error(app: Any, settings: dict[str, str]):
    url = settings["sqlalchemy.url"]
    with psycopg.connect(url, autocommit=True) as connection:
        database = make_url(url).database
        connection.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    try:
        found = wrong(results_of({**settings, **NO_AWS}))
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only")
    assert "is read-only" in found["sqlalchemy.url"]


def test_empty_database_has_no_schema(settings: dict[str, str], postgres: Postgres):
    empty = postgres.make_database("not_migrated")
    results = results_of({**settings, **NO_AWS}, **{"sqlalchemy.url": empty})
    assert "run jobtracker migrate" in wrong(results)["sqlalchemy.url"]


def test_locale_c_is_an_error(settings: dict[str, str], postgres: Postgres):
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        options = "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER libc LOCALE 'C'"
        connection.execute(f"CREATE DATABASE locale_c {options}".encode())
    results = results_of({**settings, **NO_AWS}, **{"sqlalchemy.url": postgres.url("locale_c")})
    (found,) = (each for each in results if each.subject == "PostgreSQL: locale")
    assert (found.status, found.setting) == (Status.ERROR, "sqlalchemy.url")


@pytest.mark.parametrize(("ahead", "status"), [(4, "ok"), (6, "error"), (-6, "error")])
def test_clock_that_differs_is_an_error(ahead: float, status: str):
    result = clocks.compare("S3", "s3.region", ahead)
    assert (result.status, result.setting) == (status, "s3.region")


def test_role_has_to_read_the_revision_of_the_schema(settings: dict[str, str], role: str):
    with psycopg.connect(settings["sqlalchemy.url"], autocommit=True) as connection:
        grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO rows_only"
        connection.execute(grant)
        connection.execute("REVOKE ALL ON alembic_version FROM rows_only")
    results = results_of({**settings, **NO_AWS}, **{"sqlalchemy.url": role})
    assert wrong(results)["sqlalchemy.url"] == "rows_only lacks SELECT on alembic_version"
    assert "PostgreSQL: schema" not in {each.subject for each in results}


def test_primary_is_no_replica(app: Any, settings: dict[str, str]):
    reading = {"sqlalchemy.reading_url": settings["sqlalchemy.url"]}
    assert (
        "is no standby"
        in wrong(results_of({**settings, **NO_AWS, **reading}))["sqlalchemy.reading_url"]
    )


def test_systems_that_never_answer_are_errors_in_time(settings: dict[str, str]):
    with Proxy(("127.0.0.1", free_port())) as silent:
        silent.stall()
        systems = ("cognito.endpoint_url", "s3.endpoint_url", "turnstile.url")
        urls = dict.fromkeys(systems, silent.url)
        urls["sqlalchemy.url"] = f"postgresql://ada:hunter22@127.0.0.1:{silent.port}/d"
        found = wrong(results_of({**settings, **urls}))
    assert {"sqlalchemy.url", "cognito.region", "turnstile.url"} <= found.keys()
    assert "hunter22" not in str(found)


def test_table_has_one_line_for_each_result():
    lines = check.table([checks.error("PostgreSQL", "sqlalchemy.url", "a\nb")]).splitlines()
    assert lines[1].split() == ["error", "PostgreSQL", "sqlalchemy.url", "a", "b"]
