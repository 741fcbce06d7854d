"""Rules of the history, the funnel and the activity: see docs/decisions/history.md.

Each statement is a transaction of its own, so that no lock is held while the existing jobs are
changed; all of them can be repeated after an interruption.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import op

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: str | None = None
depends_on: str | None = None

HISTORY_PER_JOB = 200
BATCH = 200
EPOCH = "timestamptz '1970-01-01 00:00:00+00'"
OF_JOB = "user_id = of_user AND application_id = of_job"

# ------------------------------------------------------------------------------------- the funnel

STATUSES = (
    *("saved", "applied", "recruiter_screen", "interviewing", "onsite", "offer"),
    *("accepted", "rejected", "withdrawn", "ghosted", "archived"),
)
TOP = 6

OF_CHANGED = "WHERE (user_id, application_id) IN (SELECT user_id, application_id FROM changed)"


def days_on(rung: int, left: str) -> str:
    """SQL for the days spent on a rung; null if the job never reached it.

    On the top rung only completed stays count: those that fulfil the condition ``left``.
    """
    # date_part() returns a float; extract() returns numeric, which is slower.
    if rung == TOP:
        return f"date_part('epoch', sum(stayed) FILTER (WHERE rung = {rung} AND {left})) / 86400"
    days = f"date_part('epoch', sum(stayed) FILTER (WHERE rung = {rung})) / 86400"
    return f"CASE WHEN count(*) FILTER (WHERE rung = {rung}) > 0 THEN coalesce({days}, 0) END"


def keep_journeys(latest_status: str, neighbours: str, left: str, windows: str) -> str:
    """The function of the triggers of job_steps, as of migration 0013.

    :param latest_status: SQL of an aggregate
    :param neighbours: SQL of the columns ``came_from`` and ``went_to``
    """
    return f"""
        CREATE OR REPLACE FUNCTION keep_journeys() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM FROM jobs WHERE (user_id, id) IN (SELECT user_id, application_id FROM changed)
            ORDER BY user_id, id FOR NO KEY UPDATE;
            INSERT INTO job_journeys
                (user_id, application_id, began, status, since, rung, source, reached, went_on,
                 days, edges)
            SELECT user_id, application_id, min(at), {latest_status},
                   max(at), (array_agg(rung ORDER BY place DESC))[1],
                   max(rung) FILTER (WHERE rung < {TOP}),
                   coalesce(bit_or(1 << rung), 0),
                   coalesce(bit_or(1 << rung) FILTER (WHERE highest_after > rung), 0),
                   ARRAY[{", ".join(days_on(rung, left) for rung in range(1, TOP + 1))}],
                   coalesce(string_agg(
                       set_byte('\\x00', 0,
                                {len(STATUSES)} * rank_of(came_from) + rank_of(status)),
                       '' ORDER BY place
                   ) FILTER (WHERE came_from <> status), '')
            FROM (
                SELECT user_id, application_id, status, rung_of(status) AS rung, at,
                       row_number() OVER of_job AS place, {neighbours},
                       lead(at) OVER of_job - at AS stayed,
                       max(rung_of(status)) OVER (
                           backwards ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                       ) AS highest_after
                FROM job_steps {OF_CHANGED}
                WINDOW of_job AS (PARTITION BY user_id, application_id ORDER BY at, id),
                    -- A frame that begins at the first row takes linear time.
                    backwards AS (
                        PARTITION BY user_id, application_id ORDER BY at DESC, id DESC
                    ) {windows}
            ) AS steps
            GROUP BY user_id, application_id
            ON CONFLICT (user_id, application_id) DO UPDATE SET
                began = excluded.began, status = excluded.status, since = excluded.since,
                rung = excluded.rung, source = excluded.source, reached = excluded.reached,
                went_on = excluded.went_on, days = excluded.days, edges = excluded.edges;
            IF TG_OP <> 'INSERT' THEN
                DELETE FROM job_journeys {OF_CHANGED} AND NOT EXISTS (
                    SELECT FROM job_steps
                    WHERE job_steps.user_id = job_journeys.user_id
                        AND job_steps.application_id = job_journeys.application_id);
            END IF;
            RETURN NULL;
        END $$
    """  # noqa: S608 (all words are ours)


# Archiving ends a stay, and is otherwise ignored: no status, no transition. A job that was always
# archived has that status.
WITHOUT_ARCHIVED = keep_journeys(
    latest_status="""coalesce((array_agg(status ORDER BY place DESC)
                               FILTER (WHERE status <> 'archived'))[1], 'archived')""",
    neighbours="lag(status) OVER kept AS came_from, lead(status) OVER kept AS went_to",
    left="went_to <> status",
    windows="""
        , kept AS (PARTITION BY user_id, application_id, status = 'archived' ORDER BY at, id)""",
)
WITH_ARCHIVED = keep_journeys(
    latest_status="(array_agg(status ORDER BY place DESC))[1]",
    neighbours="lag(status) OVER of_job AS came_from",
    left="true",
    windows="",
)

# ------------------------------------------------------------------------------------ the history

# When a job was applied for at a date: at noon in UTC, which is on that date in nearly all time
# zones; on the day of the recording or of not_after, then. Null for a date after not_after (by 14
# hours, so that it is after it in all time zones), and for one that no step can have.
APPLIED_AT = f"""
    CREATE OR REPLACE FUNCTION applied_at(
        applied_on date, recorded_at timestamptz, not_after timestamptz
    ) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN applied_on < '1970-01-01' OR not_after < {EPOCH} THEN NULL
        WHEN applied_on = (recorded_at AT TIME ZONE 'UTC')::date THEN recorded_at
        WHEN applied_on < (not_after AT TIME ZONE 'UTC')::date
        THEN (applied_on + time '12:00') AT TIME ZONE 'UTC'
        WHEN applied_on <= ((not_after + interval '14 hours') AT TIME ZONE 'UTC')::date
        THEN not_after
    END
"""

# What a change to new_status takes back: the ids of the steps since the job left this status, if
# triggers inserted them and it was not longer ago than five minutes. None if the job has the
# status, null if it does not return to it.
STEPS_TAKEN_BACK = f"""
    CREATE OR REPLACE FUNCTION steps_taken_back(of_user bigint, of_job bigint, new_status text)
    RETURNS bigint[] LANGUAGE plpgsql VOLATILE AS $$
    DECLARE
        step record;
        ids bigint[] := '{{}}';
    BEGIN
        FOR step IN
            SELECT id, status, origin, created_at FROM job_steps
            WHERE {OF_JOB} ORDER BY at DESC, id DESC
        LOOP
            CONTINUE WHEN step.origin = 'applied_date' AND ids <> '{{}}';
            IF step.status = new_status THEN
                RETURN ids;
            END IF;
            EXIT WHEN step.origin IS NULL
                OR step.created_at < statement_timestamp() - interval '5 minutes';
            ids := ids || step.id;
        END LOOP;
        RETURN NULL;
    END $$
"""  # noqa: S608 (all words are ours)

# Moves the steps that triggers inserted to where the applied date has them: the first applied step
# to that date, and a saved step at the beginning not after it. Where other steps lie between the
# date and the first applied step, or there is none, a step of its own is inserted at the date. The
# order of all other steps remains, and so the latest.
DATE_APPLIED_STEP = f"""
    CREATE OR REPLACE FUNCTION date_applied_step(
        of_user bigint, of_job bigint, job_status text, applied_on date
    ) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        just CONSTANT interval := '1 microsecond';
        own job_steps;  -- the step that exists for the date alone
        steps job_steps[];  -- all others
        number integer;
        times timestamptz[];  -- of these: at first as if there were no date
        can_move boolean[];
        after interval[];  -- how much later each is than the one before it, at least
        only_saved boolean;  -- it was not applied for; archiving says nothing about that
        saved integer := 0;  -- the number of saved steps at the beginning that triggers inserted
        applied integer;  -- the index of the first applied step
        moved timestamptz;  -- its time
        inserted timestamptz;  -- the time of a step of its own
    BEGIN
        SELECT * INTO own FROM job_steps WHERE {OF_JOB} AND origin = 'applied_date';
        IF job_status = 'applied' AND own.id = (
            SELECT id FROM job_steps WHERE {OF_JOB} ORDER BY at DESC, id DESC LIMIT 1)
        THEN  -- The user has deleted the steps after it: it is the status of the job now.
            UPDATE job_steps SET origin = 'status' WHERE user_id = of_user AND id = own.id;
            own := NULL;
        END IF;
        SELECT array_agg(step ORDER BY at, id),
               bool_and(status IN ('saved', 'archived')) AND bool_or(status = 'saved')
        INTO steps, only_saved
        FROM job_steps AS step WHERE {OF_JOB} AND origin IS DISTINCT FROM 'applied_date';
        number := coalesce(cardinality(steps), 0);

        FOR i IN REVERSE number .. 1 LOOP
            times[i] := steps[i].at;
            can_move[i] := steps[i].status IN ('saved', 'applied')
                AND steps[i].origin IS NOT DISTINCT FROM 'status';
            -- With a smaller id, a step of the same time is before the other one.
            after[i] := CASE WHEN steps[i - 1].id > steps[i].id THEN just ELSE '0' END;
            IF steps[i].status = 'applied' THEN
                applied := i;
            END IF;
            IF can_move[i] THEN  -- the user can have inserted steps after it since
                times[i] := least(steps[i].created_at, times[i + 1] - after[i + 1]);
            END IF;
        END LOOP;
        FOR i IN 1 .. number LOOP
            IF can_move[i] THEN  -- or before it
                times[i] := greatest(times[i], times[i - 1] + after[i], {EPOCH});
            END IF;
        END LOOP;
        WHILE can_move[saved + 1] AND steps[saved + 1].status = 'saved' LOOP
            saved := saved + 1;
        END LOOP;

        IF can_move[applied] THEN
            moved := coalesce(
                applied_at(applied_on, times[applied],
                           coalesce(times[applied + 1] - just, statement_timestamp())),
                times[applied]);
            IF applied > saved + 1 AND moved < times[applied - 1] + after[applied] THEN
                IF applied_on = (times[applied - 1] AT TIME ZONE 'UTC')::date THEN
                    moved := times[applied - 1] + after[applied];
                ELSE
                    inserted := moved;
                END IF;
            END IF;
            IF inserted IS NULL THEN
                times[applied] := moved;
            END IF;
        ELSIF NOT only_saved AND (applied IS NULL OR own.id IS NOT NULL) THEN
            inserted := applied_at(applied_on, NULL, times[number] - just);
        END IF;
        FOR i IN 1 .. saved LOOP
            times[i] := least(times[i], moved, inserted);
        END LOOP;

        FOR i IN 1 .. number LOOP
            IF times[i] <> steps[i].at THEN
                UPDATE job_steps SET at = times[i] WHERE user_id = of_user AND id = steps[i].id;
            END IF;
        END LOOP;
        IF inserted IS NULL THEN
            IF own.id IS NOT NULL THEN
                DELETE FROM job_steps WHERE user_id = of_user AND id = own.id;
            END IF;
        ELSIF own.id IS NOT NULL THEN
            IF inserted <> own.at THEN
                UPDATE job_steps SET at = inserted WHERE user_id = of_user AND id = own.id;
            END IF;
        ELSIF number < coalesce(nullif(current_setting('jobtracker.history_per_job', true), ''),
                                '{HISTORY_PER_JOB}')::bigint
        THEN
            INSERT INTO job_steps (user_id, application_id, status, at, origin)
            VALUES (of_user, of_job, 'applied', inserted, 'applied_date');
        END IF;
    END $$
"""  # noqa: S608 (all words are ours)

# If the latest step has the new status already, the UPDATE was made because of that step.
# greatest(): the new step must be the latest, even after a concurrent or future-dated one.
RECORD_STEP = """
    CREATE OR REPLACE FUNCTION record_step_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        step_at timestamptz;
        taken_back bigint[] := '{}';
    BEGIN
        IF TG_OP = 'INSERT' THEN
            IF NEW.status = 'applied' THEN
                step_at := applied_at(NEW.applied_date, NEW.created_at,
                                      greatest(NEW.created_at, statement_timestamp()));
            END IF;
            INSERT INTO job_steps (user_id, application_id, status, at, created_at, origin)
            VALUES (NEW.user_id, NEW.id, NEW.status, coalesce(step_at, NEW.created_at),
                    NEW.created_at, 'status');
            IF NEW.applied_date IS NOT NULL AND NEW.status NOT IN ('saved', 'applied') THEN
                PERFORM date_applied_step(NEW.user_id, NEW.id, NEW.status, NEW.applied_date);
            END IF;
            RETURN NULL;
        END IF;
        IF NEW.status <> OLD.status THEN
            taken_back := steps_taken_back(NEW.user_id, NEW.id, NEW.status);
            IF taken_back IS NULL THEN
                SELECT greatest(max(at), statement_timestamp()) INTO step_at FROM job_steps
                WHERE user_id = NEW.user_id AND application_id = NEW.id;
                INSERT INTO job_steps (user_id, application_id, status, at, created_at, origin)
                VALUES (NEW.user_id, NEW.id, NEW.status, step_at, step_at, 'status');
            ELSIF taken_back <> '{}' THEN
                DELETE FROM job_steps WHERE user_id = NEW.user_id AND id = ANY (taken_back);
            END IF;
        END IF;
        -- A change of the status moves steps only where it is to one that can be moved, or where
        -- the job can have been only saved until now.
        IF NEW.applied_date IS DISTINCT FROM OLD.applied_date
            OR NEW.applied_date IS NOT NULL AND (
                taken_back <> '{}' OR NEW.status <> OLD.status
                AND (OLD.status IN ('saved', 'archived') OR NEW.status IN ('saved', 'applied')))
        THEN
            PERFORM date_applied_step(NEW.user_id, NEW.id, NEW.status, NEW.applied_date);
        END IF;
        RETURN NULL;
    END $$
"""
# As of migration 0010.
RECORD_STEP_BEFORE = """
    CREATE OR REPLACE FUNCTION record_step_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        latest job_steps;
    BEGIN
        IF TG_OP = 'INSERT' THEN
            INSERT INTO job_steps (user_id, application_id, status, at)
            VALUES (NEW.user_id, NEW.id, NEW.status, NEW.created_at);
            RETURN NULL;
        END IF;
        SELECT * INTO latest FROM job_steps
        WHERE user_id = NEW.user_id AND application_id = NEW.id
        ORDER BY at DESC, id DESC LIMIT 1;
        IF latest.status IS DISTINCT FROM NEW.status THEN
            INSERT INTO job_steps (user_id, application_id, status, at)
            VALUES (NEW.user_id, NEW.id, NEW.status, greatest(latest.at, statement_timestamp()));
        END IF;
        RETURN NULL;
    END $$
"""
RECORD_STEP_TRIGGER = """
    CREATE OR REPLACE TRIGGER record_step AFTER UPDATE OF {columns} ON jobs FOR EACH ROW
    WHEN ({condition}) EXECUTE FUNCTION record_step_of_job()
"""

# VOLATILE: when the UPDATE has waited for a concurrent one, PostgreSQL evaluates this again and it
# sees that one's step. The condition is that of the trigger record_step.
HAS_ROOM_FOR_STEP = """
    CREATE OR REPLACE FUNCTION has_room_for_step(
        of_user bigint, of_job bigint, new_status text, max_steps bigint
    ) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
    BEGIN
        RETURN {without_a_step} OR max_steps > (
            SELECT count(*) FROM job_steps
            WHERE user_id = of_user AND application_id = of_job
        );
    END $$
"""
STATUS_OF_LATEST = """new_status = (
            SELECT status FROM job_steps
            WHERE user_id = of_user AND application_id = of_job
            ORDER BY at DESC, id DESC LIMIT 1
        )"""

# ----------------------------------------------------------------------------------- the activity

# A time as the API has it.
RFC_3339 = """
    CREATE OR REPLACE FUNCTION rfc_3339(moment timestamptz) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    RETURN replace(
        to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z')
"""

RECORD_JOB_ACTIVITY = """
    CREATE OR REPLACE FUNCTION record_job_activity() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        added jsonb;
        removed jsonb;
        fields jsonb;
    BEGIN
        IF TG_OP = 'INSERT' THEN
            PERFORM record_activity(NEW.user_id, NEW.id, 'job_created', 'Job added', '{{}}');
            RETURN NULL;
        END IF;
        IF OLD.status IS DISTINCT FROM NEW.status THEN
            PERFORM record_activity(
                NEW.user_id, NEW.id, 'status_changed', 'Status changed to ' || NEW.status,
                jsonb_build_object('from', OLD.status, 'to', NEW.status));
        END IF;
        IF OLD.tags IS DISTINCT FROM NEW.tags THEN
            SELECT coalesce(jsonb_agg(tag ORDER BY tag COLLATE "C"), '[]') INTO added
            FROM (SELECT unnest(NEW.tags) EXCEPT SELECT unnest(OLD.tags)) AS news (tag);
            SELECT coalesce(jsonb_agg(tag ORDER BY tag COLLATE "C"), '[]') INTO removed
            FROM (SELECT unnest(OLD.tags) EXCEPT SELECT unnest(NEW.tags)) AS olds (tag);
            IF added <> '[]' OR removed <> '[]' THEN
                PERFORM record_activity(
                    NEW.user_id, NEW.id, 'tags_updated', 'Tags updated',
                    jsonb_build_object('added', added, 'removed', removed));
            END IF;
        END IF;
        {next_action}
        SELECT jsonb_agg(field ORDER BY field COLLATE "C") INTO fields
        FROM (VALUES
            ('applied_date', OLD.applied_date IS DISTINCT FROM NEW.applied_date),
            ('company_name', OLD.company_name IS DISTINCT FROM NEW.company_name),
            ('job_title', OLD.job_title IS DISTINCT FROM NEW.job_title),
            ('job_url', OLD.job_url IS DISTINCT FROM NEW.job_url),
            ('location', OLD.location IS DISTINCT FROM NEW.location),
            {more_fields}
            ('priority', OLD.priority IS DISTINCT FROM NEW.priority)
        ) AS compared (field, is_changed)
        WHERE is_changed;
        IF fields IS NOT NULL THEN
            PERFORM record_activity(
                NEW.user_id, NEW.id, 'job_updated', 'Job updated',
                jsonb_build_object('fields', fields));
        END IF;
        RETURN NULL;
    END $$
"""
NEXT_ACTION = """
        IF (OLD.next_action_at, OLD.next_action_title)
            IS DISTINCT FROM (NEW.next_action_at, NEW.next_action_title)
        THEN
            PERFORM record_activity(
                NEW.user_id, NEW.id, 'next_action_changed',
                CASE WHEN num_nonnulls(NEW.next_action_at, NEW.next_action_title) = 0
                     THEN 'Next action cleared'
                     WHEN num_nonnulls(OLD.next_action_at, OLD.next_action_title) = 0
                     THEN 'Next action set'
                     ELSE 'Next action changed' END,
                jsonb_build_object(
                    'from', jsonb_build_object('next_action_at', rfc_3339(OLD.next_action_at),
                                               'next_action_title', OLD.next_action_title),
                    'to', jsonb_build_object('next_action_at', rfc_3339(NEW.next_action_at),
                                             'next_action_title', NEW.next_action_title)));
        END IF;
"""
NEXT_ACTION_FIELDS = """
            ('next_action_at', OLD.next_action_at IS DISTINCT FROM NEW.next_action_at),
            ('next_action_title', OLD.next_action_title IS DISTINCT FROM NEW.next_action_title),
"""

# Texts are cut off in the changes, so that no entry is long.
MAX_TEXT = 100
RECORD_INTERVIEW_ACTIVITY = f"""
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
# As of migration 0012.
RECORD_INTERVIEW_ACTIVITY_BEFORE = """
    CREATE OR REPLACE FUNCTION record_interview_activity() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        no_change CONSTANT text[] := '{updated_at, version, revision}';
    BEGIN
        IF TG_OP = 'INSERT' THEN
            PERFORM record_activity(
                NEW.user_id, NEW.application_id, 'interview_added', 'Interview added',
                jsonb_build_object('interview_id', NEW.id, 'scheduled_at', to_char(
                    NEW.scheduled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')));
        ELSIF TG_OP = 'DELETE' THEN
            PERFORM record_activity(
                OLD.user_id, OLD.application_id, 'interview_deleted', 'Interview deleted',
                jsonb_build_object('interview_id', OLD.id));
        ELSIF to_jsonb(OLD) - no_change <> to_jsonb(NEW) - no_change THEN
            PERFORM record_activity(
                NEW.user_id, NEW.application_id, 'interview_updated', 'Interview updated',
                jsonb_build_object('interview_id', NEW.id));
        END IF;
        RETURN NULL;
    END $$
"""

# ------------------------------------------------------------------------------------ existing rows

# In batches of jobs. The steps that a trigger has inserted are those that have the time of their
# INSERT, or of the job's (migration 0010 gave it to the steps of jobs that existed). The UPDATE of
# archived steps lets their triggers summarize their jobs again.
UPDATE_EXISTING = f"""
    DO $$
    DECLARE
        batch jobs[];
        job jobs;
        after_user bigint := 0;
        after_job bigint := 0;
    BEGIN
        LOOP
            SELECT array_agg(locked) INTO batch FROM (
                SELECT jobs AS locked FROM jobs WHERE (user_id, id) > (after_user, after_job)
                ORDER BY user_id, id LIMIT {BATCH} FOR NO KEY UPDATE
            ) AS found;
            EXIT WHEN batch IS NULL;
            UPDATE job_steps SET origin = 'status', created_at = at FROM unnest(batch) AS jobs
            WHERE job_steps.user_id = jobs.user_id AND job_steps.application_id = jobs.id
                AND origin IS NULL AND job_steps.status IN ('saved', 'applied')
                AND at IN (job_steps.created_at, jobs.created_at);
            UPDATE job_steps SET origin = origin FROM unnest(batch) AS jobs
            WHERE job_steps.user_id = jobs.user_id AND job_steps.application_id = jobs.id
                AND job_steps.status = 'archived';
            FOREACH job IN ARRAY batch LOOP
                IF job.applied_date IS NOT NULL THEN
                    PERFORM date_applied_step(
                        job.user_id, job.id, job.status, job.applied_date);
                END IF;
            END LOOP;
            after_user := job.user_id;
            after_job := job.id;
            COMMIT;
        END LOOP;
    END $$
"""  # noqa: S608 (all words are ours)


@contextmanager
def autocommit() -> Iterator[None]:
    """autocommit_block() of Alembic, which a connection that is detached from its pool refuses."""
    if op.get_context().as_sql:
        with op.get_context().autocommit_block():
            yield
        return
    op.execute("COMMIT")
    driver: Any = op.get_bind().connection.dbapi_connection
    driver.autocommit = True
    try:
        yield
    finally:
        driver.autocommit = False


def upgrade() -> None:
    with autocommit():
        op.execute("ALTER TABLE job_steps ADD COLUMN IF NOT EXISTS origin text")
        op.execute("ALTER TABLE job_steps DROP CONSTRAINT IF EXISTS ck_job_steps_origin")
        op.execute("""
            ALTER TABLE job_steps ADD CONSTRAINT ck_job_steps_origin
            CHECK (origin IN ('status', 'applied_date')) NOT VALID
        """)
        op.execute("ALTER TABLE job_steps VALIDATE CONSTRAINT ck_job_steps_origin")
        op.execute(WITHOUT_ARCHIVED)
        op.execute(APPLIED_AT)
        op.execute(STEPS_TAKEN_BACK)
        op.execute(DATE_APPLIED_STEP)
        op.execute(RECORD_STEP)
        op.execute(
            RECORD_STEP_TRIGGER.format(
                columns="status, applied_date",
                condition="(OLD.status, OLD.applied_date)"
                " IS DISTINCT FROM (NEW.status, NEW.applied_date)",
            )
        )
        op.execute(
            HAS_ROOM_FOR_STEP.format(
                without_a_step="steps_taken_back(of_user, of_job, new_status) IS NOT NULL"
            )
        )
        op.execute(RFC_3339)
        op.execute(RECORD_JOB_ACTIVITY.format(next_action=NEXT_ACTION, more_fields=""))
        op.execute(RECORD_INTERVIEW_ACTIVITY)
        op.execute(UPDATE_EXISTING)


def downgrade() -> None:
    op.execute(RECORD_INTERVIEW_ACTIVITY_BEFORE)
    op.execute(RECORD_JOB_ACTIVITY.format(next_action="", more_fields=NEXT_ACTION_FIELDS))
    op.execute("DROP FUNCTION rfc_3339")
    op.execute(HAS_ROOM_FOR_STEP.format(without_a_step=STATUS_OF_LATEST))
    op.execute(
        RECORD_STEP_TRIGGER.format(
            columns="status", condition="OLD.status IS DISTINCT FROM NEW.status"
        )
    )
    op.execute(RECORD_STEP_BEFORE)
    op.execute(
        "SELECT date_applied_step(user_id, id, status, NULL)"
        " FROM jobs WHERE applied_date IS NOT NULL"
    )
    op.execute(WITH_ARCHIVED)
    op.execute("UPDATE job_steps SET origin = NULL WHERE status = 'archived'")
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with pending triggers cannot be altered
    for function in ("date_applied_step", "steps_taken_back", "applied_at"):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_column("job_steps", "origin")
