"""Where a text has what was searched for, to be shown as HTML."""

import html
import re
import unicodedata
from collections.abc import Iterable

BEFORE, LENGTH = 60, 180
MARKED = "<mark>{}</mark>"


def pattern_of(q: str) -> re.Pattern[str] | None:
    """What finds the words of a query, a group for each; the last can be the beginning of one."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFC", q))
    if not words:
        return None
    *whole, begun = map(re.escape, words)
    found = [*(rf"({word})(?![^\W_])" for word in whole), rf"({begun})[^\W_]*"]
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(found)})", re.IGNORECASE)


def highlight(q: str, texts: Iterable[str | None]) -> str | None:
    """A line of the text that has the most of the words, the first of several, words marked.

    It is HTML: the user's text is escaped, so that the marks are the only tags.
    """
    pattern = pattern_of(q)
    if pattern is None:
        return None
    lines = [" ".join(unicodedata.normalize("NFC", text).split()) for text in texts if text]
    counts = [len({found.lastindex for found in pattern.finditer(line)}) for line in lines]
    if not any(counts):
        return None
    return _marked(pattern, lines[counts.index(max(counts))])


def _marked(pattern: re.Pattern[str], line: str) -> str:
    first = next(pattern.finditer(line))
    start = line.rfind(" ", 0, first.start() - BEFORE) + 1 if first.start() > BEFORE else 0
    end = line.find(" ", max(first.end(), start + LENGTH))
    end = len(line) if end < 0 else end
    parts, at = [], start
    for found in pattern.finditer(line, start, end):
        parts += [html.escape(line[at : found.start()]), MARKED.format(html.escape(found[0]))]
        at = found.end()
    parts.append(html.escape(line[at:end]))
    return ("\u2026" if start else "") + "".join(parts) + ("\u2026" if end < len(line) else "")
