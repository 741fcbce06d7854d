"""Users, jobs, notes, documents, and object_deletions: S3 objects that are to be deleted.

All primary and foreign keys below users begin with user_id, so that PostgreSQL prevents a note or
document from referencing a job of another user.
"""

import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

NOW = sa.text("statement_timestamp()")


def row_id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False)


def moment(name: str) -> sa.Column[datetime.datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=NOW, nullable=False)


def one_of(table: str, column: str, *words: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=op.f(f"ck_{table}_{column}"))


def of_job(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["user_id", "application_id"],
        ["jobs.user_id", "jobs.id"],
        name=op.f(f"fk_{table}_user_id_application_id_jobs"),
        ondelete="CASCADE",
    )


def upgrade() -> None:
    op.create_table(
        "users",
        row_id(),
        sa.Column("cognito_sub", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        moment("email_verified_at"),
        sa.Column("auto_refresh_seconds", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("theme", sa.Text, server_default="dark", nullable=False),
        sa.Column("default_jobs_sort", sa.Text, server_default="updated_desc", nullable=False),
        sa.Column("default_jobs_view", sa.Text, server_default="all", nullable=False),
        sa.Column("data_retention_days", sa.BigInteger, server_default="0", nullable=False),
        moment("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("cognito_sub", name=op.f("uq_users_cognito_sub")),
        sa.CheckConstraint(
            "auto_refresh_seconds IN (0, 10, 30, 60)", name=op.f("ck_users_auto_refresh_seconds")
        ),
        one_of("users", "theme", "dark", "light", "system"),
        one_of("users", "default_jobs_sort", "updated_desc", "company_asc", "status_asc"),
        one_of("users", "default_jobs_view", "all", "active", "needs_followup"),
        sa.CheckConstraint(
            "data_retention_days BETWEEN 0 AND 3650", name=op.f("ck_users_data_retention_days")
        ),
    )
    op.create_table(
        "jobs",
        sa.Column("user_id", sa.BigInteger, nullable=False),
        row_id(),
        sa.Column("company_name", sa.String(255), nullable=False),
        sa.Column("job_title", sa.String(255), nullable=False),
        sa.Column("location", sa.String(255)),
        sa.Column("status", sa.Text, server_default="applied", nullable=False),
        sa.Column("applied_date", sa.Date),
        sa.Column("job_url", sa.String(2000)),
        sa.Column("tags", ARRAY(sa.Text), server_default="{}", nullable=False),
        moment("created_at"),
        moment("updated_at"),
        moment("last_activity_at"),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_jobs")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_jobs_user_id_users"), ondelete="CASCADE"
        ),
        one_of(
            "jobs",
            "status",
            "saved",
            "applied",
            "recruiter_screen",
            "interviewing",
            "onsite",
            "offer",
            "accepted",
            "rejected",
            "withdrawn",
            "ghosted",
            "archived",
        ),
        sa.CheckConstraint("cardinality(tags) <= 50", name=op.f("ck_jobs_tags")),
    )
    op.create_index(
        op.f("ix_jobs_user_id_last_activity_at_id"), "jobs", ["user_id", "last_activity_at", "id"]
    )
    op.create_table(
        "notes",
        sa.Column("user_id", sa.BigInteger, nullable=False),
        row_id(),
        sa.Column("application_id", sa.BigInteger, nullable=False),
        sa.Column("body", sa.String(10_000), nullable=False),
        moment("created_at"),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_notes")),
        of_job("notes"),
    )
    op.create_index(
        op.f("ix_notes_user_id_application_id_created_at_id"),
        "notes",
        ["user_id", "application_id", "created_at", "id"],
    )
    op.create_table(
        "documents",
        sa.Column("user_id", sa.BigInteger, nullable=False),
        row_id(),
        sa.Column("application_id", sa.BigInteger, nullable=False),
        sa.Column("doc_type", sa.Text, nullable=False),
        sa.Column("original_filename", sa.String(255), nullable=False),
        sa.Column("content_type", sa.String(255)),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("upload_key", sa.Text, nullable=False),
        sa.Column("object_key", sa.Text, nullable=False),
        sa.Column("status", sa.Text, server_default="pending", nullable=False),
        sa.Column("scan_status", sa.Text, server_default="NOT_SCANNED", nullable=False),
        sa.Column("scan_checked_at", sa.DateTime(timezone=True)),
        sa.Column("scan_message", sa.Text),
        sa.Column("uploaded_at", sa.DateTime(timezone=True)),
        moment("created_at"),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_documents")),
        of_job("documents"),
        one_of("documents", "doc_type", "resume", "job_description", "cover_letter", "thank_you"),
        one_of("documents", "status", "pending", "scanning", "uploaded", "infected", "failed"),
        one_of("documents", "scan_status", "NOT_SCANNED", "PENDING", "CLEAN", "INFECTED", "ERROR"),
        sa.CheckConstraint("size_bytes > 0", name=op.f("ck_documents_size_bytes")),
    )
    op.create_index(
        op.f("ix_documents_user_id_application_id_created_at_id"),
        "documents",
        ["user_id", "application_id", "created_at", "id"],
    )
    op.create_index(
        "uq_documents_single_valued",
        "documents",
        ["user_id", "application_id", "doc_type"],
        unique=True,
        postgresql_where=sa.text(
            "status = 'uploaded' AND doc_type IN ('resume', 'job_description', 'cover_letter')"
        ),
    )
    op.create_table(
        "object_deletions",
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("object_key", sa.Text, nullable=False),
        moment("created_at"),
        sa.PrimaryKeyConstraint("user_id", "object_key", name=op.f("pk_object_deletions")),
    )
    op.execute("""
        CREATE FUNCTION delete_objects_of_document() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO object_deletions (user_id, object_key)
            VALUES (OLD.user_id, OLD.upload_key), (OLD.user_id, OLD.object_key)
            ON CONFLICT DO NOTHING;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER delete_objects AFTER DELETE ON documents
        FOR EACH ROW EXECUTE FUNCTION delete_objects_of_document()
    """)


def downgrade() -> None:
    op.drop_table("documents")
    op.execute("DROP FUNCTION delete_objects_of_document")
    op.drop_table("object_deletions")
    op.drop_table("notes")
    op.drop_table("jobs")
    op.drop_table("users")
