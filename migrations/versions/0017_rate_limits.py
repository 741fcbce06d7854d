"""rate_limit_counts: the counts of rate limits, which all processes share; sign_in_networks: the
networks from which users have signed in.

Unlogged: a count that a crash loses is no loss.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "rate_limit_counts",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("window_number", sa.BigInteger(), nullable=False),
        sa.Column("previous", sa.BigInteger(), nullable=False),
        sa.Column("current", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_limit_counts")),
        prefixes=["UNLOGGED"],
    )
    op.create_index(op.f("ix_rate_limit_counts_expires_at"), "rate_limit_counts", ["expires_at"])
    op.create_table(
        "sign_in_networks",
        sa.Column("account_hash", sa.LargeBinary(), nullable=False),
        sa.Column("network_hash", sa.LargeBinary(), nullable=False),
        sa.Column(
            "signed_in_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("account_hash", "network_hash", name=op.f("pk_sign_in_networks")),
    )
    op.create_index(op.f("ix_sign_in_networks_signed_in_at"), "sign_in_networks", ["signed_in_at"])


def downgrade() -> None:
    op.drop_table("sign_in_networks")
    op.drop_table("rate_limit_counts")
