CREATE TABLE signing_keys (
    name text NOT NULL,
    key bytea NOT NULL,
    CONSTRAINT pk_signing_keys PRIMARY KEY (name)
);

INSERT INTO signing_keys (name, key)
VALUES ('sign_in_networks', uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
