"""Deletion of accounts.

Columns without a default, and a new table, which the code of before does not know.
"""

from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None

# Deletion of accounts.
USERS = """
ALTER TABLE users ADD COLUMN deletion_requested_at timestamptz,
    ADD COLUMN cognito_deleted_at timestamptz
"""
DELETED_ACCOUNTS = """
CREATE TABLE deleted_accounts (
    sub_hash bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_deleted_accounts PRIMARY KEY (sub_hash)
);
CREATE INDEX ix_deleted_accounts_expires_at ON deleted_accounts (expires_at);
"""
KEY = """
INSERT INTO signing_keys (name, key)
VALUES ('deleted_accounts', uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    for statement in (DELETED_ACCOUNTS, KEY, USERS):
        op.execute(statement)


def downgrade() -> None:
    """The accounts whose deletion was requested stay without valid tokens."""
    op.drop_column("users", "cognito_deleted_at")
    op.drop_column("users", "deletion_requested_at")
    op.drop_table("deleted_accounts")
    op.execute("DELETE FROM signing_keys WHERE name = 'deleted_accounts'")
