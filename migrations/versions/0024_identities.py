"""Identities: the user of each account, beside the users; ids that no restore gives twice.

Existing users keep their ids, all of which are smaller than the new ones.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: str | None = None
depends_on: str | None = None

# The microseconds since 2026, and two random bits: below 2**53 until 2097. A time is not repeated
# by a restore, a promotion or a sequence that is reset.
NEW_USER_ID = """
    CREATE FUNCTION new_user_id() RETURNS bigint LANGUAGE sql VOLATILE
    RETURN (extract(epoch FROM clock_timestamp() - timestamptz '2026-01-01 00:00:00+00')
            * 1000000)::bigint * 4 + floor(random() * 4)::bigint
"""


def upgrade() -> None:
    op.execute(NEW_USER_ID)
    op.create_table(
        "identities",
        sa.Column("sub", sa.Text, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("sub", name="pk_identities"),
    )
    op.execute("INSERT INTO identities (sub, user_id) SELECT cognito_sub, id FROM users")
    op.drop_constraint("uq_users_cognito_sub", "users")
    op.create_index("ix_users_cognito_sub", "users", ["cognito_sub"])
    op.execute("ALTER TABLE users ALTER id DROP IDENTITY")
    op.alter_column("users", "id", server_default=sa.text("new_user_id()"))


def downgrade() -> None:
    op.alter_column("users", "id", server_default=None)
    op.execute("ALTER TABLE users ALTER id ADD GENERATED ALWAYS AS IDENTITY")
    op.execute("""
        SELECT setval(pg_get_serial_sequence('users', 'id'), (SELECT max(id) FROM users))
    """)
    op.drop_index("ix_users_cognito_sub", "users")
    op.create_unique_constraint("uq_users_cognito_sub", "users", ["cognito_sub"])
    op.drop_table("identities")
    op.execute("DROP FUNCTION new_user_id()")
