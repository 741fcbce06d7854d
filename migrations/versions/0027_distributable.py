"""Triggers and functions that Citus can run on the shards of distributed tables.

There, NEW and OLD have the row type of a shard, so that functions take scalars; each statement is
one of a single user; and a clock is read outside of ON CONFLICT and CASE.
"""

from alembic import context, op

revision: str = "0027"
down_revision: str | None = "0025"
branch_labels: str | None = None
depends_on: str | None = None

RECORD_ACTIVITY = """
    CREATE OR REPLACE FUNCTION record_activity(
        of_user bigint, of_job bigint, type text, message text, data jsonb
    ) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        max_entries bigint := coalesce(
            nullif(current_setting('jobtracker.activity_per_job', true), ''), '1000');
        newest_surplus record;
    BEGIN
        INSERT INTO activity (user_id, application_id, type, message, data)
        VALUES (of_user, of_job, $3, $4, $5);
        SELECT created_at, id INTO newest_surplus FROM activity
        WHERE user_id = of_user AND application_id = of_job
        ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET max_entries;
        IF FOUND THEN
            DELETE FROM activity
            WHERE user_id = of_user AND application_id = of_job
                AND (created_at, id) <= (newest_surplus.created_at, newest_surplus.id);
        END IF;
    END $$
"""
# As of migration 0016.
RECORD_ACTIVITY_BEFORE = """
    CREATE OR REPLACE FUNCTION record_activity(
        of_user bigint, of_job bigint, type text, message text, data jsonb
    ) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO activity (user_id, application_id, type, message, data)
        SELECT jobs.user_id, jobs.id, $3, $4, $5 FROM jobs
        WHERE jobs.user_id = of_user AND jobs.id = of_job
        FOR KEY SHARE SKIP LOCKED;
        IF NOT FOUND THEN
            RETURN;  -- the job is being deleted
        END IF;
        DELETE FROM activity
        WHERE user_id = of_user AND application_id = of_job AND (created_at, id) <= (
            SELECT created_at, id FROM activity
            WHERE user_id = of_user AND application_id = of_job
            ORDER BY created_at DESC, id DESC LIMIT 1
            OFFSET coalesce(nullif(current_setting('jobtracker.activity_per_job', true), ''),
                            '1000')::bigint
        );
    END $$
"""

# What a deletion of the job deletes is not recorded: the job is gone then.
JOB_EXISTS = """EXISTS (
                SELECT FROM jobs WHERE user_id = OLD.user_id AND id = OLD.application_id)"""

RECORD_NOTE_ACTIVITY = """
    CREATE OR REPLACE FUNCTION record_note_activity() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            PERFORM record_activity(
                NEW.user_id, NEW.application_id, 'note_added', 'Note added',
                jsonb_build_object('note_id', NEW.id));
        {deleted}
            PERFORM record_activity(
                OLD.user_id, OLD.application_id, 'note_deleted', 'Note deleted',
                jsonb_build_object('note_id', OLD.id));
        END IF;
        RETURN NULL;
    END $$
"""

RECORD_DOCUMENT_ACTIVITY = f"""
    CREATE OR REPLACE FUNCTION record_document_activity() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            PERFORM record_activity(
                NEW.user_id, NEW.application_id, 'document_added', 'Document added',
                jsonb_build_object('document_id', NEW.id, 'doc_type', NEW.doc_type,
                                   'filename', NEW.original_filename));
        ELSIF TG_OP = 'DELETE' THEN
            IF {JOB_EXISTS} THEN
                PERFORM record_activity(
                    OLD.user_id, OLD.application_id, 'document_deleted', 'Document deleted',
                    jsonb_build_object('document_id', OLD.id, 'doc_type', OLD.doc_type,
                                       'filename', OLD.original_filename));
            END IF;
        ELSIF OLD.status <> 'uploaded' AND NEW.status = 'uploaded' THEN
            PERFORM record_activity(
                NEW.user_id, NEW.application_id, 'document_uploaded', 'Document uploaded',
                jsonb_build_object('document_id', NEW.id, 'doc_type', NEW.doc_type,
                                   'filename', NEW.original_filename));
        END IF;
        RETURN NULL;
    END $$
"""
# As of migration 0009.
RECORD_DOCUMENT_ACTIVITY_BEFORE = """
    CREATE OR REPLACE FUNCTION record_document_activity() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""

# Texts are cut off in the changes, so that no entry is long.
MAX_TEXT = 100
RECORD_INTERVIEW_ACTIVITY = f"""
    CREATE OR REPLACE FUNCTION record_interview_activity() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        data jsonb;
        changes jsonb;
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF {JOB_EXISTS} THEN
                PERFORM record_activity(
                    OLD.user_id, OLD.application_id, 'interview_deleted', 'Interview deleted',
                    jsonb_build_object(
                        'interview_id', OLD.id, 'stage', OLD.stage, 'kind', OLD.kind,
                        'interviewer', OLD.interviewer, 'status', OLD.status,
                        'scheduled_at', rfc_3339(OLD.scheduled_at)));
            END IF;
            RETURN NULL;
        END IF;
        data := jsonb_build_object(
            'interview_id', NEW.id, 'stage', NEW.stage, 'kind', NEW.kind,
            'interviewer', NEW.interviewer, 'status', NEW.status,
            'scheduled_at', rfc_3339(NEW.scheduled_at));
        IF TG_OP = 'INSERT' THEN
            PERFORM record_activity(
                NEW.user_id, NEW.application_id, 'interview_added', 'Interview added', data);
            RETURN NULL;
        END IF;
        SELECT jsonb_object_agg(field, jsonb_build_object(
            'from', CASE WHEN length(was) > {MAX_TEXT} THEN left(was, {MAX_TEXT - 1}) || '…'
                         ELSE was END,
            'to', CASE WHEN length(is_now) > {MAX_TEXT} THEN left(is_now, {MAX_TEXT - 1}) || '…'
                       ELSE is_now END))
        INTO changes
        FROM (VALUES
            ('scheduled_at', rfc_3339(OLD.scheduled_at), rfc_3339(NEW.scheduled_at)),
            ('stage', OLD.stage, NEW.stage),
            ('kind', OLD.kind, NEW.kind),
            ('location', OLD.location, NEW.location),
            ('interviewer', OLD.interviewer, NEW.interviewer),
            ('status', OLD.status, NEW.status),
            ('notes', OLD.notes, NEW.notes)
        ) AS compared (field, was, is_now)
        WHERE was IS DISTINCT FROM is_now;
        IF changes IS NOT NULL THEN
            PERFORM record_activity(
                NEW.user_id, NEW.application_id, 'interview_updated', 'Interview updated',
                data || jsonb_build_object('changes', changes));
        END IF;
        RETURN NULL;
    END $$
"""  # noqa: S608 (all words are ours)
# As of migration 0023.
RECORD_INTERVIEW_ACTIVITY_BEFORE = f"""
    CREATE OR REPLACE FUNCTION record_interview_activity() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        interview interviews := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
        data jsonb := jsonb_build_object(
            'interview_id', interview.id, 'stage', interview.stage, 'kind', interview.kind,
            'interviewer', interview.interviewer, 'status', interview.status,
            'scheduled_at', rfc_3339(interview.scheduled_at));
        changes jsonb;
    BEGIN
        IF TG_OP = 'INSERT' THEN
            PERFORM record_activity(
                NEW.user_id, NEW.application_id, 'interview_added', 'Interview added', data);
        ELSIF TG_OP = 'DELETE' THEN
            PERFORM record_activity(
                OLD.user_id, OLD.application_id, 'interview_deleted', 'Interview deleted', data);
        ELSE
            SELECT jsonb_object_agg(field, jsonb_build_object(
                'from', CASE WHEN length(was) > {MAX_TEXT} THEN left(was, {MAX_TEXT - 1}) || '…'
                             ELSE was END,
                'to', CASE WHEN length(is_now) > {MAX_TEXT} THEN left(is_now, {MAX_TEXT - 1}) || '…'
                           ELSE is_now END))
            INTO changes
            FROM (VALUES
                ('scheduled_at', rfc_3339(OLD.scheduled_at), rfc_3339(NEW.scheduled_at)),
                ('stage', OLD.stage, NEW.stage),
                ('kind', OLD.kind, NEW.kind),
                ('location', OLD.location, NEW.location),
                ('interviewer', OLD.interviewer, NEW.interviewer),
                ('status', OLD.status, NEW.status),
                ('notes', OLD.notes, NEW.notes)
            ) AS compared (field, was, is_now)
            WHERE was IS DISTINCT FROM is_now;
            IF changes IS NOT NULL THEN
                PERFORM record_activity(
                    NEW.user_id, NEW.application_id, 'interview_updated', 'Interview updated',
                    data || jsonb_build_object('changes', changes));
            END IF;
        END IF;
        RETURN NULL;
    END $$
"""  # noqa: S608 (all words are ours)

COUNT_JOBS = """
    CREATE OR REPLACE FUNCTION count_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        changed record;
    BEGIN
        FOR changed IN SELECT user_id, count(*) AS number FROM rows GROUP BY user_id LOOP
            IF TG_OP = 'INSERT' THEN
                UPDATE users SET job_count = job_count + changed.number WHERE id = changed.user_id;
            ELSE
                UPDATE users SET job_count = job_count - changed.number WHERE id = changed.user_id;
            END IF;
        END LOOP;
        RETURN NULL;
    END $$
"""
COUNT_MOVED_JOB = """
    CREATE OR REPLACE FUNCTION count_moved_job() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE users SET job_count = job_count - 1 WHERE id = OLD.user_id;
        UPDATE users SET job_count = job_count + 1 WHERE id = NEW.user_id;
        RETURN NULL;
    END $$
"""
# As of migration 0016.
COUNT_JOBS_BEFORE = """
    CREATE OR REPLACE FUNCTION count_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE users SET job_count = job_count
            + CASE WHEN TG_OP = 'INSERT' THEN changed.number ELSE -changed.number END
        FROM (SELECT user_id, count(*) AS number FROM rows GROUP BY user_id) AS changed
        WHERE users.id = changed.user_id;
        RETURN NULL;
    END $$
"""
COUNT_MOVED_JOB_BEFORE = """
    CREATE OR REPLACE FUNCTION count_moved_job() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE users
        SET job_count = job_count + CASE WHEN id = NEW.user_id THEN 1 ELSE -1 END
        WHERE id IN (OLD.user_id, NEW.user_id);
        RETURN NULL;
    END $$
"""

# In a trigger and not in the WHERE of the UPDATE: Citus allows no volatile functions there, and
# others do not see the steps of a concurrent UPDATE that was waited for.
LIMIT_STEPS = """
    CREATE FUNCTION limit_steps_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT has_room_for_step(NEW.user_id, NEW.id, NEW.status, coalesce(nullif(
            current_setting('jobtracker.history_per_job', true), ''), '200')::bigint)
        THEN
            RAISE EXCEPTION 'one step too many for the constraint "history_per_job"'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'history_per_job';
        END IF;
        RETURN NEW;
    END $$
"""
LIMIT_STEPS_TRIGGER = """
    CREATE TRIGGER limit_steps BEFORE UPDATE OF status ON jobs FOR EACH ROW
    WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION limit_steps_of_job()
"""

# pg_column_size() is not immutable, so that Citus allows it in no UPDATE.
ADD_NOTE = """
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
        ELSE
            INSERT INTO note_words (user_id, application_id, note_id, note_ids, words)
            VALUES (of_user, of_job, new_id, ARRAY[new_id], new_words);
        END IF;
    END $$
"""


def upgrade() -> None:
    op.execute(ADD_NOTE)
    op.execute(RECORD_ACTIVITY)
    op.execute(RECORD_NOTE_ACTIVITY.format(deleted=f"ELSIF {JOB_EXISTS} THEN"))
    op.execute(RECORD_DOCUMENT_ACTIVITY)
    op.execute(RECORD_INTERVIEW_ACTIVITY)
    op.execute(COUNT_JOBS)
    op.execute(COUNT_MOVED_JOB)
    op.execute(LIMIT_STEPS)
    op.execute(LIMIT_STEPS_TRIGGER)


def downgrade() -> None:
    op.execute(
        context.script.get_revision("0026").module.ADD_NOTE.replace(
            "CREATE F", "CREATE OR REPLACE F"
        )
    )
    op.execute("DROP TRIGGER limit_steps ON jobs")
    op.execute("DROP FUNCTION limit_steps_of_job")
    op.execute(COUNT_MOVED_JOB_BEFORE)
    op.execute(COUNT_JOBS_BEFORE)
    op.execute(RECORD_INTERVIEW_ACTIVITY_BEFORE)
    op.execute(RECORD_DOCUMENT_ACTIVITY_BEFORE)
    op.execute(RECORD_NOTE_ACTIVITY.format(deleted="ELSE"))
    op.execute(RECORD_ACTIVITY_BEFORE)
