"""Excerpts with the matching words marked, as HTML."""

import functools
import html
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from jobtracker import unicode
from jobtracker.search import graphemes
from jobtracker.search.words import RIGHT_TO_LEFT, UNSPACED, WORD, FoldedText, fold, words

# Characters before the first match, and of the whole excerpt, up to the next word.
CONTEXT, LENGTH = 60, 180
# Characters that a blank is looked for in; a text without spaces is cut at any character.
MAX_WORD = 60

# Of words_in() of the database: "+" and "#" after a word belong to it. A word is not bounded by
# characters of scripts without spaces, nor one in a script from right to left by others. These
# large classes take milliseconds to compile, so that no pattern is made of a query.
_SUFFIX = rf"(?:#|\+\+|\+(?![{WORD}]))"
_TURN = rf"(?<=[{RIGHT_TO_LEFT}])(?![{RIGHT_TO_LEFT}])|(?<![{RIGHT_TO_LEFT}])(?=[{RIGHT_TO_LEFT}])"
_BEGIN = rf"(?:(?<=[{UNSPACED}])|(?<![{WORD}])|{_TURN})"
_END = rf"(?:(?=[{UNSPACED}])|(?![{WORD}])|{_TURN})"
_STARTS = re.compile(rf"{_BEGIN}(?=[{WORD}])|(?=[.{UNSPACED}])").finditer
# The same of a text in ASCII: without look-arounds and large classes it takes a tenth of the time.
_STARTS_IN_ASCII = re.compile(r"\w+|\.", re.ASCII).finditer
_BETWEEN = re.compile(rf"[^{WORD}]*").match
_ANYWHERE = re.compile("").match
_AT_BEGIN = re.compile(_BEGIN).match
_AT_END = re.compile(_END).match
# "c" is no part of "C++", but "security" is one of "Security+".
_AT_END_OF_LETTER = re.compile(rf"{_END}(?!{_SUFFIX})").match
_NO_SIGNS = re.compile("(?![+#])").match
_SIGNS = re.compile("[+#]*").match
_REST = re.compile(rf"(?:(?!{_TURN}|[{UNSPACED}])[{WORD}])*{_SUFFIX}*").match
_IS_UNSPACED = re.compile(rf"[{UNSPACED}]").match

_MatchAt = Callable[[str, int], re.Match[str] | None]


class _Part(NamedTuple):
    """A part of a word, and what has to match before and after it."""

    text: str
    begin: _MatchAt
    end: _MatchAt


def _part(text: str, *, is_prefix: bool) -> _Part:
    if _IS_UNSPACED(text):
        return _Part(text, _ANYWHERE, _ANYWHERE)
    if text[-1] in "+#":
        end = _SIGNS if is_prefix else _NO_SIGNS
    elif is_prefix:
        end = _REST
    else:
        end = _AT_END_OF_LETTER if re.fullmatch("[a-z]", text) else _AT_END
    return _Part(text, _ANYWHERE if text.startswith(".") else _AT_BEGIN, end)


class _Words:
    """The words of a query; the last can be a prefix."""

    def __init__(self, q: str) -> None:
        found = words(q)
        self.count = len(found)
        # By the first character.
        self._words: dict[str, list[tuple[int, str, list[_Part]]]] = {}
        for number, word in enumerate(found):
            last = len(word) if word is found[-1] else 0
            parts = [_part(part, is_prefix=n == last) for n, part in enumerate(word, start=1)]
            self._words.setdefault(word[0][0], []).append((number, word[0], parts))

    def matches(self, text: str) -> Iterator[tuple[int, int, int]]:
        """The numbers of those in a folded text, with their start and end, without overlaps. Where
        several begin, the first of the query is found."""
        position, get = 0, self._words.get
        for match in (_STARTS_IN_ASCII if text.isascii() else _STARTS)(text):
            start = match.start()
            if start < position:
                continue
            for number, first, parts in get(text[start], ()):
                if text.startswith(first, start) and (end := _end_of(parts, text, start)):
                    yield number, start, end
                    position = end
                    break


# Of the queries, each of which has many texts.
_words_of = functools.lru_cache(maxsize=64)(_Words)


def _end_of(parts: list[_Part], text: str, start: int) -> int | None:
    """Where a word ends that begins at ``start``; None if none does."""
    position = start
    for part in parts:
        if position > start:
            position = match.end() if (match := _BETWEEN(text, position)) else position
        if not text.startswith(part.text, position) or not part.begin(text, position):
            return None
        if (after := part.end(text, position + len(part.text))) is None:
            return None
        position = after.end()
    return position


def highlight(q: str, texts: Iterable[str | None]) -> str | None:
    """An excerpt of the text with the most words of the query, the first of several.

    The result is HTML: the text is escaped, so that ``<mark>`` is the only element. Marks are
    around whole grapheme clusters.
    """
    query = _words_of(q)
    best, most = None, 0
    for text in filter(None, texts):
        line = " ".join(unicode.without_bidi_pairs(unicode.normalize(text)).split())
        folded = fold(line)
        matches = list(query.matches(folded.text))
        count = len({number for number, _, _ in matches})
        if count > most:
            best, most = (line, folded, matches), count
        if most == query.count:
            break
    return best and _mark(*best)


def _mark(line: str, folded: FoldedText, matches: list[tuple[int, int, int]]) -> str:
    spans = (folded.original(start, end) for _, start, end in matches)
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
