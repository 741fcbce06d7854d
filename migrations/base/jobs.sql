CREATE TABLE jobs (
    user_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    company_name varchar(255) NOT NULL,
    job_title varchar(255) NOT NULL,
    location varchar(255),
    status text NOT NULL DEFAULT 'applied',
    applied_date date,
    job_url varchar(2000),
    tags text[] NOT NULL DEFAULT '{}',
    priority text NOT NULL DEFAULT 'normal',
    next_action_at timestamptz,
    next_action_title varchar(255),
    last_action_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    version bigint NOT NULL DEFAULT 1,
    version_nonce bigint NOT NULL DEFAULT transaction_nonce(),
    last_activity_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    CONSTRAINT pk_jobs PRIMARY KEY (user_id, id),
    CONSTRAINT fk_jobs_user_id_users FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT ck_jobs_status
        CHECK (status IN ('saved', 'applied', 'recruiter_screen', 'interviewing', 'onsite',
            'offer', 'accepted', 'rejected', 'withdrawn', 'ghosted', 'archived')),
    CONSTRAINT ck_jobs_priority CHECK (priority IN ('low', 'normal', 'high')),
    CONSTRAINT ck_jobs_tags CHECK (cardinality(tags) <= 50)
);
CREATE INDEX ix_jobs_user_id_last_activity_at_id ON jobs (user_id, last_activity_at, id);

CREATE FUNCTION set_last_action_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.last_action_at IS NOT DISTINCT FROM OLD.last_action_at THEN
        NEW.last_action_at := greatest(OLD.last_action_at, statement_timestamp());
    END IF;
    RETURN NEW;
END $$;

-- If the latest step has the new status already, the UPDATE was made because of that step.
-- greatest(): the new step must be the latest, even after a concurrent or future-dated one.
CREATE FUNCTION record_step_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
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
END $$;

CREATE FUNCTION record_job_activity() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    added jsonb;
    removed jsonb;
    fields jsonb;
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM record_activity(NEW.user_id, NEW.id, 'job_created', 'Job added', '{}');
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

    SELECT jsonb_agg(field ORDER BY field COLLATE "C") INTO fields
    FROM (VALUES
        ('applied_date', OLD.applied_date IS DISTINCT FROM NEW.applied_date),
        ('company_name', OLD.company_name IS DISTINCT FROM NEW.company_name),
        ('job_title', OLD.job_title IS DISTINCT FROM NEW.job_title),
        ('job_url', OLD.job_url IS DISTINCT FROM NEW.job_url),
        ('location', OLD.location IS DISTINCT FROM NEW.location),
        ('priority', OLD.priority IS DISTINCT FROM NEW.priority)
    ) AS compared (field, is_changed)
    WHERE is_changed;
    IF fields IS NOT NULL THEN
        PERFORM record_activity(
            NEW.user_id, NEW.id, 'job_updated', 'Job updated',
            jsonb_build_object('fields', fields));
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION keep_words_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO job_words (user_id, application_id, words, texts, tags)
    VALUES (NEW.user_id, NEW.id,
            words_of_job(NEW.company_name, NEW.job_title, NEW.tags, NEW.location),
            folded_texts(NEW.company_name, NEW.job_title, NEW.location), folded(NEW.tags))
    ON CONFLICT (user_id, application_id) DO UPDATE
    SET words = excluded.words, texts = excluded.texts, tags = excluded.tags;
    RETURN NULL;
END $$;

-- The versions that one transaction makes of a job have the same transaction_nonce().
CREATE FUNCTION count_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before record := OLD;
BEGIN
    before.last_activity_at := NEW.last_activity_at;
    before.updated_at := NEW.updated_at;
    before.version := NEW.version;
    before.version_nonce := NEW.version_nonce;
    IF before IS DISTINCT FROM NEW THEN
        NEW.version := OLD.version + 1;
        NEW.version_nonce := transaction_nonce() + NEW.version;
        NEW.updated_at := statement_timestamp();
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION count_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
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
END $$;

CREATE FUNCTION count_moved_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE users SET job_count = job_count - 1 WHERE id = OLD.user_id;
    UPDATE users SET job_count = job_count + 1 WHERE id = NEW.user_id;
    RETURN NULL;
END $$;

-- In a trigger and not in the WHERE of the UPDATE: Citus allows no volatile functions there, and
-- others do not see the steps of a concurrent UPDATE that was waited for.
CREATE FUNCTION limit_steps_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT has_room_for_step(NEW.user_id, NEW.id, NEW.status, coalesce(nullif(
        current_setting('jobtracker.history_per_job', true), ''), '200')::bigint)
    THEN
        RAISE EXCEPTION 'one step too many for the constraint "history_per_job"'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'history_per_job';
    END IF;
    RETURN NEW;
END $$;

CREATE CONSTRAINT TRIGGER bump_revision AFTER INSERT OR DELETE ON jobs
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bump_revision();
CREATE CONSTRAINT TRIGGER bump_revision_by_update AFTER UPDATE ON jobs
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD *<> NEW) EXECUTE FUNCTION bump_revision();
CREATE TRIGGER count_deleted_jobs AFTER DELETE ON jobs
    REFERENCING OLD TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION count_jobs();
CREATE TRIGGER count_moved_job AFTER UPDATE OF user_id ON jobs
    FOR EACH ROW WHEN (OLD.user_id <> NEW.user_id) EXECUTE FUNCTION count_moved_job();
CREATE TRIGGER count_new_jobs AFTER INSERT ON jobs
    REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION count_jobs();
CREATE TRIGGER count_version BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION count_version();
CREATE TRIGGER keep_words AFTER INSERT OR UPDATE OF company_name, job_title, location, tags
    ON jobs FOR EACH ROW EXECUTE FUNCTION keep_words_of_job();
CREATE TRIGGER limit_steps BEFORE UPDATE OF status ON jobs
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION limit_steps_of_job();
-- Only for the columns that are recorded, not for last_activity_at.
CREATE TRIGGER record_activity AFTER INSERT OR UPDATE OF status, tags, applied_date, company_name,
    job_title, job_url, location, next_action_at, next_action_title, priority
    ON jobs FOR EACH ROW EXECUTE FUNCTION record_job_activity();
CREATE TRIGGER record_first_step AFTER INSERT ON jobs
    FOR EACH ROW EXECUTE FUNCTION record_step_of_job();
CREATE TRIGGER record_step AFTER UPDATE OF status, applied_date ON jobs
    FOR EACH ROW WHEN ((OLD.status, OLD.applied_date) IS DISTINCT FROM (NEW.status,
        NEW.applied_date))
    EXECUTE FUNCTION record_step_of_job();
CREATE TRIGGER set_last_action BEFORE UPDATE OF next_action_at, next_action_title ON jobs
    FOR EACH ROW WHEN ((OLD.next_action_at, OLD.next_action_title) IS DISTINCT FROM
        (NEW.next_action_at, NEW.next_action_title))
    EXECUTE FUNCTION set_last_action_of_job();
