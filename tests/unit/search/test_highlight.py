"""Where a text has what was searched for: always a piece of it, escaped, with marks alone."""

import html
import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from jobtracker.search.highlight import highlight

LONG = f"{'before ' * 40}needle {'after ' * 60}"


def test_the_text_with_the_most_words():
    assert highlight("red fox", ["A fox", None, "A red fox", "red fox"]) == (
        "A <mark>red</mark> <mark>fox</mark>"
    )
    assert highlight("red fox", ["no", ""]) is None
    assert highlight("&", ["&"]) is None


def test_the_last_word_can_be_the_beginning_of_one():
    assert highlight("red fo", ["red foxes"]) == "<mark>red</mark> <mark>foxes</mark>"
    assert highlight("re foxes", ["red foxes"]) == "red <mark>foxes</mark>"


def test_a_piece_of_a_long_text():
    piece = highlight("needle", [LONG]) or ""
    assert piece.startswith("\u2026before")
    assert "before <mark>needle</mark> after" in piece
    assert piece.endswith("after\u2026")
    assert len(piece) < 260


@given(st.text(max_size=50), st.text(max_size=400))
def test_is_a_piece_of_the_text(q: str, text: str):
    piece = highlight(q, [text])
    if piece is not None:
        bare = re.sub("</?mark>", "", piece)
        assert "<" not in bare
        line = " ".join(unicodedata.normalize("NFC", text).split())
        assert html.unescape(bare).strip("\u2026") in line
