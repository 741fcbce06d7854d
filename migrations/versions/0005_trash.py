"""The trash: the columns ``trashed_at`` and ``trash_reason`` of what users delete.

Indexes of lists and of uniqueness become those of the rows that are not in the trash. What is
derived from a job for statements that read all jobs of a user is out of their way while the job is
in the trash. See docs/decisions/trash.md.

Each statement is a transaction of its own, and can be repeated after an interruption. The functions
do the same as before with rows that are not in the trash: the code of before knows no others.
"""

import re
import runpy
from pathlib import Path

from alembic import op

from jobtracker.db.migrations import add_constraint, autocommit, create_index, drop_index, execute

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None

MIGRATIONS = Path(__file__).parents[1]
CHILDREN = ("notes", "interviews", "documents")
TABLES = ("jobs", *CHILDREN, "saved_views")
REASONS = "'user', 'retention', 'replaced', 'import', 'purge'"
SINGLE_VALUED = "status = 'uploaded' AND doc_type IN ('resume', 'job_description', 'cover_letter')"
#: Indexes of before, and what takes their place: name, columns.
INDEXES = {
    "ix_jobs_user_id_last_activity_at_id": ("ix_jobs_live", "jobs (user_id, last_activity_at, id)"),
    "ix_notes_user_id_application_id_created_at_id": (
        "ix_notes_live",
        "notes (user_id, application_id, created_at, id)",
    ),
    "ix_interviews_user_id_application_id_scheduled_at_id": (
        "ix_interviews_live",
        "interviews (user_id, application_id, scheduled_at, id)",
    ),
    "ix_documents_user_id_application_id_created_at_id": (
        "ix_documents_live",
        "documents (user_id, application_id, created_at, id)",
    ),
    "ix_saved_views_user_id_updated_at_id": (
        "ix_saved_views_live",
        "saved_views (user_id, updated_at, id)",
    ),
}
#: Unique indexes: columns, condition. Their names stay, as the code of before knows them.
UNIQUE_INDEXES = {
    "uq_documents_single_valued": ("documents (user_id, application_id, doc_type)", SINGLE_VALUED),
    "uq_saved_views_user_id_name": ("saved_views (user_id, fold(name))", ""),
}
# With the parameters of storage that note_words has.
TABLE = """
    CREATE TABLE IF NOT EXISTS trashed_note_words (
        user_id bigint NOT NULL,
        application_id bigint NOT NULL,
        note_id bigint NOT NULL,
        note_ids bigint[] NOT NULL,
        words tsvector NOT NULL,
        CONSTRAINT pk_trashed_note_words PRIMARY KEY (user_id, application_id, note_id),
        CONSTRAINT fk_trashed_note_words_user_id_application_id_jobs
            FOREIGN KEY (user_id, application_id) REFERENCES jobs (user_id, id) ON DELETE CASCADE
    ) WITH (toast_tuple_target = 8160)
"""
STORAGE = """-- squawk-ignore prefer-robust-stmts
    ALTER TABLE trashed_note_words ALTER COLUMN words SET STORAGE EXTERNAL
"""

# ---------------------------------------------------------------------------------------- the jobs

# As of the base; the trash is no other version of a job.
COUNT_VERSION = """
    CREATE OR REPLACE FUNCTION count_version() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        before record := OLD;
    BEGIN
        before.last_activity_at := NEW.last_activity_at;
        before.updated_at := NEW.updated_at;
        before.version := NEW.version;
        before.version_nonce := NEW.version_nonce;
        before.trashed_at := NEW.trashed_at;
        before.trash_reason := NEW.trash_reason;
        IF before IS DISTINCT FROM NEW THEN
            NEW.version := OLD.version + 1;
            NEW.version_nonce := transaction_nonce() + NEW.version;
            NEW.updated_at := statement_timestamp();
        END IF;
        RETURN NEW;
    END $$
"""
# Takes what is derived from a job out of the way of the statements that read it for all jobs of a
# user, or back. A job that is purged does not get it back.
KEEP_TRASHED_JOB = """
    CREATE OR REPLACE FUNCTION keep_trashed_job() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.trashed_at IS NULL THEN
            PERFORM summarize_steps(NEW.user_id, NEW.id);
            WITH restored AS (
                DELETE FROM trashed_note_words
                WHERE user_id = NEW.user_id AND application_id = NEW.id
                RETURNING user_id, application_id, note_id, note_ids, words
            )
            INSERT INTO note_words (user_id, application_id, note_id, note_ids, words)
            SELECT user_id, application_id, note_id, note_ids, words FROM restored;
            UPDATE users SET job_count = job_count + 1 WHERE id = NEW.user_id;
            RETURN NULL;
        END IF;
        DELETE FROM job_words WHERE user_id = NEW.user_id AND application_id = NEW.id;
        DELETE FROM job_journeys WHERE user_id = NEW.user_id AND application_id = NEW.id;
        IF NEW.trash_reason = 'purge' THEN
            DELETE FROM note_words WHERE user_id = NEW.user_id AND application_id = NEW.id;
        ELSE
            WITH trashed AS (
                DELETE FROM note_words
                WHERE user_id = NEW.user_id AND application_id = NEW.id
                RETURNING user_id, application_id, note_id, note_ids, words
            )
            INSERT INTO trashed_note_words (user_id, application_id, note_id, note_ids, words)
            SELECT user_id, application_id, note_id, note_ids, words FROM trashed;
        END IF;
        UPDATE users SET job_count = job_count - 1 WHERE id = NEW.user_id;
        RETURN NULL;
    END $$
"""
COUNT_JOBS = """
    CREATE OR REPLACE FUNCTION count_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        changed record;
    BEGIN
        FOR changed IN
            SELECT user_id, count(*) AS number FROM rows WHERE trashed_at IS NULL GROUP BY user_id
        LOOP
            IF TG_OP = 'INSERT' THEN
                UPDATE users SET job_count = job_count + changed.number WHERE id = changed.user_id;
            ELSE
                UPDATE users SET job_count = job_count - changed.number WHERE id = changed.user_id;
            END IF;
        END LOOP;
        RETURN NULL;
    END $$
"""
KEEP_TRASHED = """
    CREATE OR REPLACE TRIGGER keep_trashed AFTER UPDATE OF trashed_at ON jobs
    FOR EACH ROW WHEN ((OLD.trashed_at IS NULL) <> (NEW.trashed_at IS NULL))
    EXECUTE FUNCTION keep_trashed_job()
"""
KEEP_WORDS = """
    CREATE OR REPLACE TRIGGER keep_words AFTER INSERT OR UPDATE OF {columns} ON jobs
    FOR EACH ROW {condition} EXECUTE FUNCTION keep_words_of_job()
"""
TEXTS = "company_name, job_title, location, tags"
COUNT_MOVED_JOB = """
    CREATE OR REPLACE TRIGGER count_moved_job AFTER UPDATE OF user_id ON jobs
    FOR EACH ROW WHEN (OLD.user_id <> NEW.user_id {condition})
    EXECUTE FUNCTION count_moved_job()
"""

# ------------------------------------------------------------------------------------ the activity

# A job in the trash has no summary, and one that is purged no activity.
LOCK_JOB = "FROM jobs WHERE user_id = of_user AND id = of_job"
LOCK_LIVE_JOB = f"{LOCK_JOB} AND trashed_at IS NULL"
LOCK_KEPT_JOB = f"{LOCK_JOB} AND trash_reason IS DISTINCT FROM 'purge'"

# Deletes the event of a deletion that is taken back. The job's last activity is then the one before
# it, unless there was another one since: this one, if it was a deletion too, gets the time of
# before, for its own restoration.
TAKE_BACK_DELETION = """
    CREATE OR REPLACE FUNCTION take_back_deletion(
        of_user bigint, of_job bigint, deletion text, id_name text, row_id bigint,
        deleted_at timestamptz, previous timestamptz
    ) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM activity
        WHERE user_id = of_user AND application_id = of_job AND type = deletion
            AND data @> jsonb_build_object(id_name, row_id);
        IF previous IS NULL THEN
            RETURN;
        END IF;
        UPDATE jobs SET last_activity_at = previous
        WHERE user_id = of_user AND id = of_job AND last_activity_at = deleted_at;
        IF FOUND THEN
            RETURN;
        END IF;
        UPDATE notes SET previous_activity_at = previous
        WHERE user_id = of_user AND application_id = of_job AND previous_activity_at = deleted_at;
        UPDATE interviews SET previous_activity_at = previous
        WHERE user_id = of_user AND application_id = of_job AND previous_activity_at = deleted_at;
        UPDATE documents SET previous_activity_at = previous
        WHERE user_id = of_user AND application_id = of_job AND previous_activity_at = deleted_at;
    END $$
"""
# The first statement of these functions: of a row in the trash, its restoration alone counts.
RESTORATION = """
        IF OLD.trashed_at IS NOT NULL THEN
            IF TG_OP = 'UPDATE' AND NEW.trashed_at IS NULL THEN
                PERFORM take_back_deletion(
                    OLD.user_id, OLD.application_id, '{kind}_deleted', '{kind}_id', OLD.id,
                    OLD.trashed_at, OLD.previous_activity_at);
            END IF;
            RETURN NULL;
        END IF;
"""
RECORD_ACTIVITY = """
    CREATE OR REPLACE TRIGGER record_activity AFTER {events} ON {table}
    FOR EACH ROW EXECUTE FUNCTION record_{kind}_activity()
"""
#: The events of each table, those of before, and what was there.
EVENTS = {
    "notes": ("INSERT OR UPDATE OF trashed_at OR DELETE", "INSERT OR DELETE"),
    "interviews": ("INSERT OR UPDATE OR DELETE",) * 2,
    "documents": (
        "INSERT OR UPDATE OF status, trashed_at OR DELETE",
        "INSERT OR UPDATE OF status OR DELETE",
    ),
}

# ------------------------------------------------------------------------------- the words of notes

# A note in the trash keeps its place in the row, as a note without words: so its restoration makes
# the same row as before. The lock serializes what changes the row without a lock on the job.
WORDS_OF_NOTE = "CASE WHEN trashed_at IS NULL THEN body ELSE '' END"
KEEP_WORDS_OF_TRASHED_NOTE = f"""
    CREATE OR REPLACE FUNCTION keep_words_of_trashed_note() RETURNS trigger
    LANGUAGE plpgsql SET enable_seqscan = off AS $$
    DECLARE
        old_row record;
        new_ids bigint[];
        new_words tsvector := '';
        note record;
    BEGIN
        SELECT note_id, note_ids INTO old_row FROM note_words
        WHERE user_id = OLD.user_id AND application_id = OLD.application_id
            AND OLD.id = ANY (note_ids)
        FOR UPDATE;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        FOR note IN
            SELECT id, {WORDS_OF_NOTE} AS body FROM notes
            WHERE user_id = OLD.user_id AND id = ANY (old_row.note_ids)
            ORDER BY array_position(old_row.note_ids, id)
        LOOP
            new_ids := new_ids || note.id;
            new_words := new_words || weighed_words(note.body, 'D');
        END LOOP;
        IF new_ids IS NULL THEN
            DELETE FROM note_words
            WHERE user_id = OLD.user_id AND application_id = OLD.application_id
                AND note_id = old_row.note_id;
        ELSE
            UPDATE note_words SET note_ids = new_ids, words = new_words
            WHERE user_id = OLD.user_id AND application_id = OLD.application_id
                AND note_id = old_row.note_id;
        END IF;
        RETURN NULL;
    END $$
"""  # noqa: S608 (all words are ours)
KEEP_WORDS_OF_TRASHED = """
    CREATE OR REPLACE TRIGGER keep_words_of_trashed AFTER UPDATE OF trashed_at ON notes
    FOR EACH ROW WHEN ((OLD.trashed_at IS NULL) <> (NEW.trashed_at IS NULL))
    EXECUTE FUNCTION keep_words_of_trashed_note()
"""
# The words are those of the other notes already.
KEEP_WORDS_OF_PURGED_NOTE = """
    CREATE OR REPLACE FUNCTION keep_words_of_purged_note() RETURNS trigger
    LANGUAGE plpgsql SET enable_seqscan = off AS $$
    BEGIN
        UPDATE note_words SET note_ids = array_remove(note_ids, OLD.id)
        WHERE user_id = OLD.user_id AND application_id = OLD.application_id
            AND OLD.id = ANY (note_ids);
        DELETE FROM note_words
        WHERE user_id = OLD.user_id AND application_id = OLD.application_id AND note_ids = '{}';
        RETURN NULL;
    END $$
"""
KEEP_WORDS_OF_PURGED = """
    CREATE OR REPLACE TRIGGER keep_words_of_purged AFTER DELETE ON notes
    FOR EACH ROW WHEN (OLD.trashed_at IS NOT NULL) EXECUTE FUNCTION keep_words_of_purged_note()
"""
REMOVE_WORDS = """
    CREATE OR REPLACE TRIGGER remove_words AFTER DELETE ON notes
    FOR EACH ROW {condition} EXECUTE FUNCTION keep_words_of_note()
"""
# As of the base, and another row where the last one was deleted meanwhile.
ADD_WORDS_OF_NOTE = """
    CREATE OR REPLACE FUNCTION add_words_of_note(
        of_user bigint, of_job bigint, new_id bigint, body text
    ) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
    DECLARE
        new_words tsvector := weighed_words(body, 'D');
        last_row bigint;
        has_room boolean;
    BEGIN
        SELECT note_id, pg_column_size(words) < 6000 AND cardinality(note_ids) < 200
        INTO last_row, has_room FROM note_words
        WHERE user_id = of_user AND application_id = of_job ORDER BY note_id DESC LIMIT 1;
        IF has_room THEN
            UPDATE note_words SET words = words || new_words, note_ids = note_ids || new_id
            WHERE user_id = of_user AND application_id = of_job AND note_id = last_row;
            IF FOUND THEN
                RETURN;
            END IF;
        END IF;
        INSERT INTO note_words (user_id, application_id, note_id, note_ids, words)
        VALUES (of_user, of_job, new_id, ARRAY[new_id], new_words);
    END $$
"""


def of_base(file: str, function: str) -> str:
    """A function of migrations/base, for its replacement."""
    sql = (MIGRATIONS / "base" / f"{file}.sql").read_text()
    found = re.search(
        rf"CREATE (FUNCTION {function}\(.*?^END \$\$);", sql, re.DOTALL | re.MULTILINE
    )
    assert found is not None  # noqa: S101
    return f"CREATE OR REPLACE {found[1]}"


def of_growth(function: str) -> str:
    """A function of the migration 0002, for its replacement."""
    return runpy.run_path(str(Path(__file__).with_name("0002_growth.py")))[function]


def changed(sql: str, *changes: tuple[str, str]) -> str:
    for before, after in changes:
        assert before in sql  # noqa: S101
        sql = sql.replace(before, after)
    return sql


def activity_function(table: str) -> str:
    """The function that records the activity of a table, as of the base, and that putting a row
    into the trash is its deletion, which its restoration takes back."""
    kind = table[:-1]
    function = of_base(table, f"record_{kind}_activity")
    function = changed(function, ("\nBEGIN\n", "\nBEGIN\n" + RESTORATION.format(kind=kind)))
    if table == "notes":  # whose only change before was the DELETE
        return function
    deleted = "TG_OP = 'DELETE' OR NEW.trashed_at IS NOT NULL"
    return changed(function, ("TG_OP = 'DELETE'", deleted))


def upgrade() -> None:
    with autocommit():
        for table in TABLES:
            previous = ", ADD COLUMN IF NOT EXISTS previous_activity_at timestamptz"
            execute(
                f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS trashed_at timestamptz,"
                " ADD COLUMN IF NOT EXISTS trash_reason text"
                + (previous if table in CHILDREN else "")
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
        for table in CHILDREN:
            # What the deletion of a job finds its children by.
            create_index(f"ix_{table}_user_id_application_id", f"{table} (user_id, application_id)")
        for before, (name, columns) in INDEXES.items():
            create_index(name, f"{columns} WHERE trashed_at IS NULL")
            drop_index(before)
        for name, (columns, condition) in UNIQUE_INDEXES.items():
            where = "trashed_at IS NULL" + (f" AND {condition}" if condition else "")
            create_index(f"{name}_live", f"{columns} WHERE {where}", unique=True)
            drop_index(name)
            execute(
                "-- squawk-ignore renaming-object\n"
                f"ALTER INDEX IF EXISTS {name}_live RENAME TO {name}"
            )
        execute(TABLE)
        execute(STORAGE)
        execute(COUNT_VERSION)
        execute(COUNT_JOBS)
        execute(changed(of_growth("SUMMARIZE_STEPS"), (LOCK_JOB, LOCK_LIVE_JOB)))
        execute(changed(of_growth("KEEP_JOURNEYS"), (LOCK_JOB, LOCK_LIVE_JOB)))
        execute(changed(of_base("activity", "record_activity"), (LOCK_JOB, LOCK_KEPT_JOB)))
        execute(
            changed(
                of_base("note_words", "remove_words_of_note"),
                (LOCK_JOB, LOCK_LIVE_JOB),
                ("SELECT id, body FROM", f"SELECT id, {WORDS_OF_NOTE} AS body FROM"),
            )
        )
        execute(TAKE_BACK_DELETION)
        execute(KEEP_TRASHED_JOB)
        execute(KEEP_WORDS_OF_TRASHED_NOTE)
        execute(KEEP_WORDS_OF_PURGED_NOTE)
        execute(KEEP_TRASHED)
        execute(ADD_WORDS_OF_NOTE)
        execute(KEEP_WORDS_OF_TRASHED)
        execute(KEEP_WORDS_OF_PURGED)
        execute(REMOVE_WORDS.format(condition="WHEN (OLD.trashed_at IS NULL)"))
        execute(
            KEEP_WORDS.format(
                columns=f"{TEXTS}, trashed_at", condition="WHEN (NEW.trashed_at IS NULL)"
            )
        )
        execute(COUNT_MOVED_JOB.format(condition="AND OLD.trashed_at IS NULL"))
        for table, (events, _) in EVENTS.items():
            execute(activity_function(table))
            execute(RECORD_ACTIVITY.format(table=table, kind=table[:-1], events=events))


def downgrade() -> None:
    """Purges what is in the trash, which the code of before would show. The objects of documents in
    S3 are deleted after that."""
    for table in reversed(TABLES):
        op.execute(f"DELETE FROM {table} WHERE trashed_at IS NOT NULL")  # noqa: S608
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")  # no table is altered before its triggers
    for table, (_, events) in EVENTS.items():
        op.execute(RECORD_ACTIVITY.format(table=table, kind=table[:-1], events=events))
        op.execute(of_base(table, f"record_{table[:-1]}_activity"))
    op.execute(COUNT_MOVED_JOB.format(condition=""))
    op.execute(KEEP_WORDS.format(columns=TEXTS, condition=""))
    op.execute(REMOVE_WORDS.format(condition=""))
    for trigger, table in (
        ("keep_trashed", "jobs"),
        ("keep_words_of_trashed", "notes"),
        ("keep_words_of_purged", "notes"),
    ):
        op.execute(f"DROP TRIGGER {trigger} ON {table}")
    for file, name in (
        ("jobs", "count_version"),
        ("jobs", "count_jobs"),
        ("activity", "record_activity"),
        ("note_words", "add_words_of_note"),
        ("note_words", "remove_words_of_note"),
    ):
        op.execute(of_base(file, name))
    for name in ("SUMMARIZE_STEPS", "KEEP_JOURNEYS"):
        op.execute(of_growth(name))
    for function in (
        *("keep_trashed_job", "keep_words_of_trashed_note", "keep_words_of_purged_note"),
        "take_back_deletion",
    ):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("trashed_note_words")
    for name, (columns, condition) in UNIQUE_INDEXES.items():
        op.drop_index(name)
        where = f" WHERE {condition}" if condition else ""
        op.execute(f"CREATE UNIQUE INDEX {name} ON {columns}{where}")
    for before, (name, columns) in INDEXES.items():
        op.drop_index(name)
        op.execute(f"CREATE INDEX {before} ON {columns}")
    for table in CHILDREN:
        op.drop_index(f"ix_{table}_user_id_application_id")
        op.drop_column(table, "previous_activity_at")
    for table in TABLES:
        op.drop_index(f"ix_{table}_trash")
        op.drop_index(f"ix_{table}_trashed_at")
        op.drop_column(table, "trash_reason")
        op.drop_column(table, "trashed_at")
