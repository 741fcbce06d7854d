"""The SQL of users."""

import datetime
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Text, bindparam, case, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from jobtracker.db import statements
from jobtracker.db.base import NOW
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.keyset import newest_first
from jobtracker.db.statements import Command, Repository, Statement, columns_of
from jobtracker.users.models import User


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

    def __repr__(self) -> str:
        return f"<User {self.id} {self.email}>"

    @property
    def is_email_verified(self) -> bool:
        return self.email_verified_at is not None


COLUMNS = columns_of(User, UserRow)
# Without columns of an owner: a user belongs to nothing else.
USERS = Repository(User, UserRow, owner_columns=(), order=newest_first(User))
_FIND_BY_SUB = Statement(select(*COLUMNS).where(User.cognito_sub == bindparam("sub")), UserRow)

_INCREMENT_REVISION = Command(
    update(User.__table__).values(revision=User.revision + 1).where(User.id == bindparam("user_id"))
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


def find_by_sub(connection: SupportsExecute, sub: str) -> UserRow | None:
    """The user with that Cognito ``sub``, or None."""
    return _FIND_BY_SUB.first(connection, sub=sub)


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
