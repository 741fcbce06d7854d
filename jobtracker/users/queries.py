"""The SQL of users, and of the revocation of their access tokens."""

import datetime
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    DateTime,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.orm import Session, sessionmaker

from jobtracker.db import statements
from jobtracker.db.base import NOW
from jobtracker.db.connections import SupportsExecute, transaction
from jobtracker.db.expiry import ExpiredRows
from jobtracker.db.keyset import newest_first
from jobtracker.db.replicas import Check
from jobtracker.db.statements import Command, Repository, Statement, columns_of
from jobtracker.users.models import RevokedSession, User

#: ``sub``, ``authenticated_at`` and ``origin_jti`` of an access token that was verified.
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
    #: When it was read, by the clock of the database.
    read_at: datetime.datetime

    def __repr__(self) -> str:
        return f"<User {self.id} {self.email}>"

    @property
    def is_email_verified(self) -> bool:
        return self.email_verified_at is not None

    @property
    def version(self) -> tuple[int, int, int]:
        """The version of all that the user can see, as the key of caches."""
        return self.id, self.revision, self.revision_nonce


_READ_AT = {"read_at": NOW}
COLUMNS = columns_of(User, UserRow, _READ_AT)
# Without columns of an owner: a user belongs to nothing else.
USERS = Repository(User, UserRow, owner_columns=(), order=newest_first(User), expressions=_READ_AT)
_BY_SUB = User.cognito_sub == bindparam("sub")
_AUTHENTICATED_AT = bindparam("authenticated_at", type_=DateTime(timezone=True))
#: The user of an access token that is not revoked, by the parameters of :data:`TokenKey`.
AUTHENTICATED = and_(
    _BY_SUB,
    or_(User.tokens_valid_from.is_(None), User.tokens_valid_from <= _AUTHENTICATED_AT),
    not_(
        exists().where(
            RevokedSession.user_id == User.id, RevokedSession.origin_jti == bindparam("origin_jti")
        )
    ),
)
_FIND_AUTHENTICATED = Statement(select(*COLUMNS).where(AUTHENTICATED), UserRow)


#: The columns that are different after each change of anything of the user's.
VERSION = ("revision", "revision_nonce")
_IS_CURRENT = and_(*(User.__table__.c[name] == bindparam(name) for name in VERSION))
_CHECK_VERSION = Statement(
    select(func.pg_is_in_recovery(), _IS_CURRENT).where(User.id == bindparam("user_id")), tuple
)


class _Id(NamedTuple):
    id: int


_FIND_REVOKED = Statement(select(User.id).where(_BY_SUB, not_(AUTHENTICATED)), _Id)
# Never back, whichever of two concurrent revocations is the later one to write.
_LATER_VALID_FROM = func.greatest(
    User.tokens_valid_from, bindparam("valid_from", type_=DateTime(timezone=True))
)
_REVOKE_TOKENS = Command(
    update(User.__table__)
    .where(or_(_BY_SUB, User.email == bindparam("email")))
    .values(tokens_valid_from=_LATER_VALID_FROM)
)
_SESSION = insert(RevokedSession.__table__).from_select(
    ["user_id", "origin_jti"],
    select(User.id, bindparam("origin_jti", type_=Text)).where(_BY_SUB),
    include_defaults=False,
)
_REVOKE_SESSION = Command(_SESSION.on_conflict_do_nothing())
EXPIRED_REVOCATIONS = ExpiredRows(RevokedSession, RevokedSession.revoked_at <= NOW - REVOCATION_TTL)

_INCREMENT_REVISION = Command(
    update(User.__table__).values(revision=User.revision + 1).where(User.id == bindparam("user_id"))
)

# Users of one transaction.
RENEWAL_BATCH = 1000


class _LastId(NamedTuple):
    id: int | None


_AFTER = bindparam("after", type_=BigInteger)
_SOME = select(User.id).where(User.id > _AFTER).order_by(User.id).limit(RENEWAL_BATCH).subquery()
_LAST_OF_BATCH = Statement(select(func.max(_SOME.c.id).label("id")), _LastId)
# The trigger sets the nonce.
_RENEW_REVISIONS = Command(
    update(User.__table__)
    .where(User.id > _AFTER, User.id <= bindparam("last", type_=BigInteger))
    .values(revision=User.revision + 1, tokens_valid_from=_LATER_VALID_FROM)
)

_REMOVED = bindparam("removed", type_=ARRAY(Text))
_REMAINING = User.ui_preferences.op("-", return_type=JSONB())(_REMOVED)
_MERGED = _REMAINING.op("||")(bindparam("given", type_=JSONB))
_MERGE = update(User.__table__).values(ui_preferences=_MERGED).returning(*COLUMNS)
_MERGE_UI_PREFERENCES = Statement(_MERGE.where(User.id == bindparam("user_id")), UserRow)

_NEW = insert(User.__table__).values(statements.new_values(User, ["cognito_sub", "email", "name"]))
_EMAIL, _NAME = _NEW.excluded.email, _NEW.excluded.name
_VERIFIED_AT = case((User.email == _EMAIL, User.email_verified_at), else_=NOW)
_UPSERT = Command(
    _NEW.on_conflict_do_update(
        index_elements=[User.cognito_sub],
        set_={"email": _EMAIL, "name": _NAME, "email_verified_at": _VERIFIED_AT},
        where=or_(User.email != _EMAIL, User.name.is_distinct_from(_NAME)),
    )
)


def find_authenticated(connection: SupportsExecute, token: TokenKey) -> UserRow | None:
    """The user of an access token; None when there is none, or when the token is revoked."""
    return _FIND_AUTHENTICATED.first(connection, **token)


def version_check(user: UserRow) -> Check:
    """The check whether a replica has the version of the user's data that the row has."""
    values = {name: getattr(user, name) for name in VERSION}
    return Check(*_CHECK_VERSION.bind(user_id=user.id, **values))


def is_revoked(connection: SupportsExecute, token: TokenKey) -> bool:
    """Whether the user of an access token exists, and the token is revoked."""
    return _FIND_REVOKED.first(connection, **token) is not None


def revoke_tokens(
    connection: SupportsExecute,
    valid_from: datetime.datetime,
    *,
    sub: str | None = None,
    email: str | None = None,
) -> None:
    """Revoke the access tokens of all sign-ins before a time, of the users with that Cognito
    ``sub`` or that address."""
    _REVOKE_TOKENS.execute(connection, valid_from=valid_from, sub=sub, email=email)


def revoke_session(connection: SupportsExecute, token: TokenKey) -> None:
    """Revoke all access tokens of the session that a token belongs to."""
    _REVOKE_SESSION.execute(connection, sub=token["sub"], origin_jti=token["origin_jti"])


def upsert_user(connection: SupportsExecute, sub: str, *, email: str, name: str | None) -> None:
    """Insert the user at the first sign-in, and update the copied attributes at later ones.

    One statement, so that concurrent sign-ins make one row; it writes only what differs.
    """
    values = {"cognito_sub": sub, "email": email, "name": name}
    _UPSERT.execute(connection, **statements.new_parameters(values))


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
            last = _LAST_OF_BATCH.first_or_not_found(connection, after=after).id
            if last is None:
                return number
            number += _RENEW_REVISIONS.execute(
                connection, after=after, last=last, valid_from=valid_from
            )
        after = last
