"""Interviews."""

import datetime

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None


def moment(name: str) -> sa.Column[datetime.datetime]:
    now = sa.text("statement_timestamp()")
    return sa.Column(name, sa.DateTime(timezone=True), server_default=now, nullable=False)


def upgrade() -> None:
    op.create_table(
        "interviews",
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("application_id", sa.BigInteger, nullable=False),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stage", sa.String(50)),
        sa.Column("kind", sa.String(50)),
        sa.Column("location", sa.String(255)),
        sa.Column("interviewer", sa.String(255)),
        sa.Column("status", sa.Text, server_default="scheduled", nullable=False),
        sa.Column("notes", sa.String(10_000)),
        moment("created_at"),
        moment("updated_at"),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_interviews")),
        sa.ForeignKeyConstraint(
            ["user_id", "application_id"],
            ["jobs.user_id", "jobs.id"],
            name=op.f("fk_interviews_user_id_application_id_jobs"),
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "status IN ('scheduled', 'completed', 'cancelled')", name=op.f("ck_interviews_status")
        ),
    )
    op.create_index(
        op.f("ix_interviews_user_id_application_id_scheduled_at_id"),
        "interviews",
        ["user_id", "application_id", "scheduled_at", "id"],
    )


def downgrade() -> None:
    op.drop_table("interviews")
