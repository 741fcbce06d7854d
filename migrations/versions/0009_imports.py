"""Imports: their tables, and that triggers record nothing of what a transaction imports.

Within a transaction with ``SET LOCAL jobtracker.importing = 'on'`` no trigger records activity or
steps, or bounds them, or sets ``last_action_at``. The code of before does not set it.

Each statement is a transaction of its own, and can be repeated after an interruption.
"""

from alembic import op

from jobtracker.db.migrations import autocommit, create_index, execute

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None

IMPORTS = """
    CREATE TABLE IF NOT EXISTS imports (
        user_id bigint NOT NULL,
        id bigint GENERATED ALWAYS AS IDENTITY,
        kind text NOT NULL,
        state text NOT NULL DEFAULT 'pending',
        -- squawk-ignore prefer-text-field
        filename varchar(255) NOT NULL,
        size_bytes bigint NOT NULL,
        object_key text,
        upload_expires_at timestamptz,
        etag text,
        source text,
        on_duplicate text,
        report jsonb,
        done bigint NOT NULL DEFAULT 0,
        total bigint,
        created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
        finished_at timestamptz,
        CONSTRAINT pk_imports PRIMARY KEY (user_id, id),
        CONSTRAINT fk_imports_user_id_users
            FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
        CONSTRAINT ck_imports_kind CHECK (kind IN ('archive', 'csv')),
        CONSTRAINT ck_imports_state CHECK (state IN ('pending', 'checking', 'checked', 'running',
            'done', 'failed', 'undoing', 'undone')),
        CONSTRAINT ck_imports_on_duplicate CHECK (on_duplicate IN ('skip', 'add', 'update')),
        CONSTRAINT ck_imports_size_bytes CHECK (size_bytes > 0)
    )
"""
SOURCES = """
    CREATE TABLE IF NOT EXISTS import_sources (
        user_id bigint NOT NULL,
        source text NOT NULL,
        kind text NOT NULL,
        source_id bigint NOT NULL,
        row_id bigint NOT NULL,
        import_id bigint,
        CONSTRAINT pk_import_sources PRIMARY KEY (user_id, source, kind, source_id),
        CONSTRAINT fk_import_sources_user_id_users
            FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
        CONSTRAINT ck_import_sources_kind CHECK (kind ~ '^[a-z]+(_[a-z]+)*$')
    )
"""
INDEXES = {
    "ix_imports_user_id_created_at_id": "imports (user_id, created_at, id)",
    "ix_imports_object": "imports (created_at) WHERE object_key IS NOT NULL",
    "ix_import_sources_import": (
        "import_sources (user_id, import_id, kind, row_id) WHERE import_id IS NOT NULL"
    ),
}
DELETE_OBJECT = """
    CREATE OR REPLACE FUNCTION delete_object_of_import() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO object_deletions (user_id, object_key, repeat_until)
        VALUES (OLD.user_id, OLD.object_key, OLD.upload_expires_at + interval '1 hour')
        ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$
"""
# Of a deleted row, and of one that has no file any more.
DELETE_OBJECTS = (
    """
    CREATE OR REPLACE TRIGGER delete_object AFTER DELETE ON imports
    FOR EACH ROW WHEN (OLD.object_key IS NOT NULL) EXECUTE FUNCTION delete_object_of_import()
""",
    """
    CREATE OR REPLACE TRIGGER delete_former_object AFTER UPDATE OF object_key ON imports
    FOR EACH ROW WHEN (OLD.object_key IS NOT NULL AND NEW.object_key IS NULL)
    EXECUTE FUNCTION delete_object_of_import()
""",
)

# ------------------------------------------------------------------------ what records, or bounds

IS_NO_IMPORT = "current_setting('jobtracker.importing', true) IS DISTINCT FROM 'on'"
NEXT_ACTION_CHANGES = """(OLD.next_action_at, OLD.next_action_title)
    IS DISTINCT FROM (NEW.next_action_at, NEW.next_action_title)"""
STEP_CHANGES = """(OLD.status, OLD.applied_date)
    IS DISTINCT FROM (NEW.status, NEW.applied_date)"""
#: Trigger, table, event, condition of before, function.
RECORDING = (
    (
        "record_activity",
        "jobs",
        "AFTER INSERT OR UPDATE OF status, tags, applied_date, company_name, job_title, job_url,"
        " location, next_action_at, next_action_title, priority",
        "",
        "record_job_activity",
    ),
    ("record_first_step", "jobs", "AFTER INSERT", "", "record_step_of_job"),
    (
        "record_step",
        "jobs",
        "AFTER UPDATE OF status, applied_date",
        STEP_CHANGES,
        "record_step_of_job",
    ),
    (
        "limit_steps",
        "jobs",
        "BEFORE UPDATE OF status",
        "OLD.status <> NEW.status",
        "limit_steps_of_job",
    ),
    (
        "set_last_action",
        "jobs",
        "BEFORE UPDATE OF next_action_at, next_action_title",
        NEXT_ACTION_CHANGES,
        "set_last_action_of_job",
    ),
    (
        "record_activity",
        "notes",
        "AFTER INSERT OR UPDATE OF trashed_at OR DELETE",
        "",
        "record_note_activity",
    ),
    (
        "record_activity",
        "interviews",
        "AFTER INSERT OR UPDATE OR DELETE",
        "",
        "record_interview_activity",
    ),
    (
        "record_activity",
        "documents",
        "AFTER INSERT OR UPDATE OF status, trashed_at OR DELETE",
        "",
        "record_document_activity",
    ),
)

# A note that comes into the trash with its INSERT has the place of one there: no words.
WORDS_OF_NOTE = """
    CREATE OR REPLACE FUNCTION keep_words_of_note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'INSERT' THEN
            PERFORM remove_words_of_note(OLD.user_id, OLD.application_id, OLD.id);
        END IF;
        IF TG_OP <> 'DELETE' THEN
            PERFORM add_words_of_note(NEW.user_id, NEW.application_id, NEW.id, {body});
        END IF;
        RETURN NULL;
    END $$
"""
BODY_OF_LIVE = "CASE WHEN NEW.trashed_at IS NULL THEN NEW.body ELSE '' END"


def trigger(
    name: str, table: str, event: str, condition: str, function: str, *conditions: str
) -> str:
    """The statement that creates or replaces a trigger, with further conditions."""
    found = " AND ".join(each for each in (*conditions, condition) if each)
    when = f"WHEN ({found})" if found else ""
    return (
        f"CREATE OR REPLACE TRIGGER {name} {event} ON {table}"
        f" FOR EACH ROW {when} EXECUTE FUNCTION {function}()"
    )


def upgrade() -> None:
    with autocommit():
        for statement in (IMPORTS, SOURCES, DELETE_OBJECT, *DELETE_OBJECTS):
            execute(statement)
        for name, definition in INDEXES.items():
            create_index(name, definition)
        for each in RECORDING:
            execute(trigger(*each, IS_NO_IMPORT))
        execute(WORDS_OF_NOTE.format(body=BODY_OF_LIVE))


def downgrade() -> None:
    op.execute(WORDS_OF_NOTE.format(body="NEW.body"))
    for each in RECORDING:
        op.execute(trigger(*each))
    op.drop_table("import_sources")
    op.drop_table("imports")
    op.execute("DROP FUNCTION delete_object_of_import()")
