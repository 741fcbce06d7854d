CREATE UNLOGGED TABLE rate_limit_counts (
    key text NOT NULL,
    window_number bigint NOT NULL,
    previous bigint NOT NULL,
    current bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_rate_limit_counts PRIMARY KEY (key)
);
CREATE INDEX ix_rate_limit_counts_expires_at ON rate_limit_counts (expires_at);
