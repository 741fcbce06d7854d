"""Quotas: users.job_count, a limit of the steps by PATCH, and of the activity of a job.

Each statement is a transaction of its own, so that no lock is held while the jobs are counted; all
of them can be repeated after an interruption.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | None = None
depends_on: str | None = None

ACTIVITY_PER_JOB = 1000

# trigger -> its event, and the name that PostgreSQL has for the rows
TRIGGERS = {"count_new_jobs": ("INSERT", "NEW"), "count_deleted_jobs": ("DELETE", "OLD")}

RECORD_ACTIVITY = """
    CREATE OR REPLACE FUNCTION record_activity(
        of_user bigint, of_job bigint, type text, message text, data jsonb
    ) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO activity (user_id, application_id, type, message, data)
        SELECT jobs.user_id, jobs.id, $3, $4, $5 FROM jobs
        WHERE jobs.user_id = of_user AND jobs.id = of_job
        FOR KEY SHARE SKIP LOCKED;
        {then}
    END $$
"""
# The setting quotas.activity_per_job, which the application's connections pass on.
TRIM = f"""
        IF NOT FOUND THEN
            RETURN;  -- the job is being deleted
        END IF;
        DELETE FROM activity
        WHERE user_id = of_user AND application_id = of_job AND (created_at, id) <= (
            SELECT created_at, id FROM activity
            WHERE user_id = of_user AND application_id = of_job
            ORDER BY created_at DESC, id DESC LIMIT 1
            OFFSET coalesce(nullif(current_setting('jobtracker.activity_per_job', true), ''),
                            '{ACTIVITY_PER_JOB}')::bigint
        );
"""  # noqa: S608 (a constant)


@contextmanager
def autocommit() -> Iterator[None]:
    """autocommit_block() of Alembic, which a connection that is detached from its pool refuses."""
    if op.get_context().as_sql:
        with op.get_context().autocommit_block():
            yield
        return
    op.execute("COMMIT")
    driver: Any = op.get_bind().connection.dbapi_connection
    driver.autocommit = True
    try:
        yield
    finally:
        driver.autocommit = False


def upgrade() -> None:
    with autocommit():
        op.execute("ALTER TABLE users ADD COLUMN IF NOT EXISTS job_count bigint DEFAULT 0 NOT NULL")
        # Once for each statement: a thousand jobs at once are one update of the user.
        op.execute("""
            CREATE OR REPLACE FUNCTION count_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                UPDATE users SET job_count = job_count
                    + CASE WHEN TG_OP = 'INSERT' THEN changed.number ELSE -changed.number END
                FROM (SELECT user_id, count(*) AS number FROM rows GROUP BY user_id) AS changed
                WHERE users.id = changed.user_id;
                RETURN NULL;
            END $$
        """)
        op.execute("""
            CREATE OR REPLACE FUNCTION count_moved_job() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                UPDATE users
                SET job_count = job_count + CASE WHEN id = NEW.user_id THEN 1 ELSE -1 END
                WHERE id IN (OLD.user_id, NEW.user_id);
                RETURN NULL;
            END $$
        """)
        for trigger, (event, rows) in TRIGGERS.items():
            op.execute(f"""
                CREATE OR REPLACE TRIGGER {trigger} AFTER {event} ON jobs
                REFERENCING {rows} TABLE AS rows
                FOR EACH STATEMENT EXECUTE FUNCTION count_jobs()
            """)
        op.execute("""
            CREATE OR REPLACE TRIGGER count_moved_job AFTER UPDATE OF user_id ON jobs
            FOR EACH ROW WHEN (OLD.user_id <> NEW.user_id) EXECUTE FUNCTION count_moved_job()
        """)
        # The triggers count from now on. A user's row is locked while the jobs are counted: what
        # is not committed by then is added by its trigger afterwards.
        op.execute("""
            DO $$
            DECLARE
                this bigint;
            BEGIN
                FOR this IN
                    SELECT id FROM users
                    WHERE job_count <> 0 OR EXISTS (SELECT FROM jobs WHERE user_id = users.id)
                LOOP
                    PERFORM FROM users WHERE id = this FOR NO KEY UPDATE;
                    UPDATE users SET job_count = (SELECT count(*) FROM jobs WHERE user_id = this)
                    WHERE id = this;
                    COMMIT;
                END LOOP;
            END $$
        """)
        # VOLATILE: when the UPDATE has waited for a concurrent one, PostgreSQL evaluates this again
        # and it sees that one's step. The condition is that of the trigger record_step.
        op.execute("""
            CREATE OR REPLACE FUNCTION has_room_for_step(
                of_user bigint, of_job bigint, new_status text, max_steps bigint
            ) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
            BEGIN
                RETURN new_status = (
                    SELECT status FROM job_steps
                    WHERE user_id = of_user AND application_id = of_job
                    ORDER BY at DESC, id DESC LIMIT 1
                ) OR max_steps > (
                    SELECT count(*) FROM job_steps
                    WHERE user_id = of_user AND application_id = of_job
                );
            END $$
        """)
        op.execute(RECORD_ACTIVITY.format(then=TRIM))


def downgrade() -> None:
    op.execute(RECORD_ACTIVITY.format(then=""))
    op.execute("DROP FUNCTION has_room_for_step")
    for trigger in (*TRIGGERS, "count_moved_job"):
        op.execute(f"DROP TRIGGER {trigger} ON jobs")
    op.execute("DROP FUNCTION count_moved_job")
    op.execute("DROP FUNCTION count_jobs")
    op.drop_column("users", "job_count")
