"""Deletion of expired rows, some at a time: more can be left than one statement deletes within its
time-out."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, sessionmaker

from jobtracker.db.connections import SupportsExecute, transaction, try_lock
from jobtracker.db.statements import Command, Statement, count_up_to_limit

# Rows of one transaction.
BATCH = 10_000
# The advisory lock of deletions: concurrent ones would lock the same rows in different orders. The
# number is arbitrary.
LOCK = 0x10B7E4D


class ExpiredRows:
    """The rows of a mapped class that have expired.

    Their keys are found by a statement of its own: Citus distributes no DELETE that limits or locks
    the rows of all shards.
    """

    def __init__(self, model: Any, is_expired: ColumnElement[bool]) -> None:
        key = list(model.__table__.primary_key.columns)
        self._count = count_up_to_limit(model, is_expired)
        limit = bindparam("max_rows", type_=BigInteger)
        self._find = Statement(select(*key).where(is_expired).limit(limit), tuple)
        self._names = [column.name for column in key]
        given = (bindparam(column.name, type_=ARRAY(column.type)) for column in key)
        found = func.unnest(*given).table_valued(*self._names).render_derived()
        # A join: Citus 14 on PostgreSQL 18 refuses several columns IN a SELECT from unnest().
        is_found = (column == found.c[column.name] for column in key)
        # Again, as a row can be a new one with the same key.
        self._delete = Command(delete(model.__table__).where(*is_found, is_expired))

    def count(self, connection: SupportsExecute, max_rows: int, **parameters: Any) -> int:
        """Their number, max_rows at most."""
        return self._count.first_or_not_found(connection, max_rows=max_rows, **parameters)

    def delete(self, sessions: sessionmaker[Session], **parameters: Any) -> int:
        """Delete them all, unless a concurrent call does; return their number."""
        deleted = 0
        while True:
            with transaction(sessions) as connection:
                if not try_lock(connection, LOCK):
                    return deleted
                keys = self._find.all(connection, max_rows=BATCH, **parameters)
                if not keys:
                    return deleted
                columns = map(list, zip(*keys, strict=True))
                found = dict(zip(self._names, columns, strict=True))
                deleted += self._delete.execute(connection, **found, **parameters)
