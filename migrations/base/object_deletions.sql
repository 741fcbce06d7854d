CREATE TABLE object_deletions (
    user_id bigint NOT NULL,
    object_key text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    repeat_until timestamptz NOT NULL DEFAULT statement_timestamp(),
    attempted_at timestamptz,
    CONSTRAINT pk_object_deletions PRIMARY KEY (user_id, object_key)
);
