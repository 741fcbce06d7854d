CREATE TABLE identities (
    user_id bigint NOT NULL,
    sub text NOT NULL,
    CONSTRAINT pk_identities PRIMARY KEY (sub)
);
