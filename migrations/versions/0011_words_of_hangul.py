"""Words of Hangul: any part of a Korean text is found, as of a Chinese or Japanese one.

The code of before works with the functions: its searches find the same, without a highlight within
a word. First new texts, then the existing ones become pairs of syllables. A search by one that has
not become so yet finds less until then. No revision is incremented: servers and clients keep what
they found until the release's servers start, whose ETags differ, as its OpenAPI document does.
"""

import re
import runpy
from pathlib import Path

from jobtracker.db.migrations import autocommit, backfill, execute

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | None = None
depends_on: str | None = None

MIGRATIONS = Path(__file__).parents[1]
# Syllables and letters, once a text is folded.
HANGUL = r"\u1100-\u11FF\uA960-\uA97C\uAC00-\uD7FB"
# What becomes that: compatibility letters, enclosed and half-width ones.
BEFORE_FOLDING = rf"{HANGUL}\u3131-\u318E\u3200-\u321E\u3260-\u327E\uFFA1-\uFFDC"
# Jobs that one transaction locks.
BATCH = 100

# All that write words below a job lock it first. A position in the words of a row tells by the
# number of the notes before it which note it is of: a purged one keeps its place. OFFSET, so that
# PostgreSQL looks for the notes of each job, and makes no hash table of all notes. Citus runs a
# function that is called for the rows of a table on a worker, which refuses its statements: so this
# one finds the jobs itself.
MAKE_WORDS = rf"""
    CREATE OR REPLACE FUNCTION make_words_again(
        first_user bigint, first_job bigint, last_user bigint, last_job bigint
    ) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
    DECLARE
        of_user bigint;
        of_job bigint;
        of_notes record;
        note_body text;
        new_words tsvector;
    BEGIN
        FOR of_user, of_job IN
            SELECT user_id, id FROM jobs
            WHERE (user_id, id) >= (first_user, first_job)
                AND (user_id, id) <= (last_user, last_job)
                AND (
                    concat_ws(' ', company_name, job_title, location, array_to_string(tags, ' '))
                        ~ '[{BEFORE_FOLDING}]'
                    OR EXISTS (
                        SELECT FROM notes
                        WHERE notes.user_id = jobs.user_id AND application_id = jobs.id
                            AND body ~ '[{BEFORE_FOLDING}]'
                        OFFSET 0
                    )
                )
        LOOP
            SELECT words_of_job(company_name, job_title, tags, location) INTO new_words FROM jobs
            WHERE user_id = of_user AND id = of_job FOR NO KEY UPDATE;
            UPDATE job_words SET words = new_words
            WHERE user_id = of_user AND application_id = of_job;
            FOR of_notes IN
                SELECT note_id, note_ids FROM note_words
                WHERE user_id = of_user AND application_id = of_job
                UNION ALL
                SELECT note_id, note_ids FROM trashed_note_words
                WHERE user_id = of_user AND application_id = of_job
            LOOP
                new_words := '';
                FOR note_body IN
                    SELECT CASE WHEN trashed_at IS NULL THEN body ELSE '' END
                    FROM unnest(of_notes.note_ids) WITH ORDINALITY AS each (note_id, number)
                        LEFT JOIN notes ON user_id = of_user AND id = each.note_id
                    ORDER BY number
                LOOP
                    new_words := new_words || weighed_words(note_body, 'D');
                END LOOP;
                UPDATE note_words SET words = new_words
                WHERE user_id = of_user AND application_id = of_job AND note_id = of_notes.note_id;
                UPDATE trashed_note_words SET words = new_words
                WHERE user_id = of_user AND application_id = of_job AND note_id = of_notes.note_id;
            END LOOP;
        END LOOP;
    END $$
"""  # noqa: S608 (all words are ours)
BACKFILL = "SELECT make_words_again(first.user_id, first.id, last.user_id, last.id)"


def functions(unspaced: str) -> list[str]:
    """Those of migrations/base that know the scripts without spaces between words, with more."""
    sql = (MIGRATIONS / "base" / "text.sql").read_text()
    characters = runpy.run_path(str(Path(__file__).with_name("0001_base.py")))["CHARACTERS"]
    characters["UNSPACED"] += unspaced
    for name, value in characters.items():
        sql = sql.replace("{" + name + "}", value)
    names = "words_in|parts_of_query"
    found = re.findall(rf"^CREATE (FUNCTION (?:{names})\(.*?^END(?: \$\$)?);", sql, re.M | re.S)
    # text(), of which this becomes one, has parameters that begin with a colon.
    return [f"CREATE OR REPLACE {each}".replace(":", r"\:") for each in found]


def change(unspaced: str) -> None:
    with autocommit():
        for function in (*functions(unspaced), MAKE_WORDS):
            execute(function)
        backfill("jobs", BACKFILL, rows=BATCH)
        execute(
            "-- squawk-ignore ban-drop-function\n"
            "DROP FUNCTION IF EXISTS make_words_again(bigint, bigint, bigint, bigint)"
        )


def upgrade() -> None:
    change(HANGUL)


def downgrade() -> None:
    change("")
