"""Highlights: part of the text, escaped, with no other element than ``<mark>``."""

import html
import re
import time
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from jobtracker.search import highlight as module
from jobtracker.search import words
from jobtracker.search.highlight import highlight
from jobtracker.unicode import without_bidi_pairs

# Of decreasing combining classes.
UNSORTED_MARKS = "\u0315\u0300"
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


def test_highlight_has_no_half_of_a_pair_of_bidi_controls():
    text = "word \u202e\u2067" + "x " * 200 + "\u2069\u202c"
    assert highlight("word", [text]) == f"<mark>word</mark> {'x ' * 87}x\u2026"
    assert highlight("word", ["\u200fword"]) == "\u200f<mark>word</mark>"


def test_highlight_of_many_combining_characters_takes_little_time():
    # Which normalization sorts: of one text it would take a minute.
    marks = f"needle {UNSORTED_MARKS * 50_000}"
    before = time.process_time()
    assert (highlight("needle", [marks]) or "").startswith("<mark>needle</mark>")
    assert time.process_time() - before < 10


def test_highlight_of_different_queries_takes_little_time():
    # As patterns of large character classes, each would take 50 ms to compile.
    before = time.process_time()
    for number in range(200):
        q = " ".join(f"word{number}x{word}" for word in range(12))
        assert highlight(q, [f"a word{number}x3."]) == f"a <mark>word{number}x3</mark>."
    assert time.process_time() - before < 5


def test_highlight_divides_long_words_only_if_they_are_not_normalized():
    normalized, decomposed = "\u00fc" * 300, "u\u0308" * 300
    assert highlight(normalized, [normalized]) == f"<mark>{normalized}</mark>"
    marked = highlight("\u00fc" * 100, [decomposed]) or ""
    assert marked.startswith("<mark>" + "\u00fc" * 127)


@given(st.text(max_size=50), st.text(max_size=400))
def test_highlight_is_an_escaped_part_of_the_text(q: str, text: str):
    piece = highlight(q, [text])
    if piece is not None:
        bare = re.sub("</?mark>", "", piece)
        assert "<" not in bare
        normalized = without_bidi_pairs(unicodedata.normalize("NFC", text))
        line = " ".join(normalized.split())
        assert html.unescape(bare).strip("\u2026") in line


def test_long_unit_is_folded_in_parts():
    voiced = "\uff76" + "\uff9e" * 20_000
    units = words._UNIT.findall(voiced)
    assert max(map(len, units)) < 40  # units are cached, as many as there are
    folded = words.fold(voiced)
    assert folded.text == words._fold_unit(voiced)
    assert len(folded.starts) == len(folded.ends) == len(folded.text)


@given(st.text(st.characters(codec="ascii")))
def test_words_of_ascii_texts_begin_where_those_of_all_texts_do(text: str):
    folded = words.fold(text).text
    ascii_starts = [match.start() for match in module._STARTS_IN_ASCII(folded)]
    assert ascii_starts == [match.start() for match in module._STARTS(folded)]
