"""Deletion of expired rows, some at a time: more can be left than one statement deletes within its
time-out."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, bindparam, delete, select, tuple_
from sqlalchemy.orm import Session, sessionmaker

from jobtracker.db.connections import transaction
from jobtracker.db.statements import Command

# Rows of one transaction.
BATCH = 10_000


class ExpiredRows:
    """The rows of a mapped class that have expired.

    :param is_expired: the condition
    """

    def __init__(self, model: Any, is_expired: ColumnElement[bool]) -> None:
        key = tuple_(*model.__table__.primary_key.columns)
        some = select(*key.clauses).where(is_expired)
        some = some.limit(bindparam("max_rows", type_=BigInteger))
        some = some.with_for_update(skip_locked=True)
        self._delete = Command(delete(model.__table__).where(key.in_(some)))

    def delete(self, sessions: sessionmaker[Session], **parameters: Any) -> int:
        """Delete them all, and return their number.

        :param parameters: those of the condition
        """
        deleted = 0
        while True:
            with transaction(sessions) as connection:
                number = self._delete.execute(connection, max_rows=BATCH, **parameters)
            deleted += number
            if number < BATCH:
                return deleted
