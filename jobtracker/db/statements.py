"""Rows without objects: SQLAlchemy writes the SQL, once; psycopg runs it.

For what is asked all the time. A user's 50 jobs cost a quarter of what they cost by the ORM (see
benchmarks/README.md)::

    NOTES = Statement(select(*columns).where(Note.id == bindparam("id")), NoteRow)
    NOTES.first(connection, id=3)
"""

import functools
from collections import namedtuple
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from jobtracker.db.connections import SupportsExecute

DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]

R = TypeVar("R")


def row_type(table: Any) -> Any:
    """The base of a class for a table's rows: a tuple of its columns, by their names."""
    return namedtuple(f"{table.__name__}Columns", table.__table__.columns.keys())


class Statement(Generic[R]):
    """SQL that gives rows of a class.

    :param clause: where it has a value, it has a ``bindparam`` of a name
    :param row: what a row becomes: a named tuple
    """

    def __init__(self, clause: ClauseElement, row: type[R]) -> None:
        self._clause = clause
        # What _make() does, without Python.
        self._make: Callable[[Any], R] = functools.partial(tuple.__new__, row)  # type: ignore[type-var]

    @functools.cached_property
    def _compiled(self) -> tuple[str, dict[str, Any]]:
        compiled = self._clause.compile(dialect=DIALECT)
        return str(compiled), compiled.params

    def all(self, connection: SupportsExecute, **parameters: Any) -> list[R]:
        """All rows."""
        sql, constants = self._compiled
        with connection.execute(sql, {**constants, **parameters}, binary=True) as cursor:
            return [self._make(row) for row in cursor.fetchall()]

    def first(self, connection: SupportsExecute, **parameters: Any) -> R | None:
        """The first row, or None."""
        sql, constants = self._compiled
        row = connection.execute(sql, {**constants, **parameters}, binary=True).fetchone()
        return None if row is None else self._make(row)


def text_array(texts: Iterable[str]) -> str:
    """An array of texts as PostgreSQL reads it. What psycopg makes of a list takes a tenth of all
    that a ``POST /jobs`` costs Python.

    https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    """
    escaped = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in escaped) + "}"


def like(part: str) -> str:
    """The pattern of LIKE for what has that part; ``%`` and ``_`` are plain characters."""
    escaped = part.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"
