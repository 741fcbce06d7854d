"""Priority and next action of jobs."""

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("priority", sa.Text, server_default="normal", nullable=False))
    op.create_check_constraint(
        op.f("ck_jobs_priority"), "jobs", "priority IN ('low', 'normal', 'high')"
    )
    op.add_column("jobs", sa.Column("next_action_at", sa.DateTime(timezone=True)))
    op.add_column("jobs", sa.Column("next_action_title", sa.String(255)))
    op.add_column("jobs", sa.Column("last_action_at", sa.DateTime(timezone=True)))
    # An UPDATE that waited for a lock can have an earlier timestamp than the previous one.
    op.execute("""
        CREATE FUNCTION set_last_action_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.last_action_at := greatest(OLD.last_action_at, statement_timestamp());
            RETURN NEW;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER set_last_action
        BEFORE UPDATE OF next_action_at, next_action_title ON jobs FOR EACH ROW
        WHEN ((OLD.next_action_at, OLD.next_action_title)
              IS DISTINCT FROM (NEW.next_action_at, NEW.next_action_title))
        EXECUTE FUNCTION set_last_action_of_job()
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER set_last_action ON jobs")
    op.execute("DROP FUNCTION set_last_action_of_job")
    op.drop_column("jobs", "last_action_at")
    op.drop_column("jobs", "next_action_title")
    op.drop_column("jobs", "next_action_at")
    op.drop_column("jobs", "priority")
