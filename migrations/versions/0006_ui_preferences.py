"""users.ui_preferences: booleans by name."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("users", sa.Column("ui_preferences", JSONB, server_default="{}", nullable=False))
    op.create_check_constraint(
        op.f("ck_users_ui_preferences"),
        "users",
        "jsonb_typeof(ui_preferences) = 'object' AND NOT"
        " jsonb_path_exists(ui_preferences, '$.* ? (@.type() != \"boolean\")')",
    )
    op.create_check_constraint(
        op.f("ck_users_ui_preferences_count"),
        "users",
        "jsonb_array_length(jsonb_path_query_array(ui_preferences, '$.keyvalue()')) <= 100",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_users_ui_preferences_count"), "users")
    op.drop_constraint(op.f("ck_users_ui_preferences"), "users")
    op.drop_column("users", "ui_preferences")
