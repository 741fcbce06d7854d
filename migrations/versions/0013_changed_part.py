"""The changes of an interview show the part of a long text that has changed.

The code of before reads the entries as those that it knows: a text of at most 100 characters.
"""

import re
import runpy
from pathlib import Path

from alembic import op

from jobtracker.db.migrations import autocommit, execute

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | None = None
depends_on: str | None = None

# By halves, since to look at each character of a text takes quadratic time.
COMMON_LENGTH = """
    CREATE OR REPLACE FUNCTION common_length(one text, other text) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
    DECLARE
        low integer := 0;
        high integer := least(length(one), length(other));
        half integer;
    BEGIN
        WHILE low < high LOOP
            half := (low + high + 1) / 2;
            IF left(one, half) = left(other, half) THEN
                low := half;
            ELSE
                high := half - 1;
            END IF;
        END LOOP;
        RETURN low;
    END $$
"""
# With some characters before it that are the same; 100 characters at most.
CHANGED_PART = """
    CREATE OR REPLACE FUNCTION changed_part(string text, other text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN length(string) <= 100 THEN string
        WHEN coalesce(common_length(string, other), 0) <= 50 THEN left(string, 99) || '…'
        WHEN length(string) <= common_length(string, other) + 79
        THEN '…' || right(string, 99)
        ELSE '…' || substr(string, common_length(string, other)::integer - 19, 98) || '…'
    END
"""
CUT = re.compile(r"'(from|to)', CASE WHEN length\((\w+)\) > 100.*?END", re.S)


def record_activity() -> str:
    """The function of before."""
    trash = runpy.run_path(str(Path(__file__).with_name("0005_trash.py")))
    function: str = trash["activity_function"]("interviews")
    return function


def show_changed_part(cut: re.Match[str]) -> str:
    other = {"was": "is_now", "is_now": "was"}[cut[2]]
    return f"'{cut[1]}', changed_part({cut[2]}, {other})"


def upgrade() -> None:
    with autocommit():
        for each in (COMMON_LENGTH, CHANGED_PART, CUT.sub(show_changed_part, record_activity())):
            execute(each.replace(":", r"\:"))


def downgrade() -> None:
    op.execute(record_activity().replace(":", r"\:"))
    op.execute("DROP FUNCTION changed_part(text, text)")
    op.execute("DROP FUNCTION common_length(text, text)")
