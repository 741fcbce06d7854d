"""A column that is never null, with an index and a constraint: expanded, backfilled, validated."""

from jobtracker.db.migrations import (
    add_constraint,
    autocommit,
    backfill,
    create_index,
    drop_index,
    execute,
    set_not_null,
)

revision: str = "title_lengths"
down_revision: str | None = "{head}"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    with autocommit():
        # Expand. The trigger is for servers of the release before, which do not know the column.
        execute("ALTER TABLE jobs ADD COLUMN IF NOT EXISTS title_length bigint")
        execute("""
            CREATE OR REPLACE FUNCTION set_title_length() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                NEW.title_length := length(NEW.job_title);
                RETURN NEW;
            END $$
        """)
        execute("""
            CREATE OR REPLACE TRIGGER set_title_length BEFORE INSERT OR UPDATE OF job_title ON jobs
            FOR EACH ROW EXECUTE FUNCTION set_title_length()
        """)
        # Backfill.
        backfill(
            "jobs",
            "UPDATE jobs SET title_length = length(job_title)"
            " WHERE {batch} AND title_length IS NULL",
        )
        # Validate.
        set_not_null("jobs", "title_length")
        add_constraint("jobs", "ck_jobs_title_length", "CHECK (title_length > 0)")
        add_constraint(
            "notes",
            "fk_notes_user_id_users",
            "FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE",
        )
        create_index("ix_jobs_user_id_title_length", "jobs (user_id, title_length)")


def downgrade() -> None:
    with autocommit():
        drop_index("ix_jobs_user_id_title_length")
        execute("ALTER TABLE notes DROP CONSTRAINT IF EXISTS fk_notes_user_id_users")
        execute("DROP TRIGGER IF EXISTS set_title_length ON jobs")
        execute("DROP FUNCTION IF EXISTS set_title_length()")
        execute("ALTER TABLE jobs DROP COLUMN IF EXISTS title_length")
