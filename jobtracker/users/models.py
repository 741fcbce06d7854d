"""The tables of users, identities, revoked sessions and deleted accounts, and the vocabularies of
the users' settings."""

import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base, counter, enum_check, nonce, timestamp

AUTO_REFRESH_SECONDS = (0, 10, 30, 60)
MAX_RETENTION_DAYS = 3650
MAX_PREFERENCES = 100

#: The columns of GET /users/me/settings.
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
    """An account of the user pool. E-mail address and name are copies of Cognito's attributes."""

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
        # A CHECK cannot have a subquery: a JSON path counts the keys.
        CheckConstraint(
            "jsonb_array_length(jsonb_path_query_array(ui_preferences, '$.keyvalue()'))"
            f" <= {MAX_PREFERENCES}",
            name="ui_preferences_count",
        ),
        Index(None, "cognito_sub"),
        Index(None, "email"),
        # The few that the retention reads.
        Index("ix_users_retention", "id", postgresql_where=text("data_retention_days > 0")),
    )
    PREFERENCES_COUNT = "ck_users_ui_preferences_count"

    # A time and random bits: never given twice, even after a restore. Below 2**53, so that
    # JavaScript can represent it.
    id: Mapped[int] = mapped_column(primary_key=True, server_default=text("new_user_id()"))
    cognito_sub: Mapped[str]
    email: Mapped[str]
    name: Mapped[str | None]
    # Cognito signs in confirmed accounts only, and changes an address only after its confirmation
    # (deploy/aws.yaml): the time of the first sign-in with the current address.
    email_verified_at: Mapped[datetime.datetime] = timestamp()
    auto_refresh_seconds: Mapped[int] = mapped_column(server_default="0")
    theme: Mapped[str] = mapped_column(server_default=Theme.DARK)
    default_jobs_sort: Mapped[str] = mapped_column(server_default=JobsSort.UPDATED_DESC)
    default_jobs_view: Mapped[str] = mapped_column(server_default=JobsView.ALL)
    data_retention_days: Mapped[int] = mapped_column(server_default="0")
    # When those last changed: a trigger sets it.
    data_retention_changed_at: Mapped[datetime.datetime] = timestamp()
    # Boolean options of the client, which chooses their names.
    ui_preferences: Mapped[dict[str, bool]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime.datetime] = timestamp()
    # The number of transactions that changed anything of the user's, in any table: the version of
    # all that the user can see. Triggers keep it, and the nonce of the last such transaction.
    revision: Mapped[int] = counter()
    revision_nonce: Mapped[int] = nonce()
    # Access tokens of sign-ins before it are revoked. A whole second, as the times in tokens.
    tokens_valid_from: Mapped[datetime.datetime | None]
    # The number of jobs, kept by triggers: the quota's condition on the locked row.
    job_count: Mapped[int] = mapped_column(server_default="0")
    # When the deletion of the account was requested: all tokens are revoked, and no sign-in is
    # possible.
    deletion_requested_at: Mapped[datetime.datetime | None]
    # When Cognito has deleted the account.
    cognito_deleted_at: Mapped[datetime.datetime | None]


class Identity(Base):
    """The user of an account of the user pool: the only table that is not found by the user's id.

    Without a foreign key: its row is elsewhere than the user's where tables are distributed. A
    row of a user that does not exist is replaced at the account's next request.
    """

    __tablename__ = "identities"

    sub: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int]


class RevokedSession(Base):
    """A session that was ended before its access tokens expire.

    Cognito's claim ``origin_jti`` is the same in all tokens that descend from one sign-in.
    """

    __tablename__ = "revoked_sessions"
    __table_args__ = (
        ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        Index(None, "revoked_at"),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True)
    origin_jti: Mapped[str] = mapped_column(primary_key=True)
    revoked_at: Mapped[datetime.datetime] = timestamp()


class DeletedAccount(Base):
    """An account of the user pool that was deleted here, until its last access token has expired:
    no user is inserted for it.

    The hash is that of the ``sub``, with a signing key.
    """

    __tablename__ = "deleted_accounts"
    __table_args__ = (Index(None, "expires_at"),)

    sub_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    expires_at: Mapped[datetime.datetime]
