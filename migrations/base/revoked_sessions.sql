CREATE TABLE revoked_sessions (
    user_id bigint NOT NULL,
    origin_jti text NOT NULL,
    revoked_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    CONSTRAINT pk_revoked_sessions PRIMARY KEY (user_id, origin_jti),
    CONSTRAINT fk_revoked_sessions_user_id_users
        FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_revoked_sessions_revoked_at ON revoked_sessions (revoked_at);
