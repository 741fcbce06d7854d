"""The SQL of the keys of all rows with an object, for the comparison with the bucket."""

import functools
from collections.abc import Collection, Generator
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import Statement
from jobtracker.documents.models import Document, DocumentStatus, ObjectDeletion


class KeyRow(NamedTuple):
    object_key: str
    user_id: int
    #: What the row is; None if it is nothing that needs its object.
    kind: str | None
    row_id: int | None
    is_required: bool  # whether the object has to exist


class KeySource(NamedTuple):
    """A column with keys."""

    kind: str | None
    object_key: Any
    user_id: Any
    row_id: Any
    is_required: Any


_REQUIRED = (DocumentStatus.SCANNING, DocumentStatus.UPLOADED)
_IS_REQUIRED = sa.or_(*(Document.status == each for each in _REQUIRED))
_NO_ID = sa.cast(sa.null(), sa.BigInteger)
#: All columns with keys; feature packages above append theirs.
SOURCES = [
    KeySource("document", Document.object_key, Document.user_id, Document.id, _IS_REQUIRED),
    KeySource("document", Document.upload_key, Document.user_id, Document.id, sa.false()),
    KeySource(None, ObjectDeletion.object_key, ObjectDeletion.user_id, _NO_ID, sa.false()),
]


def _keys(*conditions: Any) -> sa.CompoundSelect[Any]:
    """The keys of rows, by conditions of a key and a user."""

    def select(source: KeySource) -> sa.Select[Any]:
        kind = sa.cast(sa.literal(source.kind), sa.Text)
        columns = (source.object_key, source.user_id, kind, source.row_id, source.is_required)
        of_rows = (condition(source.object_key, source.user_id) for condition in conditions)
        return sa.select(*columns).where(source.object_key.is_not(None), *of_rows)

    return sa.union_all(*map(select, SOURCES))


@functools.cache
def in_order() -> sa.Select[Any]:
    """All keys as S3 lists its objects: in the order of bytes."""
    keys = _keys().subquery()
    return sa.select(*keys.c).order_by(sa.collate(keys.c[0], "C"))


_USERS = sa.bindparam("users", type_=ARRAY(sa.BigInteger))
_KEYS = sa.bindparam("keys", type_=ARRAY(sa.Text))


@functools.cache
def of_users() -> Statement[KeyRow]:
    keys = _keys(
        lambda _key, user: user == sa.any_(_USERS), lambda key, _user: key == sa.any_(_KEYS)
    )
    return Statement(keys, KeyRow)


def all_keys(session: Session, batch: int) -> Generator[KeyRow, None, None]:
    """All keys, by a cursor of the server that reads so many rows at a time."""
    with session.execute(in_order(), execution_options={"yield_per": batch}) as result:
        for row in result:
            yield KeyRow(*row)


def keys_of(
    connection: SupportsExecute, users: Collection[int], keys: Collection[str]
) -> list[KeyRow]:
    """Those of the keys that rows of the users have."""
    return of_users().all(connection, users=list(users), keys=list(keys))
