"""Full-text search: a tsvector for each job and note, maintained by triggers.

A GIN index cannot include user_id without an extension. So the user is a lexeme of the tsvector,
one that no text can contain: @7.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | None = None
depends_on: str | None = None


def words_of(table: str, key: list[str], of: str) -> None:
    op.create_table(
        table,
        sa.Column("user_id", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in key),
        sa.Column("words", TSVECTOR, nullable=False),
        sa.PrimaryKeyConstraint("user_id", key[0], name=op.f(f"pk_{table}")),
        sa.ForeignKeyConstraint(
            ["user_id", key[0]],
            [f"{of}.user_id", f"{of}.id"],
            name=op.f(f"fk_{table}_user_id_{key[0]}_{of}"),
            ondelete="CASCADE",
        ),
    )


def upgrade() -> None:
    words_of("job_words", ["application_id"], "jobs")
    words_of("note_words", ["note_id", "application_id"], "notes")
    # Letters and digits only, so that the parser recognizes no URLs, paths and tags; lowercase
    # according to the database's locale.
    op.execute("""
        CREATE FUNCTION words_in(string text) RETURNS text
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
        RETURN btrim(regexp_replace(lower(normalize(string, NFC)), '[^[:alnum:]]+', ' ', 'g'))
    """)
    op.execute("""
        CREATE FUNCTION user_as_word(user_id bigint) RETURNS text
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN '@' || user_id
    """)
    op.execute("""
        CREATE FUNCTION weighed_words(string text, weight "char") RETURNS tsvector
        LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN setweight(to_tsvector('simple', coalesce(words_in(string), '')), weight)
    """)
    op.execute("""
        CREATE FUNCTION words_of_job(job jobs) RETURNS tsvector LANGUAGE sql STABLE
        RETURN array_to_tsvector(ARRAY[user_as_word(job.user_id)])
            || weighed_words(job.company_name || ' ' || job.job_title, 'A')
            || weighed_words(array_to_string(job.tags, ' '), 'B')
            || weighed_words(job.location, 'C')
    """)
    op.execute("""
        CREATE FUNCTION words_of_note(note notes) RETURNS tsvector LANGUAGE sql STABLE
        RETURN array_to_tsvector(ARRAY[user_as_word(note.user_id)]) || weighed_words(note.body, 'D')
    """)
    op.execute("""
        INSERT INTO job_words (user_id, application_id, words)
        SELECT user_id, id, words_of_job(jobs) FROM jobs
    """)
    op.execute("""
        INSERT INTO note_words (user_id, note_id, application_id, words)
        SELECT user_id, id, application_id, words_of_note(notes) FROM notes
    """)
    for table in ("job_words", "note_words"):
        # Without the pending list, which each search would have to scan.
        op.create_index(
            op.f(f"ix_{table}_words"),
            table,
            ["words"],
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        )
    op.execute("""
        CREATE FUNCTION keep_words_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO job_words (user_id, application_id, words)
            VALUES (NEW.user_id, NEW.id, words_of_job(NEW))
            ON CONFLICT (user_id, application_id) DO UPDATE SET words = excluded.words;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER keep_words AFTER INSERT OR UPDATE OF company_name, job_title, location, tags
        ON jobs FOR EACH ROW EXECUTE FUNCTION keep_words_of_job()
    """)
    op.execute("""
        CREATE FUNCTION keep_words_of_note() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO note_words (user_id, note_id, application_id, words)
            VALUES (NEW.user_id, NEW.id, NEW.application_id, words_of_note(NEW))
            ON CONFLICT (user_id, note_id) DO UPDATE
            SET words = excluded.words, application_id = excluded.application_id;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER keep_words AFTER INSERT OR UPDATE OF body, application_id
        ON notes FOR EACH ROW EXECUTE FUNCTION keep_words_of_note()
    """)


def downgrade() -> None:
    for table in ("notes", "jobs"):
        op.execute(f"DROP TRIGGER keep_words ON {table}")
    for function in (
        *("keep_words_of_note", "keep_words_of_job", "words_of_note", "words_of_job"),
        *("weighed_words", "user_as_word", "words_in"),
    ):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("note_words")
    op.drop_table("job_words")
