CREATE TABLE users (
    id bigint NOT NULL DEFAULT new_user_id(),
    cognito_sub text NOT NULL,
    email text NOT NULL,
    name text,
    email_verified_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    auto_refresh_seconds bigint NOT NULL DEFAULT 0,
    theme text NOT NULL DEFAULT 'dark',
    default_jobs_sort text NOT NULL DEFAULT 'updated_desc',
    default_jobs_view text NOT NULL DEFAULT 'all',
    data_retention_days bigint NOT NULL DEFAULT 0,
    ui_preferences jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    revision bigint NOT NULL DEFAULT 1,
    revision_nonce bigint NOT NULL DEFAULT transaction_nonce(),
    tokens_valid_from timestamptz,
    job_count bigint NOT NULL DEFAULT 0,
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT ck_users_auto_refresh_seconds CHECK (auto_refresh_seconds IN (0, 10, 30, 60)),
    CONSTRAINT ck_users_theme CHECK (theme IN ('dark', 'light', 'system')),
    CONSTRAINT ck_users_default_jobs_sort
        CHECK (default_jobs_sort IN ('updated_desc', 'company_asc', 'status_asc')),
    CONSTRAINT ck_users_default_jobs_view
        CHECK (default_jobs_view IN ('all', 'active', 'needs_followup')),
    CONSTRAINT ck_users_data_retention_days CHECK (data_retention_days BETWEEN 0 AND 3650),
    CONSTRAINT ck_users_ui_preferences
        CHECK (jsonb_typeof(ui_preferences) = 'object' AND NOT jsonb_path_exists(ui_preferences,
            '$.* ? (@.type() != "boolean")')),
    CONSTRAINT ck_users_ui_preferences_count
        CHECK (jsonb_array_length(jsonb_path_query_array(ui_preferences, '$.keyvalue()')) <= 100)
) WITH (fillfactor = 70);
CREATE INDEX ix_users_cognito_sub ON users (cognito_sub);
CREATE INDEX ix_users_email ON users (email);

CREATE FUNCTION bump_own_revision() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    this CONSTANT bigint := transaction_nonce();
BEGIN
    IF OLD.revision_nonce <> this THEN
        NEW.revision := OLD.revision + 1;
        NEW.revision_nonce := this;
    END IF;
    RETURN NEW;
END $$;

-- Not for the increment itself.
CREATE TRIGGER bump_own_revision BEFORE UPDATE ON users
    FOR EACH ROW WHEN (OLD.revision_nonce = NEW.revision_nonce AND OLD IS DISTINCT FROM NEW)
    EXECUTE FUNCTION bump_own_revision();
