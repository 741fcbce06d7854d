"""The checks of the database at the start of a server and of Alembic."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, create_engine, text

from jobtracker.db.checks import check_database, unsuitable_properties
from jobtracker.local import CHECKOUT
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
        with pytest.raises(SystemExit, match=r"has no schema: run alembic -c .* upgrade head"):
            check_database(engine, INI)
    set_revision(engine, "0019")
    with pytest.raises(SystemExit, match=r"at revision 0019: run alembic -c .* upgrade head"):
        check_database(engine, INI)
    assert engine.pool.checkedin() == 0  # type: ignore[attr-defined]


def test_migrated_and_newer_schemas_are_accepted(
    app: object, settings: dict[str, str], make_engine: Callable[..., Engine]
):
    url = settings["sqlalchemy.url"].replace("postgresql:", "postgresql+psycopg:")
    check_database(create_engine(url), INI)
    newer = make_engine()
    set_revision(newer, "9999")
    check_database(newer, INI)


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
