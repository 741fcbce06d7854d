CREATE TABLE idempotent_answers (
    user_id bigint NOT NULL,
    key_hash bytea NOT NULL,
    request_hash bytea NOT NULL,
    status bigint NOT NULL,
    location text,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    CONSTRAINT pk_idempotent_answers PRIMARY KEY (user_id, key_hash),
    CONSTRAINT fk_idempotent_answers_user_id_users
        FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_idempotent_answers_created_at ON idempotent_answers (created_at);
