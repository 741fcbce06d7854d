"""The summary of a job's steps is carried on, in place of being computed from all of them.

``job_journeys`` has the counts that this needs: of the steps, of those of each stage, and of those
of a later stage that followed it. See docs/decisions/growth.md.

Each statement is a transaction of its own, and can be repeated after an interruption. The functions
come first: they summarize a job from all of its steps as long as its counts are null. Then the
existing summaries get their counts, in batches.
"""

from collections.abc import Sequence

from alembic import op

from jobtracker.db.migrations import autocommit, backfill, create_index, execute, set_not_null

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

# Jobs that one transaction summarizes, and so locks.
BATCH = 100
# Steps of a job in one statement that are carried on one by one.
MAX_CARRIED = 20
OF_CHANGED = "(user_id, application_id) IN (SELECT user_id, application_id FROM changed)"
OF_JOB = "user_id = of_user AND application_id = of_job"

STATUSES = 11
TOP = 6
STAGES = range(1, TOP + 1)
COUNTS = ("steps", "visits", "advances")

# Free space in a page takes the new version of a row that is updated over and over again, without
# an entry in the indexes (HOT). Vacuum after 2 % of the rows have changed, instead of 20 %.
VACUUM = "autovacuum_vacuum_scale_factor = 0.02"
STORAGE = {
    "users": f"fillfactor = 90, {VACUUM}",
    "job_journeys": f"fillfactor = 90, {VACUUM}",
    "jobs": VACUUM,
    "job_steps": VACUUM,
    "note_words": VACUUM,
}

# ------------------------------------------------------------------------------------- the summary


def days_on(stage: int) -> str:
    """SQL for the days spent on a stage; null if the job never reached it.

    On the top stage only the stays count that a step of another status ended.
    """
    # date_part() returns a float; extract() returns numeric, which is slower.
    if stage == TOP:
        of_stage = f"rung = {stage} AND went_to <> status"
        return f"date_part('epoch', sum(stayed) FILTER (WHERE {of_stage})) / 86400"
    days = f"date_part('epoch', sum(stayed) FILTER (WHERE rung = {stage})) / 86400"
    return f"CASE WHEN count(*) FILTER (WHERE rung = {stage}) > 0 THEN coalesce({days}, 0) END"


def count(condition: str) -> str:
    return f"count(*) FILTER (WHERE {condition})"


def replacing(columns: Sequence[str]) -> str:
    return ", ".join(f"{name} = excluded.{name}" for name in columns)


COLUMNS_BEFORE = (
    *("began", "status", "since", "rung", "source", "reached", "went_on", "days", "edges"),
)
COLUMNS = (*COLUMNS_BEFORE, *COUNTS)


def upsert_summary(columns: Sequence[str], condition: str) -> str:
    """SQL that inserts or replaces the summaries of some jobs.

    :param condition: of their steps
    """
    passed = [count(f"rung > {stage} AND before & {1 << stage} <> 0") for stage in STAGES]
    values = {
        "began": "min(at)",
        "status": """coalesce((array_agg(status ORDER BY place DESC)
                         FILTER (WHERE status <> 'archived'))[1], 'archived')""",
        "since": "max(at)",
        "rung": "(array_agg(rung ORDER BY place DESC))[1]",
        "source": f"max(rung) FILTER (WHERE rung < {TOP})",
        "reached": "coalesce(bit_or(1 << rung), 0)",
        "went_on": " + ".join(
            f"CASE WHEN {number} > 0 THEN {1 << stage} ELSE 0 END"
            for stage, number in zip(STAGES, passed, strict=True)
        ),
        "days": f"ARRAY[{', '.join(map(days_on, STAGES))}]",
        "edges": f"""coalesce(string_agg(
                   set_byte('\\x00', 0, {STATUSES} * rank_of(came_from) + rank_of(status)),
                   '' ORDER BY place
               ) FILTER (WHERE came_from <> status), '')""",
        "steps": "count(*)",
        "visits": f"ARRAY[{', '.join(count(f'rung = {stage}') for stage in STAGES)}]",
        "advances": f"ARRAY[{', '.join(passed)}]",
    }
    return f"""
        INSERT INTO job_journeys (user_id, application_id, {", ".join(columns)})
        SELECT user_id, application_id, {", ".join(values[name] for name in columns)}
        FROM (
            SELECT user_id, application_id, status, rung_of(status) AS rung, at,
                   row_number() OVER of_job AS place,
                   lag(status) OVER kept AS came_from, lead(status) OVER kept AS went_to,
                   lead(at) OVER of_job - at AS stayed,
                   -- A frame that begins at the first row takes linear time.
                   bit_or(1 << rung_of(status)) OVER (
                       of_job ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                   ) AS before
            FROM job_steps WHERE {condition}
            WINDOW of_job AS (PARTITION BY user_id, application_id ORDER BY at, id),
                   kept AS (PARTITION BY user_id, application_id, status = 'archived'
                            ORDER BY at, id)
        ) AS steps
        GROUP BY user_id, application_id
        ON CONFLICT (user_id, application_id) DO UPDATE SET {replacing(columns)}
    """  # noqa: S608 (all words are ours)


# The lock on the job serializes concurrent changes of its steps, so that the last one reads all of
# them. A job that is being deleted has no row to lock, and no steps.
SUMMARIZE_STEPS = f"""
    CREATE OR REPLACE FUNCTION summarize_steps(of_user bigint, of_job bigint) RETURNS void
    LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM FROM jobs WHERE user_id = of_user AND id = of_job FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RETURN;
        END IF;
        {upsert_summary(COLUMNS, OF_JOB)};
        IF NOT FOUND THEN
            DELETE FROM job_journeys WHERE {OF_JOB};
        END IF;
    END $$
"""  # noqa: S608 (all words are ours)

# Adds the latest steps of a job to its summary, or takes them out of it: those after the first
# "number" ones. The first ones are the last that remain, back to one that is not archived.
# Returns false for a summary without counts.
CARRY_STEPS = f"""
    CREATE OR REPLACE FUNCTION carry_steps(
        of_user bigint, of_job bigint, statuses text[], times timestamptz[], number integer,
        are_new boolean
    ) RETURNS boolean LANGUAGE plpgsql AS $$
    DECLARE
        summary record;
        days double precision[];
        edges bytea;
        visits integer[];
        advances integer[];
        total CONSTANT integer := cardinality(statuses);
        latest CONSTANT integer := CASE WHEN are_new THEN total ELSE number END;
        sign CONSTANT integer := CASE WHEN are_new THEN 1 ELSE -1 END;
        i integer := CASE WHEN are_new THEN number ELSE total + 1 END;
        other integer;  -- the index of the step before that is not archived
        stage integer;
        source_now integer;
        reached_now integer := 0;
        went_on_now integer := 0;
    BEGIN
        SELECT job_journeys.began, job_journeys.days, job_journeys.edges, job_journeys.steps,
               job_journeys.visits, job_journeys.advances
        INTO summary FROM job_journeys WHERE {OF_JOB};
        IF FOUND THEN
            IF summary.steps IS NULL THEN
                RETURN false;
            END IF;
            days := summary.days;
            edges := summary.edges;
            visits := summary.visits;
            advances := summary.advances;
        ELSIF number > 0 THEN
            RETURN false;
        ELSE
            days := array_fill(NULL::double precision, '{{{TOP}}}');
            edges := '';
            visits := array_fill(0, '{{{TOP}}}');
            advances := visits;
        END IF;
        FOR _ IN 1 .. total - number LOOP
            i := i + sign;
            stage := rung_of(statuses[i - 1]);
            IF stage < {TOP} THEN
                days[stage] := greatest(
                    0, days[stage] + sign * date_part('epoch', times[i] - times[i - 1]) / 86400);
            END IF;
            CONTINUE WHEN statuses[i] = 'archived';
            other := i - 1;
            WHILE statuses[other] = 'archived' LOOP
                other := other - 1;
            END LOOP;
            IF statuses[other] <> statuses[i] THEN
                IF are_new THEN
                    edges := edges || set_byte(
                        '\\x00', 0, {STATUSES} * rank_of(statuses[other]) + rank_of(statuses[i]));
                ELSE
                    edges := substring(edges FROM 1 FOR length(edges) - 1);
                END IF;
                IF rung_of(statuses[other]) = {TOP} THEN
                    days[{TOP}] := greatest(0, coalesce(days[{TOP}], 0) + sign
                        * date_part('epoch', times[other + 1] - times[other]) / 86400);
                    IF NOT are_new AND NOT EXISTS (
                        SELECT FROM generate_series(0, {STATUSES - 1}) AS to_rank
                        WHERE position(set_byte('\\x00', 0, {STATUSES} * rank_of(statuses[other])
                                                            + to_rank) IN edges) > 0)
                    THEN
                        days[{TOP}] := NULL;
                    END IF;
                END IF;
            END IF;
            stage := rung_of(statuses[i]);
            CONTINUE WHEN stage IS NULL;
            visits[stage] := visits[stage] + sign;
            FOR lower IN 1 .. stage - 1 LOOP
                IF visits[lower] > 0 THEN
                    advances[lower] := advances[lower] + sign;
                END IF;
            END LOOP;
            IF stage < {TOP} THEN
                days[stage] := CASE WHEN visits[stage] > 0 THEN coalesce(days[stage], 0) END;
            END IF;
        END LOOP;

        FOR each IN 1 .. {TOP} LOOP
            IF visits[each] > 0 THEN
                reached_now := reached_now | (1 << each);
                IF each < {TOP} THEN
                    source_now := each;
                END IF;
            END IF;
            IF advances[each] > 0 THEN
                went_on_now := went_on_now | (1 << each);
            END IF;
        END LOOP;
        other := latest;
        WHILE statuses[other] = 'archived' LOOP
            other := other - 1;
        END LOOP;
        INSERT INTO job_journeys (user_id, application_id, {", ".join(COLUMNS)})
        VALUES (of_user, of_job, coalesce(summary.began, times[1]),
                coalesce(statuses[other], 'archived'), times[latest], rung_of(statuses[latest]),
                source_now, reached_now, went_on_now, days, edges,
                coalesce(summary.steps, 0) + sign * (total - number), visits, advances)
        ON CONFLICT (user_id, application_id) DO UPDATE SET {replacing(COLUMNS)};
        RETURN true;
    END $$
"""  # noqa: S608 (all words are ours)

KEEP_JOURNEYS = f"""
    CREATE OR REPLACE FUNCTION keep_journeys() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        of_user bigint;
        of_job bigint;
        ids bigint[];
        statuses text[];
        times timestamptz[];
        other_id bigint;  -- of the latest step but those
        other_status text;
        other_at timestamptz;
        kept_statuses text[];
        kept_times timestamptz[];
    BEGIN
        FOR of_user, of_job, ids, statuses, times IN
            SELECT user_id, application_id, array_agg(id ORDER BY at, id),
                   array_agg(status ORDER BY at, id), array_agg(at ORDER BY at, id)
            FROM changed GROUP BY user_id, application_id ORDER BY user_id, application_id
        LOOP
            PERFORM FROM jobs WHERE user_id = of_user AND id = of_job FOR NO KEY UPDATE;
            CONTINUE WHEN NOT FOUND;
            IF TG_OP <> 'UPDATE' AND cardinality(ids) <= {MAX_CARRIED} THEN
                SELECT id, status, at INTO other_id, other_status, other_at FROM job_steps
                WHERE {OF_JOB} AND id <> ALL (ids) ORDER BY at DESC, id DESC LIMIT 1;
                IF other_id IS NULL THEN
                    CONTINUE WHEN TG_OP = 'INSERT'
                        AND carry_steps(of_user, of_job, statuses, times, 0, true);
                ELSIF (other_at, other_id) < (times[1], ids[1]) THEN
                    kept_statuses := ARRAY[other_status];
                    kept_times := ARRAY[other_at];
                    IF other_status = 'archived' THEN
                        SELECT array_agg(status ORDER BY at, id), array_agg(at ORDER BY at, id)
                        INTO kept_statuses, kept_times FROM job_steps
                        WHERE {OF_JOB} AND id <> ALL (ids) AND at >= coalesce((
                            SELECT at FROM job_steps
                            WHERE {OF_JOB} AND id <> ALL (ids) AND status <> 'archived'
                            ORDER BY at DESC, id DESC LIMIT 1), other_at);
                    END IF;
                    CONTINUE WHEN carry_steps(
                        of_user, of_job, kept_statuses || statuses, kept_times || times,
                        cardinality(kept_statuses), TG_OP = 'INSERT');
                END IF;
            END IF;
            PERFORM summarize_steps(of_user, of_job);
        END LOOP;
        RETURN NULL;
    END $$
"""  # noqa: S608 (all words are ours)
KEEP_JOURNEYS_OF_UPDATED = """
    CREATE OR REPLACE FUNCTION keep_journeys_of_updated() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        of_user bigint;
        of_job bigint;
    BEGIN
        FOR of_user, of_job IN
            SELECT user_id, application_id FROM (
                (SELECT user_id, application_id, id, status, at FROM before
                 EXCEPT SELECT user_id, application_id, id, status, at FROM changed)
                UNION ALL
                (SELECT user_id, application_id, id, status, at FROM changed
                 EXCEPT SELECT user_id, application_id, id, status, at FROM before)
            ) AS steps
            GROUP BY user_id, application_id ORDER BY user_id, application_id
        LOOP
            PERFORM summarize_steps(of_user, of_job);
        END LOOP;
        RETURN NULL;
    END $$
"""
KEEP_JOURNEYS_BEFORE = f"""
    CREATE OR REPLACE FUNCTION keep_journeys() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM FROM jobs WHERE (user_id, id) IN (SELECT user_id, application_id FROM changed)
        ORDER BY user_id, id FOR NO KEY UPDATE;
        {upsert_summary(COLUMNS_BEFORE, OF_CHANGED)};
        IF TG_OP <> 'INSERT' THEN
            DELETE FROM job_journeys WHERE {OF_CHANGED} AND NOT EXISTS (
                SELECT FROM job_steps
                WHERE job_steps.user_id = job_journeys.user_id
                    AND job_steps.application_id = job_journeys.application_id);
        END IF;
        RETURN NULL;
    END $$
"""  # noqa: S608 (all words are ours)
UPDATE_TRIGGER = """
    CREATE OR REPLACE TRIGGER keep_journeys_{when}_update AFTER UPDATE ON job_steps
    REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION {function}()
"""

# ------------------------------------------------------------------------------------- the history

# VOLATILE: when the UPDATE has waited for a concurrent one, PostgreSQL evaluates this again and it
# sees that one's step. The condition is that of the trigger record_step.
HAS_ROOM_FOR_STEP = """
    CREATE OR REPLACE FUNCTION has_room_for_step(
        of_user bigint, of_job bigint, new_status text, max_steps bigint
    ) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
    BEGIN
        RETURN step_count(of_user, of_job) < max_steps
            OR steps_taken_back(of_user, of_job, new_status) IS NOT NULL;
    END $$
"""
# As of the base.
HAS_ROOM_FOR_STEP_BEFORE = f"""
    CREATE OR REPLACE FUNCTION has_room_for_step(
        of_user bigint, of_job bigint, new_status text, max_steps bigint
    ) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
    BEGIN
        RETURN steps_taken_back(of_user, of_job, new_status) IS NOT NULL
            OR max_steps > (SELECT count(*) FROM job_steps WHERE {OF_JOB});
    END $$
"""  # noqa: S608 (all words are ours)
# VOLATILE for the same reason.
STEP_COUNT = f"""
    CREATE OR REPLACE FUNCTION step_count(of_user bigint, of_job bigint) RETURNS bigint
    LANGUAGE plpgsql VOLATILE AS $$
    BEGIN
        RETURN coalesce(
            (SELECT steps FROM job_journeys WHERE {OF_JOB}),
            (SELECT count(*) FROM job_steps WHERE {OF_JOB}));
    END $$
"""  # noqa: S608 (all words are ours)

# As of the base, but only the steps are read that the date can move, and those beside them:
# the saved steps at the beginning, the first applied step, and those that a date has moved. All
# others are where they were without a date.
DATE_APPLIED_STEP = f"""
    CREATE OR REPLACE FUNCTION date_applied_step(
        of_user bigint, of_job bigint, job_status text, applied_on date
    ) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
        just CONSTANT interval := '1 microsecond';
        own_id bigint := 0;  -- the step that exists for the date alone
        own_at timestamptz;
        last_id bigint;  -- the latest of the others
        last_at timestamptz;
        first_applied bigint;
        begun_id bigint;  -- the first step but the saved ones at the beginning
        begun_at timestamptz;
        ids bigint[];  -- of the steps that are read, without that of the date
        statuses text[];
        are_derived boolean[];
        created timestamptz[];
        before timestamptz[];  -- their times
        times timestamptz[];  -- at first as if there were no date
        number integer;
        can_move boolean[];
        after interval[];  -- how much later each is than the one before it, at least
        only_saved boolean;  -- it was not applied for; archiving says nothing about that
        saved integer := 0;  -- the number of saved steps at the beginning that triggers inserted
        applied integer;  -- the index of the first applied step
        moved timestamptz;  -- its time
        inserted timestamptz;  -- the time of a step of its own
    BEGIN
        SELECT id, at INTO own_id, own_at FROM job_steps
        WHERE {OF_JOB} AND origin = 'applied_date';
        IF job_status = 'applied' AND own_id = (
            SELECT id FROM job_steps WHERE {OF_JOB} ORDER BY at DESC, id DESC LIMIT 1)
        THEN  -- The user has deleted the steps after it: it is the status of the job now.
            UPDATE job_steps SET origin = 'status' WHERE user_id = of_user AND id = own_id;
            own_id := NULL;
        END IF;
        own_id := coalesce(own_id, 0);
        SELECT id, at INTO last_id, last_at FROM job_steps
        WHERE {OF_JOB} AND id <> own_id ORDER BY at DESC, id DESC LIMIT 1;
        SELECT id, at INTO begun_id, begun_at FROM job_steps
        WHERE {OF_JOB} AND id <> own_id AND (status <> 'saved' OR origin IS NULL)
        ORDER BY at, id LIMIT 1;
        SELECT id INTO first_applied FROM job_steps
        WHERE {OF_JOB} AND id <> own_id AND status = 'applied' ORDER BY at, id LIMIT 1;
        only_saved := first_applied IS NULL AND NOT EXISTS (
            SELECT FROM job_steps
            WHERE {OF_JOB} AND id <> own_id AND status NOT IN ('saved', 'archived'))
            AND EXISTS (
            SELECT FROM job_steps WHERE {OF_JOB} AND id <> own_id AND status = 'saved');
        SELECT array_agg(id) INTO ids FROM (
            SELECT id FROM job_steps
            WHERE {OF_JOB} AND (at, id) <= (
                coalesce(begun_at, last_at), coalesce(begun_id, last_id))
            UNION ALL
            SELECT last_id
            UNION ALL
            SELECT unnest(ARRAY[
                movable.id,
                (SELECT id FROM job_steps
                 WHERE {OF_JOB} AND id <> own_id AND (at, id) < (movable.at, movable.id)
                 ORDER BY at DESC, id DESC LIMIT 1),
                (SELECT id FROM job_steps
                 WHERE {OF_JOB} AND id <> own_id AND (at, id) > (movable.at, movable.id)
                 ORDER BY at, id LIMIT 1)])
            FROM (
                SELECT id, at FROM job_steps WHERE user_id = of_user AND id = first_applied
                UNION ALL
                SELECT id, at FROM job_steps
                WHERE {OF_JOB} AND origin = 'status' AND at <> created_at
            ) AS movable
        ) AS read;
        SELECT array_agg(id ORDER BY at, id), array_agg(status ORDER BY at, id),
               array_agg(origin IS NOT DISTINCT FROM 'status' ORDER BY at, id),
               array_agg(created_at ORDER BY at, id), array_agg(at ORDER BY at, id)
        INTO ids, statuses, are_derived, created, before
        FROM job_steps WHERE user_id = of_user AND id = ANY (ids) AND id <> own_id;
        number := coalesce(cardinality(ids), 0);
        applied := array_position(ids, first_applied);

        FOR i IN REVERSE number .. 1 LOOP
            times[i] := before[i];
            can_move[i] := statuses[i] IN ('saved', 'applied') AND are_derived[i];
            -- With a smaller id, a step of the same time is before the other one.
            after[i] := CASE WHEN ids[i - 1] > ids[i] THEN just ELSE '0' END;
            IF can_move[i] THEN  -- the user can have inserted steps after it since
                times[i] := least(created[i], times[i + 1] - after[i + 1]);
            END IF;
        END LOOP;
        FOR i IN 1 .. number LOOP
            IF can_move[i] THEN  -- or before it
                times[i] := greatest(times[i], times[i - 1] + after[i],
                                     timestamptz '1970-01-01 00:00:00+00');
            END IF;
        END LOOP;
        WHILE can_move[saved + 1] AND statuses[saved + 1] = 'saved' LOOP
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
        ELSIF NOT only_saved AND (applied IS NULL OR own_id <> 0) THEN
            inserted := applied_at(applied_on, NULL, times[number] - just);
        END IF;
        FOR i IN 1 .. saved LOOP
            times[i] := least(times[i], moved, inserted);
        END LOOP;

        IF times <> before THEN
            -- Citus 13.2 crashes on an element of an array that is the whole expression.
            UPDATE job_steps SET at = coalesce(times[array_position(ids, id)], at)
            WHERE user_id = of_user AND id = ANY (ids) AND at <> times[array_position(ids, id)];
        END IF;
        IF inserted IS NULL THEN
            IF own_id <> 0 THEN
                DELETE FROM job_steps WHERE user_id = of_user AND id = own_id;
            END IF;
        ELSIF own_id <> 0 THEN
            IF inserted <> own_at THEN
                UPDATE job_steps SET at = inserted WHERE user_id = of_user AND id = own_id;
            END IF;
        ELSIF {{number}} < coalesce(nullif(current_setting('jobtracker.history_per_job', true), ''),
                                    '200')::bigint
        THEN
            INSERT INTO job_steps (user_id, application_id, status, at, origin)
            VALUES (of_user, of_job, 'applied', inserted, 'applied_date');
        END IF;
    END $$
"""  # noqa: S608 (all words are ours)

# ------------------------------------------------------------------------------- existing summaries

BACKFILL = """
    SELECT summarize_steps(user_id, application_id) FROM job_journeys
    WHERE {batch} AND steps IS NULL
"""


def upgrade() -> None:
    with autocommit():
        for table, parameters in STORAGE.items():
            execute(f"-- squawk-ignore prefer-robust-stmts\nALTER TABLE {table} SET ({parameters})")
        create_index("ix_activity_created_at", "activity (created_at)")
        create_index(
            "ix_job_steps_user_id_application_id",
            "job_steps (user_id, application_id)"
            " WHERE origin = 'applied_date' OR origin = 'status' AND at <> created_at",
        )
        execute(
            "-- squawk-ignore prefer-bigint-over-int\n"
            "ALTER TABLE job_journeys ADD COLUMN IF NOT EXISTS steps integer,"
            " ADD COLUMN IF NOT EXISTS visits integer[],"
            " ADD COLUMN IF NOT EXISTS advances integer[]"
        )
        execute(SUMMARIZE_STEPS)
        execute(CARRY_STEPS)
        execute(KEEP_JOURNEYS)
        execute(KEEP_JOURNEYS_OF_UPDATED)
        # It waits for transactions that have begun to execute the function of before.
        execute(
            UPDATE_TRIGGER.format(
                when="after",
                tables="OLD TABLE AS before NEW TABLE AS changed",
                function="keep_journeys_of_updated",
            )
        )
        execute("DROP TRIGGER IF EXISTS keep_journeys_before_update ON job_steps")
        execute(STEP_COUNT)
        execute(HAS_ROOM_FOR_STEP)
        execute(DATE_APPLIED_STEP.replace("{number}", "step_count(of_user, of_job)"))
        key = ("user_id", "application_id")
        backfill("job_journeys", BACKFILL, key=key, rows=BATCH)
        for column in COUNTS:
            set_not_null("job_journeys", column)


def downgrade() -> None:
    # That of before reads more, and does the same.
    count_steps = f"(SELECT count(*) FROM job_steps WHERE {OF_JOB})"  # noqa: S608
    op.execute(DATE_APPLIED_STEP.replace("{number}", count_steps))
    op.execute(HAS_ROOM_FOR_STEP_BEFORE)
    op.execute(KEEP_JOURNEYS_BEFORE)
    for when, tables in (("after", "NEW TABLE AS changed"), ("before", "OLD TABLE AS changed")):
        op.execute(UPDATE_TRIGGER.format(when=when, tables=tables, function="keep_journeys"))
    for function in ("step_count", "keep_journeys_of_updated", "carry_steps", "summarize_steps"):
        op.execute(f"DROP FUNCTION {function}")
    for column in COUNTS:
        op.drop_column("job_journeys", column)
    for index in ("ix_job_steps_user_id_application_id", "ix_activity_created_at"):
        op.drop_index(index)
    for table, parameters in STORAGE.items():
        names = ", ".join(each.partition(" = ")[0] for each in parameters.split(", "))
        op.execute(f"ALTER TABLE {table} RESET ({names})")
