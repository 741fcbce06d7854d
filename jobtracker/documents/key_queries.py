"""The SQL of the keys of all documents and deletions, for the comparison with the bucket."""

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
    document_id: int | None
    is_required: bool  # whether the object has to exist


_REQUIRED = (DocumentStatus.SCANNING, DocumentStatus.UPLOADED, DocumentStatus.INFECTED)
_NO_DOCUMENT = sa.cast(sa.null(), sa.BigInteger)


def _keys(*conditions: Any) -> sa.CompoundSelect[Any]:
    """The keys of rows, by conditions of a key and a user."""

    def where(key: Any, user_id: Any) -> list[Any]:
        return [condition(key, user_id) for condition in conditions]

    is_required = sa.or_(*(Document.status == each for each in _REQUIRED))
    queries = (
        (Document.object_key, Document.user_id, Document.id, is_required),
        (Document.upload_key, Document.user_id, Document.id, sa.false()),
        (ObjectDeletion.object_key, ObjectDeletion.user_id, _NO_DOCUMENT, sa.false()),
    )
    return sa.union_all(
        *(sa.select(*columns).where(*where(columns[0], columns[1])) for columns in queries)
    )


_ALL = _keys().subquery()
# As S3 lists its objects: in the order of bytes.
_IN_ORDER = sa.select(*_ALL.c).order_by(sa.collate(_ALL.c[0], "C"))
_USERS = sa.bindparam("users", type_=ARRAY(sa.BigInteger))
_KEYS = sa.bindparam("keys", type_=ARRAY(sa.Text))
_OF_USERS = Statement(
    _keys(lambda _key, user: user == sa.any_(_USERS), lambda key, _user: key == sa.any_(_KEYS)),
    KeyRow,
)


def all_keys(session: Session, batch: int) -> Generator[KeyRow, None, None]:
    """All keys, by a cursor of the server that reads so many rows at a time."""
    with session.execute(_IN_ORDER, execution_options={"yield_per": batch}) as result:
        for row in result:
            yield KeyRow(*row)


def keys_of(
    connection: SupportsExecute, users: Collection[int], keys: Collection[str]
) -> list[KeyRow]:
    """Those of the keys that rows of the users have."""
    return _OF_USERS.all(connection, users=list(users), keys=list(keys))
