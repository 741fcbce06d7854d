"""Normalization, visibility and comparison of text, by properties of all of Unicode."""

import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from jobtracker.jobs.models import normalize_tags
from jobtracker.unicode import (
    comparison_key,
    is_visible,
    normalize,
    normalize_name,
    normalize_prose,
    trimmed,
    without_ignorable,
)

# Without the ideographs and most syllables of Hangul, which have neither case nor variants.
RANGES = [(1, 0x3400), (0xA000, 0xAC20), (0xF900, 0x17000), (0x1B000, 0x20000), (0xE0000, 0xE01F0)]
ASSIGNED = [
    character
    for start, stop in RANGES
    for character in map(chr, range(start, stop))
    if unicodedata.category(character) not in ("Cn", "Co")
]

# Characters that case conversion, normalization and trimming treat in some special way.
SPECIAL = (
    "aAbBiI\u0131\u0130\u00df\u1e9e\u03c3\u03c2\u03a3\u1fb3\u1fbc\u0345\u1c80\ua64b\ufb01\ufb03"
    "\u0301\u0323\u0308\u0327\u0344\u0f73\u0f71\u034f\u200b\u200c\u200d\u200e\u202e\u2066\u2069"
    "\ufeff\ufe0f\u3164\u2800\u00a0\u3000 \t\n\r\u2028\x1b\x00\x7f\u0915\u094d\u0958\u1112\u1161"
    "\u11ab\uff21\u0149\u01c6\u01c5\U0001f469\U0001f3f4\U000e0067\U000e007f\u212b\u2126\u2764"
)
texts = st.text(st.sampled_from(SPECIAL), max_size=60) | st.text(st.characters(codec="utf-8"))

EMOJI = (
    "\u2764\ufe0f",  # with a variation selector
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",  # a family, with joiners
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # Scotland, with tags
    "1\ufe0f\u20e3",  # a keycap
)
WORDS = (
    *EMOJI,
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a non-joiner
    "\u0915\u094d\u200d\u0937",  # Hindi, with a joiner
    "\u0d05\u0d35\u0d28\u0d4d\u200d",  # Malayalam, with a joiner at its end
    "\u0647\u200d",  # Persian, an abbreviation
    "\u845b\U000e0100",  # an ideograph with a variation selector
    "\U0001fae8",  # assigned in Unicode 15, which Python 3.11 does not know
)

INVISIBLE = (
    *("\u200b", "\u3164", "\u2800", "\u202e", "\u00ad", "\u034f", "\u061c", "\u115f\u1160"),
    *("\u17b4", "\u180e", "\u200d", "\u2060", "\u2066\u2069", "\ufe0f", "\ufeff", "\uffa0"),
    *("\ufff0", "\ufff9", "\ufffc", "\U0001bca0", "\U0001d159", "\U0001d173", "\U000e0001"),
    *("\U000e0041", "\U000e0100", "\u00a0", "\u3000", "\u2028", "\x1b", "\x85", "\u0301"),
    *("\u20dd", "\uffff", "\U0001fffe", "\U0010ffff", "\u200b \u2800\u3164", " \u0308\u200d"),
)


@pytest.mark.parametrize(
    "function", [normalize, normalize_name, normalize_prose, trimmed, comparison_key]
)
def test_function_applied_twice_changes_nothing_more(function: Callable[[str], str]):
    @given(texts)
    @example("e\u0301" * 3 + "\u0301\u0323" * 50)
    @example("\u0344" * 40)
    @example("\u0f73\u0f81" * 40)
    @example("e\u0301\u200d")
    def check(text: str) -> None:
        once = function(text)
        assert function(once) == once

    check()
    for character in ASSIGNED:
        once = function(f"a{character}")
        assert function(once) == once


@given(texts)
def test_stored_text_is_in_nfc_and_equal_however_it_was_composed(text: str):
    for function in (normalize_name, normalize_prose):
        stored = function(text)
        assert unicodedata.is_normalized("NFC", stored)
        if "\u034f" not in stored:  # without long sequences of combining characters
            assert function(unicodedata.normalize("NFD", text)) == stored


@given(texts)
def test_name_is_trimmed_and_has_no_bidi_controls(text: str):
    name = normalize_name(text)
    assert not set(name) & set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2069")
    assert name == name.strip()
    assert not name or is_visible(name)


def test_line_breaks_within_a_text_remain():
    for function in (normalize_name, normalize_prose):
        assert function(" One.\r\n\n\tTwo\u2028\x1b[31m.\n\x01") == "One.\r\n\n\tTwo\u2028\x1b[31m."


def test_bidi_controls_remain_in_prose():
    text = "\u200f\u0645\u0631\u062d\u0628\u0627 \u2067C++\u2069!\u200f"
    assert normalize_prose(text) == text
    assert normalize_name(text) == "\u0645\u0631\u062d\u0628\u0627 C++!"


@pytest.mark.parametrize("text", INVISIBLE, ids=ascii)
def test_text_without_a_visible_character_is_blank(text: str):
    for written in (text, f" {text}\n", text * 3):
        assert normalize_name(written) == normalize_prose(written) == ""
    assert normalize_name(f"x{text}x")[0] == "x"


@pytest.mark.parametrize("word", WORDS, ids=ascii)
def test_invisible_characters_within_a_visible_word_remain(word: str):
    for around in ("", " ", "\u200b", "\ufeff", "\u3164", "\u2060", "\n"):
        for function in (normalize_name, normalize_prose):
            assert function(f"{around}{word}{around}") == word


@pytest.mark.parametrize("around", ["\u200b", "\ufeff", "\u200d", "\ufe0f", "\u00ad", "\u2800"])
def test_invisible_characters_around_a_word_are_removed(around: str):
    for function in (normalize_name, normalize_prose):
        assert function(f"{around}Acme{around}") == "Acme"


def test_every_letter_digit_and_symbol_is_visible():
    invisible = {each for each in ASSIGNED if not is_visible(each)}
    kinds = {unicodedata.category(each)[0] for each in invisible}
    letters = {each for each in invisible if unicodedata.category(each)[0] == "L"}
    assert kinds == {"C", "Z", "M", "L", "S"}
    assert letters == set("\u115f\u1160\u3164\uffa0")  # the fillers of Hangul


@pytest.mark.parametrize(
    "text",
    [
        *("a" + "\u0301" * 10_000, "a" + "\u0301\u0323" * 5_000, "\u0344\u0323" * 5_000),
        *("\u0f73\u0f81" * 5_000, "a" + "\u200b" * 200_000, "\u3000" * 200_000 + "a"),
        *(" a" * 100_000, ("a" + "\u200d" * 50) * 4_000),
    ],
    ids=lambda text: ascii(text[:3]),
)
def test_hostile_text_takes_linear_time(text: str):
    for function in (normalize, normalize_name, normalize_prose):
        begun = time.process_time()
        assert function(function(text)) == function(text)
        assert time.process_time() - begun < 5  # without bounds: a minute and more
    runs = "".join("x" if unicodedata.combining(each) else " " for each in normalize(text)).split()
    assert max(map(len, runs), default=0) <= 30


VARIANTS: list[Callable[[str], str]] = [
    *(str.upper, str.lower, str.title, str.swapcase, str.casefold),
    *(lambda text, form=form: unicodedata.normalize(form, text) for form in ("NFC", "NFD")),
    lambda text: f"\u200b {text}\u00a0",
]


@given(texts)
def test_comparison_key_of_stored_text_is_that_of_its_variants(text: str):
    stored = normalize_name(text)
    # The upper case of the iota subscript is a letter, and marks after it are at that letter then:
    # canonically equivalent texts differ in upper case.
    assume("\u0345" not in unicodedata.normalize("NFD", stored))
    for vary in VARIANTS:
        assert comparison_key(vary(stored)) == comparison_key(stored)


def test_comparison_key_of_each_character_is_that_of_its_variants():
    different = [
        (each, ascii(vary(each)))
        for each in ASSIGNED
        for vary in VARIANTS
        if comparison_key(vary(each)) != comparison_key(each)
    ]
    assert different == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Stra\u00dfe", "STRASSE"),
        (
            "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2",
            "\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3",
        ),
        ("Zu\u0308rich", "Z\u00dcRICH"),
        ("of\ufb01ce", "OFFICE"),
        ("\uff23\uff2b", "ck"),
        ("re\u200bmote\ufeff", "Remote"),
        ("two\u00a0words", "two \u2003 words"),
        ("\u1fb3", "\u0391\u0399"),
        ("I", "\u0131"),
        ("\u0130stanbul", "istanbul"),
        ("O\u2019Reilly", "o'reilly"),
        ("Hawai\u02bbi", "Hawai\u02bci"),
        ("Wi\u2011Fi", "wi-fi"),
        ("\u201eFoo\u201c", '"foo"'),
    ],
)
def test_texts_are_equal_when_compared(one: str, other: str):
    assert comparison_key(one) == comparison_key(other)
    assert len(normalize_tags([one, other])) == 1


def test_different_words_are_different_when_compared():
    words = [
        "resume",
        "r\u00e9sum\u00e9",
        "\u0915",
        "\u0915\u093f",
        "c",
        "c#",
        "a b",
        "ab",
        "\u03b1",
    ]
    assert len(set(map(comparison_key, words))) == len(words)


@given(st.lists(texts))
def test_normalize_tags_is_idempotent_sorted_and_unique(tags: list[str]):
    normalized = normalize_tags(tags)
    assert normalize_tags(normalized) == normalized == sorted(set(normalized))
    assert len(set(map(comparison_key, normalized))) == len(normalized)
    assert "" not in normalized


def test_first_of_equal_tags_is_kept_in_its_spelling():
    assert normalize_tags(["Stra\u00dfe", "STRASSE", "b", "\u200bB", "a"]) == [
        "a",
        "b",
        "stra\u00dfe",
    ]
    assert normalize_tags(["\u03a3\u039f\u03a6\u039f\u03a3"]) == ["\u03c3\u03bf\u03c6\u03bf\u03c2"]


def test_braille_s_blank_is_a_blank_when_compared():
    assert comparison_key("\u2801\u2800\u2802") == comparison_key("\u2801 \u2802")


def test_ignorable_characters_are_removed():
    assert without_ignorable("a\u200b\u00adb\ufe0f\U000e0041\u202ec") == "abc"
