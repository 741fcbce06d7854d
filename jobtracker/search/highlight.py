"""Excerpts with the matching words marked, as HTML."""

import functools
import html
import re
import unicodedata
from collections.abc import Iterable

from jobtracker.search.models import MAX_WORDS

# Characters before the first match, and of the whole excerpt, up to the next word.
CONTEXT, LENGTH = 60, 180

# As words_in() of the database: to sort combining characters takes quadratic time.
_LONG_WORD = re.compile(r"(\S{255})")


@functools.lru_cache(maxsize=64)  # of the queries, each of which has many texts
def word_pattern(q: str) -> re.Pattern[str] | None:
    """A pattern with a group for each word of the query; the last can be a prefix."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFC", q))[:MAX_WORDS]
    if not words:
        return None
    *whole, prefix = map(re.escape, words)
    groups = [*(rf"({word})(?![^\W_])" for word in whole), rf"({prefix})[^\W_]*"]
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(groups)})", re.IGNORECASE)


def highlight(q: str, texts: Iterable[str | None]) -> str | None:
    """An excerpt of the text with the most words of the query, the first of several.

    The result is HTML: the text is escaped, so that ``<mark>`` is the only element.
    """
    pattern = word_pattern(q)
    if pattern is None:
        return None
    lines = [" ".join(_normalized(text).split()) for text in texts if text]
    counts = [len({match.lastindex for match in pattern.finditer(line)}) for line in lines]
    if not any(counts):
        return None
    return _mark(pattern, lines[counts.index(max(counts))])


def _normalized(text: str) -> str:
    """The text in NFC; if it is not yet, words of more than 255 characters are divided."""
    if unicodedata.is_normalized("NFC", text):
        return text
    return unicodedata.normalize("NFC", _LONG_WORD.sub(r"\1 ", text))


def _mark(pattern: re.Pattern[str], line: str) -> str:
    first = next(pattern.finditer(line))
    start = line.rfind(" ", 0, first.start() - CONTEXT) + 1 if first.start() > CONTEXT else 0
    end = line.find(" ", max(first.end(), start + LENGTH))
    end = len(line) if end < 0 else end
    parts, position = [], start
    for match in pattern.finditer(line, start, end):
        parts += [html.escape(line[position : match.start()])]
        parts += [f"<mark>{html.escape(match[0])}</mark>"]
        position = match.end()
    parts.append(html.escape(line[position:end]))
    return ("\u2026" if start else "") + "".join(parts) + ("\u2026" if end < len(line) else "")
