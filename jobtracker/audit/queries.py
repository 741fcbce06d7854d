"""The SQL of audit entries."""

import datetime
from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from jobtracker.audit.models import AccountAuditEntry, AuditEntry, AuditKind
from jobtracker.db.base import NOW, PERIOD
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.expiry import ExpiredRows
from jobtracker.db.keyset import newest_first
from jobtracker.db.statements import (
    Command,
    Repository,
    Statement,
    columns_of,
    new_parameters,
    new_values,
)

# The entries of a user, a kind and a day: of failures, which strangers can cause, one for each of
# so many networks; of other events, so many. All further events of the day are one more entry.
MAX_NETWORKS = 10
MAX_ENTRIES = 100


class AuditRow(NamedTuple):
    user_id: int
    id: int
    kind: str
    at: datetime.datetime
    last_at: datetime.datetime
    event_count: int
    request_id: str | None
    client_hash: bytes
    session_hash: bytes | None


class Event(NamedTuple):
    """What happened, without the user. ``client_hash`` and ``session_hash`` as in AuditEntry."""

    kind: AuditKind
    request_id: str | None
    client_hash: bytes
    session_hash: bytes | None = None


class _EntriesOfDay(NamedTuple):
    number: int
    of_network: int


class _AccountRow(NamedTuple):
    kind: str
    at: datetime.datetime
    request_id: str | None
    client_hash: bytes


AUDIT = Repository(
    AuditEntry, AuditRow, owner_columns=("user_id",), order=newest_first(AuditEntry, "at")
)

_C = AuditEntry.__table__.c
_IS_OF_NETWORK = sa.and_(
    _C.client_hash == sa.bindparam("client_hash", type_=sa.LargeBinary),
    _C.day == sa.bindparam("day", type_=_C.day.type),
)
_COUNT_OF_DAY = Statement(
    sa.select(sa.func.count(), sa.func.count().filter(_IS_OF_NETWORK)).where(
        _C.user_id == sa.bindparam("user_id", type_=sa.BigInteger),
        _C.kind == sa.bindparam("kind", type_=sa.Text),
        _C.at >= sa.bindparam("midnight", type_=_C.at.type),
        _C.client_hash != b"",
    ),
    _EntriesOfDay,
)
_NEW = insert(AuditEntry.__table__).values(
    new_values(AuditEntry, ("user_id", *Event._fields, "day"))
)
_RECORD = Command(
    _NEW.on_conflict_do_update(
        index_elements=["user_id", "kind", "client_hash", "day"],
        index_where=_C.day.is_not(None),
        set_={"event_count": _C.event_count + 1, "last_at": _NEW.excluded.last_at},
    )
)
# A transaction with WAL to flush, but without effect.
_COMMIT = Statement(sa.select(sa.func.pg_logical_emit_message(True, "jobtracker", "")), tuple)
_RECORD_OF_ACCOUNT = Command(
    insert(AccountAuditEntry.__table__).values(
        new_values(AccountAuditEntry, ("account_hash", "kind", "request_id", "client_hash"))
    )
)
_TAKE_OF_ACCOUNT = Statement(
    sa.delete(AccountAuditEntry.__table__)
    .where(AccountAuditEntry.account_hash == sa.bindparam("account_hash", type_=sa.LargeBinary))
    .returning(*columns_of(AccountAuditEntry, _AccountRow)),
    _AccountRow,
)
_MOVED = ("user_id", "last_at", *_AccountRow._fields)
_MOVE = Command(insert(AuditEntry.__table__).values(new_values(AuditEntry, _MOVED)))

#: Those that are older than ``period``.
EXPIRED: Iterable[ExpiredRows] = (
    ExpiredRows(AuditEntry, AuditEntry.at <= NOW - PERIOD),
    ExpiredRows(AccountAuditEntry, AccountAuditEntry.at <= NOW - PERIOD),
)


def record(connection: SupportsExecute, user_id: int, event: Event) -> None:
    """Insert an entry; beyond MAX_ENTRIES of the day, count it.

    Concurrent ones can exceed the maximum by their number.
    """
    entries = _count_of_day(connection, user_id, event, _today())
    if entries.number < MAX_ENTRIES:
        _insert(connection, user_id, event, None)
    else:
        _insert(connection, user_id, event._replace(client_hash=b"", session_hash=None), _today())


def record_failure(connection: SupportsExecute, user_id: int | None, event: Event) -> None:
    """Count a failed attempt in the entry of its network and day; beyond MAX_NETWORKS of the day,
    in the one of all others.

    :param user_id: None where there is no such user: nothing is recorded, in as many statements and
        with as much to wait for, so that the time of a response does not tell
    """
    today = _today()
    entries = _count_of_day(connection, user_id or 0, event, today)
    if user_id is None:
        _COMMIT.first(connection)
    elif entries.of_network or entries.number < MAX_NETWORKS:
        _insert(connection, user_id, event, today)
    else:
        _insert(connection, user_id, event._replace(client_hash=b""), today)


def record_of_account(connection: SupportsExecute, account_hash: bytes, event: Event) -> None:
    """Insert an entry of an account whose user is not known, or does not exist yet."""
    values = event._asdict()
    del values["session_hash"]
    _RECORD_OF_ACCOUNT.execute(
        connection, **new_parameters({"account_hash": account_hash, **values})
    )


def move_to_user(connection: SupportsExecute, account_hash: bytes, user_id: int) -> None:
    for row in _TAKE_OF_ACCOUNT.all(connection, account_hash=account_hash):
        moved = {"user_id": user_id, "last_at": row.at, **row._asdict()}
        _MOVE.execute(connection, **new_parameters(moved))


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


def _count_of_day(
    connection: SupportsExecute, user_id: int, event: Event, day: datetime.date
) -> _EntriesOfDay:
    midnight = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
    parameters = {"kind": event.kind, "client_hash": event.client_hash, "day": day}
    return _COUNT_OF_DAY.first_or_not_found(
        connection, user_id=user_id, midnight=midnight, **parameters
    )


def _insert(
    connection: SupportsExecute, user_id: int, event: Event, day: datetime.date | None
) -> None:
    new = {"user_id": user_id, **event._asdict(), "day": day}
    _RECORD.execute(connection, **new_parameters(new))
