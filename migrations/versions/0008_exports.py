"""Exports: archives of what a user stores, and the ids of their sources.

New tables alone, which the code of before does not know.
"""

from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None

SOURCES = """
CREATE TABLE archive_sources (
    user_id bigint NOT NULL,
    source uuid NOT NULL DEFAULT gen_random_uuid(),
    CONSTRAINT pk_archive_sources PRIMARY KEY (user_id),
    CONSTRAINT fk_archive_sources_user_id_users
        FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
)
"""
EXPORTS = """
CREATE TABLE exports (
    user_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    task_id bigint NOT NULL,
    documents boolean NOT NULL,
    object_key text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    expires_at timestamptz NOT NULL,
    size_bytes bigint,
    sha256 text,
    revision bigint,
    counts jsonb,
    CONSTRAINT pk_exports PRIMARY KEY (user_id, id),
    CONSTRAINT fk_exports_user_id_users
        FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT ck_exports_is_complete
        CHECK (num_nulls(size_bytes, sha256, revision, counts) IN (0, 4))
);
CREATE INDEX ix_exports_expires_at ON exports (expires_at);
"""
# An unfinished one can be completed after the deletion of its row, by a worker that stalls.
DELETE_OBJECT = """
CREATE FUNCTION delete_object_of_export() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO object_deletions (user_id, object_key, repeat_until)
    VALUES (OLD.user_id, OLD.object_key,
            statement_timestamp()
            + CASE WHEN OLD.size_bytes IS NULL THEN interval '1 day' ELSE '0' END)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER delete_object AFTER DELETE ON exports
    FOR EACH ROW EXECUTE FUNCTION delete_object_of_export();
"""


def upgrade() -> None:
    op.execute(SOURCES)
    op.execute(EXPORTS)
    op.execute(DELETE_OBJECT)


def downgrade() -> None:
    op.drop_table("exports")
    op.execute("DROP FUNCTION delete_object_of_export()")
    op.drop_table("archive_sources")
