"""Audit entries: ``audit`` of users, and ``account_audit`` of accounts before their first sign-in.

New tables alone, which the code of before does not know.
"""

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None

# Without a foreign key to users: entries survive the user.
AUDIT = """
CREATE TABLE audit (
    user_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    last_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    event_count bigint NOT NULL DEFAULT 1,
    request_id text,
    client_hash bytea NOT NULL,
    session_hash bytea,
    day date,
    CONSTRAINT pk_audit PRIMARY KEY (user_id, id),
    CONSTRAINT ck_audit_kind CHECK (kind ~ '^[a-z]+(_[a-z]+)*$')
);
CREATE INDEX ix_audit_user_id_at_id ON audit (user_id, at, id);
CREATE INDEX ix_audit_at ON audit (at);
CREATE UNIQUE INDEX uq_audit_user_id_kind_client_hash_day
    ON audit (user_id, kind, client_hash, day) WHERE day IS NOT NULL;
"""
REFUSE_AUDIT_CHANGE = """
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries cannot be changed' USING ERRCODE = 'restrict_violation';
END $$
"""
TRIGGER = """
CREATE TRIGGER refuse_audit_change BEFORE UPDATE ON audit
    FOR EACH ROW WHEN (
        OLD.day IS NULL OR NEW.event_count <= OLD.event_count
        OR ROW(OLD.user_id, OLD.id, OLD.kind, OLD.at, OLD.request_id, OLD.client_hash,
               OLD.session_hash, OLD.day)
        IS DISTINCT FROM
           ROW(NEW.user_id, NEW.id, NEW.kind, NEW.at, NEW.request_id, NEW.client_hash,
               NEW.session_hash, NEW.day)
    )
    EXECUTE FUNCTION refuse_audit_change()
"""
ACCOUNT_AUDIT = """
CREATE TABLE account_audit (
    account_hash bytea NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    request_id text,
    client_hash bytea NOT NULL,
    CONSTRAINT pk_account_audit PRIMARY KEY (account_hash, id),
    CONSTRAINT ck_account_audit_kind CHECK (kind ~ '^[a-z]+(_[a-z]+)*$')
);
CREATE INDEX ix_account_audit_at ON account_audit (at);
"""


def upgrade() -> None:
    for statement in (AUDIT, REFUSE_AUDIT_CHANGE, TRIGGER, ACCOUNT_AUDIT):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("account_audit")
    op.drop_table("audit")
    op.execute("DROP FUNCTION refuse_audit_change")
