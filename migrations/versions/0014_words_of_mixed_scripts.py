"""Words of mixed scripts: one directly behind an Arabic or Hebrew particle is a word of its own,
the sharp of music is a ``#``, and an apostrophe that is a letter divides words as others do.

The code of before works with the functions: its searches find the same, without some highlights.
First new texts, then the existing ones have the new words. A search by one that has not yet finds
less until then. No revision is incremented, as in 0011.
"""

import re
import runpy
from pathlib import Path

from jobtracker.db.migrations import autocommit, backfill, execute

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | None = None
depends_on: str | None = None

MIGRATIONS = Path(__file__).parents[1]
CHARACTERS = runpy.run_path(str(Path(__file__).with_name("0001_base.py")))["CHARACTERS"]
BEFORE = runpy.run_path(str(Path(__file__).with_name("0011_words_of_hangul.py")))
# Letters of Hebrew and Arabic, once a text is folded.
RIGHT_TO_LEFT = (
    r"\u05D0-\u05F2\u0620-\u064A\u066E-\u06D3\u06D5\u06E5\u06E6\u06EE\u06EF\u06FA-\u06FF"
    r"\u0750-\u077F\u0870-\u08C9"
)
# What becomes that: presentation forms, mathematical letters. Apostrophes, and a sharp.
BEFORE_FOLDING = (
    rf"{RIGHT_TO_LEFT}\u2135-\u2138\uFB1D-\uFDFF\uFE70-\uFEFC\U0001EE00-\U0001EEFF"
    r"\u0149\u02BB\u02BC\u266F"
)
LETTERS = "'øłđðħŧ', 'olddht'"
LETTERS_AND_SIGNS = "'øłđðħŧ\u02bb\u02bc\u266f', 'olddht''''#'"
PAIRS = "    IF octet_length(words) <> length(words) AND words ~"
DIVIDE = rf"""    IF octet_length(words) <> length(words) AND words ~ '[{RIGHT_TO_LEFT}]' THEN
        words := regexp_replace(words,
            '(?<=[{RIGHT_TO_LEFT}])(?=[^{RIGHT_TO_LEFT} +#.])'
            '|(?<=[^{RIGHT_TO_LEFT} +#.])(?=[{RIGHT_TO_LEFT}])',
            ' ', 'g');
    END IF;
"""
MAKE_WORDS = BEFORE["MAKE_WORDS"].replace(BEFORE["BEFORE_FOLDING"], BEFORE_FOLDING)


def functions_of_before() -> tuple[str, str]:
    """unaccented() and words_in()."""
    sql = (MIGRATIONS / "base" / "text.sql").read_text()
    (unaccented,) = re.findall(r"^CREATE (FUNCTION unaccented\(.*?);", sql, re.M | re.S)
    unaccented = f"CREATE OR REPLACE {unaccented}".replace("{ACCENT}", CHARACTERS["ACCENT"])
    words_in, _parts_of_query = BEFORE["functions"](BEFORE["HANGUL"])
    return unaccented, words_in


def replace_once(sql: str, old: str, new: str) -> str:
    before, after = sql.split(old)
    return f"{before}{new}{after}"


def change(*functions: str) -> None:
    with autocommit():
        for function in (*functions, MAKE_WORDS):
            execute(function)
        backfill("jobs", BEFORE["BACKFILL"], rows=BEFORE["BATCH"])
        execute(
            "-- squawk-ignore ban-drop-function\n"
            "DROP FUNCTION IF EXISTS make_words_again(bigint, bigint, bigint, bigint)"
        )


def upgrade() -> None:
    unaccented, words_in = functions_of_before()
    change(
        replace_once(unaccented, LETTERS, LETTERS_AND_SIGNS),
        replace_once(words_in, PAIRS, DIVIDE + PAIRS),
    )


def downgrade() -> None:
    change(*functions_of_before())
