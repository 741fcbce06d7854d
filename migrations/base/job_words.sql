CREATE TABLE job_words (
    user_id bigint NOT NULL,
    application_id bigint NOT NULL,
    words tsvector NOT NULL,
    texts text NOT NULL,
    tags text[] NOT NULL,
    CONSTRAINT pk_job_words PRIMARY KEY (user_id, application_id),
    CONSTRAINT fk_job_words_user_id_application_id_jobs
        FOREIGN KEY (user_id, application_id) REFERENCES jobs (user_id, id) ON DELETE CASCADE
);
