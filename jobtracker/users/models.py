"""The table of users."""

import datetime
from collections.abc import Mapping
from enum import StrEnum

from sqlalchemy import CheckConstraint, Text, case, cast, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.orm.attributes import set_committed_value

from jobtracker.db import NOW, Base, identity, one_of, timestamp
from jobtracker.errors import NotFound

AUTO_REFRESH_SECONDS = (0, 10, 30, 60)
MAX_RETENTION_DAYS = 3650
MAX_PREFERENCES = 100


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
        one_of("theme", Theme),
        one_of("default_jobs_sort", JobsSort),
        one_of("default_jobs_view", JobsView),
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

    def __repr__(self) -> str:
        return f"<User {self.id} {self.email}>"

    @property
    def is_email_verified(self) -> bool:
        return self.email_verified_at is not None

    @classmethod
    def by_sub(cls, db: Session, sub: str) -> "User | None":
        """The user of that Cognito ``sub``."""
        return db.scalar(select(cls).where(cls.cognito_sub == sub))

    def lock(self, db: Session) -> None:
        """Wait for others who count what this user has, and keep them waiting.

        FOR NO KEY UPDATE: rows that point to this one can still be made.

        :raises jobtracker.errors.NotFound: when the user was deleted in the meantime
        """
        self.reread(db, with_for_update={"key_share": True})

    def merge_ui_preferences(self, db: Session, changes: Mapping[str, bool | None]) -> None:
        """Set some preferences, and remove those that are None.

        One statement on what is there by then, so that of two at once neither is lost.

        :raises jobtracker.errors.NotFound: when the user was deleted in the meantime
        """
        removed = [key for key, value in changes.items() if value is None]
        given = {key: value for key, value in changes.items() if value is not None}
        kept = User.ui_preferences.op("-", return_type=JSONB())(cast(removed, ARRAY(Text)))
        merged = db.scalar(
            update(User)
            .where(User.id == self.id)
            .values(ui_preferences=kept.op("||")(literal(given, JSONB)))
            .returning(User.ui_preferences)
            .execution_options(synchronize_session=False)
        )
        if merged is None:
            raise NotFound
        set_committed_value(self, "ui_preferences", merged)

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
