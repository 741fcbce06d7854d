"""The words of queries and texts, as ``unaccented()`` and ``words_in()`` of the database have them.

The database finds, this module shows what it found. The ranges of characters are explained in
migrations/versions/0001_base.py, 0011_words_of_hangul.py and 0014_words_of_mixed_scripts.py.
"""

import functools
import re
import unicodedata
from typing import NamedTuple

from jobtracker import unicode
from jobtracker.search.models import MAX_WORDS

# The parts of a word without spaces that count.
MAX_PARTS = 32

_ACCENTS = re.compile(
    r"[\u0300-\u036F\u0483-\u0489\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0610-\u061A"
    r"\u0640\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E4\u06E7\u06E8\u06EA-\u06ED\u0711"
    r"\u0730-\u074A\u0898-\u089F\u08CA-\u08E1\u08E3-\u08FF\u1AB0-\u1AFF\u1DC0-\u1DFF"
    r"\u20D0-\u20F0\uFE20-\uFE2F]+"
)
_LETTERS = str.maketrans(
    dict(zip("\u0131\u03c2\u00f8\u0142\u0111\u00f0\u0127\u0167", "i\u03c3olddht", strict=True))
    | {"\u00df": "ss", "\u00e6": "ae", "\u0153": "oe", "\u00fe": "th"}
    | {"\u02bb": "'", "\u02bc": "'", "\u266f": "#"}
)
_MARKS_AND_DIGITS = (
    r"\u0660-\u0669\u06F0-\u06F9\u07A6-\u07F3\u07FD\u0816-\u082D\u0859-\u085B\u0900-\u0963"
    r"\u0966-\u0E3A\u0E47-\u0E4E\u0E50-\u0E59\u0EB1-\u0ED9\u0F18\u0F19\u0F20-\u0F33\u0F35"
    r"\u0F37\u0F39\u0F3E-\u0F84\u0F86-\u0FBC\u0FC6\u102B-\u1049\u1056-\u109D\u135D-\u135F"
    r"\u1369-\u137C\u1712-\u1734\u1752-\u17D3\u17DD-\u17F9\u180B-\u180D\u180F-\u193B"
    r"\u1946-\u19DA\u1A17-\u1A1B\u1A55-\u1A99\u1B00-\u1B59\u1B6B-\u1B73\u1B80-\u1BF3"
    r"\u1C24-\u1C37\u1C40-\u1C59\u1CD0-\u1CD2\u1CD4-\u1CF9\u2CEF-\u2CF1\u2CFD\u2D7F-\u2DFF"
    r"\u302A-\u302F\u3099\u309A\u3248-\u324F\uA620-\uA672\uA674-\uA67D\uA69E-\uA6F1"
    r"\uA802-\uA827\uA82C-\uA835\uA880-\uA8C5\uA8D0-\uA8F1\uA8FF-\uA92D\uA947-\uA953"
    r"\uA980-\uA9C0\uA9D0-\uA9D9\uA9E5-\uAA59\uAA7B-\uAAC1\uAAEB-\uAAEF\uAAF5\uAAF6"
    r"\uABE3-\uABEA\uABEC-\uABF9\uFB1E\U00010107-\U0001BC9D\U0001E000-\U0001ED3D"
)
# The insides of character classes, once a text is folded: it has no underscore then.
WORD = rf"\w{_MARKS_AND_DIGITS}"
UNSPACED = (
    r"\u0E01-\u0E3A\u0E40-\u0E4E\u0E81-\u0ECE\u0EDC-\u0EDF\u1000-\u103F\u1050-\u108F"
    r"\u109A-\u109D\u1780-\u17D3\u17D7\u17DC\u17DD\u1950-\u1974\u1980-\u19CF\u1A20-\u1A7C"
    r"\u3005-\u3007\u3021-\u302F\u3031-\u3035\u3038-\u303C\u3041-\u3096\u3099-\u309F"
    r"\u30A1-\u30FA\u30FC-\u30FF\u3105-\u312F\u31A0-\u31BF\u31F0-\u31FF\u3400-\u4DBF"
    r"\u4E00-\u9FFF\uA000-\uA48C\uA9E0-\uA9EF\uA9FA-\uA9FE\uAA60-\uAA76\uAA7A-\uAA7F"
    r"\uF900-\uFAFF\U0001AFF0-\U0001B16F\U00020000-\U0003FFFD"
    r"\u1100-\u11FF\uA960-\uA97C\uAC00-\uD7FB"
)
# A word of another script can follow directly, behind a particle.
RIGHT_TO_LEFT = (
    r"\u05D0-\u05F2\u0620-\u064A\u066E-\u06D3\u06D5\u06E5\u06E6\u06EE\u06EF\u06FA-\u06FF"
    r"\u0750-\u077F\u0870-\u08C9"
)

# Normalization composes these with what precedes them.
_UNIT = re.compile(r".[\u3099\u309A\uFF9E\uFF9F]{0,30}", re.DOTALL)

_SEPARATORS = re.compile(rf"[^{WORD}+#./&'\u2019\u00B7\u2010-]+")
_SUBSTITUTIONS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (rf"[^{WORD}+#.]+", " "),
        (rf"(^|[ .{UNSPACED}])[+#]+", r"\1"),
        (rf"([{WORD}])\+(?=[{WORD}])", r"\1 "),
        (r"([+#])(?=[^+# ])", r"\1 "),
        (rf"\.\.+|\.(?![^ {UNSPACED}])", " "),
        (r"\.", " ."),
        (
            rf"(?<=[{RIGHT_TO_LEFT}])(?=[^{RIGHT_TO_LEFT} +#.])"
            rf"|(?<=[^{RIGHT_TO_LEFT} +#.])(?=[{RIGHT_TO_LEFT}])",
            " ",
        ),
        (rf"(?<=[{UNSPACED}])(?=[^{UNSPACED} ])|(?<=[^{UNSPACED} ])(?=[{UNSPACED}])", " "),
    )
]


class FoldedText(NamedTuple):
    """A folded text, and where the characters that each of its characters is of begin and end."""

    text: str
    starts: list[int] | range
    ends: list[int] | range

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The range of the original text that became the characters from start to end."""
        return self.starts[start], self.ends[end - 1]


def fold(text: str) -> FoldedText:
    """A text in NFC without case, accents, compatibility forms and ignorable characters."""
    if text.isascii():
        folded = text.lower().replace("_", "-")
        return FoldedText(folded, range(len(text)), range(1, len(text) + 1))
    parts, starts, ends = [], [], []
    position = 0
    for unit in _UNIT.findall(text):
        part = _fold_unit(unit)
        end = position + len(unit)
        parts.append(part)
        starts += [position] * len(part)
        ends += [end] * len(part)
        position = end
    return FoldedText("".join(parts), starts, ends)


@functools.lru_cache(maxsize=10_000)
def _fold_unit(unit: str) -> str:
    decomposed = unicodedata.normalize("NFKD", unicode.without_ignorable(unit))
    folded = _ACCENTS.sub("", decomposed.upper().lower()).translate(_LETTERS)
    return unicodedata.normalize("NFKC", folded).replace("_", "-")


def words(query: str) -> list[list[str]]:
    """The first words of a query. The parts of a word follow each other: of ``CI/CD``, ``ci`` and
    ``cd``. A run of a script without spaces is one part."""
    folded = fold(unicodedata.normalize("NFC", query)).text
    found = [parts for chunk in _SEPARATORS.split(folded) if (parts := _parts(chunk))]
    return found[:MAX_WORDS]


def _parts(chunk: str) -> list[str]:
    for pattern, replacement in _SUBSTITUTIONS:
        chunk = pattern.sub(replacement, chunk)
    first, *others = chunk.split() or [""]
    parts = [first, *(part.lstrip(".") for part in others)] if first else []
    return [part[: MAX_PARTS + 1] if _STARTS_UNSPACED(part) else part for part in parts[:MAX_PARTS]]


_STARTS_UNSPACED = re.compile(rf"[{UNSPACED}]").match
