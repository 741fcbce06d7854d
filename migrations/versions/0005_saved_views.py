"""Saved views."""

import datetime

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None


def moment(name: str) -> sa.Column[datetime.datetime]:
    now = sa.text("statement_timestamp()")
    return sa.Column(name, sa.DateTime(timezone=True), server_default=now, nullable=False)


def upgrade() -> None:
    op.create_table(
        "saved_views",
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        moment("created_at"),
        moment("updated_at"),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_saved_views")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_saved_views_user_id_users"), ondelete="CASCADE"
        ),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_saved_views_user_id_name")),
        sa.CheckConstraint(
            "json_typeof(data) = 'object' AND octet_length(data::text) <= 16384",
            name=op.f("ck_saved_views_data"),
        ),
    )
    op.create_index(
        op.f("ix_saved_views_user_id_updated_at_id"), "saved_views", ["user_id", "updated_at", "id"]
    )


def downgrade() -> None:
    op.drop_table("saved_views")
