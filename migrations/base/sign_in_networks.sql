CREATE TABLE sign_in_networks (
    account_hash bytea NOT NULL,
    network_hash bytea NOT NULL,
    signed_in_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    CONSTRAINT pk_sign_in_networks PRIMARY KEY (account_hash, network_hash)
);
CREATE INDEX ix_sign_in_networks_signed_in_at ON sign_in_networks (signed_in_at);
