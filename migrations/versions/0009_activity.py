"""The activity of a job, inserted by triggers, so that every way of writing is recorded.

A new table below jobs needs a trigger function of its own, which calls record_activity().
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None

TYPES = (
    *("job_created", "job_updated", "status_changed", "tags_updated", "note_added"),
    *("note_deleted", "document_added", "document_uploaded", "document_deleted"),
    *("interview_added", "interview_updated", "interview_deleted"),
)

TABLES = ("jobs", "notes", "documents")


def upgrade() -> None:
    op.create_table(
        "activity",
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("application_id", sa.BigInteger, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("data", JSONB, server_default="{}", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("statement_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_activity")),
        sa.ForeignKeyConstraint(
            ["user_id", "application_id"],
            ["jobs.user_id", "jobs.id"],
            name=op.f("fk_activity_user_id_application_id_jobs"),
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "type IN ({})".format(", ".join(f"'{word}'" for word in TYPES)),
            name=op.f("ck_activity_type"),
        ),
    )
    op.create_index(
        op.f("ix_activity_user_id_application_id_created_at_id"),
        "activity",
        ["user_id", "application_id", "created_at", "id"],
    )
    op.create_index(op.f("ix_activity_user_id_created_at"), "activity", ["user_id", "created_at"])

    # FOR KEY SHARE conflicts with a concurrent DELETE of the job, but not with an UPDATE. With SKIP
    # LOCKED nothing is inserted for a job that is being deleted, without waiting.
    op.execute("""
        CREATE FUNCTION record_activity(
            of_user bigint, of_job bigint, type text, message text, data jsonb
        ) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO activity (user_id, application_id, type, message, data)
            SELECT jobs.user_id, jobs.id, $3, $4, $5 FROM jobs
            WHERE jobs.user_id = of_user AND jobs.id = of_job
            FOR KEY SHARE SKIP LOCKED;
        END $$
    """)
    op.execute("""
        CREATE FUNCTION record_job_activity() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            added jsonb;
            removed jsonb;
            fields jsonb;
        BEGIN
            IF TG_OP = 'INSERT' THEN
                PERFORM record_activity(NEW.user_id, NEW.id, 'job_created', 'Job added', '{}');
                RETURN NULL;
            END IF;
            IF OLD.status IS DISTINCT FROM NEW.status THEN
                PERFORM record_activity(
                    NEW.user_id, NEW.id, 'status_changed', 'Status changed to ' || NEW.status,
                    jsonb_build_object('from', OLD.status, 'to', NEW.status));
            END IF;
            IF OLD.tags IS DISTINCT FROM NEW.tags THEN
                SELECT coalesce(jsonb_agg(tag ORDER BY tag COLLATE "C"), '[]') INTO added
                FROM (SELECT unnest(NEW.tags) EXCEPT SELECT unnest(OLD.tags)) AS news (tag);
                SELECT coalesce(jsonb_agg(tag ORDER BY tag COLLATE "C"), '[]') INTO removed
                FROM (SELECT unnest(OLD.tags) EXCEPT SELECT unnest(NEW.tags)) AS olds (tag);
                IF added <> '[]' OR removed <> '[]' THEN
                    PERFORM record_activity(
                        NEW.user_id, NEW.id, 'tags_updated', 'Tags updated',
                        jsonb_build_object('added', added, 'removed', removed));
                END IF;
            END IF;
            SELECT jsonb_agg(field ORDER BY field COLLATE "C") INTO fields
            FROM (VALUES
                ('applied_date', OLD.applied_date IS DISTINCT FROM NEW.applied_date),
                ('company_name', OLD.company_name IS DISTINCT FROM NEW.company_name),
                ('job_title', OLD.job_title IS DISTINCT FROM NEW.job_title),
                ('job_url', OLD.job_url IS DISTINCT FROM NEW.job_url),
                ('location', OLD.location IS DISTINCT FROM NEW.location),
                ('next_action_at', OLD.next_action_at IS DISTINCT FROM NEW.next_action_at),
                ('next_action_title', OLD.next_action_title IS DISTINCT FROM NEW.next_action_title),
                ('priority', OLD.priority IS DISTINCT FROM NEW.priority)
            ) AS compared (field, is_changed)
            WHERE is_changed;
            IF fields IS NOT NULL THEN
                PERFORM record_activity(
                    NEW.user_id, NEW.id, 'job_updated', 'Job updated',
                    jsonb_build_object('fields', fields));
            END IF;
            RETURN NULL;
        END $$
    """)
    # Only for the columns that are recorded, not for last_activity_at.
    op.execute("""
        CREATE TRIGGER record_activity AFTER INSERT OR UPDATE OF
            status, tags, applied_date, company_name, job_title, job_url, location,
            next_action_at, next_action_title, priority
        ON jobs FOR EACH ROW EXECUTE FUNCTION record_job_activity()
    """)
    op.execute("""
        CREATE FUNCTION record_note_activity() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'INSERT' THEN
                PERFORM record_activity(
                    NEW.user_id, NEW.application_id, 'note_added', 'Note added',
                    jsonb_build_object('note_id', NEW.id));
            ELSE
                PERFORM record_activity(
                    OLD.user_id, OLD.application_id, 'note_deleted', 'Note deleted',
                    jsonb_build_object('note_id', OLD.id));
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER record_activity AFTER INSERT OR DELETE ON notes
        FOR EACH ROW EXECUTE FUNCTION record_note_activity()
    """)
    op.execute("""
        CREATE FUNCTION record_document_activity() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            document documents := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
            data jsonb := jsonb_build_object(
                'document_id', document.id, 'doc_type', document.doc_type,
                'filename', document.original_filename);
        BEGIN
            IF TG_OP = 'INSERT' THEN
                PERFORM record_activity(
                    document.user_id, document.application_id,
                    'document_added', 'Document added', data);
            ELSIF TG_OP = 'DELETE' THEN
                PERFORM record_activity(
                    document.user_id, document.application_id,
                    'document_deleted', 'Document deleted', data);
            ELSIF OLD.status <> 'uploaded' AND NEW.status = 'uploaded' THEN
                PERFORM record_activity(
                    document.user_id, document.application_id,
                    'document_uploaded', 'Document uploaded', data);
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER record_activity AFTER INSERT OR UPDATE OF status OR DELETE ON documents
        FOR EACH ROW EXECUTE FUNCTION record_document_activity()
    """)


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TRIGGER record_activity ON {table}")
    for function in ("record_document_activity", "record_note_activity", "record_job_activity"):
        op.execute(f"DROP FUNCTION {function}")
    op.execute("DROP FUNCTION record_activity")
    op.drop_table("activity")
