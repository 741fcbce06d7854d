CREATE TABLE interviews (
    user_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    application_id bigint NOT NULL,
    scheduled_at timestamptz NOT NULL,
    stage varchar(50),
    kind varchar(50),
    location varchar(255),
    interviewer varchar(255),
    status text NOT NULL DEFAULT 'scheduled',
    notes varchar(10000),
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    CONSTRAINT pk_interviews PRIMARY KEY (user_id, id),
    CONSTRAINT fk_interviews_user_id_application_id_jobs
        FOREIGN KEY (user_id, application_id) REFERENCES jobs (user_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_interviews_status CHECK (status IN ('scheduled', 'completed', 'cancelled'))
);
CREATE INDEX ix_interviews_user_id_application_id_scheduled_at_id
    ON interviews (user_id, application_id, scheduled_at, id);

-- Texts are cut off in the changes, so that no entry is long.
CREATE FUNCTION record_interview_activity() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    data jsonb;
    changes jsonb;
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM record_activity(
            OLD.user_id, OLD.application_id, 'interview_deleted', 'Interview deleted',
            jsonb_build_object(
                'interview_id', OLD.id, 'stage', OLD.stage, 'kind', OLD.kind,
                'interviewer', OLD.interviewer, 'status', OLD.status,
                'scheduled_at', rfc_3339(OLD.scheduled_at)));
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
        'from', CASE WHEN length(was) > 100 THEN left(was, 99) || '…'
                     ELSE was END,
        'to', CASE WHEN length(is_now) > 100 THEN left(is_now, 99) || '…'
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
END $$;

CREATE CONSTRAINT TRIGGER bump_revision AFTER INSERT OR DELETE ON interviews
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bump_revision();
CREATE CONSTRAINT TRIGGER bump_revision_by_update AFTER UPDATE ON interviews
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD *<> NEW) EXECUTE FUNCTION bump_revision();
CREATE TRIGGER record_activity AFTER INSERT OR UPDATE OR DELETE ON interviews
    FOR EACH ROW EXECUTE FUNCTION record_interview_activity();
