"""Excerpts with the matching words marked, as HTML."""

import functools
import html
import re
from collections.abc import Iterable

from jobtracker import unicode
from jobtracker.search import graphemes
from jobtracker.search.words import UNSPACED, WORD, FoldedText, fold, words

# Characters before the first match, and of the whole excerpt, up to the next word.
CONTEXT, LENGTH = 60, 180
# Characters that a blank is looked for in; a text without spaces is cut at any character.
MAX_WORD = 60

# Of words_in() of the database: "+" and "#" after a word belong to it. A word is not bounded by
# characters of scripts without spaces.
_SUFFIX = rf"(?:#|\+\+|\+(?![{WORD}]))"
_BEGIN = rf"(?:(?<=[{UNSPACED}])|(?<![{WORD}]))"
_END = rf"(?:(?=[{UNSPACED}])|(?![{WORD}]))"
_REST = rf"(?:(?![{UNSPACED}])[{WORD}])*{_SUFFIX}*"
_BETWEEN = rf"[^{WORD}]*"
_IS_UNSPACED = re.compile(rf"[{UNSPACED}]").match


@functools.lru_cache(maxsize=64)  # of the queries, each of which has many texts
def word_pattern(q: str) -> re.Pattern[str] | None:
    """A pattern of folded texts with a group for each word; the last can be a prefix."""
    found = words(q)
    if not found:
        return None
    groups = (
        _BETWEEN.join(
            _part_pattern(part, is_prefix=word is found[-1] and number == len(word))
            for number, part in enumerate(word, start=1)
        )
        for word in found
    )
    return re.compile("|".join(f"({group})" for group in groups))


def _part_pattern(part: str, *, is_prefix: bool) -> str:
    pattern = re.escape(part)
    if _IS_UNSPACED(part):
        return pattern
    if not part.startswith("."):
        pattern = _BEGIN + pattern
    if part[-1] in "+#":
        return pattern + ("[+#]*" if is_prefix else "(?![+#])")
    if is_prefix:
        return pattern + _REST
    # "c" is no part of "C++", but "security" is one of "Security+".
    return rf"{pattern}{_END}" + (rf"(?!{_SUFFIX})" if re.fullmatch("[a-z]", part) else "")


def highlight(q: str, texts: Iterable[str | None]) -> str | None:
    """An excerpt of the text with the most words of the query, the first of several.

    The result is HTML: the text is escaped, so that ``<mark>`` is the only element. Marks are
    around whole grapheme clusters.
    """
    pattern = word_pattern(q)
    if pattern is None:
        return None
    best, most = None, 0
    for text in filter(None, texts):
        line = " ".join(unicode.normalize(text).split())
        folded = fold(line)
        count = len({match.lastindex for match in pattern.finditer(folded.text)})
        if count > most:
            best, most = (line, folded), count
        if most == pattern.groups:
            break
    return best and _mark(pattern, *best)


def _mark(pattern: re.Pattern[str], line: str, folded: FoldedText) -> str:
    spans = (folded.original(*match.span()) for match in pattern.finditer(folded.text))
    marks = (graphemes.expand(line, *span) for span in spans)
    mark_start, mark_end = next(marks)
    start = _start(line, mark_start)
    end = _end(line, max(mark_end, start + LENGTH))
    parts, position = [], start
    while mark_end <= end:
        if mark_start >= position:  # two matches can be of one cluster
            parts += [html.escape(line[position:mark_start])]
            parts += [f"<mark>{html.escape(line[mark_start:mark_end])}</mark>"]
            position = mark_end
        mark_start, mark_end = next(marks, (end, end + 1))
    parts.append(html.escape(line[position:end]))
    return ("\u2026" if start else "") + "".join(parts) + ("\u2026" if end < len(line) else "")


def _start(line: str, mark_start: int) -> int:
    """Where the excerpt begins: at a word, or at a grapheme cluster."""
    start = mark_start - CONTEXT
    if start <= 0:
        return 0
    blank = line.rfind(" ", max(0, start - MAX_WORD), start)
    start = blank + 1 if blank >= 0 else 0 if start <= MAX_WORD else start
    return graphemes.expand(line, start, start)[0]


def _end(line: str, end: int) -> int:
    """Where the excerpt ends: after a word, or after a grapheme cluster."""
    if end >= len(line):
        return len(line)
    blank = line.find(" ", end, end + MAX_WORD)
    end = blank if blank >= 0 else len(line) if end + MAX_WORD >= len(line) else end
    return graphemes.expand(line, end, end)[1]
