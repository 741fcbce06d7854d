"""Interviews and saved views increment the user's revision."""

from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None

TABLES = ("interviews", "saved_views")


def upgrade() -> None:
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


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TRIGGER bump_revision_by_update ON {table}")
        op.execute(f"DROP TRIGGER bump_revision ON {table}")
