"""The SQL of the deletion of accounts: its request, its undo, and what remains of it.

PostgreSQL computes the hashes.
"""

import datetime
from typing import NamedTuple

from sqlalchemy import Text, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from jobtracker.db.base import NOW, USER_ID
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.expiry import ExpiredRows
from jobtracker.db.signing_keys import SigningKey
from jobtracker.db.statements import Command, ScalarStatement, Statement, columns_of
from jobtracker.users.models import DeletedAccount, Identity, User

# The name of the key of the hashes, which its migration inserts.
KEY_NAME = "deleted_accounts"

#: How long the ``sub`` of a deleted account is remembered: an access token is valid for a day at
#: most, and an hour more is for clocks that differ.
#: https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
TTL = datetime.timedelta(hours=25)

# No sign-in is after it, and it is a time that Python can represent.
NEVER = datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC)


class DeletionRow(NamedTuple):
    """A user whose account is being deleted."""

    id: int
    cognito_sub: str
    email: str
    deletion_requested_at: datetime.datetime | None
    cognito_deleted_at: datetime.datetime | None


_SUB = bindparam("sub", type_=Text)
_COLUMNS = columns_of(User, DeletionRow)
_IS_REQUESTED = User.deletion_requested_at.is_not(None)
_KEY = select(SigningKey.key).where(SigningKey.name == KEY_NAME).scalar_subquery()
_HASH = func.sha256(_KEY.op("||")(func.convert_to(_SUB, "UTF8")))
_C = DeletedAccount.__table__.c

_UPDATE = update(User.__table__).where(User.id == USER_ID)
_REQUEST = Statement(
    _UPDATE.where(User.deletion_requested_at.is_(None))
    .values(deletion_requested_at=NOW, tokens_valid_from=NEVER)
    .returning(*_COLUMNS),
    DeletionRow,
)
_UNDO = Command(
    _UPDATE.where(_IS_REQUESTED).values(
        deletion_requested_at=None, tokens_valid_from=bindparam("valid_from")
    )
)
_SET_COGNITO_DELETED = Command(_UPDATE.values(cognito_deleted_at=NOW))
_LOCK = Statement(select(*_COLUMNS).where(User.id == USER_ID).with_for_update(), DeletionRow)
_FIND = Statement(select(*_COLUMNS).where(User.id == USER_ID), DeletionRow)
_FIND_REQUESTED = Statement(
    select(*_COLUMNS).where(User.email == bindparam("email", type_=Text), _IS_REQUESTED),
    DeletionRow,
)
_NEW = insert(DeletedAccount.__table__).values(sub_hash=_HASH, expires_at=NOW + TTL)
_REMEMBER = Command(
    _NEW.on_conflict_do_update(
        index_elements=["sub_hash"], set_={"expires_at": _NEW.excluded.expires_at}
    )
)
_IS_REMEMBERED = ScalarStatement[datetime.datetime](
    select(_C.expires_at).where(_C.sub_hash == _HASH, _C.expires_at > NOW)
)
_DELETE_IDENTITY = Command(
    delete(Identity.__table__).where(Identity.sub == _SUB, Identity.user_id == USER_ID)
)
_DELETE_USER = Command(delete(User.__table__).where(User.id == USER_ID))
#: The sweeper deletes them.
EXPIRED = ExpiredRows(DeletedAccount, _C.expires_at <= NOW)


def request(connection: SupportsExecute, user_id: int) -> DeletionRow | None:
    """Request the deletion of a user, and revoke all tokens, those to come too; None if it was
    requested before."""
    return _REQUEST.first(connection, user_id=user_id)


def undo(connection: SupportsExecute, user_id: int, valid_from: datetime.datetime) -> None:
    """Undo the request; tokens of sign-ins before a time stay revoked."""
    _UNDO.execute(connection, user_id=user_id, valid_from=valid_from)


def find(connection: SupportsExecute, user_id: int) -> DeletionRow | None:
    return _FIND.first(connection, user_id=user_id)


def lock(connection: SupportsExecute, user_id: int) -> DeletionRow | None:
    """The user, whom no row can refer to any more until the end of the transaction."""
    return _LOCK.first(connection, user_id=user_id)


def find_requested(connection: SupportsExecute, email: str) -> list[DeletionRow]:
    """The users with that address whose deletion is requested."""
    return _FIND_REQUESTED.all(connection, email=email)


def set_cognito_deleted(connection: SupportsExecute, user_id: int) -> None:
    _SET_COGNITO_DELETED.execute(connection, user_id=user_id)


def delete_user(connection: SupportsExecute, user: DeletionRow) -> None:
    """Delete a user and the identity, and remember the ``sub`` for :data:`TTL`."""
    _REMEMBER.execute(connection, sub=user.cognito_sub)
    _DELETE_IDENTITY.execute(connection, sub=user.cognito_sub, user_id=user.id)
    _DELETE_USER.execute(connection, user_id=user.id)


def is_deleted(connection: SupportsExecute, sub: str) -> bool:
    """Whether the account with that ``sub`` was deleted, as long as it is remembered."""
    return _IS_REMEMBERED.first(connection, sub=sub) is not None
