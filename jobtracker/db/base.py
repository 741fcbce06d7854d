"""PostgreSQL: the engine, ``request.db``, and what all tables have in common."""

import datetime
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import psycopg
import zope.sqlalchemy
from pyramid.request import Request
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    FetchedValue,
    Identity,
    MetaData,
    Text,
    delete,
    func,
    inspect,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column, sessionmaker

from jobtracker.db.connections import Lender, Statements, SupportsExecute, Writing, make_engine
from jobtracker.errors import ApiError, NotFound


class Base(DeclarativeBase):
    """The base of all tables. Constraints have names, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {int: BigInteger, str: Text, datetime.datetime: DateTime(timezone=True)}
    # What the database fills in comes back with the statement itself (RETURNING).
    __mapper_args__ = {"eager_defaults": True}

    def refresh(self, db: Session, **options: Any) -> None:
        """Have the row's present values, as others left them.

        :param options: of ``Session.get``, ``with_for_update`` for instance
        :raises jobtracker.errors.NotFound: when it was deleted in the meantime
        """
        primary_key = inspect(self).identity
        if db.get(type(self), primary_key, populate_existing=True, **options) is None:
            raise NotFound

    def remove(self, db: Session) -> None:
        """Delete the row.

        :raises jobtracker.errors.NotFound: when somebody else has, in the meantime
        """
        row = inspect(self)
        key = zip(row.mapper.primary_key, row.identity or (), strict=True)
        this = delete(type(self)).where(*(column == value for column, value in key))
        db.expunge(self)
        if db.scalar(this.returning(row.mapper.primary_key[0])) is None:
            raise NotFound


# The clock of the database, which all processes share. It stands still within a statement, and
# unlike now() not within a transaction.
NOW = func.statement_timestamp()


def identity() -> Any:
    """A primary key's ``id``: given by the database, and by nobody else."""
    return mapped_column(Identity(always=True), primary_key=True)


def timestamp() -> Any:
    """A moment that is set when the row is made."""
    return mapped_column(server_default=NOW)


def updated_at_column() -> Any:
    """A moment that is also set later, to NOW: an UPDATE returns what that was."""
    return mapped_column(server_default=NOW, server_onupdate=FetchedValue())


def counter() -> Any:
    """A number that the database counts up."""
    return mapped_column(server_default="1", server_onupdate=FetchedValue())


def enum_check(column: str, words: type[StrEnum]) -> CheckConstraint:
    """The column holds one of the words: a vocabulary can grow without a new type."""
    return CheckConstraint(f"{column} IN ({sql_in_list(words)})", name=column)


def sql_in_list(words: Iterable[str]) -> str:
    """Words of ours, as the inside of SQL's IN ()."""
    return ", ".join(f"'{word}'" for word in words)


@contextmanager
def translate_constraint_error(constraint: str, refusal: ApiError) -> Iterator[None]:
    """Raise the refusal where the database refuses, by the constraint of that name."""
    try:
        yield
    except (IntegrityError, psycopg.IntegrityError) as error:
        cause = getattr(error, "orig", error)
        if isinstance(cause, psycopg.Error) and cause.diag.constraint_name == constraint:
            raise refusal from None
        raise


def session_for(request: Request) -> Session:
    """``request.db``: of the request's transaction; without one, each statement is its own.

    Reads need no transaction: one round trip for a query instead of three. Not for exception views
    and response callbacks: they come after the transaction's end.
    """
    if request.environ.get("tm.active"):
        session = request.registry["db_sessions"]()
        # From the start: zope.sqlalchemy would not see what is not written by the ORM. Its
        # listeners, which would see the rest, cost as much as a statement.
        zope.sqlalchemy.mark_changed(session, transaction_manager=request.tm)
    else:
        session = request.registry["db_reading_sessions"]()
    request.add_finished_callback(lambda _request: session.close())
    return session


def connection_for(request: Request) -> SupportsExecute:
    """``request.connection``: the same as request.db, for SQL that needs no objects."""
    if request.environ.get("tm.active"):
        return Writing(request.db)
    reading = request.registry["db_reading"]()
    request.add_finished_callback(lambda _request: reading.close())
    return reading


def needs_transaction(request: Request) -> bool:
    """Whether the request is given a transaction.

    Not by a safe method (RFC 9110, 9.2.1), and not where all that it changes is changed by one
    statement: that is a transaction by itself, and costs half as much.
    """
    method = request.method
    if method in ("GET", "HEAD", "OPTIONS"):
        return False
    alone = request.registry["one_statement_paths"].get(method)
    return (
        alone is None
        or "HTTP_IDEMPOTENCY_KEY" in request.environ
        or alone.fullmatch(request.environ["PATH_INFO"]) is None
    )


def includeme(config: Any) -> None:
    engine = make_engine(config.registry.settings)
    # A pool of its own: to switch a connection to and fro costs as much as half a query.
    reading = make_engine(config.registry.settings, reading=True)
    config.registry["db_engine"] = engine
    config.registry["db_reading_engine"] = reading
    config.registry["db_sessions"] = sessionmaker(engine, expire_on_commit=False)
    config.registry["db_reading_sessions"] = sessionmaker(reading, expire_on_commit=False)
    lender = Lender(reading)
    config.registry["db_reading"] = lambda: Statements(lender)
    config.add_request_method(session_for, "db", reify=True)
    config.add_request_method(connection_for, "connection", reify=True)
    config.add_settings(
        {
            "tm.manager_hook": "pyramid_tm.explicit_manager",
            "tm.activate_hook": needs_transaction,
            "tm.annotate_user": False,  # it would look up a user where nobody asks for one
            # A 4xx that is returned, not raised, rolls back as well.
            "tm.commit_veto": "pyramid_tm.default_commit_veto",
        }
    )
