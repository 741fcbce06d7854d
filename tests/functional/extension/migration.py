"""Contacts, which record activity, count in the user's revision, and can be in the trash."""

import sqlalchemy as sa
from alembic import op

revision: str = "contacts"
down_revision: str | None = "{head}"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "contacts",
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("application_id", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("trashed_at", sa.DateTime(timezone=True)),
        sa.Column("trash_reason", sa.Text),
        sa.Column("previous_activity_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_contacts")),
        sa.ForeignKeyConstraint(
            ["user_id", "application_id"],
            ["jobs.user_id", "jobs.id"],
            name=op.f("fk_contacts_user_id_application_id_jobs"),
            ondelete="CASCADE",
        ),
    )
    for name, columns, condition in (
        ("user_id_application_id", ["user_id", "application_id"], None),
        ("live", ["user_id", "application_id", "name", "id"], "trashed_at IS NULL"),
        ("trash", ["user_id", "trashed_at", "id"], "trashed_at IS NOT NULL"),
        ("trashed_at", ["trashed_at"], "trashed_at IS NOT NULL"),
    ):
        where = condition and sa.text(condition)
        op.create_index(op.f(f"ix_contacts_{name}"), "contacts", columns, postgresql_where=where)
    op.execute("""
        CREATE FUNCTION record_contact_activity() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP <> 'INSERT' AND OLD.trashed_at IS NOT NULL THEN
                IF TG_OP = 'UPDATE' AND NEW.trashed_at IS NULL THEN
                    PERFORM take_back_deletion(
                        OLD.user_id, OLD.application_id, 'contact_deleted', 'contact_id', OLD.id,
                        OLD.trashed_at, OLD.previous_activity_at);
                END IF;
            ELSIF TG_OP = 'INSERT' THEN
                PERFORM record_activity(
                    NEW.user_id, NEW.application_id, 'contact_added', 'Contact added',
                    jsonb_build_object('contact_id', NEW.id));
            ELSE
                PERFORM record_activity(
                    OLD.user_id, OLD.application_id, 'contact_deleted', 'Contact deleted',
                    jsonb_build_object('contact_id', OLD.id));
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER record_activity AFTER INSERT OR UPDATE OF trashed_at OR DELETE ON contacts
        FOR EACH ROW EXECUTE FUNCTION record_contact_activity()
    """)
    op.execute("""
        CREATE CONSTRAINT TRIGGER bump_revision AFTER INSERT OR DELETE ON contacts
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bump_revision()
    """)
    op.execute("""
        CREATE CONSTRAINT TRIGGER bump_revision_by_update AFTER UPDATE ON contacts
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (OLD *<> NEW) EXECUTE FUNCTION bump_revision()
    """)


def downgrade() -> None:
    op.drop_table("contacts")
    op.execute("DROP FUNCTION record_contact_activity")
