"""jobs.last_action_at can be set by the client; otherwise the trigger sets it."""

from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | None = None
depends_on: str | None = None

# An UPDATE that waited for a lock can have an earlier timestamp than the previous one.
NOW = "NEW.last_action_at := greatest(OLD.last_action_at, statement_timestamp());"
UNLESS_SAID = f"IF NEW.last_action_at IS NOT DISTINCT FROM OLD.last_action_at THEN {NOW} END IF;"


def set_last_action(body: str) -> None:
    op.execute(f"""
        CREATE OR REPLACE FUNCTION set_last_action_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            {body}
            RETURN NEW;
        END $$
    """)


def upgrade() -> None:
    set_last_action(UNLESS_SAID)


def downgrade() -> None:
    set_last_action(NOW)
