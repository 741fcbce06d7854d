CREATE TABLE saved_views (
    user_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    name varchar(80) NOT NULL,
    data json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    CONSTRAINT pk_saved_views PRIMARY KEY (user_id, id),
    CONSTRAINT fk_saved_views_user_id_users
        FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT ck_saved_views_data
        CHECK (json_typeof(data) = 'object' AND octet_length(data::text) <= 16384)
);
CREATE INDEX ix_saved_views_user_id_updated_at_id ON saved_views (user_id, updated_at, id);
CREATE UNIQUE INDEX uq_saved_views_user_id_name ON saved_views (user_id, fold(name));

CREATE CONSTRAINT TRIGGER bump_revision AFTER INSERT OR DELETE ON saved_views
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bump_revision();
CREATE CONSTRAINT TRIGGER bump_revision_by_update AFTER UPDATE ON saved_views
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD *<> NEW) EXECUTE FUNCTION bump_revision();
