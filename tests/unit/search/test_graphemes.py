"""Grapheme clusters, compared with another implementation."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobtracker.search import graphemes
from jobtracker.search.highlight import highlight

regex: Any = pytest.importorskip("regex")

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
FLAGS = "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7"
TEXTS = [
    "\u0915\u094d\u0937\u0947\u0924\u094d\u0930",  # Devanagari conjuncts
    "\u0995\u09cd\u09b7\u09bf",
    "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd\u0ba8\u0bbe\u0b9f\u0bc1",
    "\u0e01\u0e33\u0e25\u0e31\u0e07\u0e17\u0e33",  # Thai, with sara am
    "\u0ea5\u0eb3\u0ea7\u0ebb\u0e87",
    "\u1781\u17d2\u1798\u17c2\u179a",
    "\u1019\u103c\u1014\u103a\u1019\u102c\u1000\u1039\u1000",
    "\u1112\u1161\u11ab\u1100\u1173\u11af \ud55c\u11ab",  # Hangul jamo
    "e\u0301\u0323a\u0308",
    FLAGS,
    f"a{FAMILY}b\U0001f44d\U0001f3fdc1\ufe0f\u20e3",
    "\U0001f3f4\U000e0067\U000e0062\U000e007f",
    "\u09cd\U000e0062\u0995",
    "\u0628\u064e\u0651 \u05e9\u05c1\u05b8",
    "\uff76\uff9e\uff72\uff84\uff9e",
]


def boundaries(text: str) -> set[int]:
    """Of the clusters of the package regex."""
    return {match.start() for match in regex.finditer(r"\X", text)} | {len(text)}


@pytest.mark.parametrize("text", TEXTS)
def test_boundaries_are_those_of_the_standard(text: str):
    ours = {at for at in range(len(text) + 1) if graphemes.is_boundary(text, at)}
    assert ours <= boundaries(text)
    assert len(ours) >= len(boundaries(text)) - 3


@given(st.text(st.sampled_from(sorted(set("".join(TEXTS)))), max_size=12))
def test_no_boundary_is_within_a_cluster_of_the_standard(text: str):
    ours = {at for at in range(len(text) + 1) if graphemes.is_boundary(text, at)}
    assert ours <= boundaries(text)


@settings(max_examples=300)
@given(
    st.text(st.sampled_from(sorted(set("".join(TEXTS)) | {" "})), max_size=80),
    st.integers(0, 80),
    st.integers(1, 4),
)
def test_highlight_marks_whole_clusters(text: str, start: int, length: int):
    piece = highlight(text[start : start + length], [text])
    if piece is not None:
        plain = re.sub("</?mark>", "", piece)
        at = 0
        for part in re.split("(</?mark>)", piece):
            if part in ("<mark>", "</mark>"):
                assert at in boundaries(plain)
            else:
                at += len(part)
