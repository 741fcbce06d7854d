"""Activity of interviews; steps increment the user's revision.

Every change of an interview is recorded, except of updated_at, version and revision alone.
"""

from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.execute("""
        CREATE FUNCTION record_interview_activity() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            no_change CONSTANT text[] := '{updated_at, version, revision}';
        BEGIN
            IF TG_OP = 'INSERT' THEN
                PERFORM record_activity(
                    NEW.user_id, NEW.application_id, 'interview_added', 'Interview added',
                    jsonb_build_object('interview_id', NEW.id, 'scheduled_at', to_char(
                        NEW.scheduled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')));
            ELSIF TG_OP = 'DELETE' THEN
                PERFORM record_activity(
                    OLD.user_id, OLD.application_id, 'interview_deleted', 'Interview deleted',
                    jsonb_build_object('interview_id', OLD.id));
            ELSIF to_jsonb(OLD) - no_change <> to_jsonb(NEW) - no_change THEN
                PERFORM record_activity(
                    NEW.user_id, NEW.application_id, 'interview_updated', 'Interview updated',
                    jsonb_build_object('interview_id', NEW.id));
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER record_activity AFTER INSERT OR UPDATE OR DELETE ON interviews
        FOR EACH ROW EXECUTE FUNCTION record_interview_activity()
    """)
    op.execute("""
        CREATE CONSTRAINT TRIGGER bump_revision AFTER INSERT OR DELETE ON job_steps
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION bump_revision()
    """)
    op.execute("""
        CREATE CONSTRAINT TRIGGER bump_revision_by_update AFTER UPDATE ON job_steps
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (OLD *<> NEW) EXECUTE FUNCTION bump_revision()
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER bump_revision_by_update ON job_steps")
    op.execute("DROP TRIGGER bump_revision ON job_steps")
    op.execute("DROP TRIGGER record_activity ON interviews")
    op.execute("DROP FUNCTION record_interview_activity")
