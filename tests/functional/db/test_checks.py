"""The checks of the database at the start of a server and of Alembic."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine, create_engine, text

from jobtracker.db.checks import check_database, unsuitable_properties
from jobtracker.local import CHECKOUT, migrations
from jobtracker.local.postgres import Postgres

INI = str(CHECKOUT / "production.ini")


@pytest.fixture
def make_engine(postgres: Postgres) -> Iterator[Callable[..., Engine]]:
    """Makes an engine of an empty database with these options of CREATE DATABASE."""
    engines: list[Engine] = []
    url = postgres.url().replace("postgresql:", "postgresql+psycopg:")
    server = create_engine(url, isolation_level="AUTOCOMMIT")

    def make(options: str = "") -> Engine:
        name = f"checked_{len(engines)}"
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0 {options}"))
        own = postgres.url(name).replace("postgresql:", "postgresql+psycopg:")
        engines.append(create_engine(own, connect_args={"client_encoding": "utf8"}))
        return engines[-1]

    yield make
    with server.connect() as connection:
        for number, engine in enumerate(engines):
            engine.dispose()
            connection.execute(text(f"DROP DATABASE checked_{number}"))
    server.dispose()


def set_revision(engine: Engine, *revisions: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
        connection.execute(text("CREATE TABLE alembic_version (version_num text)"))
        for revision in revisions:
            connection.execute(text(f"INSERT INTO alembic_version VALUES ('{revision}')"))  # noqa: S608


def test_database_without_the_newest_schema_is_refused(make_engine: Callable[..., Engine]):
    engine = make_engine()
    for prepare in (lambda: None, lambda: set_revision(engine)):
        prepare()
        with pytest.raises(SystemExit, match=r"has no schema: run jobtracker migrate "):
            check_database(engine, INI)
    assert engine.pool.checkedin() == 0  # type: ignore[attr-defined]


def test_older_schema_is_refused(make_engine: Callable[..., Engine], tmp_path: Path):
    (head,) = ScriptDirectory.from_config(Config(INI)).get_heads()
    (tmp_path / "next.py").write_text(f"revision, down_revision = 'next', '{head}'")
    ini = tmp_path / "app.ini"
    folder = CHECKOUT / "migrations"
    ini.write_text(
        f"[alembic]\nscript_location = {folder}\npath_separator = newline\n"
        f"version_locations =\n    {folder}/versions\n    {tmp_path}\n"
    )
    engine = make_engine()
    set_revision(engine, head)
    with pytest.raises(SystemExit, match=rf"at revision {head}: run jobtracker migrate "):
        check_database(engine, str(ini))


def test_older_schema_is_refused_where_the_ini_file_names_no_migrations(
    make_engine: Callable[..., Engine], tmp_path: Path
):
    ini = tmp_path / "app.ini"
    ini.write_text("[app:main]\nuse = egg:jobtracker\n")
    engine = make_engine()
    set_revision(engine, "0001")
    with pytest.raises(SystemExit, match=r"at revision 0001: run jobtracker migrate "):
        check_database(engine, str(ini))


def test_migrated_schema_is_accepted(app: object, settings: dict[str, str]):
    url = settings["sqlalchemy.url"].replace("postgresql:", "postgresql+psycopg:")
    check_database(create_engine(url), INI)


def test_newer_schema_is_accepted_and_logged(
    make_engine: Callable[..., Engine], caplog: pytest.LogCaptureFixture
):
    newer = make_engine()
    migrations.upgrade(newer)
    check_database(newer, INI)
    assert caplog.records == []
    for revisions in (["9999"], ["9998", "9999"]):
        set_revision(newer, *revisions)
        check_database(newer, INI)
        assert f"is newer, at revision {', '.join(revisions)}" in caplog.text


def test_schema_that_lacks_a_column_is_refused(make_engine: Callable[..., Engine]):
    """Whatever its revision is: of an earlier chain of migrations, or newer and contracted."""
    other = make_engine()
    migrations.upgrade(other)
    with other.begin() as connection:
        connection.execute(text("ALTER TABLE jobs DROP COLUMN location CASCADE"))
    for revision in (None, "9999"):
        if revision:
            set_revision(other, revision)
        with pytest.raises(SystemExit, match=r"lacks jobs\.location: .* begin with an empty one"):
            check_database(other, INI)


def test_migration_of_an_unknown_revision_fails_with_a_hint(make_engine: Callable[..., Engine]):
    other = make_engine()
    set_revision(other, "0000")
    with pytest.raises(CommandError, match=r"revision 0000 of the database .* an empty one"):
        migrations.upgrade(other)


def test_database_that_is_not_available_is_logged(caplog: pytest.LogCaptureFixture):
    engine = create_engine("postgresql+psycopg://ada:secret@127.0.0.1:1/d")
    check_database(engine, INI)
    (record,) = caplog.records
    assert "is not checked" in record.getMessage()
    assert "secret" not in record.getMessage()


@pytest.mark.parametrize(
    ("options", "problems"),
    [
        ("LOCALE 'C' LOCALE_PROVIDER libc ENCODING 'UTF8'", ["locale of the database is C"]),
        ("LOCALE 'C' LOCALE_PROVIDER libc ENCODING 'SQL_ASCII'", ["encoding"]),
        ("", []),
    ],
)
def test_unsuitable_locale_and_encoding_are_reported(
    make_engine: Callable[..., Engine], options: str, problems: list[str]
):
    with make_engine(options).connect() as connection:
        found = list(unsuitable_properties(connection))
    assert len(found) == len(problems)
    assert all(part in text for part, text in zip(problems, found, strict=True))
