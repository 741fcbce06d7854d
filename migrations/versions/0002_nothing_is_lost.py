"""Idempotency records; expiry of pending uploads; repeated deletions of objects."""

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

NOW = sa.text("statement_timestamp()")


def upgrade() -> None:
    op.create_table(
        "idempotent_answers",
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("key_hash", sa.LargeBinary, nullable=False),
        sa.Column("request_hash", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.BigInteger, nullable=False),
        sa.Column("location", sa.Text),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "key_hash", name=op.f("pk_idempotent_answers")),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_idempotent_answers_user_id_users"),
            ondelete="CASCADE",
        ),
    )
    op.create_index(op.f("ix_idempotent_answers_created_at"), "idempotent_answers", ["created_at"])

    # Existing rows: presigned upload URLs were valid for 15 minutes.
    op.add_column("documents", sa.Column("upload_expires_at", sa.DateTime(timezone=True)))
    op.execute("UPDATE documents SET upload_expires_at = created_at + interval '15 minutes'")
    op.alter_column("documents", "upload_expires_at", nullable=False)
    op.create_index(
        "ix_documents_pending",
        "documents",
        ["upload_expires_at"],
        postgresql_where=sa.text("status = 'pending'"),
    )

    op.add_column(
        "object_deletions",
        sa.Column("repeat_until", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
    )
    op.add_column("object_deletions", sa.Column("attempted_at", sa.DateTime(timezone=True)))
    op.execute("""
        CREATE OR REPLACE FUNCTION delete_objects_of_document() RETURNS trigger
        LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO object_deletions (user_id, object_key, repeat_until) VALUES
                (OLD.user_id, OLD.upload_key, OLD.upload_expires_at + interval '1 hour'),
                (OLD.user_id, OLD.object_key, statement_timestamp() + interval '1 hour')
            ON CONFLICT DO NOTHING;
            RETURN NULL;
        END $$
    """)


def downgrade() -> None:
    op.execute("""
        CREATE OR REPLACE FUNCTION delete_objects_of_document() RETURNS trigger
        LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO object_deletions (user_id, object_key)
            VALUES (OLD.user_id, OLD.upload_key), (OLD.user_id, OLD.object_key)
            ON CONFLICT DO NOTHING;
            RETURN NULL;
        END $$
    """)
    op.drop_column("object_deletions", "attempted_at")
    op.drop_column("object_deletions", "repeat_until")
    op.drop_index("ix_documents_pending", "documents")
    op.drop_column("documents", "upload_expires_at")
    op.drop_table("idempotent_answers")
