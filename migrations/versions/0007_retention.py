"""The retention of closed jobs: when its setting last changed, and when a job was restored.

The code of before neither reads nor writes the columns. Existing values of the setting count as
changed by the migration.
"""

from alembic import op

from jobtracker.db.migrations import autocommit, create_index, execute

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None

CLOSED = "'rejected', 'withdrawn', 'ghosted', 'archived'"

RETENTION_CHANGED = """
CREATE OR REPLACE FUNCTION set_data_retention_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.data_retention_changed_at := statement_timestamp();
    RETURN NEW;
END $$
"""
RESTORED = """
CREATE OR REPLACE FUNCTION set_restored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.restored_at := statement_timestamp();
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    with autocommit():
        # The default is evaluated once: no row is written.
        execute(
            "ALTER TABLE users ADD COLUMN IF NOT EXISTS data_retention_changed_at timestamptz"
            " NOT NULL DEFAULT statement_timestamp()"
        )
        execute(RETENTION_CHANGED)
        execute(
            "CREATE OR REPLACE TRIGGER set_data_retention_changed"
            " BEFORE UPDATE OF data_retention_days ON users FOR EACH ROW"
            " WHEN (OLD.data_retention_days <> NEW.data_retention_days)"
            " EXECUTE FUNCTION set_data_retention_changed()"
        )
        execute("ALTER TABLE jobs ADD COLUMN IF NOT EXISTS restored_at timestamptz")
        execute(RESTORED)
        # By its name after count_version: a restoration makes no new version.
        execute(
            "CREATE OR REPLACE TRIGGER set_restored BEFORE UPDATE OF trashed_at ON jobs"
            " FOR EACH ROW WHEN (OLD.trashed_at IS NOT NULL AND NEW.trashed_at IS NULL)"
            " EXECUTE FUNCTION set_restored()"
        )
        create_index("ix_users_retention", "users (id) WHERE data_retention_days > 0")
        create_index(
            "ix_jobs_closed",
            f"jobs (user_id, last_activity_at) WHERE trashed_at IS NULL AND status IN ({CLOSED})",
        )


def downgrade() -> None:
    op.drop_index("ix_jobs_closed")
    op.drop_index("ix_users_retention")
    op.execute("DROP TRIGGER set_restored ON jobs")
    op.execute("DROP FUNCTION set_restored()")
    op.drop_column("jobs", "restored_at")
    op.execute("DROP TRIGGER set_data_retention_changed ON users")
    op.execute("DROP FUNCTION set_data_retention_changed()")
    op.drop_column("users", "data_retention_changed_at")
