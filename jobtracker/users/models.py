"""The table of users."""

import datetime
import functools
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Text, bindparam, case, cast, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobtracker.db.base import NOW, Base, counter, enum_check, identity, timestamp
from jobtracker.db.connections import SupportsExecute
from jobtracker.db.statements import Statement, row_type
from jobtracker.errors import NotFound
from jobtracker.renderer import json_dumps

AUTO_REFRESH_SECONDS = (0, 10, 30, 60)
MAX_RETENTION_DAYS = 3650
MAX_PREFERENCES = 100

#: The columns that hold how the SPA shows itself.
SETTINGS = (
    "auto_refresh_seconds",
    "theme",
    "default_jobs_sort",
    "default_jobs_view",
    "data_retention_days",
)


class Theme(StrEnum):
    DARK = "dark"
    LIGHT = "light"
    SYSTEM = "system"


class JobsSort(StrEnum):
    UPDATED_DESC = "updated_desc"
    COMPANY_ASC = "company_asc"
    STATUS_ASC = "status_asc"


class JobsView(StrEnum):
    ALL = "all"
    ACTIVE = "active"
    NEEDS_FOLLOWUP = "needs_followup"


class User(Base):
    """Somebody with an account in the user pool. E-mail and name are copies of Cognito's."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint(
            f"auto_refresh_seconds IN {AUTO_REFRESH_SECONDS}", name="auto_refresh_seconds"
        ),
        enum_check("theme", Theme),
        enum_check("default_jobs_sort", JobsSort),
        enum_check("default_jobs_view", JobsView),
        CheckConstraint(
            f"data_retention_days BETWEEN 0 AND {MAX_RETENTION_DAYS}", name="data_retention_days"
        ),
        CheckConstraint(
            "jsonb_typeof(ui_preferences) = 'object' AND NOT"
            " jsonb_path_exists(ui_preferences, '$.* ? (@.type() != \"boolean\")')",
            name="ui_preferences",
        ),
        # No subquery is allowed here, so the keys are counted by a path.
        CheckConstraint(
            "jsonb_array_length(jsonb_path_query_array(ui_preferences, '$.keyvalue()'))"
            f" <= {MAX_PREFERENCES}",
            name="ui_preferences_count",
        ),
    )
    PREFERENCES_COUNT = "ck_users_ui_preferences_count"

    id: Mapped[int] = identity()
    cognito_sub: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str]
    name: Mapped[str | None]
    # Cognito lets nobody in whose account is not confirmed, and an address is changed only after
    # its confirmation (deploy/aws.yaml). This is when the present one was first seen.
    email_verified_at: Mapped[datetime.datetime] = timestamp()
    auto_refresh_seconds: Mapped[int] = mapped_column(server_default="0")
    theme: Mapped[str] = mapped_column(server_default=Theme.DARK)
    default_jobs_sort: Mapped[str] = mapped_column(server_default=JobsSort.UPDATED_DESC)
    default_jobs_view: Mapped[str] = mapped_column(server_default=JobsView.ALL)
    data_retention_days: Mapped[int] = mapped_column(server_default="0")
    # What the user has switched on and off; the names are the client's.
    ui_preferences: Mapped[dict[str, bool]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime.datetime] = timestamp()
    # Counts the transactions that changed anything of this user's, in whatever table: what all that
    # the user can see is known by. Triggers keep it, and which transaction was the last to count.
    revision: Mapped[int] = counter()
    revised_by: Mapped[int | None]

    def __repr__(self) -> str:
        return f"<User {self.id} {self.email}>"

    @property
    def is_email_verified(self) -> bool:
        return self.email_verified_at is not None

    @classmethod
    def sign_in(cls, db: Session, sub: str, *, email: str, name: str | None) -> None:
        """Make the user's row at the first sign-in, and keep its copies true at each other.

        One statement, so that two at once make one row; nothing is written when nothing changed.
        """
        new = insert(cls).values(cognito_sub=sub, email=email, name=name)
        db.execute(
            new.on_conflict_do_update(
                index_elements=[cls.cognito_sub],
                set_={
                    "email": new.excluded.email,
                    "name": new.excluded.name,
                    "email_verified_at": case(
                        (cls.email == new.excluded.email, cls.email_verified_at), else_=NOW
                    ),
                },
                where=or_(
                    cls.email != new.excluded.email,
                    cls.name.is_distinct_from(new.excluded.name),
                ),
            )
        )


_UserColumns: Any = row_type(User)


class UserRow(_UserColumns):
    """A user's values, as they were when they were read or last changed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<User {self.id} {self.email}>"

    @property
    def is_email_verified(self) -> bool:
        return self.email_verified_at is not None

    @classmethod
    def by_sub(cls, connection: SupportsExecute, sub: str) -> "UserRow | None":
        """The user of that Cognito ``sub``."""
        return _BY_SUB.first(connection, sub=sub)

    def lock(self, connection: SupportsExecute) -> "UserRow":
        """Wait for others who change or count what this user has, and keep them waiting.

        FOR NO KEY UPDATE: rows that point to this one can still be made.

        :raises NotFound: when the user was deleted in the meantime
        """
        return _there(_LOCK.first(connection, id=self.id))

    def change(self, connection: SupportsExecute, **values: Any) -> "UserRow":
        """Set some values, all together. What is as it was already is no change.

        :raises NotFound: when the user was deleted in the meantime
        """
        new = {f"new_{name}": value for name, value in values.items()}
        return _there(_update(tuple(values)).first(connection, id=self.id, **new))

    def merge_ui_preferences(
        self, connection: SupportsExecute, changes: Mapping[str, bool | None]
    ) -> "UserRow":
        """Set some preferences, and remove those that are None.

        One statement on what is there by then, so that of two at once neither is lost.

        :raises NotFound: when the user was deleted in the meantime
        """
        removed = [key for key, value in changes.items() if value is None]
        given = {key: value for key, value in changes.items() if value is not None}
        return _there(
            _MERGE.first(connection, id=self.id, removed=removed, given=json_dumps(given).decode())
        )


def _there(row: UserRow | None) -> UserRow:
    if row is None:
        raise NotFound
    return row


TABLE: Any = User.__table__
_ME = TABLE.c.id == bindparam("id")
_BY_SUB = Statement(select(TABLE).where(TABLE.c.cognito_sub == bindparam("sub")), UserRow)
_LOCK = Statement(select(TABLE).where(_ME).with_for_update(key_share=True), UserRow)
_KEPT = TABLE.c.ui_preferences.op("-", return_type=JSONB())(bindparam("removed", type_=ARRAY(Text)))
_MERGED = _KEPT.op("||")(cast(bindparam("given", type_=Text), JSONB))
_MERGE = Statement(
    update(TABLE).where(_ME).values(ui_preferences=_MERGED).returning(TABLE), UserRow
)


@functools.cache
def _update(names: tuple[str, ...]) -> Statement[UserRow]:
    values = {name: bindparam(f"new_{name}", type_=TABLE.c[name].type) for name in names}
    return Statement(update(TABLE).where(_ME).values(values).returning(TABLE), UserRow)
