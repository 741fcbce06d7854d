CREATE TABLE activity (
    user_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    application_id bigint NOT NULL,
    type text NOT NULL,
    message text NOT NULL,
    data jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    CONSTRAINT pk_activity PRIMARY KEY (user_id, id),
    CONSTRAINT fk_activity_user_id_application_id_jobs
        FOREIGN KEY (user_id, application_id) REFERENCES jobs (user_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_activity_type CHECK (type ~ '^[a-z]+(_[a-z]+)*$')
);
CREATE INDEX ix_activity_user_id_application_id_created_at_id
    ON activity (user_id, application_id, created_at, id);
CREATE INDEX ix_activity_user_id_created_at ON activity (user_id, created_at);

CREATE FUNCTION record_activity(
    of_user bigint, of_job bigint, type text, message text, data jsonb
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    max_entries bigint := coalesce(
        nullif(current_setting('jobtracker.activity_per_job', true), ''), '1000');
    newest_surplus record;
BEGIN
    -- The deletion of a job deletes what is below it.
    IF NOT EXISTS (SELECT FROM jobs WHERE user_id = of_user AND id = of_job) THEN
        RETURN;
    END IF;
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
END $$;
