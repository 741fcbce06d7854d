"""Comparison keys of texts, and the words of searches without GIN indexes.

fold() is what filters, tags and the names of saved views are compared by. The words of a search
are of any script, "C++", "C#" and ".NET" among them. Those of the notes of a job share a few rows,
so that a search reads a row or two for each job and no index of words has to be maintained.

Every statement, and each batch of rows, is a transaction of its own. The migration can be stopped
at any moment and started again: converted rows are not converted twice.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: str | None = None
depends_on: str | None = None

# Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.txt.
IGNORABLE = (
    r"\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F\u200B-\u200F\u202A-\u202E"
    r"\u2060-\u206F\u3164\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFF8"
    r"\U0001BCA0-\U0001BCA3\U0001D173-\U0001D17A\U000E0000-\U000E0FFF"
)
# White_Space, the separators of ASCII, and the blank pattern of Braille.
BLANK = (
    r"\u0009-\u000D\u001C-\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F"
    r"\u2800\u3000"
)
# Marks that a search ignores: those of Latin, Greek, Cyrillic, Hebrew, Arabic and Syriac, and the
# Arabic tatweel. The vowel signs of other scripts distinguish words.
ACCENT = (
    r"\u0300-\u034E\u0350-\u036F\u0483-\u0489\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0610-\u061A"
    r"\u0640\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E4\u06E7\u06E8\u06EA-\u06ED\u0711"
    r"\u0730-\u074A\u0898-\u089F\u08CA-\u08E1\u08E3-\u08FF\u1AB0-\u1AFF\u1DC0-\u1DFF"
    r"\u20D0-\u20F0\uFE20-\uFE2F"
)
# Marks and digits that are parts of words: [[:alnum:]] lacks many of them.
MARK_OR_DIGIT = (
    r"\u0660-\u0669\u06F0-\u06F9\u07A6-\u07F3\u07FD\u0816-\u082D\u0859-\u085B\u0900-\u0963"
    r"\u0966-\u0E3A\u0E47-\u0E4E\u0E50-\u0E59\u0EB1-\u0ED9\u0F18\u0F19\u0F20-\u0F33\u0F35"
    r"\u0F37\u0F39\u0F3E-\u0F84\u0F86-\u0FBC\u0FC6\u102B-\u1049\u1056-\u109D\u135D-\u135F"
    r"\u1369-\u137C\u1712-\u1734\u1752-\u17D3\u17DD-\u17F9\u180B-\u180D\u180F-\u193B"
    r"\u1946-\u19DA\u1A17-\u1A1B\u1A55-\u1A99\u1B00-\u1B59\u1B6B-\u1B73\u1B80-\u1BF3"
    r"\u1C24-\u1C37\u1C40-\u1C59\u1CD0-\u1CD2\u1CD4-\u1CF9\u2CEF-\u2CF1\u2CFD\u2D7F-\u2DFF"
    r"\u302A-\u302F\u3099\u309A\u3248-\u324F\uA620-\uA672\uA674-\uA67D\uA69E-\uA6F1"
    r"\uA802-\uA827\uA82C-\uA835\uA880-\uA8C5\uA8D0-\uA8F1\uA8FF-\uA92D\uA947-\uA953"
    r"\uA980-\uA9C0\uA9D0-\uA9D9\uA9E5-\uAA59\uAA7B-\uAAC1\uAAEB-\uAAEF\uAAF5\uAAF6"
    r"\uABE3-\uABEA\uABEC-\uABF9\uFB1E\U00010107-\U0001BC9D\U0001E000-\U0001ED3D"
)
# Scripts without spaces between words: Thai, Lao, Myanmar, Khmer, Tai, Chinese, Japanese, Yi.
UNSPACED = (
    r"\u0E01-\u0E3A\u0E40-\u0E4E\u0E81-\u0ECE\u0EDC-\u0EDF\u1000-\u103F\u1050-\u108F"
    r"\u109A-\u109D\u1780-\u17D3\u17D7\u17DC\u17DD\u1950-\u1974\u1980-\u19CF\u1A20-\u1A7C"
    r"\u3005-\u3007\u3021-\u302F\u3031-\u3035\u3038-\u303C\u3041-\u3096\u3099-\u309F"
    r"\u30A1-\u30FA\u30FC-\u30FF\u3105-\u312F\u31A0-\u31BF\u31F0-\u31FF\u3400-\u4DBF"
    r"\u4E00-\u9FFF\uA000-\uA48C\uA9E0-\uA9EF\uA9FA-\uA9FE\uAA60-\uAA76\uAA7A-\uAA7F"
    r"\uF900-\uFAFF\U0001AFF0-\U0001B16F\U00020000-\U0003FFFD"
)
WORD = rf"[:alnum:]{MARK_OR_DIGIT}"

# The final sigma and the dotless i.
FROM, TO = "\u03c2\u0131", "\u03c3i"

# Rows of note_words grow up to this number of bytes, uncompressed, and of notes: a lexeme has at
# most 255 positions.
MAX_BYTES = 6000
MAX_NOTES = 200
# Of one word of a search.
MAX_PARTS = 32
# Jobs in a transaction of the conversion.
BATCH = 200

# Compatibility decomposition, and one case. The case conversions of PostgreSQL's providers differ
# in what upper() and lower() together do to these letters alone. Normalization sorts each sequence
# of combining characters, in quadratic time unless it is sorted already: the test for the normal
# form does not sort, and other texts are divided by a character of class 0.
CASEFOLDED = rf"""
    CREATE OR REPLACE FUNCTION casefolded(string text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN translate(
        CASE WHEN octet_length(string) = length(string) THEN lower(string)
        ELSE replace(lower(upper(normalize(
            regexp_replace(
                regexp_replace(string, '[{IGNORABLE}]+', '', 'g'),
                CASE WHEN string IS NFKC NORMALIZED THEN '$.' ELSE '(\S{{255}})' END,
                '\1' || chr(847), 'g'),
            NFKD))), 'ß', 'ss')
        END, '{FROM}', '{TO}')
"""
# An index uses it: a change requires to build the index again.
FOLD = rf"""
    CREATE OR REPLACE FUNCTION fold(string text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN btrim(regexp_replace(
        replace(normalize(casefolded(string), NFKC), chr(847), ''), '[{BLANK}]+', ' ', 'g'))
"""
UNACCENTED = rf"""
    CREATE OR REPLACE FUNCTION unaccented(string text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN CASE WHEN octet_length(string) = length(string) THEN casefolded(string)
        ELSE replace(normalize(replace(replace(replace(translate(
            regexp_replace(casefolded(string), '[{ACCENT}]+', '', 'g'),
            'øłđðħŧ', 'olddht'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'), NFKC), chr(847), '') END
"""
# A word keeps "+" and "#" after it, and a "." before it. A text without spaces becomes pairs of
# characters, and its last character.
WORDS_IN = rf"""
    CREATE OR REPLACE FUNCTION words_in(string text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
    DECLARE
        words text := regexp_replace(unaccented(string), '[^{WORD}+#.]+', ' ', 'g');
    BEGIN
        IF words ~ '[+#]' THEN
            words := regexp_replace(words, '(^|[ .{UNSPACED}])[+#]+', '\1', 'g');
            words := regexp_replace(words, '([{WORD}])\+(?=[{WORD}])', '\1 ', 'g');
            words := regexp_replace(words, '([+#])(?=[^+# ])', '\1 ', 'g');
        END IF;
        IF strpos(words, '.') > 0 THEN
            words := regexp_replace(words, '\.\.+|\.(?![^ {UNSPACED}])', ' ', 'g');
            words := replace(words, '.', ' .');
        END IF;
        IF octet_length(words) <> length(words) AND words ~ '[{UNSPACED}]' THEN
            words := regexp_replace(words,
                '(?<=[{UNSPACED}])(?=[^{UNSPACED} ])|(?<=[^{UNSPACED} ])(?=[{UNSPACED}])',
                ' ', 'g');
            words := regexp_replace(words, '(?<=[{UNSPACED}])([{UNSPACED}])', '\1 \1', 'g');
        END IF;
        RETURN btrim(regexp_replace(words, ' +', ' ', 'g'));
    END $$
"""
# As the input of a tsvector: words_in() has none of its special characters. A word with "." or "+"
# is also the word without, except for "c" in "C++". The lexeme "/" ends a text.
WEIGHED_WORDS = r"""
    CREATE OR REPLACE FUNCTION weighed_words(string text, weight "char") RETURNS tsvector
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
    DECLARE
        words text := coalesce(words_in(string), '');
        suffix text := weight::text || ' ';
    BEGIN
        IF words ~ '[.+#]' THEN
            words := regexp_replace(words, '(^| )\.([^ ]+)', '\1\2|.\2', 'g');
            words := regexp_replace(words, '(^| )(?![a-z][+#])([^ +#|]+)([+#]+)', '\1\2|\2\3', 'g');
        END IF;
        RETURN (
            SELECT string_agg(
                replace(left(word, 500), '|', ':' || position || suffix)
                || ':' || position || suffix, '')
            FROM string_to_table(ltrim(words || ' /'), ' ')
                     WITH ORDINALITY AS split (word, position)
        )::tsvector;
    END $$
"""
# The words of a search. One that is written without spaces ("CI/CD", "node.js", a text in a script
# without spaces) has several parts, which have to follow each other. A single character of such a
# script is the beginning of a pair.
PARTS_OF_QUERY = rf"""
    CREATE OR REPLACE FUNCTION parts_of_query(query text, max_words bigint)
    RETURNS TABLE (word bigint, number bigint, part text, is_prefix boolean)
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    BEGIN ATOMIC
        SELECT word, number, CASE WHEN number = 1 THEN part ELSE ltrim(part, '.') END,
               length(part) = 1 AND part ~ '[{UNSPACED}]'
        FROM (
            SELECT position AS word, words FROM (
                SELECT row_number() OVER (ORDER BY position) AS position, words
                FROM regexp_split_to_table(
                         unaccented(query), '[^{WORD}+#./&''\u2019_\u00B7\u2010-]+'
                     ) WITH ORDINALITY AS split (chunk, position),
                     words_in(chunk) AS words
                WHERE words <> ''
            ) AS chunks WHERE position <= max_words
        ) AS first_words,
        LATERAL (
            SELECT part, number, lag(part) OVER in_order AS previous,
                   lead(part) OVER in_order AS next
            FROM string_to_table(words, ' ') WITH ORDINALITY AS split (part, number)
            WHERE number <= {MAX_PARTS} WINDOW in_order AS (ORDER BY number)
        ) AS parts
        -- The last character alone is in the pair before it, and need not be the last of a text.
        WHERE next IS NOT NULL OR length(part) > 1
            OR NOT coalesce(previous ~ '^[{UNSPACED}]{{2}}$', false);
    END
"""  # noqa: S608 (constants)

# Each text ends with "/", so that no phrase continues from one to the next.
WORDS_OF_JOB = """
    CREATE OR REPLACE FUNCTION words_of_job(job jobs) RETURNS tsvector LANGUAGE sql STABLE
    RETURN weighed_words(job.company_name, 'A') || weighed_words(job.job_title, 'A')
        || weighed_words(array_to_string(job.tags, ' '), 'B') || weighed_words(job.location, 'C')
"""
WORDS_OF_NOTE = """
    CREATE OR REPLACE FUNCTION words_of_note(note notes) RETURNS tsvector LANGUAGE sql STABLE
    RETURN weighed_words(note.body, 'D')
"""
FOLDED_TEXTS = r"""
    CREATE OR REPLACE FUNCTION folded_texts(job jobs) RETURNS text LANGUAGE sql STABLE
    RETURN fold(job.company_name) || E'\n' || fold(job.job_title) || E'\n'
        || coalesce(fold(job.location), '')
"""
FOLDED_TAGS = """
    CREATE OR REPLACE FUNCTION folded(texts text[]) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN ARRAY(SELECT key FROM unnest(texts) AS each (string), fold(string) AS key
                 WHERE key <> '')
"""
KEEP_WORDS_OF_JOB = """
    CREATE OR REPLACE FUNCTION keep_words_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO job_words (user_id, application_id, words, texts, tags)
        VALUES (NEW.user_id, NEW.id, words_of_job(NEW), folded_texts(NEW), folded(NEW.tags))
        ON CONFLICT (user_id, application_id) DO UPDATE
        SET words = excluded.words, texts = excluded.texts, tags = excluded.tags;
        RETURN NULL;
    END $$
"""
# A connection keeps its plans: one that was made for a small table would read all of a large one.
ADD_NOTE = f"""
    CREATE OR REPLACE FUNCTION add_words_of_note(note notes) RETURNS void LANGUAGE plpgsql
    SET enable_seqscan = off AS $$
    DECLARE
        of_note tsvector := words_of_note(note);
    BEGIN
        UPDATE note_words SET words = words || of_note, note_ids = note_ids || note.id
        WHERE user_id = note.user_id AND application_id = note.application_id
            AND note_id = (SELECT max(note_id) FROM note_words WHERE user_id = note.user_id
                           AND application_id = note.application_id AND note_ids <> '{{}}')
            AND pg_column_size(words) < {MAX_BYTES} AND cardinality(note_ids) < {MAX_NOTES};
        IF NOT FOUND THEN
            INSERT INTO note_words (user_id, application_id, note_id, note_ids, words)
            VALUES (note.user_id, note.application_id, note.id, ARRAY[note.id], of_note);
        END IF;
    END $$
"""  # noqa: S608 (constants)
# note_ids is empty in a row that is not converted. The words of a job that is being deleted are
# deleted by their foreign key.
REMOVE_NOTE = """
    CREATE OR REPLACE FUNCTION remove_words_of_note(note notes) RETURNS void LANGUAGE plpgsql
    SET enable_seqscan = off AS $$
    DECLARE
        same_row bigint[];
        other notes;
    BEGIN
        IF NOT EXISTS (SELECT FROM jobs WHERE user_id = note.user_id AND id = note.application_id)
        THEN
            RETURN;
        END IF;
        DELETE FROM note_words
        WHERE user_id = note.user_id AND application_id = note.application_id
            AND (note.id = ANY (note_ids) OR note_id = note.id AND note_ids = '{}')
        RETURNING note_ids INTO same_row;
        FOR other IN
            SELECT * FROM notes WHERE user_id = note.user_id
                AND application_id = note.application_id
                AND id = ANY (same_row) AND id <> note.id
            ORDER BY id
        LOOP
            PERFORM add_words_of_note(other);
        END LOOP;
    END $$
"""
KEEP_WORDS_OF_NOTE = """
    CREATE OR REPLACE FUNCTION keep_words_of_note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'INSERT' THEN
            PERFORM remove_words_of_note(OLD);
        END IF;
        IF TG_OP <> 'DELETE' THEN
            PERFORM add_words_of_note(NEW);
        END IF;
        RETURN NULL;
    END $$
"""
FUNCTIONS = (
    *(CASEFOLDED, FOLD, UNACCENTED, WORDS_IN, PARTS_OF_QUERY, WEIGHED_WORDS),
    *(WORDS_OF_JOB, WORDS_OF_NOTE, FOLDED_TEXTS, FOLDED_TAGS, ADD_NOTE, REMOVE_NOTE),
)
TRIGGERS = (
    """CREATE OR REPLACE TRIGGER remove_words AFTER DELETE ON notes
       FOR EACH ROW EXECUTE FUNCTION keep_words_of_note()""",
    """CREATE OR REPLACE TRIGGER keep_words AFTER INSERT OR UPDATE OF body, application_id
       ON notes FOR EACH ROW EXECUTE FUNCTION keep_words_of_note()""",
)

# The words of jobs that were not written since the trigger keeps their texts. The update waits for
# a concurrent one, and then evaluates its condition again.
CONVERT_JOBS = f"""
    DO $$
    DECLARE
        last record;
    BEGIN
        SELECT 0::bigint AS user_id, 0::bigint AS application_id INTO last;
        LOOP
            WITH batch AS MATERIALIZED (
                SELECT user_id, application_id FROM job_words
                WHERE (user_id, application_id) > (last.user_id, last.application_id)
                ORDER BY user_id, application_id LIMIT {BATCH}
            ),
            converted AS (
                UPDATE job_words SET words = words_of_job(jobs), texts = folded_texts(jobs),
                    tags = folded(jobs.tags)
                FROM jobs, batch
                WHERE job_words.user_id = batch.user_id
                    AND job_words.application_id = batch.application_id
                    AND jobs.user_id = batch.user_id AND jobs.id = batch.application_id
                    AND job_words.texts = ''
            )
            SELECT user_id, application_id INTO last FROM batch
            ORDER BY user_id DESC, application_id DESC LIMIT 1;
            EXIT WHEN NOT FOUND;
            COMMIT;
        END LOOP;
    END $$
"""  # noqa: S608 (constants)
# As the API, it locks a job before its notes. Notes that are inserted meanwhile have their words by
# the trigger. A job's notes are converted in one transaction.
CONVERT_NOTES = f"""
    DO $$
    DECLARE
        last record;
        job record;
        note notes;
        number integer := 0;
    BEGIN
        SELECT 0::bigint AS user_id, 0::bigint AS id INTO last;
        LOOP
            number := 0;
            FOR job IN
                SELECT user_id, id FROM jobs WHERE (user_id, id) > (last.user_id, last.id)
                ORDER BY user_id, id LIMIT {BATCH}
            LOOP
                number := number + 1;
                last := job;
                CONTINUE WHEN NOT EXISTS (
                    SELECT FROM note_words WHERE user_id = job.user_id
                        AND application_id = job.id AND note_ids = '{{}}');
                PERFORM FROM jobs WHERE user_id = job.user_id AND id = job.id FOR NO KEY UPDATE;
                FOR note IN
                    SELECT notes.* FROM notes JOIN note_words
                        ON note_words.user_id = notes.user_id AND note_words.note_id = notes.id
                        AND note_words.application_id = notes.application_id
                    WHERE notes.user_id = job.user_id AND notes.application_id = job.id
                        AND note_ids = '{{}}'
                    ORDER BY notes.id FOR KEY SHARE OF notes
                LOOP
                    DELETE FROM note_words WHERE user_id = job.user_id AND application_id = job.id
                        AND note_id = note.id AND note_ids = '{{}}';
                    PERFORM add_words_of_note(note);
                END LOOP;
                DELETE FROM note_words WHERE user_id = job.user_id AND application_id = job.id
                    AND note_ids = '{{}}';  -- without a note
            END LOOP;
            EXIT WHEN number = 0;
            COMMIT;
        END LOOP;
    END $$
"""  # noqa: S608 (constants)

# The later of two views whose names have the same key is renamed to the first free "name (2)".
RENAME_VIEWS = """
    DO $$
    DECLARE
        view record;
        number integer;
        new_name text;
    BEGIN
        FOR view IN
            SELECT user_id, id, name FROM (
                SELECT user_id, id, name,
                       row_number() OVER (PARTITION BY user_id, fold(name) ORDER BY id) AS nth
                FROM saved_views
            ) AS views WHERE nth > 1 ORDER BY user_id, id
        LOOP
            number := 2;
            LOOP
                new_name := rtrim(left(view.name, 80 - length(format(' (%s)', number))))
                    || format(' (%s)', number);
                EXIT WHEN NOT EXISTS (
                    SELECT FROM saved_views
                    WHERE user_id = view.user_id AND fold(name) = fold(new_name));
                number := number + 1;
            END LOOP;
            UPDATE saved_views SET name = new_name
            WHERE user_id = view.user_id AND id = view.id AND name = view.name;
            COMMIT;
        END LOOP;
    END $$
"""
# Those of the migrations 0011 and 0020.
OLD_FUNCTIONS = (
    r"""
    CREATE OR REPLACE FUNCTION words_in(string text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN btrim(regexp_replace(lower(
        CASE WHEN string IS NFC NORMALIZED THEN string
             ELSE normalize(regexp_replace(string, '(\S{255})', '\1 ', 'g'), NFC) END
        ), '[^[:alnum:]]+', ' ', 'g'))
    """,
    """
    CREATE OR REPLACE FUNCTION weighed_words(string text, weight "char") RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN setweight(to_tsvector('simple', coalesce(words_in(string), '')), weight)
    """,
    """
    CREATE OR REPLACE FUNCTION words_of_job(job jobs) RETURNS tsvector LANGUAGE sql STABLE
    RETURN array_to_tsvector(ARRAY[user_as_word(job.user_id)])
        || weighed_words(job.company_name || ' ' || job.job_title, 'A')
        || weighed_words(array_to_string(job.tags, ' '), 'B')
        || weighed_words(job.location, 'C')
    """,
    """
    CREATE OR REPLACE FUNCTION words_of_note(note notes) RETURNS tsvector LANGUAGE sql STABLE
    RETURN array_to_tsvector(ARRAY[user_as_word(note.user_id)]) || weighed_words(note.body, 'D')
    """,
    """
    CREATE OR REPLACE FUNCTION keep_words_of_job() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO job_words (user_id, application_id, words)
        VALUES (NEW.user_id, NEW.id, words_of_job(NEW))
        ON CONFLICT (user_id, application_id) DO UPDATE SET words = excluded.words;
        RETURN NULL;
    END $$
    """,
    """
    CREATE OR REPLACE FUNCTION keep_words_of_note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO note_words (user_id, note_id, application_id, words)
        VALUES (NEW.user_id, NEW.id, NEW.application_id, words_of_note(NEW))
        ON CONFLICT (user_id, note_id) DO UPDATE
        SET words = excluded.words, application_id = excluded.application_id;
        RETURN NULL;
    END $$
    """,
)
UNIQUE_VIEWS = "uq_saved_views_user_id_name"
ATTEMPTS = 5


@contextmanager
def autocommit() -> Iterator[None]:
    """autocommit_block() of Alembic, which a connection that is detached from its pool refuses."""
    if op.get_context().as_sql:
        with op.get_context().autocommit_block():
            yield
        return
    op.execute("COMMIT")
    driver: Any = op.get_bind().connection.dbapi_connection
    driver.autocommit = True
    try:
        yield
    finally:
        driver.autocommit = False


def unless(exists: str, statement: str) -> None:
    """Execute a statement unless a query has rows."""
    op.execute(f"DO $do$ BEGIN IF NOT EXISTS ({exists}) THEN {statement}; END IF; END $do$")


def together(*statements: str) -> None:
    """Execute statements in one transaction."""
    op.execute(f"DO $do$ BEGIN {';'.join(statements)}; END $do$")


def constraint(name: str, condition: str = "true") -> str:
    """A query for a constraint."""
    return f"SELECT FROM pg_constraint WHERE conname = '{name}' AND {condition}"


def create_index(name: str, definition: str) -> None:
    """Create an index concurrently; one that an interrupted attempt left is not valid."""
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    op.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {definition}")


def has_rows(query: str) -> bool:
    if op.get_context().as_sql:
        return False
    return op.get_bind().execute(sa.text(query)).first() is not None


def upgrade() -> None:
    with autocommit():
        for function in FUNCTIONS[:-2]:
            op.execute(function)
        op.execute("""
            ALTER TABLE job_words ADD COLUMN IF NOT EXISTS texts text DEFAULT '' NOT NULL,
                ADD COLUMN IF NOT EXISTS tags text[] DEFAULT '{}' NOT NULL
        """)
        # Rows of up to a page are neither compressed nor stored out of line.
        op.execute("""
            ALTER TABLE note_words ADD COLUMN IF NOT EXISTS note_ids bigint[] DEFAULT '{}' NOT NULL,
                ALTER COLUMN words SET STORAGE EXTERNAL, SET (toast_tuple_target = 8160)
        """)
        for function in FUNCTIONS[-2:]:
            op.execute(function)
        op.execute(KEEP_WORDS_OF_JOB)
        _replace_keys_of_note_words()
        # Maintaining them would take most of the time of the conversion.
        for table in ("job_words", "note_words"):
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS ix_{table}_words")
        op.execute(CONVERT_JOBS)
        op.execute(CONVERT_NOTES)
        op.execute("ALTER TABLE job_words ALTER COLUMN texts DROP DEFAULT")
        op.execute("ALTER TABLE job_words ALTER COLUMN tags DROP DEFAULT")
        op.execute("ALTER TABLE note_words ALTER COLUMN note_ids DROP DEFAULT")
        op.execute("DROP FUNCTION IF EXISTS user_as_word(bigint)")
        _make_view_names_unique()


def _replace_keys_of_note_words() -> None:
    """A row is no longer of one note: it is deleted with its job, not with its first note."""
    create_new = "pk_note_words_new"
    if not has_rows(constraint("pk_note_words", "cardinality(conkey) = 3")):
        create_index(create_new, "note_words (user_id, application_id, note_id)")
    unless(
        constraint("fk_note_words_user_id_application_id_jobs"),
        """ALTER TABLE note_words ADD CONSTRAINT fk_note_words_user_id_application_id_jobs
           FOREIGN KEY (user_id, application_id) REFERENCES jobs (user_id, id)
           ON DELETE CASCADE NOT VALID""",
    )
    op.execute(
        "ALTER TABLE note_words VALIDATE CONSTRAINT fk_note_words_user_id_application_id_jobs"
    )
    # In one transaction: the foreign key would delete the words of other notes too.
    together(
        KEEP_WORDS_OF_NOTE,
        *TRIGGERS,
        "ALTER TABLE note_words DROP CONSTRAINT IF EXISTS fk_note_words_user_id_note_id_notes",
    )
    unless(
        constraint("pk_note_words", "cardinality(conkey) = 3"),
        f"""ALTER TABLE note_words DROP CONSTRAINT IF EXISTS pk_note_words,
            ADD CONSTRAINT pk_note_words PRIMARY KEY USING INDEX {create_new}""",
    )


def _make_view_names_unique() -> None:
    """Replace the unique constraint by an index; the name stays, as the application knows it."""
    if has_rows(
        f"SELECT FROM pg_indexes WHERE indexname = '{UNIQUE_VIEWS}' AND indexdef LIKE '%fold%'"
    ):
        return
    for attempt in range(ATTEMPTS):
        op.execute(RENAME_VIEWS)
        try:
            create_index(f"{UNIQUE_VIEWS}_new", "saved_views (user_id, fold(name))")
            break
        except sa.exc.IntegrityError:  # a view was saved meanwhile
            if attempt == ATTEMPTS - 1:
                raise
    together(
        f"ALTER TABLE saved_views DROP CONSTRAINT IF EXISTS {UNIQUE_VIEWS}",
        f"ALTER INDEX {UNIQUE_VIEWS}_new RENAME TO {UNIQUE_VIEWS}",
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER remove_words ON notes")
    op.execute("""
        CREATE FUNCTION user_as_word(user_id bigint) RETURNS text
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN '@' || user_id
    """)
    for function in OLD_FUNCTIONS:
        op.execute(function)
    op.execute("TRUNCATE note_words")
    op.execute("""
        ALTER TABLE note_words DROP CONSTRAINT pk_note_words, DROP COLUMN note_ids,
            DROP CONSTRAINT fk_note_words_user_id_application_id_jobs,
            ADD CONSTRAINT pk_note_words PRIMARY KEY (user_id, note_id),
            ADD CONSTRAINT fk_note_words_user_id_note_id_notes
                FOREIGN KEY (user_id, note_id) REFERENCES notes (user_id, id) ON DELETE CASCADE,
            ALTER COLUMN words SET STORAGE EXTENDED, RESET (toast_tuple_target)
    """)
    op.execute("ALTER TABLE job_words DROP COLUMN texts, DROP COLUMN tags")
    op.execute("""
        UPDATE job_words SET words = words_of_job(jobs) FROM jobs
        WHERE jobs.user_id = job_words.user_id AND jobs.id = job_words.application_id
    """)
    op.execute("""
        INSERT INTO note_words (user_id, note_id, application_id, words)
        SELECT user_id, id, application_id, words_of_note(notes) FROM notes
    """)
    for table in ("job_words", "note_words"):
        op.execute(
            f"CREATE INDEX ix_{table}_words ON {table} USING gin (words) WITH (fastupdate = off)"
        )
    op.execute(f"DROP INDEX {UNIQUE_VIEWS}")
    op.execute(f"ALTER TABLE saved_views ADD CONSTRAINT {UNIQUE_VIEWS} UNIQUE (user_id, name)")
    for function in (
        *("add_words_of_note(notes)", "remove_words_of_note(notes)", "folded_texts(jobs)"),
        *(
            "folded(text[])",
            "parts_of_query(text, bigint)",
            "unaccented(text)",
            "fold(text)",
            "casefolded(text)",
        ),
    ):
        op.execute(f"DROP FUNCTION {function}")
