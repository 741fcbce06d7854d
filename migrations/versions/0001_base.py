"""The schema at the beginning, in migrations/base: a file for each table or topic."""

import re
from pathlib import Path

from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

FOLDER = Path(__file__).parents[1] / "base"
# In an order in which each file needs only those before it.
FILES = (
    "text",
    "revisions",
    "users",
    "identities",
    "jobs",
    "object_deletions",
    "rate_limit_counts",
    "sign_in_networks",
    "idempotent_answers",
    "revoked_sessions",
    "saved_views",
    "activity",
    "documents",
    "interviews",
    "job_journeys",
    "job_steps",
    "job_words",
    "note_words",
    "notes",
    "signing_keys",
)
# Characters of regular expressions, which the files have as {NAME}.
CHARACTERS = {
    # Marks that a search ignores: those of Latin, Greek, Cyrillic, Hebrew, Arabic and Syriac, and
    # the Arabic tatweel. The vowel signs of other scripts distinguish words.
    "ACCENT": (
        r"\u0300-\u034E\u0350-\u036F\u0483-\u0489\u0591-\u05BD\u05BF\u05C1"
        r"\u05C2\u05C4\u05C5\u05C7\u0610-\u061A\u0640"
        r"\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E4\u06E7\u06E8"
        r"\u06EA-\u06ED\u0711\u0730-\u074A\u0898-\u089F\u08CA-\u08E1\u08E3-\u08FF"
        r"\u1AB0-\u1AFF\u1DC0-\u1DFF\u20D0-\u20F0\uFE20-\uFE2F"
    ),
    # White_Space, the separators of ASCII, and the blank pattern of Braille.
    "BLANK": (
        r"\u0009-\u000D\u001C-\u0020\u0085\u00A0\u1680\u2000-\u200A"
        r"\u2028\u2029\u202F\u205F\u2800\u3000"
    ),
    # Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.txt.
    "IGNORABLE": (
        r"\u00AD\u034F\u061C\u115F\u1160\u17B4"
        r"\u17B5\u180B-\u180F\u200B-\u200F\u202A-\u202E\u2060-\u206F\u3164"
        r"\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFF8\U0001BCA0-\U0001BCA3\U0001D173-\U0001D17A"
        r"\U000E0000-\U000E0FFF"
    ),
    # Marks and digits that are parts of words: [[:alnum:]] lacks many of them.
    "MARK_OR_DIGIT": (
        r"\u0660-\u0669\u06F0-\u06F9\u07A6-\u07F3\u07FD\u0816-\u082D\u0859-\u085B"
        r"\u0900-\u0963\u0966-\u0E3A\u0E47-\u0E4E\u0E50-\u0E59\u0EB1-\u0ED9\u0F18"
        r"\u0F19\u0F20-\u0F33\u0F35\u0F37\u0F39\u0F3E-\u0F84"
        r"\u0F86-\u0FBC\u0FC6\u102B-\u1049\u1056-\u109D\u135D-\u135F\u1369-\u137C"
        r"\u1712-\u1734\u1752-\u17D3\u17DD-\u17F9\u180B-\u180D\u180F-\u193B\u1946-\u19DA"
        r"\u1A17-\u1A1B\u1A55-\u1A99\u1B00-\u1B59\u1B6B-\u1B73\u1B80-\u1BF3\u1C24-\u1C37"
        r"\u1C40-\u1C59\u1CD0-\u1CD2\u1CD4-\u1CF9\u2CEF-\u2CF1\u2CFD\u2D7F-\u2DFF"
        r"\u302A-\u302F\u3099\u309A\u3248-\u324F\uA620-\uA672\uA674-\uA67D"
        r"\uA69E-\uA6F1\uA802-\uA827\uA82C-\uA835\uA880-\uA8C5\uA8D0-\uA8F1\uA8FF-\uA92D"
        r"\uA947-\uA953\uA980-\uA9C0\uA9D0-\uA9D9\uA9E5-\uAA59\uAA7B-\uAAC1\uAAEB-\uAAEF"
        r"\uAAF5\uAAF6\uABE3-\uABEA\uABEC-\uABF9\uFB1E\U00010107-\U0001BC9D"
        r"\U0001E000-\U0001ED3D"
    ),
    # Scripts without spaces between words: Thai, Lao, Myanmar, Khmer, Tai, Chinese, Japanese, Yi.
    "UNSPACED": (
        r"\u0E01-\u0E3A\u0E40-\u0E4E\u0E81-\u0ECE\u0EDC-\u0EDF\u1000-\u103F\u1050-\u108F"
        r"\u109A-\u109D\u1780-\u17D3\u17D7\u17DC\u17DD\u1950-\u1974"
        r"\u1980-\u19CF\u1A20-\u1A7C\u3005-\u3007\u3021-\u302F\u3031-\u3035\u3038-\u303C"
        r"\u3041-\u3096\u3099-\u309F\u30A1-\u30FA\u30FC-\u30FF\u3105-\u312F\u31A0-\u31BF"
        r"\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uA000-\uA48C\uA9E0-\uA9EF\uA9FA-\uA9FE"
        r"\uAA60-\uAA76\uAA7A-\uAA7F\uF900-\uFAFF\U0001AFF0-\U0001B16F\U00020000-\U0003FFFD"
    ),
}


def read(name: str) -> str:
    sql = (FOLDER / f"{name}.sql").read_text()
    for characters, value in CHARACTERS.items():
        sql = sql.replace("{" + characters + "}", value)
    return sql


def upgrade() -> None:
    # Functions mention tables of later files.
    op.execute("SET LOCAL check_function_bodies = off")
    for name in FILES:
        # text(), of which this becomes one, has parameters that begin with a colon.
        op.execute(read(name).replace(":", r"\:"))


def downgrade() -> None:
    sql = "".join(map(read, FILES))
    for table in re.findall(r"^CREATE (?:UNLOGGED )?TABLE (\w+)", sql, re.MULTILINE):
        op.execute(f"DROP TABLE {table} CASCADE")
    for function in re.findall(r"^CREATE FUNCTION (\w+)", sql, re.MULTILINE):
        op.execute(f"DROP FUNCTION IF EXISTS {function} CASCADE")
