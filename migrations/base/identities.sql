CREATE TABLE identities (
    sub text NOT NULL,
    user_id bigint NOT NULL,
    CONSTRAINT pk_identities PRIMARY KEY (sub)
);
