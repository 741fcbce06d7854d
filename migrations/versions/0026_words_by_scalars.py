"""The functions that keep the words of searches take columns instead of whole rows.

A function with a row as its parameter cannot be called where the table is distributed.
"""

from alembic import context, op

revision: str = "0026"
down_revision: str | None = "0024"
branch_labels: str | None = None
depends_on: str | None = None

# Of a row of note_words, as in migration 0022.
MAX_BYTES = 6000
MAX_NOTES = 200

# Each text ends with "/", so that no phrase continues from one to the next.
WORDS_OF_JOB = """
    CREATE FUNCTION words_of_job(company_name text, job_title text, tags text[], location text)
    RETURNS tsvector LANGUAGE sql STABLE PARALLEL SAFE
    RETURN weighed_words(company_name, 'A') || weighed_words(job_title, 'A')
        || weighed_words(array_to_string(tags, ' '), 'B') || weighed_words(location, 'C')
"""
FOLDED_TEXTS = r"""
    CREATE FUNCTION folded_texts(company_name text, job_title text, location text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN fold(company_name) || E'\n' || fold(job_title) || E'\n' || coalesce(fold(location), '')
"""
KEEP_WORDS_OF_JOB = """
    CREATE OR REPLACE FUNCTION keep_words_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO job_words (user_id, application_id, words, texts, tags)
        VALUES (NEW.user_id, NEW.id,
                words_of_job(NEW.company_name, NEW.job_title, NEW.tags, NEW.location),
                folded_texts(NEW.company_name, NEW.job_title, NEW.location), folded(NEW.tags))
        ON CONFLICT (user_id, application_id) DO UPDATE
        SET words = excluded.words, texts = excluded.texts, tags = excluded.tags;
        RETURN NULL;
    END $$
"""
# A connection keeps its plans: one that was made for a small table would read all of a large one.
ADD_NOTE = f"""
    CREATE FUNCTION add_words_of_note(of_user bigint, of_job bigint, new_id bigint, body text)
    RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
    DECLARE
        new_words tsvector := weighed_words(body, 'D');
    BEGIN
        UPDATE note_words SET words = words || new_words, note_ids = note_ids || new_id
        WHERE user_id = of_user AND application_id = of_job
            AND note_id = (SELECT max(note_id) FROM note_words
                           WHERE user_id = of_user AND application_id = of_job)
            AND pg_column_size(words) < {MAX_BYTES} AND cardinality(note_ids) < {MAX_NOTES};
        IF NOT FOUND THEN
            INSERT INTO note_words (user_id, application_id, note_id, note_ids, words)
            VALUES (of_user, of_job, new_id, ARRAY[new_id], new_words);
        END IF;
    END $$
"""  # noqa: S608 (constants)
# The words of a job that is being deleted are deleted by their foreign key.
REMOVE_NOTE = """
    CREATE FUNCTION remove_words_of_note(of_user bigint, of_job bigint, old_id bigint)
    RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
    DECLARE
        same_row bigint[];
        other record;
    BEGIN
        IF NOT EXISTS (SELECT FROM jobs WHERE user_id = of_user AND id = of_job) THEN
            RETURN;
        END IF;
        DELETE FROM note_words
        WHERE user_id = of_user AND application_id = of_job AND old_id = ANY (note_ids)
        RETURNING note_ids INTO same_row;
        FOR other IN
            SELECT id, body FROM notes
            WHERE user_id = of_user AND application_id = of_job
                AND id = ANY (same_row) AND id <> old_id
            ORDER BY id
        LOOP
            PERFORM add_words_of_note(of_user, of_job, other.id, other.body);
        END LOOP;
    END $$
"""
KEEP_WORDS_OF_NOTE = """
    CREATE OR REPLACE FUNCTION keep_words_of_note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'INSERT' THEN
            PERFORM remove_words_of_note(OLD.user_id, OLD.application_id, OLD.id);
        END IF;
        IF TG_OP <> 'DELETE' THEN
            PERFORM add_words_of_note(NEW.user_id, NEW.application_id, NEW.id, NEW.body);
        END IF;
        RETURN NULL;
    END $$
"""
WITH_ROWS = (
    *("words_of_job(jobs)", "folded_texts(jobs)", "words_of_note(notes)"),
    *("add_words_of_note(notes)", "remove_words_of_note(notes)"),
)
WITH_COLUMNS = (
    "words_of_job(text, text, text[], text)",
    "folded_texts(text, text, text)",
    "add_words_of_note(bigint, bigint, bigint, text)",
    "remove_words_of_note(bigint, bigint, bigint)",
)


def upgrade() -> None:
    for function in (
        *(WORDS_OF_JOB, FOLDED_TEXTS, KEEP_WORDS_OF_JOB),
        *(ADD_NOTE, REMOVE_NOTE, KEEP_WORDS_OF_NOTE),
    ):
        op.execute(function)
    for function in WITH_ROWS:
        op.execute(f"DROP FUNCTION {function}")


def downgrade() -> None:
    before = context.script.get_revision("0022").module
    for function in (
        *(before.WORDS_OF_JOB, before.FOLDED_TEXTS, before.WORDS_OF_NOTE, before.KEEP_WORDS_OF_JOB),
        *(before.ADD_NOTE, before.REMOVE_NOTE, before.KEEP_WORDS_OF_NOTE),
    ):
        op.execute(function)
    for function in WITH_COLUMNS:
        op.execute(f"DROP FUNCTION {function}")
