"""A column that is null at first: one short transaction."""

import sqlalchemy as sa
from alembic import op

revision: str = "nicknames"
down_revision: str | None = "{head}"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("nickname", sa.Text))


def downgrade() -> None:
    op.drop_column("jobs", "nickname")
