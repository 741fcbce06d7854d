"""Comparison keys without differences of keyboards: curly and straight apostrophes and quotation
marks, hyphens that do not break, and the Turkish dotted I, whose lower case has a dot that no
keyboard types.

Filters of the code of before work with the function. The keys of existing texts change in batches:
until then a filter finds less in those that have such a character.
"""

import re
import runpy
from pathlib import Path

from jobtracker.db.migrations import autocommit, backfill, create_index, drop_index, execute

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | None = None
depends_on: str | None = None

MIGRATIONS = Path(__file__).parents[1]
CHARACTERS = runpy.run_path(str(Path(__file__).with_name("0001_base.py")))["CHARACTERS"]
# As jobtracker.unicode has them: HYPHEN, as which NFKD has the one that does not break too, the
# apostrophes and the quotation marks.
VARIANTS, PLAIN = "\u2010\u02bb\u02bc\u2018\u2019\u201c\u201d\u201e", "-''''''''\"\"\""
# Between the two, casefolded() can have inserted U+034F.
DOTTED_I = r"i[\u0307\u034F]*\u0307"
# In a key of before, and in a text.
IN_KEY = rf"[{VARIANTS}]|i\u0307"
IN_TEXT = rf"[\u2011\u0130{VARIANTS}]|[iI\u0131]\u0307"

FOLD = rf"""
    CREATE OR REPLACE FUNCTION fold(string text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN btrim(regexp_replace(
        replace(normalize(
            regexp_replace(
                translate(casefolded(string), '{VARIANTS}', '{PLAIN}'), '{DOTTED_I}', 'i', 'g'),
            NFKC), chr(847), ''),
        '[{CHARACTERS["BLANK"]}]+', ' ', 'g'))
"""
PLAIN_KEY = (
    f"normalize(regexp_replace(translate({{key}}, '{VARIANTS}', '{PLAIN}'),"
    f" '{DOTTED_I}', 'i', 'g'), NFKC)"
)
# From the keys alone: a concurrent change of the job has the last word. Citus updates by immutable
# functions alone, which array_to_string() and the concatenation of a number are not.
MAKE_KEYS = f"""
    UPDATE job_words
    SET texts = {PLAIN_KEY.format(key="texts")},
        tags = ARRAY(SELECT {PLAIN_KEY.format(key="tag")} FROM unnest(tags) AS tag)
    WHERE {{batch}} AND (
        texts ~ '{IN_KEY}' OR EXISTS (SELECT FROM unnest(tags) AS tag WHERE tag ~ '{IN_KEY}')
    )
"""  # noqa: S608 (all characters are ours)
MAKE_KEYS_OF_BEFORE = f"""
    UPDATE job_words
    SET texts = folded_texts(company_name, job_title, location), tags = folded(jobs.tags)
    FROM jobs
    WHERE {{batch}} AND jobs.user_id = job_words.user_id AND jobs.id = application_id
        AND (
            company_name || job_title || coalesce(location, '') ~ '{IN_TEXT}'
            OR EXISTS (SELECT FROM unnest(jobs.tags) AS tag WHERE tag ~ '{IN_TEXT}')
        )
"""  # noqa: S608
# The empty text keeps PostgreSQL from using the index, which has the keys of before.
RENAME = """
    UPDATE saved_views SET name = left(name, 77 - length(id::text)) || ' (' || id::text || ')'
    WHERE {batch} AND trashed_at IS NULL AND EXISTS (
        SELECT FROM saved_views AS other
        WHERE other.user_id = saved_views.user_id AND other.id < saved_views.id
            AND other.trashed_at IS NULL AND fold(other.name) || '' = fold(saved_views.name)
    )
"""
INDEX = "uq_saved_views_user_id_name"


def change(function: str, keys: str) -> None:
    with autocommit():
        execute(function.replace(":", r"\:"))
        backfill("job_words", keys.replace("::", r"\:\:"), key=("user_id", "application_id"))
        backfill("saved_views", RENAME.replace("::", r"\:\:"))
        columns = "saved_views (user_id, fold(name)) WHERE trashed_at IS NULL"
        create_index(f"{INDEX}_plain", columns, unique=True)
        drop_index(INDEX)
        execute(
            "-- squawk-ignore renaming-object\n"
            f"ALTER INDEX IF EXISTS {INDEX}_plain RENAME TO {INDEX}"
        )


def upgrade() -> None:
    change(FOLD, MAKE_KEYS)


def downgrade() -> None:
    sql = (MIGRATIONS / "base" / "text.sql").read_text()
    (before,) = re.findall(r"^CREATE (FUNCTION fold\(.*?);", sql, re.M | re.S)
    before = f"CREATE OR REPLACE {before}".replace("{BLANK}", CHARACTERS["BLANK"])
    change(before, MAKE_KEYS_OF_BEFORE)
