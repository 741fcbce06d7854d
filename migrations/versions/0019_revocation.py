"""Revocation of access tokens: for a user, and for one session. Signing keys."""

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    # Blocks writes for as long as it reads the table, which has one short row for each account.
    op.create_index("ix_users_email", "users", ["email"])
    op.add_column("users", sa.Column("tokens_valid_from", sa.DateTime(timezone=True)))
    op.create_table(
        "revoked_sessions",
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("origin_jti", sa.Text, nullable=False),
        sa.Column(
            "revoked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("user_id", "origin_jti", name="pk_revoked_sessions"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_revoked_sessions_user_id_users", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_revoked_sessions_revoked_at", "revoked_sessions", ["revoked_at"])
    op.create_table(
        "signing_keys",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_signing_keys"),
    )
    # PostgreSQL computes the hashes of sign_in_networks. 32 bytes, of which 244 bits are random.
    op.execute("""
        INSERT INTO signing_keys (name, key)
        VALUES ('sign_in_networks', uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
    """)


def downgrade() -> None:
    op.drop_index("ix_users_email", "users")
    op.drop_table("signing_keys")
    op.drop_table("revoked_sessions")
    op.drop_column("users", "tokens_valid_from")
