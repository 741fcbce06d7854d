"""Leases of tasks with a random number; the trash: upload keys, bounded work for words of notes.

The code of before neither reads nor writes the column, and works with the functions; its searches
can show fewer hits while words of a job with many notes, just put into the trash, wait for the
sweeper.
"""

import runpy
from pathlib import Path
from typing import Any

from alembic import op

from jobtracker.db.migrations import autocommit, execute

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | None = None
depends_on: str | None = None

# What is purged is old, mostly: the objects of the upload keys were deleted after the confirmation,
# until no upload could arrive any more, and no copy to the other keys can be late.
DELETE_OBJECTS = """
    CREATE OR REPLACE FUNCTION delete_objects_of_document() RETURNS trigger
    LANGUAGE plpgsql AS $$
    DECLARE
        last_copy CONSTANT timestamptz := CASE WHEN OLD.status = 'pending'
            THEN statement_timestamp() ELSE greatest(OLD.uploaded_at, OLD.upload_expires_at) END;
        last_upload CONSTANT timestamptz := OLD.upload_expires_at + interval '1 hour';
    BEGIN
        INSERT INTO object_deletions (user_id, object_key, repeat_until)
        VALUES (OLD.user_id, OLD.object_key, last_copy + interval '1 hour')
        ON CONFLICT DO NOTHING;
        IF OLD.status = 'pending' OR last_upload > statement_timestamp() THEN
            INSERT INTO object_deletions (user_id, object_key, repeat_until)
            VALUES (OLD.user_id, OLD.upload_key, last_upload)
            ON CONFLICT DO NOTHING;
        END IF;
        RETURN NULL;
    END $$
"""
# The place is kept: a position in the words tells by the number of the notes before it which note
# it is of. The rows of a job in the trash are not written, since a restoration locks the user
# before them and a purge after them: there the id remains, which no word is of.
KEEP_WORDS_OF_PURGED_NOTE = """
    CREATE OR REPLACE FUNCTION keep_words_of_purged_note() RETURNS trigger
    LANGUAGE plpgsql SET enable_seqscan = off AS $$
    BEGIN
        UPDATE note_words SET note_ids = array_replace(note_ids, OLD.id, NULL)
        WHERE user_id = OLD.user_id AND application_id = OLD.application_id
            AND OLD.id = ANY (note_ids);
        DELETE FROM note_words
        WHERE user_id = OLD.user_id AND application_id = OLD.application_id
            AND array_remove(note_ids, NULL) = '{}';
        RETURN NULL;
    END $$
"""
# A row has some 50,000 bytes of text at most, as the words of all of them are computed when one of
# the notes comes into the trash: few words that are often repeated take up little room.
ADD_WORDS_OF_NOTES = """
    CREATE OR REPLACE FUNCTION add_words_of_notes(
        of_user bigint, of_job bigint, new_ids bigint[], new_words tsvector, longest_body bigint
    ) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
    DECLARE
        last_row bigint;
        has_room boolean;
    BEGIN
        SELECT note_id, pg_column_size(words) < 6000
            AND cardinality(note_ids || new_ids) <= 10000 / greatest(longest_body, 50)
        INTO last_row, has_room FROM note_words
        WHERE user_id = of_user AND application_id = of_job ORDER BY note_id DESC LIMIT 1;
        IF has_room THEN
            UPDATE note_words SET words = words || new_words, note_ids = note_ids || new_ids
            WHERE user_id = of_user AND application_id = of_job AND note_id = last_row;
            IF FOUND THEN
                RETURN;
            END IF;
        END IF;
        INSERT INTO note_words (user_id, application_id, note_id, note_ids, words)
        VALUES (of_user, of_job, new_ids[1], new_ids, new_words);
    END $$
"""
ADD_WORDS_OF_NOTE = """
    CREATE OR REPLACE FUNCTION add_words_of_note(
        of_user bigint, of_job bigint, new_id bigint, body text
    ) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM add_words_of_notes(
            of_user, of_job, ARRAY[new_id], weighed_words(body, 'D'),
            CASE WHEN body = '' THEN 500 ELSE octet_length(body) END);
    END $$
"""
# A row is written once for some notes of a job, of 2,000 bytes and one more, not for each of them.
ADD_WORDS_OF_NEW_NOTES = """
    CREATE OR REPLACE FUNCTION add_words_of_new_notes() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        note record;
        new_ids bigint[] := '{}';
        new_words tsvector := '';
        longest bigint := 0;
    BEGIN
        FOR note IN
            SELECT *, part IS DISTINCT FROM lead(part) OVER of_job AS is_last
            FROM (
                SELECT *, sum(octet_length(body)) OVER of_job / 2000 AS part FROM rows
                WINDOW of_job AS (PARTITION BY user_id, application_id ORDER BY id)
            ) AS parts
            WINDOW of_job AS (PARTITION BY user_id, application_id ORDER BY id)
            ORDER BY user_id, application_id, id
        LOOP
            new_ids := new_ids || note.id;
            new_words := new_words || weighed_words(
                CASE WHEN note.trashed_at IS NULL THEN note.body ELSE '' END, 'D');
            longest := greatest(longest, octet_length(note.body));
            IF note.is_last THEN
                PERFORM add_words_of_notes(
                    note.user_id, note.application_id, new_ids, new_words, longest);
                new_ids := '{}';
                new_words := '';
                longest := 0;
            END IF;
        END LOOP;
        RETURN NULL;
    END $$
"""
# At once: words would be missing, or there twice, between the two.
ADD_WORDS_BY_STATEMENT = """
    CREATE OR REPLACE TRIGGER keep_words AFTER UPDATE OF body, application_id ON notes
    FOR EACH ROW EXECUTE FUNCTION keep_words_of_note();
    CREATE OR REPLACE TRIGGER add_words AFTER INSERT ON notes
    REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION add_words_of_new_notes()
"""
ADD_WORDS_BY_ROW = """
    DROP TRIGGER add_words ON notes;
    CREATE OR REPLACE TRIGGER keep_words AFTER INSERT OR UPDATE OF body, application_id ON notes
    FOR EACH ROW EXECUTE FUNCTION keep_words_of_note()
"""
# As of the migration 0005, but few rows at once, as a job can have a thousand of them: the sweeper
# moves the others. An array, so that the index alone finds them, whatever PostgreSQL estimates.
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
        IF NEW.trash_reason <> 'purge' THEN
            WITH trashed AS (
                DELETE FROM note_words
                WHERE user_id = NEW.user_id AND application_id = NEW.id AND note_id = ANY (ARRAY(
                    SELECT note_id FROM note_words
                    WHERE user_id = NEW.user_id AND application_id = NEW.id
                    ORDER BY note_id LIMIT 2
                ))
                RETURNING user_id, application_id, note_id, note_ids, words
            )
            INSERT INTO trashed_note_words (user_id, application_id, note_id, note_ids, words)
            SELECT user_id, application_id, note_id, note_ids, words FROM trashed;
        END IF;
        UPDATE users SET job_count = job_count - 1 WHERE id = NEW.user_id;
        RETURN NULL;
    END $$
"""


def of_trash() -> dict[str, Any]:
    """The names of the migration 0005, which has the functions that are replaced."""
    return runpy.run_path(str(Path(__file__).with_name("0005_trash.py")))


def upgrade() -> None:
    with autocommit():
        execute("ALTER TABLE tasks ADD COLUMN IF NOT EXISTS lease_nonce bigint")
        for statement in (
            DELETE_OBJECTS,
            KEEP_WORDS_OF_PURGED_NOTE,
            ADD_WORDS_OF_NOTES,
            ADD_WORDS_OF_NOTE,
            ADD_WORDS_OF_NEW_NOTES,
            ADD_WORDS_BY_STATEMENT,
            KEEP_TRASHED_JOB,
        ):
            execute(statement)


def downgrade() -> None:
    trash = of_trash()
    op.execute(ADD_WORDS_BY_ROW)
    op.execute(trash["of_base"]("documents", "delete_objects_of_document"))
    for function in ("KEEP_WORDS_OF_PURGED_NOTE", "ADD_WORDS_OF_NOTE", "KEEP_TRASHED_JOB"):
        op.execute(trash[function])
    op.execute("DROP FUNCTION add_words_of_new_notes()")
    op.execute("DROP FUNCTION add_words_of_notes(bigint, bigint, bigint[], tsvector, bigint)")
    op.drop_column("tasks", "lease_nonce")
