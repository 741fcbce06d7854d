"""The SQL of users, and of the revocation of their access tokens."""

import datetime
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.orm import Session, sessionmaker

from jobtracker.db import statements
from jobtracker.db.base import NOW, USER_ID
from jobtracker.db.connections import SupportsExecute, transaction
from jobtracker.db.expiry import ExpiredRows
from jobtracker.db.keyset import newest_first
from jobtracker.db.replicas import Check
from jobtracker.db.statements import Command, Repository, ScalarStatement, Statement, columns_of
from jobtracker.errors import Unauthorized
from jobtracker.users import deletion_queries
from jobtracker.users.models import Identity, RevokedSession, User

#: Of an access token that was verified: ``sub``, ``authenticated_at``, ``origin_jti``, and
#: ``user_id``, None if it is not known.
TokenKey = Mapping[str, Any]

# How long a revoked session is stored: longer than the template's refresh tokens are valid, since
# new access tokens of a session come from them.
REVOCATION_TTL = datetime.timedelta(days=31)


class UserRow(NamedTuple):
    """A user, as of the statement that returned it."""

    id: int
    cognito_sub: str
    email: str
    name: str | None
    email_verified_at: datetime.datetime
    auto_refresh_seconds: int
    theme: str
    default_jobs_sort: str
    default_jobs_view: str
    data_retention_days: int
    ui_preferences: dict[str, bool]
    created_at: datetime.datetime
    revision: int
    revision_nonce: int
    job_count: int
    #: When it was read, by the clock of the database; None if an update returned it.
    read_at: datetime.datetime | None

    def __repr__(self) -> str:
        return f"<User {self.id} {self.email}>"

    @property
    def is_email_verified(self) -> bool:
        return self.email_verified_at is not None

    @property
    def version(self) -> tuple[int, int, int]:
        """The version of all that the user can see, as the key of caches."""
        return self.id, self.revision, self.revision_nonce


_READ_AT, _UNREAD = {"read_at": NOW}, {"read_at": sa.null()}
COLUMNS = columns_of(User, UserRow, _READ_AT)
# Without columns of an owner: a user belongs to nothing else.
USERS = Repository(
    User,
    UserRow,
    owner_columns=(),
    order=newest_first(User),
    expressions=_READ_AT,
    updated_expressions=_UNREAD,
)
_SUB = sa.bindparam("sub", type_=sa.Text)
_IDENTIFIED = sa.select(Identity.user_id).where(Identity.sub == _SUB).scalar_subquery()
_AUTHENTICATED_AT = sa.bindparam("authenticated_at", type_=sa.DateTime(timezone=True))
_ORIGIN_JTI = sa.bindparam("origin_jti", type_=sa.Text)


def _is_user(user_id: Any) -> sa.ColumnElement[bool]:
    # The id alone could be another user's, if it comes from a cache or a backup. IS NOT DISTINCT
    # FROM, so that PostgreSQL uses the primary key and not the index of cognito_sub.
    return sa.and_(User.id == user_id, User.cognito_sub.is_not_distinct_from(_SUB))


def _is_valid(user_id: Any) -> sa.ColumnElement[bool]:
    """That the access token is not revoked."""
    is_of_session = (RevokedSession.user_id == user_id, RevokedSession.origin_jti == _ORIGIN_JTI)
    return sa.and_(
        sa.or_(User.tokens_valid_from.is_(None), User.tokens_valid_from <= _AUTHENTICATED_AT),
        # Not an anti-join: PostgreSQL 16 simplifies its condition, so that Citus finds none.
        sa.exists().where(*is_of_session).is_(sa.false()),
    )


#: The user of an access token that is not revoked, by the parameters of :data:`TokenKey`, if the
#: user's id is known.
AUTHENTICATED = sa.and_(_is_user(USER_ID), _is_valid(USER_ID))
_AUTHENTICATED_BY_SUB = sa.and_(_is_user(_IDENTIFIED), _is_valid(User.id))
_FIND_AUTHENTICATED = Statement(sa.select(*COLUMNS).where(AUTHENTICATED), UserRow)
_FIND_AUTHENTICATED_BY_SUB = Statement(sa.select(*COLUMNS).where(_AUTHENTICATED_BY_SUB), UserRow)


#: The columns that are different after each change of anything of the user's.
VERSION = ("revision", "revision_nonce")
_IS_CURRENT = sa.and_(*(User.__table__.c[name] == sa.bindparam(name) for name in VERSION))
_CHECK_VERSION = Statement(
    sa.select(sa.func.pg_is_in_recovery(), _IS_CURRENT).where(User.id == USER_ID), tuple
)


_FIND_REVOKED = ScalarStatement[int](
    sa.select(User.id).where(_is_user(USER_ID), sa.not_(_is_valid(USER_ID)))
)
_FIND_REVOKED_BY_SUB = ScalarStatement[int](
    sa.select(User.id).where(_is_user(_IDENTIFIED), sa.not_(_is_valid(User.id)))
)
_IDENTIFY = ScalarStatement[int](sa.select(Identity.user_id).where(Identity.sub == _SUB))

# Never back, whichever of two concurrent revocations is the later one to write.
_LATER_VALID_FROM = sa.func.greatest(
    User.tokens_valid_from, sa.bindparam("valid_from", type_=sa.DateTime(timezone=True))
)
_REVOKE = sa.update(User.__table__).values(tokens_valid_from=_LATER_VALID_FROM)
_REVOKE_TOKENS = Command(_REVOKE.where(User.id == USER_ID))
_REVOKE_TOKENS_OF_ACCOUNT = Command(
    _REVOKE.where(sa.or_(User.cognito_sub == _SUB, User.email == sa.bindparam("email")))
)
# A SELECT, since the user may be deleted.
_SESSION = insert(RevokedSession.__table__).from_select(
    ["user_id", "origin_jti"],
    sa.select(User.id, _ORIGIN_JTI).where(User.id == USER_ID),
    include_defaults=False,
)
_REVOKE_SESSION = Command(_SESSION.on_conflict_do_nothing())
EXPIRED_REVOCATIONS = ExpiredRows(RevokedSession, RevokedSession.revoked_at <= NOW - REVOCATION_TTL)

_INCREMENT_REVISION = Command(
    sa.update(User.__table__).values(revision=User.revision + 1).where(User.id == USER_ID)
)

# Users of one transaction.
RENEWAL_BATCH = 1000


_AFTER = sa.bindparam("after", type_=sa.BigInteger)
_SOME = sa.select(User.id).where(User.id > _AFTER).order_by(User.id).limit(RENEWAL_BATCH).subquery()
_LAST_OF_BATCH = ScalarStatement[int](sa.select(sa.func.max(_SOME.c.id)))
# The trigger sets the nonce.
_RENEW_REVISIONS = Command(
    sa.update(User.__table__)
    .where(User.id > _AFTER, User.id <= sa.bindparam("last", type_=sa.BigInteger))
    .values(revision=User.revision + 1, tokens_valid_from=_LATER_VALID_FROM)
)

_REMOVED = sa.bindparam("removed", type_=ARRAY(sa.Text))
_REMAINING = User.ui_preferences.op("-", return_type=JSONB())(_REMOVED)
_MERGED = _REMAINING.op("||")(sa.bindparam("given", type_=JSONB))
_MERGE_UI_PREFERENCES = Statement(
    sa.update(User.__table__)
    .where(User.id == USER_ID)
    .values(ui_preferences=_MERGED)
    .returning(*columns_of(User, UserRow, _UNREAD)),
    UserRow,
)


class AccountDeleted(Unauthorized):
    """The account was deleted, or its deletion is requested."""


class _AccountRow(NamedTuple):
    id: int
    email: str
    name: str | None
    read_at: datetime.datetime | None
    is_deleted: bool


_IS_DELETED = {"is_deleted": User.deletion_requested_at.is_not(None)}
# The lock of the row: a concurrent sign-up of the same account has committed then. No user has the
# id 0.
_NEW_IDENTITY = insert(Identity.__table__).values(sub=_SUB, user_id=0)
_LOCK_IDENTITY = Command(
    _NEW_IDENTITY.on_conflict_do_update(
        index_elements=[Identity.sub], set_={"user_id": Identity.user_id}
    )
)
_SET_IDENTITY = Command(
    sa.update(Identity.__table__).values(user_id=USER_ID).where(Identity.sub == _SUB)
)
_ACCOUNTS = sa.select(*columns_of(User, _AccountRow, _READ_AT | _IS_DELETED))
_FIND_BY_IDENTITY = Statement(_ACCOUNTS.where(_is_user(_IDENTIFIED)), _AccountRow)
# Of several users with an address, it is now that of the one who was the last to prove it.
_FIND_BY_EMAIL = ScalarStatement[int](
    sa.select(User.id)
    .where(User.email == sa.bindparam("email", type_=sa.Text))
    .order_by(User.email_verified_at.desc(), User.id.desc())
    .limit(1)
)
# Of all users: one whose identity is lost, or that was inserted without one.
_FIND_BY_SUB = Statement(
    _ACCOUNTS.where(User.cognito_sub == _SUB).order_by(User.id.desc()), _AccountRow
)
_NEW = insert(User.__table__).values(statements.new_values(User, ["cognito_sub", "email", "name"]))
_INSERT = Statement(
    _NEW.on_conflict_do_nothing(index_elements=[User.id]).returning(
        *columns_of(User, _AccountRow, _UNREAD | _IS_DELETED)
    ),
    _AccountRow,
)
#: Those that Citus runs on the shards of all users: of tokens and accounts whose user is unknown.
WITHOUT_USER_ID = (
    _FIND_AUTHENTICATED_BY_SUB,
    _FIND_REVOKED_BY_SUB,
    _FIND_BY_IDENTITY,
    _FIND_BY_SUB,
    _FIND_BY_EMAIL,
    _REVOKE_TOKENS_OF_ACCOUNT,
)


def find_authenticated(connection: SupportsExecute, token: TokenKey) -> UserRow | None:
    """The user of an access token; None when there is none, or when the token is revoked.

    By the user's id, or else by the ``sub``.
    """
    if token["user_id"] is None:
        return _FIND_AUTHENTICATED_BY_SUB.first(connection, **token)
    return _FIND_AUTHENTICATED.first(connection, **token)


def version_check(user: UserRow) -> Check:
    """The check whether a replica has the version of the user's data that the row has."""
    values = {name: getattr(user, name) for name in VERSION}
    return Check(*_CHECK_VERSION.bind(user_id=user.id, **values))


def is_revoked(connection: SupportsExecute, token: TokenKey) -> bool:
    """Whether the user of an access token exists, and the token is revoked. Finds the user as
    :func:`find_authenticated`."""
    if token["user_id"] is None:
        return _FIND_REVOKED_BY_SUB.first(connection, **token) is not None
    return _FIND_REVOKED.first(connection, **token) is not None


def identify(connection: SupportsExecute, sub: str) -> int | None:
    return _IDENTIFY.first(connection, sub=sub)


def find_by_email(connection: SupportsExecute, email: str) -> int | None:
    """The id of the user with that address."""
    return _FIND_BY_EMAIL.first(connection, email=email)


def revoke_tokens(
    connection: SupportsExecute, valid_from: datetime.datetime, user_id: int | None
) -> None:
    """Revoke a user's access tokens of all sign-ins before a time."""
    _REVOKE_TOKENS.execute(connection, valid_from=valid_from, user_id=user_id)


def revoke_tokens_of_account(
    connection: SupportsExecute, valid_from: datetime.datetime, *, sub: str | None, email: str
) -> None:
    """Revoke the access tokens of all sign-ins before a time, of the users with that Cognito
    ``sub`` or that address."""
    _REVOKE_TOKENS_OF_ACCOUNT.execute(connection, valid_from=valid_from, sub=sub, email=email)


def revoke_session(connection: SupportsExecute, user_id: int | None, origin_jti: str) -> bool:
    """Revoke all access tokens of a session of a user; return whether they were valid before."""
    return _REVOKE_SESSION.execute(connection, user_id=user_id, origin_jti=origin_jti) > 0


def upsert_user(connection: SupportsExecute, sub: str, *, email: str, name: str | None) -> int:
    """Insert the user and the identity at the first sign-in, in a transaction, and update the
    copied attributes at later ones; return the user's id. It writes only what differs.

    :raises AccountDeleted: as long as the database knows of the deletion
    """
    user = _FIND_BY_IDENTITY.first(connection, sub=sub) or _sign_up(connection, sub, email, name)
    if user.is_deleted:
        raise AccountDeleted
    if (user.email, user.name) != (email, name):
        is_same = user.email == email
        verified_at = {} if is_same else {"email_verified_at": user.read_at}
        USERS.update(connection, {}, user.id, {"email": email, "name": name, **verified_at})
    return user.id


def _sign_up(connection: SupportsExecute, sub: str, email: str, name: str | None) -> _AccountRow:
    _LOCK_IDENTITY.execute(connection, sub=sub)
    if deletion_queries.is_deleted(connection, sub):
        raise AccountDeleted
    user = _FIND_BY_SUB.first(connection, sub=sub)
    while user is None:  # once, unless another user has the new id
        values = {"cognito_sub": sub, "email": email, "name": name}
        user = _INSERT.first(connection, **statements.new_parameters(values))
    _SET_IDENTITY.execute(connection, sub=sub, user_id=user.id)
    return user


def merge_ui_preferences(
    connection: SupportsExecute, user_id: int, changes: Mapping[str, bool | None]
) -> UserRow:
    """Set some preferences, and remove those whose value is None; NotFound for a deleted user.

    One statement on the current value: concurrent merges lose nothing.
    """
    removed = [key for key, value in changes.items() if value is None]
    given = {key: value for key, value in changes.items() if value is not None}
    parameters = {"user_id": user_id, "removed": removed, "given": given}
    return _MERGE_UI_PREFERENCES.first_or_not_found(connection, **parameters)


def increment_revision(connection: SupportsExecute, user_id: int) -> None:
    """Let other processes know that something of the user has changed outside of the database."""
    _INCREMENT_REVISION.execute(connection, user_id=user_id)


def renew_revisions(
    sessions: sessionmaker[Session], valid_from: datetime.datetime | None = None
) -> int:
    """Increment the revisions of all users, some in each transaction, and return their number.

    :param valid_from: also revoke the access tokens of all sign-ins before that time
    """
    number = after = 0
    while True:
        with transaction(sessions) as connection:
            last = _LAST_OF_BATCH.first(connection, after=after)
            if last is None:
                return number
            number += _RENEW_REVISIONS.execute(
                connection, after=after, last=last, valid_from=valid_from
            )
        after = last
