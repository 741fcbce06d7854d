"""Counts of a sliding window in PostgreSQL, which all processes share.

The table is unlogged: counting writes no WAL, and a crash of PostgreSQL resets the counts.
"""

import datetime
import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

import sqlalchemy as sa
from limits.storage.base import SlidingWindowCounterSupport
from sqlalchemy import bindparam, case, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import NOW, Base
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.expiry import ExpiredRows
from jobtracker.db.statements import Command, ScalarStatement, Statement
from jobtracker.errors import DATABASE_ERRORS
from jobtracker.http.rate_limits.memory import Counts


class RateLimitCount(Base):
    """The counts of a key, which is a hash, in a window and the one before.

    ``window_number``: of those since 1970. What has expired counts nothing; the sweeper deletes it.
    """

    __tablename__ = "rate_limit_counts"
    __table_args__ = (sa.Index(None, "expires_at"), {"prefixes": ["UNLOGGED"]})

    key: Mapped[str] = mapped_column(primary_key=True)
    window_number: Mapped[int]
    previous: Mapped[int]
    current: Mapped[int]
    expires_at: Mapped[datetime.datetime]


class CountsRow(NamedTuple):
    window_number: int
    previous: int
    current: int
    now: float


_C = RateLimitCount.__table__.c
_period = bindparam("period", type_=sa.Double)
_amount = bindparam("amount", type_=sa.BigInteger)
_now = sa.cast(sa.extract("epoch", NOW), sa.Double)
_window = sa.cast(func.floor(_now / _period), sa.BigInteger)
_new = insert(RateLimitCount.__table__).values(
    key=bindparam("count_key"),
    window_number=_window,
    previous=0,
    current=func.greatest(_amount, 0),
    expires_at=func.to_timestamp((_window + 2) * _period),
)
# A statement that waited for another's lock can be of an earlier window.
_passed = _new.excluded.window_number - _C.window_number
_previous = case((_passed <= 0, _C.previous), (_passed == 1, _C.current), else_=0)
_current = case((_passed <= 0, _C.current), else_=0)
_weight = 1 - (_now / _period - func.floor(_now / _period))
_HIT = ScalarStatement[int](
    _new.on_conflict_do_update(
        index_elements=["key"],
        set_={
            "window_number": func.greatest(_new.excluded.window_number, _C.window_number),
            "previous": _previous,
            "current": func.greatest(_current + _amount, 0),
            "expires_at": func.greatest(_new.excluded.expires_at, _C.expires_at),
        },
        where=func.floor(_previous * _weight) + _current + _amount
        <= bindparam("limit", type_=sa.BigInteger),
    ).returning(_C.current)
)
_FIND = Statement(
    sa.select(_C.window_number, _C.previous, _C.current, _now.label("now")).where(
        _C.key == bindparam("count_key")
    ),
    CountsRow,
)
_DELETE = Command(sa.delete(RateLimitCount.__table__).where(_C.key == bindparam("count_key")))
#: The sweeper deletes them.
EXPIRED = ExpiredRows(RateLimitCount, _C.expires_at <= NOW)


class PostgresStorage(SlidingWindowCounterSupport):
    """A storage of ``limits``: one statement for each hit.

    :param connect: a connection in autocommit mode, for one statement: what is counted stays so
        when the request's transaction is rolled back
    """

    base_exceptions = DATABASE_ERRORS
    wrap_exceptions = True

    def __init__(self, connect: Callable[[], AbstractContextManager[SupportsExecute]]) -> None:
        self._connect = connect

    def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Count, unless that exceeds the limit; a negative amount is a refund."""
        parameters = {"count_key": _hashed(key), "period": expiry, "amount": amount, "limit": limit}
        with self._connect() as connection:
            return _HIT.first(connection, **parameters) is not None

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        with self._connect() as connection:
            row = _FIND.first(connection, count_key=_hashed(key))
        if row is None:
            return 0, 0, 0, 0
        return Counts(row.window_number, row.previous, row.current).as_of(row.now, expiry)

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        with self._connect() as connection:
            _DELETE.execute(connection, count_key=_hashed(key))


def _hashed(key: str) -> str:
    # It contains the rate, so that each rate of a limit has counts of its own.
    return hashlib.sha256(key.encode()).hexdigest()[:32]
