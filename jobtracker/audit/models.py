"""The tables of audit entries, and their kinds."""

import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from jobtracker.db.base import Base, identity, timestamp


class AuditKind(StrEnum):
    SIGN_UP = "sign_up"
    EMAIL_CONFIRMED = "email_confirmed"
    SIGN_IN = "sign_in"
    SIGN_IN_FAILED = "sign_in_failed"
    #: A wrong code of the second factor at a sign-in, after the right password.
    MFA_FAILED = "mfa_failed"
    SIGN_OUT = "sign_out"
    SIGN_OUT_EVERYWHERE = "sign_out_everywhere"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 (no password)
    PASSWORD_CHANGE_FAILED = "password_change_failed"  # noqa: S105
    PASSWORD_RESET = "password_reset"  # noqa: S105
    PASSWORD_RESET_FAILED = "password_reset_failed"  # noqa: S105
    MFA_ENABLED = "mfa_enabled"
    MFA_DISABLED = "mfa_disabled"
    MFA_CHANGE_FAILED = "mfa_change_failed"
    EXPORT_REQUESTED = "export_requested"
    ACCOUNT_DELETION_REQUESTED = "account_deletion_requested"
    #: A wrong password or code.
    ACCOUNT_DELETION_FAILED = "account_deletion_failed"
    ACCOUNT_DELETION_UNDONE = "account_deletion_undone"
    ACCOUNT_DELETED = "account_deleted"


# The form alone: a list of the kinds would need a migration for each new one.
_KIND = "kind ~ '^[a-z]+(_[a-z]+)*$'"


class AuditEntry(Base):
    """An event of a user's account, or several equal ones of a day.

    Without a foreign key: entries survive the user, whose id is not given again. A trigger rejects
    changes, but for ``event_count`` and ``last_at`` where ``day`` is set.
    """

    __tablename__ = "audit"
    __table_args__ = (
        CheckConstraint(_KIND, name="kind"),
        # The order of a user's list, and the entries of a day.
        Index(None, "user_id", "at", "id"),
        # Those that have expired.
        Index(None, "at"),
        Index(
            "uq_audit_user_id_kind_client_hash_day",
            *("user_id", "kind", "client_hash", "day"),
            unique=True,
            postgresql_where=text("day IS NOT NULL"),
        ),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[int] = identity()
    kind: Mapped[str]
    at: Mapped[datetime.datetime] = timestamp()
    #: Of the latest of several events.
    last_at: Mapped[datetime.datetime] = timestamp()
    event_count: Mapped[int] = mapped_column(server_default="1")
    #: Of the first of several events; null at pshell's prompt.
    request_id: Mapped[str | None]
    #: Of the client's network, with a signing key; empty for several networks.
    client_hash: Mapped[bytes] = mapped_column(LargeBinary)
    #: Of the session, with the same key.
    session_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: In UTC, of an entry for all equal events of a day.
    day: Mapped[datetime.date | None] = mapped_column(sa.Date)


class AccountAuditEntry(Base):
    """An event of an account that has no user yet; its sign-in moves it to :class:`AuditEntry`.

    The account is a hash of the e-mail address, with a signing key.
    """

    __tablename__ = "account_audit"
    __table_args__ = (CheckConstraint(_KIND, name="kind"), Index(None, "at"))

    account_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    id: Mapped[int] = identity()
    kind: Mapped[str]
    at: Mapped[datetime.datetime] = timestamp()
    request_id: Mapped[str | None]
    client_hash: Mapped[bytes] = mapped_column(LargeBinary)
