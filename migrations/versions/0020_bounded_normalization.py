"""words_in() normalizes in linear time.

Normalization sorts each sequence of combining characters, in PostgreSQL in quadratic time: two
seconds for a note of them.
"""

from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: str | None = None
depends_on: str | None = None

WORDS_IN = """
    CREATE OR REPLACE FUNCTION words_in(string text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN btrim(regexp_replace(lower({normalized}), '[^[:alnum:]]+', ' ', 'g'))
"""
# The test for the normal form does not sort. No query is longer than 255 characters, which is the
# maximum in a pattern.
BOUNDED = r"""
    CASE WHEN string IS NFC NORMALIZED THEN string
         ELSE normalize(regexp_replace(string, '(\S{255})', '\1 ', 'g'), NFC) END
"""


def upgrade() -> None:
    op.execute(WORDS_IN.format(normalized=BOUNDED))


def downgrade() -> None:
    op.execute(WORDS_IN.format(normalized="normalize(string, NFC)"))
