-- A transaction increments the revision once: the nonce says whether it has. A savepoint that is
-- rolled back takes the increment and the nonce back.
CREATE FUNCTION bump_revision() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    this CONSTANT bigint := transaction_nonce();
BEGIN
    IF TG_OP <> 'DELETE' THEN
        UPDATE users SET revision = revision + 1, revision_nonce = this
        WHERE id = NEW.user_id AND revision_nonce <> this;
    END IF;
    IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND OLD.user_id <> NEW.user_id THEN
        UPDATE users SET revision = revision + 1, revision_nonce = this
        WHERE id = OLD.user_id AND revision_nonce <> this;
    END IF;
    RETURN NULL;
END $$;
