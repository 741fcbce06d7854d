CREATE TABLE job_steps (
    user_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    application_id bigint NOT NULL,
    status text NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    origin text,
    CONSTRAINT pk_job_steps PRIMARY KEY (user_id, id),
    CONSTRAINT fk_job_steps_user_id_application_id_jobs
        FOREIGN KEY (user_id, application_id) REFERENCES jobs (user_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_job_steps_status
        CHECK (status IN ('saved', 'applied', 'recruiter_screen', 'interviewing', 'onsite',
            'offer', 'accepted', 'rejected', 'withdrawn', 'ghosted', 'archived')),
    CONSTRAINT ck_job_steps_origin CHECK (origin IN ('status', 'applied_date')),
    CONSTRAINT ck_job_steps_at CHECK (at >= '1970-01-01 00:00:00+00')
);
CREATE INDEX ix_job_steps_user_id_application_id_at_id
    ON job_steps (user_id, application_id, at, id) INCLUDE (status);

CREATE FUNCTION keep_journeys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM jobs WHERE (user_id, id) IN (SELECT user_id, application_id FROM changed)
    ORDER BY user_id, id FOR NO KEY UPDATE;
    INSERT INTO job_journeys
        (user_id, application_id, began, status, since, rung, source, reached, went_on,
         days, edges)
    SELECT user_id, application_id, min(at),
           coalesce((array_agg(status ORDER BY place DESC)
                         FILTER (WHERE status <> 'archived'))[1], 'archived'),
           max(at), (array_agg(rung ORDER BY place DESC))[1],
           max(rung) FILTER (WHERE rung < 6),
           coalesce(bit_or(1 << rung), 0),
           coalesce(bit_or(1 << rung) FILTER (WHERE highest_after > rung), 0),
           ARRAY[
               CASE WHEN count(*) FILTER (WHERE rung = 1) > 0 THEN coalesce(
                   date_part('epoch', sum(stayed) FILTER (WHERE rung = 1)) / 86400, 0) END,
               CASE WHEN count(*) FILTER (WHERE rung = 2) > 0 THEN coalesce(
                   date_part('epoch', sum(stayed) FILTER (WHERE rung = 2)) / 86400, 0) END,
               CASE WHEN count(*) FILTER (WHERE rung = 3) > 0 THEN coalesce(
                   date_part('epoch', sum(stayed) FILTER (WHERE rung = 3)) / 86400, 0) END,
               CASE WHEN count(*) FILTER (WHERE rung = 4) > 0 THEN coalesce(
                   date_part('epoch', sum(stayed) FILTER (WHERE rung = 4)) / 86400, 0) END,
               CASE WHEN count(*) FILTER (WHERE rung = 5) > 0 THEN coalesce(
                   date_part('epoch', sum(stayed) FILTER (WHERE rung = 5)) / 86400, 0) END,
               date_part('epoch',
                         sum(stayed) FILTER (WHERE rung = 6 AND went_to <> status)) / 86400],
           coalesce(string_agg(
               set_byte('\x00', 0, 11 * rank_of(came_from) + rank_of(status)),
               '' ORDER BY place
           ) FILTER (WHERE came_from <> status), '')
    FROM (
        SELECT user_id, application_id, status, rung_of(status) AS rung, at,
               row_number() OVER of_job AS place,
               lag(status) OVER kept AS came_from, lead(status) OVER kept AS went_to,
               lead(at) OVER of_job - at AS stayed,
               max(rung_of(status)) OVER (
                   backwards ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
               ) AS highest_after
        FROM job_steps
        WHERE (user_id, application_id) IN (SELECT user_id, application_id FROM changed)
        WINDOW of_job AS (PARTITION BY user_id, application_id ORDER BY at, id),
            -- A frame that begins at the first row takes linear time.
            backwards AS (
                PARTITION BY user_id, application_id ORDER BY at DESC, id DESC
            ),
            kept AS (PARTITION BY user_id, application_id, status = 'archived' ORDER BY at, id)
    ) AS steps
    GROUP BY user_id, application_id
    ON CONFLICT (user_id, application_id) DO UPDATE SET
        began = excluded.began, status = excluded.status, since = excluded.since,
        rung = excluded.rung, source = excluded.source, reached = excluded.reached,
        went_on = excluded.went_on, days = excluded.days, edges = excluded.edges;
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM job_journeys
        WHERE (user_id, application_id) IN (SELECT user_id, application_id FROM changed)
            AND NOT EXISTS (
                SELECT FROM job_steps
                WHERE job_steps.user_id = job_journeys.user_id
                    AND job_steps.application_id = job_journeys.application_id);
    END IF;
    RETURN NULL;
END $$;

-- What a change to new_status takes back: the ids of the steps since the job left this status, if
-- triggers inserted them and it was not longer ago than five minutes. None if the job has the
-- status, null if it does not return to it.
CREATE FUNCTION steps_taken_back(of_user bigint, of_job bigint, new_status text)
RETURNS bigint[] LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    step record;
    ids bigint[] := '{}';
BEGIN
    FOR step IN
        SELECT id, status, origin, created_at FROM job_steps
        WHERE user_id = of_user AND application_id = of_job ORDER BY at DESC, id DESC
    LOOP
        CONTINUE WHEN step.origin = 'applied_date' AND ids <> '{}';
        IF step.status = new_status THEN
            RETURN ids;
        END IF;
        EXIT WHEN step.origin IS NULL
            OR step.created_at < statement_timestamp() - interval '5 minutes';
        ids := ids || step.id;
    END LOOP;
    RETURN NULL;
END $$;

-- Moves the steps that triggers inserted to where the applied date has them: the first applied
-- step to that date, and a saved step at the beginning not after it. Where other steps lie
-- between the date and the first applied step, or there is none, a step of its own is inserted at
-- the date. The order of all other steps remains, and so the latest.
CREATE FUNCTION date_applied_step(
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
    SELECT * INTO own FROM job_steps
    WHERE user_id = of_user AND application_id = of_job AND origin = 'applied_date';
    IF job_status = 'applied' AND own.id = (
        SELECT id FROM job_steps
        WHERE user_id = of_user AND application_id = of_job ORDER BY at DESC, id DESC LIMIT 1)
    THEN  -- The user has deleted the steps after it: it is the status of the job now.
        UPDATE job_steps SET origin = 'status' WHERE user_id = of_user AND id = own.id;
        own := NULL;
    END IF;
    SELECT array_agg(step ORDER BY at, id),
           bool_and(status IN ('saved', 'archived')) AND bool_or(status = 'saved')
    INTO steps, only_saved
    FROM job_steps AS step
    WHERE user_id = of_user AND application_id = of_job
        AND origin IS DISTINCT FROM 'applied_date';
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
            times[i] := greatest(
                times[i], times[i - 1] + after[i], timestamptz '1970-01-01 00:00:00+00');
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
                            '200')::bigint
    THEN
        INSERT INTO job_steps (user_id, application_id, status, at, origin)
        VALUES (of_user, of_job, 'applied', inserted, 'applied_date');
    END IF;
END $$;

-- VOLATILE: when the UPDATE has waited for a concurrent one, PostgreSQL evaluates this again and
-- it sees that one's step. The condition is that of the trigger record_step.
CREATE FUNCTION has_room_for_step(
    of_user bigint, of_job bigint, new_status text, max_steps bigint
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN steps_taken_back(of_user, of_job, new_status) IS NOT NULL OR max_steps > (
        SELECT count(*) FROM job_steps
        WHERE user_id = of_user AND application_id = of_job
    );
END $$;

CREATE CONSTRAINT TRIGGER bump_revision AFTER INSERT OR DELETE ON job_steps
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bump_revision();
CREATE CONSTRAINT TRIGGER bump_revision_by_update AFTER UPDATE ON job_steps
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD *<> NEW) EXECUTE FUNCTION bump_revision();
CREATE TRIGGER keep_journeys_after_update AFTER UPDATE ON job_steps
    REFERENCING NEW TABLE AS changed EXECUTE FUNCTION keep_journeys();
CREATE TRIGGER keep_journeys_before_update AFTER UPDATE ON job_steps
    REFERENCING OLD TABLE AS changed EXECUTE FUNCTION keep_journeys();
CREATE TRIGGER keep_journeys_of_new AFTER INSERT ON job_steps
    REFERENCING NEW TABLE AS changed EXECUTE FUNCTION keep_journeys();
CREATE TRIGGER keep_journeys_of_old AFTER DELETE ON job_steps
    REFERENCING OLD TABLE AS changed EXECUTE FUNCTION keep_journeys();
