CREATE TABLE job_journeys (
    user_id bigint NOT NULL,
    application_id bigint NOT NULL,
    began timestamptz NOT NULL,
    status text NOT NULL,
    since timestamptz NOT NULL,
    rung integer,
    source integer,
    reached integer NOT NULL,
    went_on integer NOT NULL,
    days double precision[] NOT NULL,
    edges bytea NOT NULL,
    CONSTRAINT pk_job_journeys PRIMARY KEY (user_id, application_id),
    CONSTRAINT fk_job_journeys_user_id_application_id_jobs
        FOREIGN KEY (user_id, application_id) REFERENCES jobs (user_id, id) ON DELETE CASCADE
);
