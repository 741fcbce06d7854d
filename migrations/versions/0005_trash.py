"""The trash: the columns ``trashed_at`` and ``trash_reason`` of what users delete.

Indexes of lists and of uniqueness become those of the rows that are not in the trash.
"""

from alembic import op

from jobtracker.db.migrations import add_constraint, autocommit, create_index, drop_index, execute

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None

TABLES = ("jobs", "notes", "interviews", "documents", "saved_views")
REASONS = "'user', 'retention', 'replaced', 'import', 'purge'"
SINGLE_VALUED = "status = 'uploaded' AND doc_type IN ('resume', 'job_description', 'cover_letter')"
#: Indexes of before, and what takes their place: whether it is unique, name, columns, condition.
INDEXES = {
    "ix_jobs_user_id_last_activity_at_id": (
        False,
        "ix_jobs_live",
        "jobs (user_id, last_activity_at, id)",
        "",
    ),
    "ix_notes_user_id_application_id_created_at_id": (
        False,
        "ix_notes_live",
        "notes (user_id, application_id, created_at, id)",
        "",
    ),
    "ix_interviews_user_id_application_id_scheduled_at_id": (
        False,
        "ix_interviews_live",
        "interviews (user_id, application_id, scheduled_at, id)",
        "",
    ),
    "ix_documents_user_id_application_id_created_at_id": (
        False,
        "ix_documents_live",
        "documents (user_id, application_id, created_at, id)",
        "",
    ),
    "uq_documents_single_valued": (
        True,
        "uq_documents_live_single_valued",
        "documents (user_id, application_id, doc_type)",
        SINGLE_VALUED,
    ),
    "ix_saved_views_user_id_updated_at_id": (
        False,
        "ix_saved_views_live",
        "saved_views (user_id, updated_at, id)",
        "",
    ),
    "uq_saved_views_user_id_name": (
        True,
        "uq_saved_views_live_name",
        "saved_views (user_id, fold(name))",
        "",
    ),
}


def upgrade() -> None:
    with autocommit():
        for table in TABLES:
            execute(
                f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS trashed_at timestamptz,"
                " ADD COLUMN IF NOT EXISTS trash_reason text"
            )
            add_constraint(
                table, f"ck_{table}_trash_reason", f"CHECK (trash_reason IN ({REASONS}))"
            )
            add_constraint(
                table, f"ck_{table}_trash", "CHECK ((trashed_at IS NULL) = (trash_reason IS NULL))"
            )
            create_index(
                f"ix_{table}_trash",
                f"{table} (user_id, trashed_at, id) WHERE trashed_at IS NOT NULL",
            )
            create_index(
                f"ix_{table}_trashed_at", f"{table} (trashed_at) WHERE trashed_at IS NOT NULL"
            )
        create_index(
            "ix_documents_replaced",
            "documents (user_id, application_id, trashed_at, id) WHERE trash_reason = 'replaced'",
        )
        for before, (unique, name, columns, condition) in INDEXES.items():
            where = "trashed_at IS NULL" + (f" AND {condition}" if condition else "")
            create_index(name, f"{columns} WHERE {where}", unique=unique)
            drop_index(before)


def downgrade() -> None:
    """Purges what is in the trash, which the code of before would show."""
    for table in TABLES:
        op.execute(f"DELETE FROM {table} WHERE trashed_at IS NOT NULL")  # noqa: S608
    for before, (unique, name, columns, condition) in INDEXES.items():
        op.drop_index(name)
        where = f" WHERE {condition}" if condition else ""
        op.execute(f"CREATE {'UNIQUE ' * unique}INDEX {before} ON {columns}{where}")
    op.drop_index("ix_documents_replaced")
    for table in TABLES:
        op.drop_index(f"ix_{table}_trash")
        op.drop_index(f"ix_{table}_trashed_at")
        op.drop_column(table, "trash_reason")
        op.drop_column(table, "trashed_at")
