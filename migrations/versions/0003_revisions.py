"""users.revision and jobs.version: the counters of changes for ETags and If-Match."""

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None

TABLES = ("jobs", "notes", "documents")


def upgrade() -> None:
    for table, column in (("users", "revision"), ("jobs", "version")):
        op.add_column(table, sa.Column(column, sa.BigInteger, server_default="1", nullable=False))
    op.add_column("users", sa.Column("revised_by", sa.BigInteger))
    # Free space on each page for HOT updates: rows of users are updated often.
    op.execute("ALTER TABLE users SET (fillfactor = 70)")

    # Incremented once for each transaction. Deferred to the commit, so that concurrent transactions
    # of a user wait for each other's row lock only during the commit.
    op.execute("""
        CREATE FUNCTION bump_revision() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            this bigint := pg_current_xact_id()::text::bigint;
        BEGIN
            UPDATE users SET revision = revision + 1, revised_by = this
            WHERE id IN (CASE WHEN TG_OP <> 'INSERT' THEN OLD.user_id END,
                         CASE WHEN TG_OP <> 'DELETE' THEN NEW.user_id END)
                AND revised_by IS DISTINCT FROM this;
            RETURN NULL;
        END $$
    """)
    for table in TABLES:
        op.execute(f"""
            CREATE CONSTRAINT TRIGGER bump_revision AFTER INSERT OR DELETE ON {table}
            DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION bump_revision()
        """)
        op.execute(f"""
            CREATE CONSTRAINT TRIGGER bump_revision_by_update AFTER UPDATE ON {table}
            DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW WHEN (OLD *<> NEW) EXECUTE FUNCTION bump_revision()
        """)
    # For changes of the user's own row, but for the increment itself.
    op.execute("""
        CREATE FUNCTION bump_own_revision() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            this bigint := pg_current_xact_id()::text::bigint;
        BEGIN
            IF NEW.revision = OLD.revision AND OLD.revised_by IS DISTINCT FROM this THEN
                NEW.revision := OLD.revision + 1;
                NEW.revised_by := this;
            END IF;
            RETURN NEW;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER bump_own_revision BEFORE UPDATE ON users
        FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION bump_own_revision()
    """)
    # Every column counts but last_activity_at, updated_at and version.
    op.execute("""
        CREATE FUNCTION count_version() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            before jobs := OLD;
        BEGIN
            before.last_activity_at := NEW.last_activity_at;
            before.updated_at := NEW.updated_at;
            before.version := NEW.version;
            IF before IS DISTINCT FROM NEW THEN
                NEW.version := OLD.version + 1;
                NEW.updated_at := statement_timestamp();
            END IF;
            RETURN NEW;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER count_version BEFORE UPDATE ON jobs
        FOR EACH ROW EXECUTE FUNCTION count_version()
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER count_version ON jobs")
    op.execute("DROP FUNCTION count_version")
    op.execute("DROP TRIGGER bump_own_revision ON users")
    op.execute("DROP FUNCTION bump_own_revision")
    for table in TABLES:
        op.execute(f"DROP TRIGGER bump_revision_by_update ON {table}")
        op.execute(f"DROP TRIGGER bump_revision ON {table}")
    op.execute("DROP FUNCTION bump_revision")
    op.execute("ALTER TABLE users RESET (fillfactor)")
    op.drop_column("users", "revised_by")
    op.drop_column("users", "revision")
    op.drop_column("jobs", "version")
