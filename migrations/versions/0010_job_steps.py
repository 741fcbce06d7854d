"""The steps of a job: its statuses with the times from which they held; the latest is current."""

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | None = None
depends_on: str | None = None

NOW = sa.text("statement_timestamp()")
STATUSES = (
    *("saved", "applied", "recruiter_screen", "interviewing", "onsite", "offer"),
    *("accepted", "rejected", "withdrawn", "ghosted", "archived"),
)


def upgrade() -> None:
    op.create_table(
        "job_steps",
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("application_id", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_job_steps")),
        sa.ForeignKeyConstraint(
            ["user_id", "application_id"],
            ["jobs.user_id", "jobs.id"],
            name=op.f("fk_job_steps_user_id_application_id_jobs"),
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "status IN ({})".format(", ".join(f"'{word}'" for word in STATUSES)),
            name=op.f("ck_job_steps_status"),
        ),
        sa.CheckConstraint("at >= '1970-01-01 00:00:00+00'", name=op.f("ck_job_steps_at")),
    )
    # Existing jobs get one step with their present status.
    op.execute("""
        INSERT INTO job_steps (user_id, application_id, status, at)
        SELECT user_id, id, status, created_at FROM jobs ORDER BY user_id, id
    """)
    op.create_index(
        op.f("ix_job_steps_user_id_application_id_at_id"),
        "job_steps",
        ["user_id", "application_id", "at", "id"],
        postgresql_include=["status"],
    )
    # If the latest step has the new status already, the UPDATE was made because of that step.
    # greatest(): the new step must be the latest, even after a concurrent or future-dated one.
    op.execute("""
        CREATE FUNCTION record_step_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            latest job_steps;
        BEGIN
            IF TG_OP = 'INSERT' THEN
                INSERT INTO job_steps (user_id, application_id, status, at)
                VALUES (NEW.user_id, NEW.id, NEW.status, NEW.created_at);
                RETURN NULL;
            END IF;
            SELECT * INTO latest FROM job_steps
            WHERE user_id = NEW.user_id AND application_id = NEW.id
            ORDER BY at DESC, id DESC LIMIT 1;
            IF latest.status IS DISTINCT FROM NEW.status THEN
                INSERT INTO job_steps (user_id, application_id, status, at)
                VALUES (NEW.user_id, NEW.id, NEW.status,
                        greatest(latest.at, statement_timestamp()));
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER record_first_step AFTER INSERT ON jobs
        FOR EACH ROW EXECUTE FUNCTION record_step_of_job()
    """)
    op.execute("""
        CREATE TRIGGER record_step AFTER UPDATE OF status ON jobs FOR EACH ROW
        WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION record_step_of_job()
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER record_step ON jobs")
    op.execute("DROP TRIGGER record_first_step ON jobs")
    op.execute("DROP FUNCTION record_step_of_job")
    op.drop_table("job_steps")
