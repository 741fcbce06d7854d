CREATE TABLE documents (
    user_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    application_id bigint NOT NULL,
    doc_type text NOT NULL,
    original_filename varchar(255) NOT NULL,
    content_type varchar(255),
    size_bytes bigint NOT NULL,
    upload_key text NOT NULL,
    object_key text NOT NULL,
    upload_expires_at timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    scan_status text NOT NULL DEFAULT 'NOT_SCANNED',
    scan_checked_at timestamptz,
    scan_message text,
    uploaded_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    CONSTRAINT pk_documents PRIMARY KEY (user_id, id),
    CONSTRAINT fk_documents_user_id_application_id_jobs
        FOREIGN KEY (user_id, application_id) REFERENCES jobs (user_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_documents_doc_type
        CHECK (doc_type IN ('resume', 'job_description', 'cover_letter', 'thank_you')),
    CONSTRAINT ck_documents_status
        CHECK (status IN ('pending', 'scanning', 'uploaded', 'infected', 'failed')),
    CONSTRAINT ck_documents_scan_status
        CHECK (scan_status IN ('NOT_SCANNED', 'PENDING', 'CLEAN', 'INFECTED', 'ERROR')),
    CONSTRAINT ck_documents_size_bytes CHECK (size_bytes > 0)
);
CREATE INDEX ix_documents_pending ON documents (upload_expires_at) WHERE status = 'pending';
CREATE INDEX ix_documents_scanning ON documents (user_id, id) WHERE status = 'scanning';
CREATE INDEX ix_documents_user_id_application_id_created_at_id
    ON documents (user_id, application_id, created_at, id);
CREATE UNIQUE INDEX uq_documents_single_valued
    ON documents (user_id, application_id, doc_type)
    WHERE status = 'uploaded' AND doc_type IN ('resume', 'job_description', 'cover_letter');

CREATE FUNCTION delete_objects_of_document() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO object_deletions (user_id, object_key, repeat_until) VALUES
        (OLD.user_id, OLD.upload_key, OLD.upload_expires_at + interval '1 hour'),
        (OLD.user_id, OLD.object_key, statement_timestamp() + interval '1 hour')
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE FUNCTION record_document_activity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM record_activity(
            NEW.user_id, NEW.application_id, 'document_added', 'Document added',
            jsonb_build_object('document_id', NEW.id, 'doc_type', NEW.doc_type,
                               'filename', NEW.original_filename));
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM record_activity(
            OLD.user_id, OLD.application_id, 'document_deleted', 'Document deleted',
            jsonb_build_object('document_id', OLD.id, 'doc_type', OLD.doc_type,
                               'filename', OLD.original_filename));
    ELSIF OLD.status <> 'uploaded' AND NEW.status = 'uploaded' THEN
        PERFORM record_activity(
            NEW.user_id, NEW.application_id, 'document_uploaded', 'Document uploaded',
            jsonb_build_object('document_id', NEW.id, 'doc_type', NEW.doc_type,
                               'filename', NEW.original_filename));
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER bump_revision AFTER INSERT OR DELETE ON documents
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bump_revision();
CREATE CONSTRAINT TRIGGER bump_revision_by_update AFTER UPDATE ON documents
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD *<> NEW) EXECUTE FUNCTION bump_revision();
CREATE TRIGGER delete_objects AFTER DELETE ON documents
    FOR EACH ROW EXECUTE FUNCTION delete_objects_of_document();
CREATE TRIGGER record_activity AFTER INSERT OR UPDATE OF status OR DELETE ON documents
    FOR EACH ROW EXECUTE FUNCTION record_document_activity();
