CREATE TABLE notes (
    user_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    application_id bigint NOT NULL,
    body varchar(10000) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    CONSTRAINT pk_notes PRIMARY KEY (user_id, id),
    CONSTRAINT fk_notes_user_id_application_id_jobs
        FOREIGN KEY (user_id, application_id) REFERENCES jobs (user_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_notes_user_id_application_id_created_at_id
    ON notes (user_id, application_id, created_at, id);

CREATE FUNCTION keep_words_of_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM remove_words_of_note(OLD.user_id, OLD.application_id, OLD.id);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM add_words_of_note(NEW.user_id, NEW.application_id, NEW.id, NEW.body);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION record_note_activity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM record_activity(
            NEW.user_id, NEW.application_id, 'note_added', 'Note added',
            jsonb_build_object('note_id', NEW.id));
    ELSE
        PERFORM record_activity(
            OLD.user_id, OLD.application_id, 'note_deleted', 'Note deleted',
            jsonb_build_object('note_id', OLD.id));
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER bump_revision AFTER INSERT OR DELETE ON notes
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bump_revision();
CREATE CONSTRAINT TRIGGER bump_revision_by_update AFTER UPDATE ON notes
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD *<> NEW) EXECUTE FUNCTION bump_revision();
CREATE TRIGGER keep_words AFTER INSERT OR UPDATE OF body, application_id ON notes
    FOR EACH ROW EXECUTE FUNCTION keep_words_of_note();
CREATE TRIGGER record_activity AFTER INSERT OR DELETE ON notes
    FOR EACH ROW EXECUTE FUNCTION record_note_activity();
CREATE TRIGGER remove_words AFTER DELETE ON notes
    FOR EACH ROW EXECUTE FUNCTION keep_words_of_note();
