"""Activity types are checked by a pattern: new kinds of children need no change of the table.

NOT VALID and VALIDATE: the existing rows are checked without an exclusive lock.
"""

from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | None = None
depends_on: str | None = None

TYPES = (
    *("job_created", "job_updated", "status_changed", "tags_updated", "note_added"),
    *("note_deleted", "document_added", "document_uploaded", "document_deleted"),
    *("interview_added", "interview_updated", "interview_deleted"),
)


def replace_check(condition: str) -> None:
    op.execute(f"""
        ALTER TABLE activity DROP CONSTRAINT ck_activity_type,
            ADD CONSTRAINT ck_activity_type CHECK ({condition}) NOT VALID
    """)
    op.execute("ALTER TABLE activity VALIDATE CONSTRAINT ck_activity_type")


def upgrade() -> None:
    replace_check("type ~ '^[a-z]+(_[a-z]+)*$'")


def downgrade() -> None:
    replace_check("type IN ({})".format(", ".join(f"'{name}'" for name in TYPES)))
