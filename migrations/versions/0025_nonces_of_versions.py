"""Nonces beside users.revision and jobs.version, so that no restore of the database repeats one.

They replace users.revised_by: a transaction id, which another transaction can have after a restore.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0025"
down_revision: str | None = "0026"
branch_labels: str | None = None
depends_on: str | None = None

# The transaction ids of one start of PostgreSQL are unique. After a restore or a promotion they can
# come again, but with another time of the start, and the transaction began at another time, which
# also holds for a snapshot of a virtual machine with its memory. 59 bits: 18 digits at most.
TRANSACTION_NONCE = """
    CREATE FUNCTION transaction_nonce() RETURNS bigint LANGUAGE sql STABLE AS $$
        SELECT hashfloat8extended(
            date_part('epoch', now()),
            hashfloat8extended(
                date_part('epoch', pg_postmaster_start_time()),
                pg_current_xact_id()::text::bigint
            )
        ) & 576460752303423487
    $$
"""

# A transaction increments the revision once: the nonce says whether it has. A savepoint that is
# rolled back takes the increment and the nonce back.
BUMP_REVISION = """
    CREATE OR REPLACE FUNCTION bump_revision() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        this CONSTANT bigint := transaction_nonce();
    BEGIN
        IF TG_OP <> 'DELETE' THEN
            UPDATE users SET revision = revision + 1, revision_nonce = this
            WHERE id = NEW.user_id AND revision_nonce <> this;
        END IF;
        IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND OLD.user_id <> NEW.user_id THEN
            UPDATE users SET revision = revision + 1, revision_nonce = this
            WHERE id = OLD.user_id AND revision_nonce <> this;
        END IF;
        RETURN NULL;
    END $$
"""

BUMP_OWN_REVISION = """
    CREATE OR REPLACE FUNCTION bump_own_revision() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        this CONSTANT bigint := transaction_nonce();
    BEGIN
        IF OLD.revision_nonce <> this THEN
            NEW.revision := OLD.revision + 1;
            NEW.revision_nonce := this;
        END IF;
        RETURN NEW;
    END $$
"""

# Not for the increment itself.
BUMP_OWN_REVISION_TRIGGER = """
    CREATE TRIGGER bump_own_revision BEFORE UPDATE ON users FOR EACH ROW
    WHEN (OLD.revision_nonce = NEW.revision_nonce AND OLD IS DISTINCT FROM NEW)
    EXECUTE FUNCTION bump_own_revision()
"""

# The versions that one transaction makes of a job have the same transaction_nonce().
COUNT_VERSION = """
    CREATE OR REPLACE FUNCTION count_version() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        before record := OLD;
    BEGIN
        before.last_activity_at := NEW.last_activity_at;
        before.updated_at := NEW.updated_at;
        before.version := NEW.version;
        before.version_nonce := NEW.version_nonce;
        IF before IS DISTINCT FROM NEW THEN
            NEW.version := OLD.version + 1;
            NEW.version_nonce := transaction_nonce() + NEW.version;
            NEW.updated_at := statement_timestamp();
        END IF;
        RETURN NEW;
    END $$
"""

BUMP_REVISION_BEFORE = """
    CREATE OR REPLACE FUNCTION bump_revision() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        this bigint := pg_current_xact_id()::text::bigint;
    BEGIN
        UPDATE users SET revision = revision + 1, revised_by = this
        WHERE id IN (CASE WHEN TG_OP <> 'INSERT' THEN OLD.user_id END,
                     CASE WHEN TG_OP <> 'DELETE' THEN NEW.user_id END)
            AND revised_by IS DISTINCT FROM this;
        RETURN NULL;
    END $$
"""

BUMP_OWN_REVISION_BEFORE = """
    CREATE OR REPLACE FUNCTION bump_own_revision() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        this bigint := pg_current_xact_id()::text::bigint;
    BEGIN
        IF NEW.revision = OLD.revision AND OLD.revised_by IS DISTINCT FROM this THEN
            NEW.revision := OLD.revision + 1;
            NEW.revised_by := this;
        END IF;
        RETURN NEW;
    END $$
"""

BUMP_OWN_REVISION_TRIGGER_BEFORE = """
    CREATE TRIGGER bump_own_revision BEFORE UPDATE ON users
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION bump_own_revision()
"""

COUNT_VERSION_BEFORE = """
    CREATE OR REPLACE FUNCTION count_version() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        before jobs := OLD;
    BEGIN
        before.last_activity_at := NEW.last_activity_at;
        before.updated_at := NEW.updated_at;
        before.version := NEW.version;
        IF before IS DISTINCT FROM NEW THEN
            NEW.version := OLD.version + 1;
            NEW.updated_at := statement_timestamp();
        END IF;
        RETURN NEW;
    END $$
"""

NONCES = (("users", "revision_nonce"), ("jobs", "version_nonce"))


def upgrade() -> None:
    op.execute(TRANSACTION_NONCE)
    nonce = sa.text("transaction_nonce()")
    for table, column in NONCES:
        op.add_column(table, sa.Column(column, sa.BigInteger, server_default=nonce, nullable=False))
    op.execute("DROP TRIGGER bump_own_revision ON users")
    for function in (BUMP_REVISION, BUMP_OWN_REVISION, COUNT_VERSION):
        op.execute(function)
    op.execute(BUMP_OWN_REVISION_TRIGGER)
    op.drop_column("users", "revised_by")


def downgrade() -> None:
    op.add_column("users", sa.Column("revised_by", sa.BigInteger))
    op.execute("DROP TRIGGER bump_own_revision ON users")
    for function in (BUMP_REVISION_BEFORE, BUMP_OWN_REVISION_BEFORE, COUNT_VERSION_BEFORE):
        op.execute(function)
    op.execute(BUMP_OWN_REVISION_TRIGGER_BEFORE)
    for table, column in NONCES:
        op.drop_column(table, column)
    op.execute("DROP FUNCTION transaction_nonce")
