"""Highlights: part of the text, escaped, with no other element than ``<mark>``."""

import html
import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from jobtracker.search.highlight import highlight

LONG = f"{'before ' * 40}needle {'after ' * 60}"


def test_highlight_chooses_the_text_with_the_most_words():
    assert highlight("red fox", ["A fox", None, "A red fox", "red fox"]) == (
        "A <mark>red</mark> <mark>fox</mark>"
    )
    assert highlight("red fox", ["no", ""]) is None
    assert highlight("&", ["&"]) is None


def test_highlight_matches_the_last_word_as_a_prefix():
    assert highlight("red fo", ["red foxes"]) == "<mark>red</mark> <mark>foxes</mark>"
    assert highlight("re foxes", ["red foxes"]) == "red <mark>foxes</mark>"


def test_highlight_shortens_a_long_text():
    piece = highlight("needle", [LONG]) or ""
    assert piece.startswith("\u2026before")
    assert "before <mark>needle</mark> after" in piece
    assert piece.endswith("after\u2026")
    assert len(piece) < 260


@given(st.text(max_size=50), st.text(max_size=400))
def test_highlight_is_an_escaped_part_of_the_text(q: str, text: str):
    piece = highlight(q, [text])
    if piece is not None:
        bare = re.sub("</?mark>", "", piece)
        assert "<" not in bare
        line = " ".join(unicodedata.normalize("NFC", text).split())
        assert html.unescape(bare).strip("\u2026") in line
