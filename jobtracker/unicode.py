"""Unicode text: the form in which it is stored, which of it is visible, and comparison.

All functions take linear time. Their results are stable: applied once more, they change nothing.
"""

import re
import unicodedata
from itertools import pairwise

# Character classes, without brackets; the escapes are those of Python and of ECMA-262.
# Bidi_Control: https://www.unicode.org/Public/UCD/latest/ucd/PropList.txt
BIDI_CONTROLS = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# Default_Ignorable_Code_Point, except for those, as far as it is in the Basic Multilingual Plane:
# https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt
IGNORABLE = (
    r"\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f"
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
)
# White space, controls, and what has no glyph or stands for something that is missing: Braille's
# blank, interlinear annotation, the object replacement character, noncharacters.
BLANK = r"\s\u0001-\u001f\u007f-\u009f\u2800\ufff9-\ufffc\ufdd0-\ufdef\ufffe\uffff"
# The diacritical marks of no script, which need a character to combine with, and a filler.
LONE_MARKS = r"\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
# The same beyond the Basic Multilingual Plane, for which ECMA-262 has other escapes.
_MORE_IGNORABLE = r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
_MORE_BLANK = r"\U0001d159\U00013430-\U0001343f\U00013441\U00013442\U00016fe4" + "".join(
    rf"\U{plane:04x}fffe\U{plane:04x}ffff" for plane in range(1, 17)
)

_VISIBLE = re.compile(
    f"[^{BLANK}{_MORE_BLANK}{IGNORABLE}{_MORE_IGNORABLE}{BIDI_CONTROLS}{LONE_MARKS}]"
)
_IGNORABLE = re.compile(f"[{IGNORABLE}{_MORE_IGNORABLE}{BIDI_CONTROLS}]")
_BIDI_CONTROL = re.compile(f"[{BIDI_CONTROLS}]")
# Embeddings, overrides and isolates, and what ends them.
_BIDI_PAIR = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_BIDI_EDGE = re.compile(f"[{BIDI_CONTROLS}{BLANK}]*")
_EDGE = re.compile(rf"[{BLANK}\U0001d159{IGNORABLE}{_MORE_IGNORABLE}]*")
# What belongs to the character before it: a variation selector, or the tags of an emoji flag.
_VARIATION = re.compile(
    r"[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]|[\U000e0020-\U000e007e]+\U000e007f"
)
_JOINER = re.compile(r"[\u200c\u200d]")

_BRAILLE_BLANK = "\u2800"
# What keyboards and word processors make of a hyphen (NFKD has it for the one that does not break),
# an apostrophe and a quotation mark.
_VARIANTS = "\u2010\u02bb\u02bc\u2018\u2019\u201c\u201d\u201e"
_PLAIN = str.maketrans(_VARIANTS + _BRAILLE_BLANK, "-''''\"\"\" ")
# As the lower case of the Turkish dotted I is.
_DOTTED_I = re.compile("i\u0307+")
# UAX #15, section 13: after so many combining characters, U+034F COMBINING GRAPHEME JOINER.
_MAX_COMBINING = 30
_GRAPHEME_JOINER = "\u034f"
# Combining characters are neither letters nor digits: this finds where there may be too many.
_PERHAPS_COMBINING = re.compile(rf"[^\w\s!-~]{{{_MAX_COMBINING + 1}}}")
_TOO_MANY = re.compile(rb"[^\0]{%d}(?=[^\0])" % _MAX_COMBINING)
# Of combining class 0, but decomposed into combining characters, by NFC as well.
_DECOMPOSED = (("\u0f73", "\u0f71\u0f72"), ("\u0f75", "\u0f71\u0f74"), ("\u0f81", "\u0f71\u0f80"))


def is_visible(text: str) -> bool:
    """Whether any character has a glyph of its own."""
    return _VISIBLE.search(text) is not None


def normalize(text: str) -> str:
    """The text in NFC and in Stream-Safe Text Format, in which normalization is linear.

    Normalization sorts each sequence of combining characters, in Python and PostgreSQL in quadratic
    time.

    https://www.unicode.org/reports/tr15/#Stream_Safe_Text_Format
    """
    if text.isascii():
        return text
    return _stream_safe(unicodedata.normalize("NFC", _stream_safe(text)))


def _stream_safe(text: str) -> str:
    if not _PERHAPS_COMBINING.search(text):
        return text
    for character, decomposed in _DECOMPOSED:
        text = text.replace(character, decomposed)
    classes = bytes(map(unicodedata.combining, text))
    cuts = [match.end() for match in _TOO_MANY.finditer(classes)]
    return _GRAPHEME_JOINER.join(text[a:b] for a, b in pairwise([0, *cuts, len(text)]))


def normalize_name(text: str) -> str:
    """The text of a name, as it is stored: as :func:`normalize_prose`, and without bidi controls,
    which would reorder what is shown around it."""
    return normalize_prose(text if text.isascii() else _BIDI_CONTROL.sub("", text))


def normalize_prose(text: str) -> str:
    """The text of a note, as it is stored: normalized and trimmed; empty if nothing is visible.

    Bidi controls remain: they belong to the writing of Arabic and Hebrew.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    text = trimmed(normalize(text))
    return text if is_visible(text) else ""


def normalize_url(text: str) -> str:
    """The text of a URL, as it is stored: as :func:`normalize_prose`, and without the bidi controls
    around it, with which a URL is copied from text in Arabic or Hebrew."""
    text = normalize_prose(text)
    if text.isascii():
        return text
    text = text[_end_of(_BIDI_EDGE, text) :]
    return normalize_prose(text[: len(text) - _end_of(_BIDI_EDGE, text[::-1])])


def trimmed(text: str) -> str:
    """The text without surrounding white space and invisible characters, bidi controls excepted.

    What an emoji, an ideograph or a letter of its script is written with remains.
    """
    text = text[_end_of(_EDGE, text) :]
    end = len(text) - _end_of(_EDGE, text[::-1])
    body, rest = text[:end], text[end:]
    if not rest or not body or (body[-1].isascii() and body[-1].isalpha()):
        return body
    kept = _end_of(_VARIATION, rest)
    # After a letter without case (Arabic, Malayalam) or a mark: it determines the last glyph.
    if unicodedata.category(body[-1]) in ("Lo", "Mn", "Mc"):
        kept += _end_of(_JOINER, rest[kept:])
    return body + rest[:kept]


def _end_of(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.match(text)
    return match.end() if match else 0


def without_ignorable(text: str) -> str:
    """The text without the characters that are invisible by default, bidi controls included."""
    return _IGNORABLE.sub("", text)


def without_bidi_pairs(text: str) -> str:
    """The text without the bidi controls that come in pairs: a part of it can have one alone, which
    would reorder what is shown after it."""
    return text if text.isascii() else _BIDI_PAIR.sub("", text)


def comparison_key(text: str) -> str:
    """The text as it is compared: equal for texts that differ in case, in compatibility variants
    (full-width letters, ligatures), in invisible characters, in the kind and number of blanks, or
    in the kind of hyphens, apostrophes and quotation marks.

    In SQL: the function fold().

    https://www.unicode.org/versions/latest/core-spec/chapter-3/#G34145 (definition D146)
    """
    if text.isascii():
        return " ".join(text.lower().split())
    # casefold() leaves the dotless i as it is, whose upper case is I.
    folded = unicodedata.normalize("NFKD", text).casefold().replace("\u0131", "i")
    normalized = unicodedata.normalize("NFKD", without_ignorable(folded))
    return " ".join(_DOTTED_I.sub("i", normalized.translate(_PLAIN)).split())
