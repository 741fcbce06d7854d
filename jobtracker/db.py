"""PostgreSQL: the engine, ``request.db``, and what all tables have in common."""

import datetime
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, cast

import psycopg
import zope.sqlalchemy
from pyramid.request import Request
from pyramid_retry import mark_error_retryable
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Connection,
    DateTime,
    Engine,
    ExceptionContext,
    FetchedValue,
    Identity,
    MetaData,
    Text,
    create_engine,
    delete,
    event,
    func,
    inspect,
    text,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column, sessionmaker

from jobtracker.errors import ApiError, NotFound
from jobtracker.renderer import json_dumps

# Seconds that PostgreSQL has to say by itself that a statement took too long.
GRACE = 0.5


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

    def reread(self, db: Session, **options: Any) -> None:
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


def moving_timestamp() -> Any:
    """A moment that is also set later, to NOW: an UPDATE returns what that was."""
    return mapped_column(server_default=NOW, server_onupdate=FetchedValue())


def one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    """The column holds one of the words: a vocabulary can grow without a new type."""
    return CheckConstraint(f"{column} IN ({in_words(words)})", name=column)


def in_words(words: Iterable[str]) -> str:
    """Words of ours, as the inside of SQL's IN ()."""
    return ", ".join(f"'{word}'" for word in words)


@contextmanager
def refused_by(constraint: str, refusal: ApiError) -> Iterator[None]:
    """Raise the refusal where the database refuses, by the constraint of that name."""
    try:
        yield
    except IntegrityError as error:
        cause = error.orig
        if isinstance(cause, psycopg.Error) and cause.diag.constraint_name == constraint:
            raise refusal from None
        raise


class Overdue(psycopg.OperationalError):
    """PostgreSQL did not answer in time, and did not say why: the network stalls, or its host."""


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection that does not wait for an answer for ever.

    PostgreSQL's own time-outs reach us only as long as anything does.
    """

    #: Seconds for a statement; None for no bound.
    patience: float | None = None

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        if self.patience is not None:
            gen = self._until(time.monotonic() + self.patience, gen)
        return super().wait(gen, *args, **kwargs)

    def _until(self, deadline: float, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        try:
            waits_for = next(gen)
            while True:
                ready = yield waits_for
                if time.monotonic() > deadline:
                    self.close()
                    raise Overdue("no answer in time")
                waits_for = gen.send(ready)
        except StopIteration as done:
            return done.value


def make_engine(settings: dict[str, Any]) -> Engine:
    """The connection pool, which connects when first asked. All it does ends in bounded time."""
    bounds = {
        "statement_timeout": settings["sqlalchemy.statement_timeout"],
        "lock_timeout": settings["sqlalchemy.lock_timeout"],
        "idle_in_transaction_session_timeout": settings["sqlalchemy.idle_in_transaction_timeout"],
    }
    options = ["-c TimeZone=UTC", *(f"-c {name}={seconds}s" for name, seconds in bounds.items())]
    engine = create_engine(
        settings["sqlalchemy.url"],
        pool_size=settings["sqlalchemy.pool_size"],
        max_overflow=settings["sqlalchemy.max_overflow"],
        pool_timeout=settings["sqlalchemy.pool_timeout"],
        connect_args={
            "connect_timeout": settings["sqlalchemy.connect_timeout"],
            "options": " ".join(options),
        },
        json_serializer=json_dumps,
        # Notes, addresses and names have no business in a log or a traceback.
        hide_parameters=True,
    )
    patience = settings["sqlalchemy.statement_timeout"] + GRACE

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, args: list[Any], options: dict[str, Any]) -> Any:
        connection = ImpatientConnection.connect(*args, **options)
        connection.patience = patience
        return connection

    event.listen(engine, "handle_error", _on_error)
    return engine


def _on_error(context: ExceptionContext) -> None:
    error = context.original_exception
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        # A primary that became a standby: the pool has to look for the new one.
        context.is_disconnect = True
    elif context.is_disconnect and context.statement and not isinstance(error, Overdue):
        # A pooled connection that died: nothing was committed (a commit is no statement), and the
        # request can be tried again on a new one.
        mark_error_retryable(context.sqlalchemy_exception)


def without_time_limits(connection: Connection) -> None:
    """Let a connection take its time, and leave the pool: for migrations."""
    connection.detach()
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        connection.execute(text(f"SET {name} = 0"))
    connection.commit()
    cast(ImpatientConnection, connection.connection.dbapi_connection).patience = None


def session_for(request: Request) -> Session:
    """``request.db``: of the request's transaction; without one, each statement is its own.

    Reads need no transaction: one round trip for a query instead of three. Not for exception views
    and response callbacks: they come after the transaction's end.
    """
    if request.environ.get("tm.active"):
        session = request.registry["db_sessions"]()
        # "changed" from the start: zope.sqlalchemy would not see what is not written by the ORM.
        zope.sqlalchemy.register(session, "changed", transaction_manager=request.tm)
    else:
        session = request.registry["db_reading_sessions"]()
    request.add_finished_callback(lambda _request: session.close())
    return session


def may_write(request: Request) -> bool:
    """Whether the request is given a transaction: not by a safe method (RFC 9110, 9.2.1)."""
    return request.method not in ("GET", "HEAD", "OPTIONS")


def includeme(config: Any) -> None:
    engine = make_engine(config.registry.settings)
    reading = engine.execution_options(isolation_level="AUTOCOMMIT")  # on the same pool
    config.registry["db_engine"] = engine
    config.registry["db_sessions"] = sessionmaker(engine, expire_on_commit=False)
    config.registry["db_reading_sessions"] = sessionmaker(reading, expire_on_commit=False)
    config.add_request_method(session_for, "db", reify=True)
    config.add_settings(
        {
            "tm.manager_hook": "pyramid_tm.explicit_manager",
            "tm.activate_hook": may_write,
            "tm.annotate_user": False,  # it would look up a user where nobody asks for one
            # A 4xx that is returned, not raised, rolls back as well.
            "tm.commit_veto": "pyramid_tm.default_commit_veto",
        }
    )
