"""Grapheme clusters: what users perceive as one character (Unicode Standard Annex #29)."""

import unicodedata

ZERO_WIDTH_JOINER = "\u200d"
# Viramas that join two consonants (Indic_Conjunct_Break=Linker).
_LINKERS = frozenset("\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d\u1039\u17d2\u1a60\u1b44\ua9c0")
# Continue a cluster, and are no marks: the sara am of Thai and Lao, half-width voiced sound marks,
# the zero-width non-joiner and the modifiers of emoji.
_EXTENDING = frozenset(
    "\u0e33\u0eb3\uff9e\uff9f\u200c\u200d\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
)
# Precede the cluster that they belong to, apart from format characters.
_PREPENDED = frozenset("\u0d4e\U000111c2\U000111c3")


def is_boundary(text: str, position: int) -> bool:
    """Whether no grapheme cluster extends over the position.

    It has no boundary that the standard does not have, and lacks a few: all marks continue a
    cluster.
    """
    if not 0 < position < len(text):
        return True
    before, after = text[position - 1], text[position]
    if before.isascii() and after.isascii():
        return True
    if _is_extending(after):
        return False
    if before == ZERO_WIDTH_JOINER and not after.isalnum() and not after.isspace():
        return False
    if before in _PREPENDED or (unicodedata.category(before) == "Cf" and _is_prepended(before)):
        return False
    if _is_regional(before) and _is_regional(after):
        return _count_regional(text, position) % 2 == 0
    return not (_continues_syllable(before, after) or _is_conjunct(text, position))


def expand(text: str, start: int, end: int) -> tuple[int, int]:
    """The smallest range of whole grapheme clusters with the characters from start to end."""
    while not is_boundary(text, start):
        start -= 1
    while not is_boundary(text, end):
        end += 1
    return start, end


def _is_extending(character: str) -> bool:
    """Whether it is a mark, or continues a cluster as tags of flags and modifiers do."""
    is_tag = "\U000e0020" <= character <= "\U000e007f"
    return is_tag or character in _EXTENDING or unicodedata.category(character)[0] == "M"


def _is_prepended(character: str) -> bool:
    return "\u0600" <= character <= "\u08e2" or "\U000110bd" <= character <= "\U000110cd"


def _is_regional(character: str) -> bool:
    """Two of them are a flag."""
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _count_regional(text: str, end: int) -> int:
    start = end
    while start and _is_regional(text[start - 1]):
        start -= 1
    return end - start


def _continues_syllable(before: str, after: str) -> bool:
    """Whether two Hangul jamo or syllables can be of one syllable."""
    if "\u1100" <= before <= "\u115f" or "\ua960" <= before <= "\ua97c":
        return "\u1100" <= after <= "\u11a7" or "\ua960" <= after <= "\ud7c6"
    is_hangul = "\u1160" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7fb"
    return is_hangul and ("\u1160" <= after <= "\u11ff" or "\ud7b0" <= after <= "\ud7fb")


def _is_conjunct(text: str, position: int) -> bool:
    """Whether a virama before the position joins the consonant after it."""
    if unicodedata.category(text[position]) != "Lo":
        return False
    while position and _is_extending(text[position - 1]):
        position -= 1
        if text[position] in _LINKERS:
            return True
    return False
